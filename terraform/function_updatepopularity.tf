# Counts 28 days' sales.
module "updatepopularity" {
  source   = "./modules/function"
  platform = local.platform
  target   = "UpdatePopularity"
  calls    = ["checkout", "product"]
  schedule = "15 3 * * *"
}
