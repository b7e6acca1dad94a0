# Search. Its key reads the index and nothing else.
module "search" {
  source      = "./modules/service"
  platform    = local.platform
  name        = "search"
  public      = true
  environment = { ELASTICSEARCH_URL = local.elasticsearch_url }
  secrets = {
    ELASTICSEARCH_API_KEY = module.secret["elasticsearch-reader-key"].id
    SEARCH_TOKEN_KEY      = module.secret["search-token-key"].id
  }
  scaling   = { min = 2, max = 40, concurrency = 80 }
  resources = { cpu = "2", memory = "512Mi" }
}
