# For a shop that must not stand still. docs/terraform.md has what it costs.
environment         = "prod"
triggers            = ["tag"]
high_availability   = true
deletion_protection = true
direct_vpc_egress   = false

sql     = { tier = "db-custom-8-32768", disk_gb = 250, max_connections = 600 }
spanner = { min_units = 3000, max_units = 30000 }
redis   = { stock_gb = 5, cart_gb = 10 }

elasticsearch = { machine = "e2-highmem-4", disk_gb = 200 }
dataflow      = { max_workers = 8 }

instances = {
  user    = { min = 3, max = 16 }
  product = { min = 3, max = 24 }
}
