# Looks after holds past their deadline.
module "reapcheckouts" {
  source   = "./modules/function"
  platform = local.platform
  target   = "ReapCheckouts"
  calls    = ["checkout"]
  schedule = "* * * * *"
}
