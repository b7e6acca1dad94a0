# What becomes of events, for operators: the outboxes' lag, and dead letters, which it alone may read and publish again.
module "outbox" {
  source    = "./modules/service"
  platform  = local.platform
  name      = "outbox"
  public    = true
  database  = { pool = 2 }
  spanner   = local.spanner_database
  publishes = toset(local.pubsub.topics)
  scaling   = { min = 1, max = 1, concurrency = 20 } # one: letters that one looks at are hidden from another
  timeout   = 60
}

resource "google_pubsub_subscription_iam_member" "outbox" {
  for_each     = google_pubsub_subscription.dead_letters
  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = module.outbox.account
}

# It asks whether a subscription is there before it waits for its letters.
resource "google_pubsub_subscription_iam_member" "outbox_sees" {
  for_each     = google_pubsub_subscription.dead_letters
  subscription = each.value.name
  role         = "roles/pubsub.viewer"
  member       = module.outbox.account
}
