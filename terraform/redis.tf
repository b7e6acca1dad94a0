# Memorystore: one server for carts, one for virtual stock, with AUTH and TLS.

resource "google_redis_instance" "redis" {
  for_each = merge(
    { cart = var.redis.cart_gb },
    var.redis.cluster ? {} : { stock = var.redis.stock_gb },
  )
  name                    = each.key
  tier                    = var.high_availability ? "STANDARD_HA" : "BASIC"
  memory_size_gb          = each.value
  region                  = var.region
  redis_version           = "REDIS_7_2"
  authorized_network      = google_compute_network.larder.id
  connect_mode            = "PRIVATE_SERVICE_ACCESS"
  transit_encryption_mode = "SERVER_AUTHENTICATION"
  auth_enabled            = true
  depends_on              = [google_service_networking_connection.services]

  # Virtual stock that is evicted is stock that is lost; a cart lives 30 days anyway.
  redis_configs = { maxmemory-policy = each.key == "stock" ? "noeviction" : "volatile-lru" }

  maintenance_policy {
    weekly_maintenance_window {
      day = "TUESDAY"
      start_time {
        hours   = 3
        minutes = 0
      }
    }
  }
}

# The variant for the stock: one hash tag a store spreads the stores over the shards.
resource "google_redis_cluster" "stock" {
  count                       = var.redis.cluster ? 1 : 0
  name                        = "stock"
  region                      = var.region
  shard_count                 = var.redis.cluster_shards
  replica_count               = var.high_availability ? 1 : 0
  node_type                   = "REDIS_STANDARD_SMALL"
  authorization_mode          = "AUTH_MODE_DISABLED" # IAM's tokens end after an hour, which the client doesn't follow; the network guards it
  transit_encryption_mode     = "TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION"
  deletion_protection_enabled = var.deletion_protection
  redis_configs               = { maxmemory-policy = "noeviction" }

  psc_configs {
    network = google_compute_network.larder.id
  }
  zone_distribution_config {
    mode = "MULTI_ZONE"
  }
  depends_on = [google_network_connectivity_service_connection_policy.redis]
}

resource "google_network_connectivity_service_connection_policy" "redis" {
  count         = var.redis.cluster ? 1 : 0
  name          = "redis"
  location      = var.region
  service_class = "gcp-memorystore-redis"
  network       = google_compute_network.larder.id
  psc_config {
    subnetworks = [google_compute_subnetwork.machines.id]
  }
}

# Addresses as internal/redisdb reads them: with the AUTH string, and the authority that the server's certificate is of.
locals {
  redis_urls = merge(
    { for name, redis in google_redis_instance.redis : name =>
      "rediss://:${redis.auth_string}@${redis.host}:${redis.port}?ca=${urlencode(base64encode(join("\n", redis.server_ca_certs[*].cert)))}"
    },
    { for redis in google_redis_cluster.stock : "stock" =>
      "rediss://${redis.discovery_endpoints[0].address}:${redis.discovery_endpoints[0].port}?cluster=true&ca=${urlencode(base64encode(join("\n", flatten(redis.managed_server_ca[0].ca_certs[*].certificates))))}"
    },
  )
}

module "redis_url" {
  source   = "./modules/secret"
  for_each = toset(["cart", "stock"])
  project  = var.project_id
  name     = "redis-${each.key}-url"
  rotation = "docs/playbooks/rotate-secrets.md#redis"
  value    = local.redis_urls[each.key]
  given    = true
}
