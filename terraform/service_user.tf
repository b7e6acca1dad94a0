# Accounts, sign-in, addresses. Its outbox of events is published by the relay.
module "user" {
  source   = "./modules/service"
  platform = local.platform
  name     = "user"
  public   = true
  database = { pool = 4 }
  secrets  = { LIMIT_REDIS_ADDR = module.redis_url["cart"].id } # tries to sign in, a few bytes each
  scaling  = { min = 2, max = 10, concurrency = 40 }            # a sign-in hashes a password, which takes all of a CPU
}
