output "public_url" {
  description = "Where the API is."
  value       = local.public_url
}

output "address" {
  description = "What the domain's A record must say."
  value       = google_compute_global_address.edge.address
}

output "registry" {
  value = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.larder.repository_id}"
}

output "connections" {
  description = "Connections to PostgreSQL that everything together takes at most, of those that there are."
  value       = { used = local.connections, of = var.sql.max_connections }

  precondition {
    condition     = local.connections <= var.sql.max_connections
    error_message = "Instances times their pools make ${local.connections} connections, and PostgreSQL takes ${var.sql.max_connections}: fewer instances, smaller pools, or a larger sql.max_connections."
  }
}

locals {
  # Twice those of services and relay, because a new revision runs beside the old one. Debezium takes 3, people 10, Cloud SQL itself 15.
  connections = (2 * (module.user.connections + module.product.connections + module.outbox.connections + module.relay.connections)
  + module.migrate.connections + module.productreindex.connections + 28)
}
