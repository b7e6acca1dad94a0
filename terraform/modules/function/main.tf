# A function: a Cloud Run service of the one image of all functions, and what calls it.

locals {
  name     = lower(var.target)
  audience = "https://larder.dev/functions/${local.name}"
}

module "service" {
  source      = "../service"
  platform    = var.platform
  name        = local.name
  image       = "functions"
  people      = false
  public      = var.public
  calls       = var.calls
  publishes   = setunion(var.publishes, [for topic in keys(var.topics) : "${topic}-dead-letters"])
  environment = merge({ FUNCTION_TARGET = var.target }, var.environment)
  secrets     = var.secrets
  scaling     = var.scaling
  timeout     = var.schedule == null ? 30 : 180
  liveness    = "/readyz"
  resources   = { cpu = "1", memory = "256Mi" }
}

# One subscription a topic. Pub/Sub signs as pubsub-push, which the function verifies (decision 0013). A filter can't be changed: another
# one makes a new subscription (decision 0400).
resource "google_pubsub_subscription" "push" {
  for_each                   = var.topics
  project                    = var.platform.project
  name                       = "${local.name}-${each.key}"
  topic                      = "projects/${var.platform.project}/topics/${each.key}"
  filter                     = length(each.value) == 0 ? null : join(" OR ", [for type in each.value : "attributes.\"ce-type\" = \"${type}\""])
  ack_deadline_seconds       = 30
  message_retention_duration = "604800s" # 7 days
  expiration_policy {
    ttl = "" # never, however quiet a topic is
  }

  push_config {
    push_endpoint = "${module.service.uri}/"
    oidc_token {
      service_account_email = "${var.platform.account_prefix}pubsub-push@${var.platform.accounts_domain}"
      audience              = local.audience
    }
  }

  retry_policy {
    minimum_backoff = "1s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = "projects/${var.platform.project}/topics/${each.key}-dead-letters"
    max_delivery_attempts = 100
  }
}

# What dead letters need: Pub/Sub's own account takes the message from here and puts it there (pubsub.tf).
resource "google_pubsub_subscription_iam_member" "forwards" {
  for_each     = google_pubsub_subscription.push
  project      = var.platform.project
  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = var.platform.pubsub_agent
}

resource "google_cloud_scheduler_job" "this" {
  count            = var.schedule == null ? 0 : 1
  project          = var.platform.project
  region           = var.platform.region
  name             = local.name
  schedule         = var.schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "180s"

  # The next run is the next try: what is left is for it.
  retry_config {
    retry_count = 0
  }

  http_target {
    uri         = "${module.service.uri}/"
    http_method = "POST"
    oidc_token {
      service_account_email = "${var.platform.account_prefix}scheduler@${var.platform.accounts_domain}"
      audience              = local.audience
    }
  }
}

output "name" {
  value = module.service.name
}
