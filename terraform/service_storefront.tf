# The shop's pages. Its account may read the key of its cookies, and nothing else: what it shows, the public API tells it.
module "storefront" {
  source   = "./modules/service"
  platform = local.platform
  name     = "storefront"
  public   = true
  environment = {
    API_URL    = local.public_url
    SITE_URL = local.public_url
    TEST_CARDS = var.test_cards
  }
  secrets  = { SESSION_KEYS = module.secret["session-keys"].id }
  egress   = "ALL_TRAFFIC" # by Cloud NAT's address, which the services know (decision 0310)
  affinity = true          # a session is refreshed by one process (decision 0311)
  timeout  = 660           # an order is followed for ten minutes
  scaling  = { min = 2, max = 40, concurrency = 200 }
}
