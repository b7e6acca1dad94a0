# A program that nobody calls, as a Cloud Run worker pool: always on, with all of its CPU.

resource "google_cloud_run_v2_worker_pool" "this" {
  project             = var.platform.project
  name                = var.name
  location            = var.platform.region
  deletion_protection = var.platform.deletion_protection

  scaling {
    scaling_mode          = "MANUAL"
    manual_instance_count = var.workers
  }

  template {
    service_account = google_service_account.this.email

    # A worker pool takes no connector.
    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"
      network_interfaces {
        network    = var.platform.network
        subnetwork = var.platform.subnetwork
      }
    }

    containers {
      name    = var.name
      image   = var.platform.images[coalesce(var.image, var.name)]
      command = var.command

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

  lifecycle {
    ignore_changes = [client, client_version]
  }

  depends_on = [
    google_secret_manager_secret_iam_member.reads, google_pubsub_topic_iam_member.publishes,
    google_spanner_database_iam_member.uses, google_project_iam_member.sql, google_sql_user.this,
  ]
}

output "account" {
  description = "The account's member, as IAM names it."
  value       = local.member
}

output "connections" {
  description = "Connections to PostgreSQL that all its instances take at most."
  value       = var.database == null ? 0 : var.workers * var.database.pool
}

output "sql_user" {
  description = "The account as PostgreSQL knows it."
  value       = local.sql_user
}
