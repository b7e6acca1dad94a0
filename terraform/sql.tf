# Cloud SQL: the schemas users and products. Programs sign in by IAM; only Debezium has a password.

resource "google_sql_database_instance" "larder" {
  name                = "larder"
  database_version    = "POSTGRES_15"
  region              = var.region
  deletion_protection = var.deletion_protection
  depends_on          = [google_service_networking_connection.services]

  settings {
    tier                        = var.sql.tier
    edition                     = "ENTERPRISE"
    availability_type           = var.high_availability ? "REGIONAL" : "ZONAL"
    disk_size                   = var.sql.disk_gb
    disk_autoresize             = true
    deletion_protection_enabled = var.deletion_protection

    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.larder.id
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "02:00"
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7
      backup_retention_settings {
        retained_backups = 30
      }
    }

    maintenance_window {
      day          = 2
      hour         = 3
      update_track = "stable"
    }

    insights_config {
      query_insights_enabled = true
    }

    # Debezium reads the log through a slot.
    database_flags {
      name  = "cloudsql.logical_decoding"
      value = "on"
    }
    database_flags {
      name  = "cloudsql.iam_authentication"
      value = "on"
    }
    database_flags {
      name  = "max_connections"
      value = tostring(var.sql.max_connections)
    }
    # The detail of a refused row would have the row's values in the log, mail addresses too.
    database_flags {
      name  = "log_error_verbosity"
      value = "terse"
    }
    # A slot whose reader is gone must not fill the disk: beyond this it is given up, and Debezium tells the table anew.
    database_flags {
      name  = "max_slot_wal_keep_size"
      value = tostring(var.sql.disk_gb * 1024 / 4)
    }
  }

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [settings[0].disk_size] # it grows by itself
  }
}

resource "google_sql_database" "larder" {
  name            = "larder"
  instance        = google_sql_database_instance.larder.name
  deletion_policy = "ABANDON"
}

# Debezium replicates, which no IAM account of Cloud SQL is documented to do. The password is written once, by hand, and is in no state
# (docs/deploy.md, which gives it REPLICATION too).
resource "google_sql_user" "debezium" {
  name                = "debezium"
  instance            = google_sql_database_instance.larder.name
  password_wo         = var.debezium_password
  password_wo_version = 1
  deletion_policy     = "ABANDON"
}

variable "debezium_password" {
  description = "The password of Debezium's PostgreSQL user, the same as in the secret debezium-password. Given as TF_VAR_debezium_password; it is in no plan and no state. null: the user can't sign in by password."
  type        = string
  default     = null
  ephemeral   = true
}
