# What Cloud Build does with a commit: a pull request is checked, main and tags are delivered (docs/deploy.md). Who delivers, the account
# larder-delivery, is made by hand: it changes everything that is here, so it isn't for what is here to say what it may do.

variable "repository" {
  description = "The repository, as Cloud Build's connection names it: projects/P/locations/R/connections/C/repositories/N. Empty: nothing is built here."
  type        = string
  default     = ""
  validation {
    condition     = var.repository == "" || can(regex("^projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+$", var.repository))
    error_message = "repository is projects/P/locations/R/connections/C/repositories/N."
  }
}

variable "triggers" {
  description = "What is built in this project, of pull-request, main and tag."
  type        = set(string)
  default     = ["pull-request", "main", "tag"]
  validation {
    condition     = length(setsubtract(var.triggers, ["pull-request", "main", "tag"])) == 0
    error_message = "triggers are pull-request, main and tag."
  }
}

variable "environment" {
  description = "The file of environments/ that builds plan by."
  type        = string
  default     = "prod"
}

locals {
  builds = { for name, build in {
    pull-request = { file = "delivery/pull-request.yaml", account = "checks", says = "Check what a pull request would bring" }
    main         = { file = "cloudbuild.yaml", account = "delivery", says = "Deliver what is on main" }
    tag          = { file = "cloudbuild.yaml", account = "delivery", says = "Deliver a release, once somebody has approved it" }
  } : name => build if var.repository != "" && contains(var.triggers, name) }

  # What a build's file leaves empty for its trigger.
  substitutions = {
    _BUILDER     = try(data.google_artifact_registry_docker_image.delivery["builder"].self_link, null)
    _LAUNCHER    = try(data.google_artifact_registry_docker_image.delivery["launcher"].self_link, null)
    _REGION      = var.region
    _ENVIRONMENT = var.environment
  }
}

data "google_artifact_registry_docker_image" "delivery" {
  for_each      = var.repository == "" ? [] : toset(["builder", "launcher"])
  project       = var.project_id
  location      = var.region
  repository_id = "larder"
  image_name    = "${each.key}:release"
}

resource "google_cloudbuild_trigger" "this" {
  for_each        = local.builds
  name            = each.key
  description     = each.value.says
  location        = var.region
  filename        = each.value.file
  service_account = "projects/${var.project_id}/serviceAccounts/${local.platform.account_prefix}${each.value.account}@${local.accounts_domain}"

  substitutions = { for name, default in yamldecode(file("${path.module}/../${each.value.file}")).substitutions : name => local.substitutions[name] if default == "" }

  repository_event_config {
    repository = var.repository

    dynamic "pull_request" {
      for_each = each.key == "pull-request" ? [1] : []
      content {
        branch          = "^main$"
        comment_control = "COMMENTS_ENABLED_FOR_EXTERNAL_CONTRIBUTORS_ONLY" # a stranger's code is built once one of us has said so
      }
    }
    dynamic "push" {
      for_each = each.key == "pull-request" ? [] : [1]
      content {
        branch = each.key == "main" ? "^main$" : null
        tag    = each.key == "tag" ? "^v[0-9]+[.][0-9]+[.][0-9]+$" : null
      }
    }
  }

  approval_config {
    approval_required = each.key == "tag"
  }

  depends_on = [google_project_service.api]
}

# Who checks pull requests: it writes its log, and reads the image that the steps run in.
resource "google_service_account" "checks" {
  account_id   = "${local.platform.account_prefix}checks"
  display_name = "Larder: checks of pull requests"
}

resource "google_project_iam_member" "checks" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = "serviceAccount:${google_service_account.checks.account_id}@${local.accounts_domain}"
}

resource "google_artifact_registry_repository_iam_member" "checks" {
  repository = google_artifact_registry_repository.larder.name
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${google_service_account.checks.account_id}@${local.accounts_domain}"
}

# Of each delivery: its plan, and which revisions served before it.
resource "google_storage_bucket" "delivery" {
  name                        = "${var.project_id}-delivery"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  depends_on                  = [google_project_service.api]

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = 400
    }
  }
}
