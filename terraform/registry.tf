# Images. Those of others are mirrored here by the delivery, so that nothing is pulled from elsewhere.

resource "google_artifact_registry_repository" "larder" {
  repository_id = "larder"
  location      = var.region
  format        = "DOCKER"
  description   = "Larder's images"
  depends_on    = [google_project_service.api]

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20 # what can be rolled back to
    }
  }
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "7776000s" # 90 days
    }
  }
}

locals {
  image_names = concat(local.services, [
    "relay", "storefront", "console", "functions", "migrate", "productindex", "productreindex", "debezium", "elasticsearch",
  ])
  # self_link is the image by its digest, whatever its tag is.
  images = merge({ for name, image in data.google_artifact_registry_docker_image.release : name => image.self_link }, var.images)
}

data "google_artifact_registry_docker_image" "release" {
  for_each      = setsubtract(local.image_names, keys(var.images))
  project       = var.project_id
  location      = var.region
  repository_id = "larder" # by name, so that it is read at the time of the plan, and the plan has digests
  image_name    = "${each.key}:${var.release}"
}
