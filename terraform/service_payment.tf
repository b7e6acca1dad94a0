# The payment provider. Nothing else reads its key.
module "payment" {
  source      = "./modules/service"
  platform    = local.platform
  name        = "payment"
  public      = true # an operator asks it for an order's payment, and for its audit
  spanner     = local.spanner_database
  environment = { PAYMENT_RETURN_URL = "${local.public_url}/checkouts/" }
  secrets     = { STRIPE_API_KEY = module.secret["stripe-api-key"].id }
  scaling     = { min = 2, max = 20, concurrency = 64 } # STRIPE_MAX_CONCURRENT
  timeout     = 60
}
