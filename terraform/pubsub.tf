# Topics and subscriptions are local/pubsub.json, which local runs read too. Each topic has another one for its dead letters, where they
# lie in a subscription of the same name (run/deadletters reads it).

locals {
  pubsub = jsondecode(file("${path.module}/../local/pubsub.json"))
}

resource "google_pubsub_topic" "topic" {
  for_each                   = toset(concat(local.pubsub.topics, [for topic in local.pubsub.topics : "${topic}-dead-letters"]))
  name                       = each.key
  message_retention_duration = "604800s" # 7 days: a new subscription, or one that lost something, can be set back
  depends_on                 = [google_project_service.api]
}

resource "google_pubsub_subscription" "dead_letters" {
  for_each                   = toset(local.pubsub.topics)
  name                       = "${each.key}-dead-letters"
  topic                      = google_pubsub_topic.topic["${each.key}-dead-letters"].id
  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s" # 31 days, the longest there is: people read it
  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub's own account puts aside what failed a hundred times.
resource "google_pubsub_topic_iam_member" "puts_aside" {
  for_each = toset(local.pubsub.topics)
  topic    = google_pubsub_topic.topic["${each.key}-dead-letters"].name
  role     = "roles/pubsub.publisher"
  member   = local.platform.pubsub_agent
}

# Who signs what is pushed, and what is scheduled. Nothing runs as either.
resource "google_service_account" "caller" {
  for_each     = toset(["pubsub-push", "scheduler"])
  account_id   = "${local.platform.account_prefix}${each.key}"
  display_name = "Larder: calls functions"
}

resource "google_service_account_iam_member" "signs" {
  for_each = {
    pubsub-push = local.platform.pubsub_agent
    scheduler   = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-cloudscheduler.iam.gserviceaccount.com"
  }
  service_account_id = google_service_account.caller[each.key].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.value
}
