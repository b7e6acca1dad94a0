# A new generation of the index: a Cloud Run job that somebody runs, step by step, with a command as its argument (docs/search-index.md,
# docs/terraform.md).

module "productreindex" {
  source   = "./modules/job"
  platform = local.platform
  name     = "productreindex"
  database = { pool = 4 }
  environment = {
    GOOGLE_CLOUD_PROJECT = var.project_id
    INDEX_REPLICAS       = var.high_availability ? "1" : "0"
    ELASTICSEARCH_URL    = "projects/${var.project_id}/secrets/${module.secret["elasticsearch-writer-url"].id}/versions/latest"
  }
  reads   = [module.secret["elasticsearch-writer-url"].id]
  command = ["list"]
  timeout = 14400
}

# It makes a subscription a generation, and deletes it. No role of Pub/Sub has only that.
resource "google_project_iam_custom_role" "reindex" {
  role_id     = "larderReindex"
  title       = "Larder: generations of the index"
  permissions = ["pubsub.subscriptions.create", "pubsub.subscriptions.delete", "pubsub.subscriptions.get", "pubsub.subscriptions.list", "pubsub.topics.attachSubscription", "pubsub.topics.get"]
}

resource "google_project_iam_member" "productreindex" {
  project = var.project_id
  role    = "projects/${var.project_id}/roles/${google_project_iam_custom_role.reindex.role_id}"
  member  = module.productreindex.account
}
