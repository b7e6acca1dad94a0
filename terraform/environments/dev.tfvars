# Small and cheap: one of each, no standbys. It loses what a zone loses.
environment         = "dev"
triggers            = ["pull-request", "main"]
high_availability   = false
deletion_protection = false

sql     = { tier = "db-custom-1-3840", disk_gb = 20, max_connections = 100 }
spanner = { min_units = 1000, max_units = 1000 }
redis   = { stock_gb = 1, cart_gb = 1 }

elasticsearch = { machine = "e2-standard-2", disk_gb = 20 }
dataflow      = { max_workers = 1 }

# 100 connections bear few instances.
instances = {
  user    = { min = 0, max = 2 }
  product = { min = 0, max = 2 }
}
