# What is refused before anything is made, each with its variable.

mock_provider "google-beta" {}
mock_provider "google" {
  mock_data "google_compute_zones" {
    defaults = { names = ["europe-west2-a", "europe-west2-b", "europe-west2-c"] }
  }
}

variables {
  project_id = "larder-check"
}

run "image_by_tag" {
  command = plan
  variables {
    images = { cart = "europe-west2-docker.pkg.dev/larder-check/larder/cart:latest" }
  }
  expect_failures = [var.images]
}

run "zone_for_region" {
  command = plan
  variables {
    region = "europe-west2-a"
  }
  expect_failures = [var.region]
}

run "region_that_is_none" {
  command = plan
  variables {
    region = "europe-west99"
  }
  expect_failures = [var.region]
}

run "project_by_its_name" {
  command = plan
  variables {
    project_id = "My Project"
  }
  expect_failures = [var.project_id]
}

run "outside_elasticsearch_without_tls" {
  command = plan
  variables {
    elasticsearch = { kind = "outside", url = "http://search.example" }
  }
  expect_failures = [var.elasticsearch]
}

run "spanner_below_a_node" {
  command = plan
  variables {
    spanner = { min_units = 100 }
  }
  expect_failures = [var.spanner]
}

run "identity_aware_proxy_without_domain" {
  command = plan
  variables {
    console_access = ["group:operators@larder.example"]
  }
  expect_failures = [var.console_access]
}

run "console_for_nobody_known" {
  command = plan
  variables {
    domain         = "larder.example"
    console_access = ["operators"]
  }
  expect_failures = [var.console_access]
}
