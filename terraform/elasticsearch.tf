# Elasticsearch on machines of our own: three nodes, one a zone, each with an address and a disk that stay when the machine is replaced.
# An outside one takes its place by var.elasticsearch.

locals {
  own_elasticsearch   = var.elasticsearch.kind == "vm"
  elasticsearch_nodes = local.own_elasticsearch ? (var.high_availability ? 3 : 1) : 0
  elasticsearch_url   = local.own_elasticsearch ? "http://${google_compute_address.elasticsearch[0].address}:9200" : var.elasticsearch.url
  elasticsearch_hosts = google_compute_address.elasticsearch_node[*].address
}

data "google_compute_zones" "up" {
  region = var.region
}

# COS runs the one container that cloud-init names, and updates itself.
data "google_compute_image" "cos" {
  family  = "cos-stable"
  project = "cos-cloud"
}

resource "google_service_account" "elasticsearch" {
  count        = local.own_elasticsearch ? 1 : 0
  account_id   = "${local.platform.account_prefix}elasticsearch"
  display_name = "Larder: Elasticsearch's machines"
}

resource "google_secret_manager_secret_iam_member" "elasticsearch" {
  for_each  = local.own_elasticsearch ? toset(["elasticsearch-password", "elasticsearch-transport-certificate"]) : []
  secret_id = module.secret[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${google_service_account.elasticsearch[0].account_id}@${local.accounts_domain}"
}

resource "google_artifact_registry_repository_iam_member" "elasticsearch" {
  count      = local.own_elasticsearch ? 1 : 0
  repository = google_artifact_registry_repository.larder.name
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${google_service_account.elasticsearch[0].account_id}@${local.accounts_domain}"
}

resource "google_project_iam_member" "elasticsearch" {
  for_each = local.own_elasticsearch ? toset(["roles/logging.logWriter", "roles/monitoring.metricWriter"]) : []
  project  = var.project_id
  role     = each.key
  member   = "serviceAccount:${google_service_account.elasticsearch[0].account_id}@${local.accounts_domain}"
}

resource "google_compute_address" "elasticsearch_node" {
  count        = local.elasticsearch_nodes
  name         = "elasticsearch-${count.index}"
  region       = var.region
  subnetwork   = google_compute_subnetwork.machines.id
  address_type = "INTERNAL"
  address      = cidrhost(google_compute_subnetwork.machines.ip_cidr_range, 10 + count.index)
}

resource "google_compute_disk" "elasticsearch" {
  count = local.elasticsearch_nodes
  name  = "elasticsearch-${count.index}"
  zone  = data.google_compute_zones.up.names[count.index]
  type  = "pd-balanced"
  size  = var.elasticsearch.disk_gb

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_compute_resource_policy" "snapshots" {
  count  = local.own_elasticsearch ? 1 : 0
  name   = "elasticsearch-snapshots"
  region = var.region
  snapshot_schedule_policy {
    schedule {
      daily_schedule {
        days_in_cycle = 1
        start_time    = "02:00"
      }
    }
    retention_policy {
      max_retention_days = 7 # the index can be built anew; a snapshot is quicker
    }
  }
}

resource "google_compute_disk_resource_policy_attachment" "snapshots" {
  count = local.elasticsearch_nodes
  name  = google_compute_resource_policy.snapshots[0].name
  disk  = google_compute_disk.elasticsearch[count.index].name
  zone  = google_compute_disk.elasticsearch[count.index].zone
}

resource "google_compute_instance_template" "elasticsearch" {
  count        = local.own_elasticsearch ? 1 : 0
  name_prefix  = "elasticsearch-"
  machine_type = var.elasticsearch.machine
  region       = var.region
  tags         = ["elasticsearch"]

  disk {
    source_image = data.google_compute_image.cos.self_link
    boot         = true
    disk_size_gb = 20
  }

  # No access_config: no public address.
  network_interface {
    subnetwork = google_compute_subnetwork.machines.id
  }

  service_account {
    email  = google_service_account.elasticsearch[0].email
    scopes = ["cloud-platform"] # what it may do is said by its roles
  }

  shielded_instance_config {
    enable_secure_boot = true
  }

  metadata = {
    block-project-ssh-keys = "true"
    google-logging-enabled = "true"
    user-data = templatefile("${path.module}/elasticsearch.cloud-init.yaml", {
      project  = var.project_id
      registry = "${var.region}-docker.pkg.dev"
      image    = local.images["elasticsearch"]
      hosts    = join(",", local.elasticsearch_hosts)
      nodes    = join(",", [for i in range(local.elasticsearch_nodes) : "elasticsearch-${i}"])
    })
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_health_check" "elasticsearch" {
  count               = local.own_elasticsearch ? 1 : 0
  name                = "elasticsearch"
  check_interval_sec  = 10
  timeout_sec         = 5
  unhealthy_threshold = 12 # a node that starts with a full disk of shards takes its time
  tcp_health_check {
    port = 9200
  }
}

resource "google_compute_region_instance_group_manager" "elasticsearch" {
  count                     = local.own_elasticsearch ? 1 : 0
  name                      = "elasticsearch"
  region                    = var.region
  base_instance_name        = "elasticsearch"
  distribution_policy_zones = slice(data.google_compute_zones.up.names, 0, local.elasticsearch_nodes)

  version {
    instance_template = google_compute_instance_template.elasticsearch[0].self_link_unique
  }

  # One after another, by hand or by the delivery: the next only when the cluster is green again.
  update_policy {
    type                         = "OPPORTUNISTIC"
    minimal_action               = "REPLACE"
    replacement_method           = "RECREATE"
    instance_redistribution_type = "NONE"
    max_surge_fixed              = 0
    max_unavailable_fixed        = local.elasticsearch_nodes
  }

  auto_healing_policies {
    health_check      = google_compute_health_check.elasticsearch[0].id
    initial_delay_sec = 300
  }
}

# The three machines by name. What they keep is theirs, whichever machine it is.
resource "google_compute_region_per_instance_config" "elasticsearch" {
  count                         = local.elasticsearch_nodes
  region                        = var.region
  region_instance_group_manager = google_compute_region_instance_group_manager.elasticsearch[0].name
  name                          = "elasticsearch-${count.index}"

  preserved_state {
    disk {
      device_name = "data"
      source      = google_compute_disk.elasticsearch[count.index].id
      mode        = "READ_WRITE"
      delete_rule = "NEVER"
    }
    internal_ip {
      interface_name = "nic0"
      auto_delete    = "NEVER"
      ip_address {
        address = google_compute_address.elasticsearch_node[count.index].id
      }
    }
  }
}

resource "google_compute_address" "elasticsearch" {
  count        = local.own_elasticsearch ? 1 : 0
  name         = "elasticsearch"
  region       = var.region
  subnetwork   = google_compute_subnetwork.machines.id
  address_type = "INTERNAL"
  address      = cidrhost(google_compute_subnetwork.machines.ip_cidr_range, 9)
}

resource "google_compute_region_backend_service" "elasticsearch" {
  count                 = local.own_elasticsearch ? 1 : 0
  name                  = "elasticsearch"
  region                = var.region
  protocol              = "TCP"
  load_balancing_scheme = "INTERNAL"
  health_checks         = [google_compute_health_check.elasticsearch[0].id]
  backend {
    group          = google_compute_region_instance_group_manager.elasticsearch[0].instance_group
    balancing_mode = "CONNECTION"
  }
}

resource "google_compute_forwarding_rule" "elasticsearch" {
  count                 = local.own_elasticsearch ? 1 : 0
  name                  = "elasticsearch"
  region                = var.region
  load_balancing_scheme = "INTERNAL"
  ip_protocol           = "TCP"
  ports                 = ["9200"]
  ip_address            = google_compute_address.elasticsearch[0].id
  subnetwork            = google_compute_subnetwork.machines.id
  backend_service       = google_compute_region_backend_service.elasticsearch[0].id
}
