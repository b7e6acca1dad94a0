# The operators' pages. Its account may read the key of its cookies, and nothing else: what it shows, the public API tells whoever signs in.
module "console" {
  source   = "./modules/service"
  platform = local.platform
  name     = "console"
  public   = true # by the load balancer, behind Cloud Armor
  environment = {
    API_URL  = local.public_url
    SITE_URL = local.public_url
  }
  secrets  = { SESSION_KEYS = module.secret["console-session-keys"].id }
  egress   = "ALL_TRAFFIC" # by Cloud NAT's address, which the services know (decision 0310)
  affinity = true          # a session is refreshed by one process (decision 0311)
  timeout  = 120           # an audit
  scaling  = { min = 1, max = 4, concurrency = 80 }
}
