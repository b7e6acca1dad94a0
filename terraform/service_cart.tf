# Carts.
module "cart" {
  source   = "./modules/service"
  platform = local.platform
  name     = "cart"
  public   = true
  calls    = ["product"]
  secrets  = { CART_REDIS_ADDR = module.redis_url["cart"].id }
  scaling  = { min = 2, max = 40, concurrency = 80 }
}
