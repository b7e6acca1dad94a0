# A secret, and by whom it may be read: modules/service and its like add their own account.
#
# Where no value is given, somebody puts it in by hand: gcloud secrets versions add NAME --data-file=-. Terraform never sees it then.

variable "project" { type = string }
variable "name" { type = string }

variable "rotation" {
  description = "Where it is written how this secret is changed."
  type        = string
}

variable "value" {
  type      = string
  sensitive = true
  default   = null
}

variable "given" {
  description = "Whether value is one; a value that isn't known before the apply can't tell it."
  type        = bool
  default     = false
}

resource "google_secret_manager_secret" "this" {
  project             = var.project
  secret_id           = var.name
  deletion_protection = true
  annotations         = { rotation = var.rotation }

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "this" {
  count       = var.given ? 1 : 0
  secret      = google_secret_manager_secret.this.id
  secret_data = var.value
}

output "id" {
  value = google_secret_manager_secret.this.secret_id
}
