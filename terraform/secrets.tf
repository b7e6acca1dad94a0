# Secrets whose values people put in (docs/deploy.md), with where it is written how they are changed. Who reads which is said by what
# uses it: service_*.tf, function_*.tf, pipeline_*.tf.

module "secret" {
  source   = "./modules/secret"
  for_each = toset(local.secrets)
  project  = var.project_id
  name     = each.key
  rotation = "docs/playbooks/rotate-secrets.md#${each.key}"
}

locals {
  secrets = [
    "stripe-api-key", "stripe-webhook-secrets", "smtp-username", "smtp-password", "search-token-key", "debezium-password",
    "elasticsearch-password", "elasticsearch-transport-certificate", "elasticsearch-reader-key", "elasticsearch-writer-url",
    "session-keys", "console-session-keys",
  ]
}
