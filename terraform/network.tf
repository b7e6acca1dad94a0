# One network. Nothing in it has a public address; what must go out goes by Cloud NAT.

resource "google_compute_network" "larder" {
  name                    = "larder"
  auto_create_subnetworks = false
  depends_on              = [google_project_service.api]
}

# Of what Cloud Run sends with direct egress. A revision takes up to four addresses an instance while it is replaced.
resource "google_compute_subnetwork" "run" {
  name                     = "run"
  network                  = google_compute_network.larder.id
  region                   = var.region
  ip_cidr_range            = "10.10.0.0/20"
  private_ip_google_access = true
}

# Of Elasticsearch and Dataflow's workers.
resource "google_compute_subnetwork" "machines" {
  name                     = "machines"
  network                  = google_compute_network.larder.id
  region                   = var.region
  ip_cidr_range            = "10.10.16.0/20"
  private_ip_google_access = true
}

resource "google_compute_subnetwork" "gke" {
  name                     = "gke"
  network                  = google_compute_network.larder.id
  region                   = var.region
  ip_cidr_range            = "10.10.32.0/20"
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = "10.32.0.0/14"
  }
  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = "10.36.0.0/20"
  }
}

resource "google_vpc_access_connector" "run" {
  count         = var.direct_vpc_egress ? 0 : 1
  name          = "larder"
  region        = var.region
  network       = google_compute_network.larder.name
  ip_cidr_range = "10.8.0.0/28"
  machine_type  = var.high_availability ? "e2-standard-4" : "e2-micro"
  min_instances = 2
  max_instances = var.high_availability ? 10 : 3
}

# Private Service Access: where Cloud SQL and Memorystore have their addresses.
resource "google_compute_global_address" "services" {
  name          = "google-services"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  address       = "10.16.0.0"
  prefix_length = 16
  network       = google_compute_network.larder.id
}

resource "google_service_networking_connection" "services" {
  network                 = google_compute_network.larder.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services.name]
}

# Calls to *.run.app go to private.googleapis.com, inside the network. Only so they count as internal, and a service whose ingress is
# internal takes them.
resource "google_dns_managed_zone" "private" {
  for_each    = { run = "run.app.", googleapis = "googleapis.com." }
  name        = each.key
  dns_name    = each.value
  description = "Google's own hosts by their private address"
  visibility  = "private"
  private_visibility_config {
    networks {
      network_url = google_compute_network.larder.id
    }
  }
}

resource "google_dns_record_set" "private" {
  for_each     = google_dns_managed_zone.private
  managed_zone = each.value.name
  name         = each.value.dns_name
  type         = "A"
  ttl          = 300
  rrdatas      = ["199.36.153.8", "199.36.153.9", "199.36.153.10", "199.36.153.11"]
}

resource "google_dns_record_set" "private_all" {
  for_each     = google_dns_managed_zone.private
  managed_zone = each.value.name
  name         = "*.${each.value.dns_name}"
  type         = "CNAME"
  ttl          = 300
  rrdatas      = [each.value.dns_name]
}

resource "google_compute_router" "larder" {
  name    = "larder"
  region  = var.region
  network = google_compute_network.larder.id
}

# One address, by which the services know the pages that call the public API (decision 0310).
resource "google_compute_address" "nat" {
  name       = "nat"
  region     = var.region
  depends_on = [google_project_service.api]
}

resource "google_compute_router_nat" "larder" {
  name                               = "larder"
  region                             = var.region
  router                             = google_compute_router.larder.name
  nat_ip_allocate_option             = "MANUAL_ONLY"
  nat_ips                            = [google_compute_address.nat.self_link]
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

# What isn't allowed below is refused, and logged.
resource "google_compute_firewall" "deny" {
  name          = "deny-ingress"
  network       = google_compute_network.larder.id
  direction     = "INGRESS"
  priority      = 65000
  source_ranges = ["0.0.0.0/0"]
  deny {
    protocol = "all"
  }
  log_config {
    metadata = "EXCLUDE_ALL_METADATA"
  }
}

# Elasticsearch, from Cloud Run, the connector, Dataflow's workers and each other. 9300 is among its nodes only.
resource "google_compute_firewall" "elasticsearch" {
  name          = "elasticsearch"
  network       = google_compute_network.larder.id
  direction     = "INGRESS"
  priority      = 1000
  source_ranges = ["10.8.0.0/28", google_compute_subnetwork.run.ip_cidr_range, google_compute_subnetwork.machines.ip_cidr_range]
  target_tags   = ["elasticsearch"]
  allow {
    protocol = "tcp"
    ports    = ["9200"]
  }
}

resource "google_compute_firewall" "elasticsearch_nodes" {
  name        = "elasticsearch-nodes"
  network     = google_compute_network.larder.id
  direction   = "INGRESS"
  priority    = 1000
  source_tags = ["elasticsearch"]
  target_tags = ["elasticsearch"]
  allow {
    protocol = "tcp"
    ports    = ["9300"]
  }
}

# Google's health checks of the internal load balancer and of auto-healing.
resource "google_compute_firewall" "health" {
  name          = "health-checks"
  network       = google_compute_network.larder.id
  direction     = "INGRESS"
  priority      = 1000
  source_ranges = ["35.191.0.0/16", "130.211.0.0/22"]
  target_tags   = ["elasticsearch"]
  allow {
    protocol = "tcp"
    ports    = ["9200"]
  }
}

# Dataflow's workers shuffle among each other.
resource "google_compute_firewall" "dataflow" {
  name        = "dataflow"
  network     = google_compute_network.larder.id
  direction   = "INGRESS"
  priority    = 1000
  source_tags = ["dataflow"]
  target_tags = ["dataflow"]
  allow {
    protocol = "tcp"
    ports    = ["12345", "12346"]
  }
}

# A person's shell on a machine: by Identity-Aware Proxy, which asks who it is.
resource "google_compute_firewall" "iap" {
  name          = "iap-ssh"
  network       = google_compute_network.larder.id
  direction     = "INGRESS"
  priority      = 1000
  source_ranges = ["35.235.240.0/20"]
  target_tags   = ["elasticsearch"]
  allow {
    protocol = "tcp"
    ports    = ["22"]
  }
}
