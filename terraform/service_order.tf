# Orders and their history.
module "order" {
  source   = "./modules/service"
  platform = local.platform
  name     = "order"
  public   = true
  calls    = ["checkout", "payment"]
  spanner  = local.spanner_database
  scaling  = { min = 2, max = 20, concurrency = 80 }
}
