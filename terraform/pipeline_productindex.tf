# The catalogue's changes into the index: a Beam pipeline on Dataflow, one for each generation of the index. Generation 1 is Terraform's;
# further ones are made by productreindex (docs/search-index.md), each with a subscription and a job of its own.

resource "google_service_account" "productindex" {
  account_id   = "${local.platform.account_prefix}productindex"
  display_name = "Larder: productindex"
}

locals {
  productindex = "serviceAccount:${google_service_account.productindex.account_id}@${local.accounts_domain}"
  pull         = local.pubsub.pull[0]
}

resource "google_pubsub_subscription" "productindex" {
  name                       = "${local.pull.name}-1"
  topic                      = google_pubsub_topic.topic[local.pull.topic].id
  ack_deadline_seconds       = 60 # a bundle on Dataflow may take longer than one here
  message_retention_duration = "604800s"
  expiration_policy {
    ttl = ""
  }
  retry_policy {
    minimum_backoff = "1s"
    maximum_backoff = "60s"
  }
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.topic["${local.pull.topic}-dead-letters"].id
    max_delivery_attempts = 100
  }
}

resource "google_pubsub_subscription_iam_member" "productindex" {
  for_each     = { pipeline = local.productindex, forwards = local.platform.pubsub_agent }
  subscription = google_pubsub_subscription.productindex.name
  role         = "roles/pubsub.subscriber"
  member       = each.value
}

# Dataflow's source asks what the subscription is like before it reads.
resource "google_pubsub_subscription_iam_member" "productindex_looks" {
  subscription = google_pubsub_subscription.productindex.name
  role         = "roles/pubsub.viewer"
  member       = local.productindex
}

resource "google_pubsub_topic_iam_member" "productindex" {
  topic  = google_pubsub_topic.topic["${local.pull.topic}-dead-letters"].name
  role   = "roles/pubsub.publisher"
  member = local.productindex
}

# The one secret that writes the index. It is the pipelines' alone.
resource "google_secret_manager_secret_iam_member" "productindex" {
  secret_id = module.secret["elasticsearch-writer-url"].id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.productindex
}

resource "google_project_iam_member" "productindex" {
  project = var.project_id
  role    = "roles/dataflow.worker"
  member  = local.productindex
}

# Its workers tell what they do as services do.
resource "google_project_iam_member" "productindex_tells" {
  for_each = toset(["roles/telemetry.tracesWriter", "roles/telemetry.metricsWriter"])
  project  = var.project_id
  role     = each.value
  member   = local.productindex
}

resource "google_artifact_registry_repository_iam_member" "productindex" {
  repository = google_artifact_registry_repository.larder.name
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = local.productindex
}

resource "google_storage_bucket" "dataflow" {
  name                        = "${var.project_id}-dataflow"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  depends_on                  = [google_project_service.api]

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 30
      matches_prefix = ["temp/", "staging/"]
    }
  }
}

resource "google_storage_bucket_iam_member" "productindex" {
  bucket = google_storage_bucket.dataflow.name
  role   = "roles/storage.objectUser"
  member = local.productindex
}

# The template: the image by its digest, and what it takes. docs/dataflow.md says how it is built.
resource "google_storage_bucket_object" "productindex" {
  name         = "templates/productindex.json"
  bucket       = google_storage_bucket.dataflow.name
  content_type = "application/json"
  content = jsonencode({
    image       = local.images["productindex"]
    sdkInfo     = { language = "GO" }
    metadata    = jsondecode(file("${path.module}/../pipelines/productindex/metadata.json"))
    environment = {}
  })
}

resource "google_dataflow_flex_template_job" "productindex" {
  count                        = var.dataflow.enabled ? 1 : 0
  provider                     = google-beta
  name                         = "productindex-1"
  region                       = var.region
  container_spec_gcs_path      = "gs://${google_storage_bucket.dataflow.name}/${google_storage_bucket_object.productindex.name}"
  service_account_email        = google_service_account.productindex.email
  network                      = google_compute_network.larder.name
  subnetwork                   = "regions/${var.region}/subnetworks/${google_compute_subnetwork.machines.name}"
  ip_configuration             = "WORKER_IP_PRIVATE"
  machine_type                 = var.dataflow.machine
  num_workers                  = 1
  max_workers                  = var.dataflow.max_workers
  enable_streaming_engine      = true
  staging_location             = "gs://${google_storage_bucket.dataflow.name}/staging"
  temp_location                = "gs://${google_storage_bucket.dataflow.name}/temp"
  on_delete                    = "drain" # never cancelled: what was read is written first
  skip_wait_on_job_termination = false

  # Another program or other parameters of the template: this job drains, and one of the new template goes on where it ended.
  lifecycle {
    replace_triggered_by = [google_storage_bucket_object.productindex]
  }

  # Each change is written under its revision, so a second time changes nothing: exactly once isn't needed.
  additional_experiments = ["streaming_mode_at_least_once"]

  parameters = merge({ for name, value in local.platform.telemetry : lower(name) => value }, {
    otel_resource_attributes = replace(local.platform.telemetry.OTEL_RESOURCE_ATTRIBUTES, "gcp_cloud_run", "gcp_compute_engine")

    google_cloud_project = var.project_id
    elasticsearch_url    = "projects/${var.project_id}/secrets/${module.secret["elasticsearch-writer-url"].id}/versions/latest"
    subscription         = google_pubsub_subscription.productindex.name
    index                = "products-1"
    index_replicas       = var.high_availability ? "1" : "0"
  })
}
