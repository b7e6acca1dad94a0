# The order saga, and virtual stock.
module "checkout" {
  source    = "./modules/service"
  platform  = local.platform
  name      = "checkout"
  public    = true
  calls     = ["product", "cart", "payment"]
  spanner   = local.spanner_database
  secrets   = { STOCK_REDIS_ADDR = module.redis_url["stock"].id }
  scaling   = { min = 2, max = 60, concurrency = 60 } # 64 connections to Redis an instance
  timeout   = 60
  resources = { cpu = "2", memory = "1Gi" }
}
