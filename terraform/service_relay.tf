# The outboxes and the stock's flips of availability to Pub/Sub. Relays share the work by leases; a dead one's shards wait for 10 s.
module "relay" {
  source      = "./modules/worker"
  platform    = local.platform
  name        = "relay"
  workers     = var.high_availability ? 2 : 1
  database    = { pool = 5 }
  spanner     = local.spanner_database
  publishes   = ["order-events", "user-events", "stock-events"]
  environment = local.platform.serving
  secrets     = { STOCK_REDIS_ADDR = module.redis_url["stock"].id }
}
