# Compares the search index with the catalogue.
module "auditindex" {
  source   = "./modules/function"
  platform = local.platform
  target   = "AuditIndex"
  calls    = ["product"]
  schedule = "30 * * * *"
}
