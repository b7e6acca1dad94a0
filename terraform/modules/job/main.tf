# A program that runs to its end, as a Cloud Run job. It is never tried again by itself: whoever runs it sees why it failed.

resource "google_cloud_run_v2_job" "this" {
  project             = var.platform.project
  name                = var.name
  location            = var.platform.region
  deletion_protection = var.platform.deletion_protection

  template {
    template {
      service_account = google_service_account.this.email
      timeout         = "${var.timeout}s"
      max_retries     = 0

      vpc_access {
        egress    = "PRIVATE_RANGES_ONLY"
        connector = var.platform.connector
        dynamic "network_interfaces" {
          for_each = var.platform.direct_vpc_egress ? [var.platform.subnetwork] : []
          content {
            network    = var.platform.network
            subnetwork = network_interfaces.value
          }
        }
      }

      containers {
        name  = var.name
        image = var.platform.images[coalesce(var.image, var.name)]
        args  = var.command

        resources {
          limits = var.resources
        }

        dynamic "env" {
          for_each = local.environment
          content {
            name  = env.key
            value = env.value
          }
        }

        dynamic "env" {
          for_each = var.secrets
          content {
            name = env.key
            value_source {
              secret_key_ref {
                secret  = env.value
                version = "latest"
              }
            }
          }
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [client, client_version]
  }
}

output "account" {
  description = "The account's member, as IAM names it."
  value       = local.member
}

output "connections" {
  value = var.database == null ? 0 : var.database.pool
}

output "sql_user" {
  description = "The account as PostgreSQL knows it."
  value       = local.sql_user
}
