# Brings documents up to date whose prices began or ended. Cloud Scheduler's shortest period is a minute.
module "activateprices" {
  source   = "./modules/function"
  platform = local.platform
  target   = "ActivatePrices"
  calls    = ["product"]
  schedule = "* * * * *"
}
