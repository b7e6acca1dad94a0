# The catalogue.
module "product" {
  source    = "./modules/service"
  platform  = local.platform
  name      = "product"
  public    = true
  calls     = ["search"] # for audits
  database  = { pool = 6 }
  scaling   = { min = 2, max = 16, concurrency = 80 }
  timeout   = 300 # an import's file
  resources = { cpu = "2", memory = "1Gi" }
}
