# Spanner: the database that checkout, order, payment and relay share. Its tables are internal/spannerdb/schema.sql, the file that the
# programs' tests run on; what changes them later is a migration (run/migrate), so Terraform makes them once and leaves them alone.

locals {
  schema = join("\n", [
    for line in split("\n", file("${path.module}/../internal/spannerdb/schema.sql")) : line if !startswith(trimspace(line), "--")
  ])
}

resource "google_spanner_instance" "larder" {
  name         = "larder"
  display_name = "Larder"
  config       = "regional-${var.region}"
  edition      = "ENTERPRISE" # the autoscaler needs it
  depends_on   = [google_project_service.api]

  autoscaling_config {
    autoscaling_limits {
      min_processing_units = var.spanner.min_units
      max_processing_units = var.spanner.max_units
    }
    autoscaling_targets {
      high_priority_cpu_utilization_percent = 65 # Google's limit for a regional instance that must lose a zone
      storage_utilization_percent           = 80
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_spanner_database" "larder" {
  instance                 = google_spanner_instance.larder.name
  name                     = "larder"
  version_retention_period = "7d"
  enable_drop_protection   = var.deletion_protection
  deletion_protection      = var.deletion_protection
  ddl                      = [for statement in split(";", local.schema) : trimspace(statement) if trimspace(statement) != ""]

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [ddl]
  }
}

resource "google_spanner_backup_schedule" "daily" {
  instance           = google_spanner_instance.larder.name
  database           = google_spanner_database.larder.name
  name               = "daily"
  retention_duration = "2592000s" # 30 days

  spec {
    cron_spec {
      text = "0 2 * * *"
    }
  }
  full_backup_spec {}
}

locals {
  spanner_database = "projects/${var.project_id}/instances/${google_spanner_instance.larder.name}/databases/${google_spanner_database.larder.name}"
}
