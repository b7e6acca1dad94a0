# The GKE profile: an Autopilot cluster in the same network, with a mesh. What runs there is not Terraform's.

resource "google_container_cluster" "gke" {
  count               = var.gke ? 1 : 0
  name                = "larder"
  location            = var.region
  enable_autopilot    = true
  network             = google_compute_network.larder.id
  subnetwork          = google_compute_subnetwork.gke.id
  deletion_protection = var.deletion_protection

  release_channel {
    channel = "REGULAR"
  }
  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }
  private_cluster_config {
    enable_private_nodes    = true
    enable_private_endpoint = false # kubectl goes by the endpoint's DNS name, which asks IAM
  }
  workload_identity_config {
    workload_pool = "${var.project_id}.svc.id.goog"
  }
  fleet {
    project = var.project_id
  }
}

resource "google_gke_hub_feature" "mesh" {
  count      = var.gke ? 1 : 0
  name       = "servicemesh"
  location   = "global"
  depends_on = [google_project_service.api]
}

resource "google_gke_hub_feature_membership" "mesh" {
  count               = var.gke ? 1 : 0
  location            = "global"
  feature             = google_gke_hub_feature.mesh[0].name
  membership          = google_container_cluster.gke[0].fleet[0].membership_id
  membership_location = var.region
  mesh {
    management = "MANAGEMENT_AUTOMATIC"
  }
}

# Workload Identity: the Kubernetes account of a service is its account here, with its rights.
resource "google_service_account_iam_member" "gke" {
  for_each           = var.gke ? toset(concat(local.services, ["relay", "storefront", "console"])) : []
  service_account_id = "projects/${var.project_id}/serviceAccounts/${local.platform.account_prefix}${each.key}@${local.accounts_domain}"
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project_id}.svc.id.goog[larder/${each.key}]"
  depends_on         = [google_container_cluster.gke, module.user, module.product, module.search, module.cart, module.checkout, module.order, module.payment, module.outbox, module.relay, module.storefront, module.console]
}
