# The variants that no environment has: they are planned here, so that they stay plannable, and what they are for is asserted.

mock_provider "google-beta" {}
mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_data "google_artifact_registry_docker_image" {
    defaults = { self_link = "europe-west2-docker.pkg.dev/larder-check/larder/x@sha256:0000000000000000000000000000000000000000000000000000000000000000" }
  }
  mock_data "google_compute_zones" {
    defaults = { names = ["europe-west2-a", "europe-west2-b", "europe-west2-c"] }
  }
}

variables {
  project_id = "larder-check"
}

run "variants" {
  command = plan
  variables {
    domain            = "larder.example"
    console_access    = ["group:operators@larder.example"]
    gke               = true
    direct_vpc_egress = true
    alert_email       = "oncall@larder.example"
    budget            = { billing_account = "000000-000000-000000", amount = 5000 }
    redis             = { cluster = true }
    elasticsearch     = { kind = "outside", url = "https://search.example" }
  }

  assert {
    condition     = length(google_vpc_access_connector.run) == 0
    error_message = "With direct egress there is no connector."
  }
  assert {
    condition     = google_redis_cluster.stock[0].deletion_protection_enabled && google_redis_cluster.stock[0].redis_configs["maxmemory-policy"] == "noeviction"
    error_message = "The cluster keeps its stock."
  }
  assert {
    condition     = length(google_compute_region_instance_group_manager.elasticsearch) == 0
    error_message = "An outside Elasticsearch needs no machines."
  }
  assert {
    condition     = google_container_cluster.gke[0].enable_autopilot && google_container_cluster.gke[0].private_cluster_config[0].enable_private_nodes && google_container_cluster.gke[0].deletion_protection
    error_message = "The cluster is Autopilot, its nodes are private, and it can't be deleted."
  }
  assert {
    condition     = google_service_account_iam_member.gke["cart"].member == "serviceAccount:larder-check.svc.id.goog[larder/cart]" && length(google_service_account_iam_member.gke) == 11
    error_message = "The Kubernetes account cart is the account of cart, and so for each of the eleven."
  }
  assert {
    condition     = google_compute_managed_ssl_certificate.edge[0].managed[0].domains[0] == "larder.example" && length(google_compute_url_map.redirect) == 1
    error_message = "A domain has a certificate, and http leads to https."
  }
  assert {
    condition     = google_compute_backend_service.backend["console"].iap[0].enabled && length(google_compute_backend_service.backend["storefront"].iap) == 0
    error_message = "Identity-Aware Proxy stands before the console, and before nothing else."
  }
  assert {
    condition     = google_iap_web_backend_service_iam_member.console["group:operators@larder.example"].role == "roles/iap.httpsResourceAccessor"
    error_message = "Who may reach the console is whom console_access names."
  }
  assert {
    condition     = google_billing_budget.larder[0].amount[0].specified_amount[0].units == "5000"
    error_message = "The budget is as given."
  }
}

run "too_many_connections" {
  command = plan
  variables {
    sql = { max_connections = 100 }
  }
  expect_failures = [output.connections]
}
