# A program of ours as a Cloud Run service: gRPC and REST on one port.

locals {
  instances = lookup(var.platform.instances, var.name, {
    min = var.platform.high_availability ? var.scaling.min : min(1, var.scaling.min)
    max = var.scaling.max
  })
}

resource "google_cloud_run_v2_service" "this" {
  project             = var.platform.project
  name                = var.name
  location            = var.platform.region
  deletion_protection = var.platform.deletion_protection
  ingress             = var.public ? "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER" : "INGRESS_TRAFFIC_INTERNAL_ONLY"

  # Shoppers have no account of Google's. Who calls, every program verifies itself (decisions 0002 and 0013).
  invoker_iam_disabled = true

  template {
    service_account                  = google_service_account.this.email
    timeout                          = "${var.timeout}s"
    max_instance_request_concurrency = var.scaling.concurrency
    session_affinity                 = var.affinity

    scaling {
      min_instance_count = local.instances.min
      max_instance_count = local.instances.max
    }

    vpc_access {
      egress    = var.egress
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

      ports {
        name           = "h2c" # gRPC needs HTTP/2 to the end; the same port takes HTTP/1.1
        container_port = 8080
      }

      resources {
        limits            = var.resources
        cpu_idle          = var.scaling.min == 0 # who waits for the next request keeps its connections alive
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = merge(local.environment, var.people ? var.platform.serving : {})
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

      startup_probe {
        http_get {
          path = "/readyz"
          port = 8080
        }
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 60
      }

      liveness_probe {
        http_get {
          path = var.liveness
          port = 8080
        }
        period_seconds    = 10
        timeout_seconds   = 3
        failure_threshold = 3
      }
    }
  }

  # Which revision has how much of the traffic is the delivery's to say (docs/deploy.md).
  lifecycle {
    ignore_changes = [traffic, client, client_version]
  }

  # What an instance needs when it starts.
  depends_on = [
    google_secret_manager_secret_iam_member.reads, google_spanner_database_iam_member.uses,
    google_project_iam_member.sql, google_sql_user.this,
  ]
}

output "name" {
  value = google_cloud_run_v2_service.this.name
}

output "account" {
  description = "The account's member, as IAM names it."
  value       = local.member
}

output "connections" {
  description = "Connections to PostgreSQL that all its instances take at most; a new revision runs beside the old one for a while."
  value       = var.database == null ? 0 : local.instances.max * var.database.pool
}

output "uri" {
  value = google_cloud_run_v2_service.this.uri
}

output "sql_user" {
  description = "The account as PostgreSQL knows it."
  value       = local.sql_user
}
