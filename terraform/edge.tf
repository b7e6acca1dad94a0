# The public edge: one load balancer, whose routes are routes.json, the file that the local edge reads.

locals {
  routes = jsondecode(file("${path.module}/routes.json"))

  # A segment {name=*} is written * for the load balancer, {name=**} at the end **. Rules are tried in the order of their priority, so a path
  # that has a wildcard comes behind those that are more exact: fewer wildcards first, then longer paths. What the API doesn't know is
  # a page: the shop's, which is the default.
  paths = [for route in local.routes : {
    template = replace(route.path, "/\\{[a-z_]+=(\\*+)\\}/", "$1")
    service  = route.service
    rank     = format("%02d-%03d-%s", length(regexall("\\{", route.path)), 999 - length(route.path), route.path)
  } if route.path != local.pages]
  pages   = "/{page=**}"
  ordered = [for rank in sort(local.paths[*].rank) : one([for path in local.paths : path if path.rank == rank])]

  backends   = toset([for route in local.routes : route.service])
  https      = var.domain != ""
  public_url = local.https ? "https://${var.domain}" : "http://${google_compute_global_address.edge.address}"
}

resource "google_compute_global_address" "edge" {
  name       = "edge"
  depends_on = [google_project_service.api]
}

resource "google_compute_region_network_endpoint_group" "backend" {
  for_each              = local.backends
  name                  = each.key
  region                = var.region
  network_endpoint_type = "SERVERLESS"
  cloud_run {
    service = local.service_names[each.key]
  }
}

locals {
  service_names = {
    user       = module.user.name, product = module.product.name, search = module.search.name, cart = module.cart.name,
    checkout   = module.checkout.name, order = module.order.name, payment = module.payment.name, outbox = module.outbox.name,
    storefront = module.storefront.name, console = module.console.name, paymentwebhook = module.paymentwebhook.name,
  }
}

resource "google_compute_backend_service" "backend" {
  for_each              = local.backends
  name                  = each.key
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = google_compute_security_policy.edge.id
  backend {
    group = google_compute_region_network_endpoint_group.backend[each.key].id
  }
  log_config {
    enable      = true
    sample_rate = 0.1
  }

  dynamic "iap" {
    for_each = each.key == "console" && length(var.console_access) > 0 ? [true] : []
    content {
      enabled = true
    }
  }
}

# Who may come as far as the console's sign-in. What they may do there, their roles say (docs/deploy.md).
resource "google_iap_web_backend_service_iam_member" "console" {
  for_each            = toset(var.console_access)
  web_backend_service = google_compute_backend_service.backend["console"].name
  role                = "roles/iap.httpsResourceAccessor"
  member              = each.key
}

# Pictures of products.
resource "google_storage_bucket" "images" {
  name                        = "${var.project_id}-images"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  depends_on                  = [google_project_service.api]

  versioning {
    enabled = true
  }
  lifecycle {
    prevent_destroy = true
  }
}

# The load balancer reads them by Cloud CDN's own account, with signed requests: the bucket itself is nobody else's.
resource "google_compute_backend_bucket" "images" {
  name        = "images"
  bucket_name = google_storage_bucket.images.name
  enable_cdn  = true
  cdn_policy {
    cache_mode        = "CACHE_ALL_STATIC"
    default_ttl       = 86400
    max_ttl           = 604800
    serve_while_stale = 86400
    negative_caching  = true
  }
}

resource "google_storage_bucket_iam_member" "images" {
  bucket = google_storage_bucket.images.name
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:service-${data.google_project.this.number}@https-lb.iam.gserviceaccount.com"
}

resource "google_compute_url_map" "edge" {
  name            = "edge"
  default_service = google_compute_backend_service.backend["storefront"].id

  host_rule {
    hosts        = ["*"]
    path_matcher = "routes"
  }

  path_matcher {
    name            = "routes"
    default_service = google_compute_backend_service.backend["storefront"].id

    dynamic "route_rules" {
      for_each = local.ordered
      content {
        priority = route_rules.key + 1
        service  = google_compute_backend_service.backend[route_rules.value.service].id
        match_rules {
          full_path_match     = strcontains(route_rules.value.template, "*") ? null : route_rules.value.template
          path_template_match = strcontains(route_rules.value.template, "*") ? route_rules.value.template : null
        }
      }
    }

    route_rules {
      priority = 1000
      service  = google_compute_backend_bucket.images.id
      match_rules {
        prefix_match = "/images/"
      }
    }

    # What is for programs and isn't there: the user service answers 404 ROUTE_NOT_FOUND to what it doesn't know.
    dynamic "route_rules" {
      for_each = ["/v1/", "/.well-known/"]
      content {
        priority = 1001 + route_rules.key
        service  = google_compute_backend_service.backend["user"].id
        match_rules {
          prefix_match = route_rules.value
        }
      }
    }
  }
}

# What is asked for by http is sent to https. Without a domain there is no certificate, and http is all there is.
resource "google_compute_url_map" "redirect" {
  count = local.https ? 1 : 0
  name  = "redirect"
  default_url_redirect {
    https_redirect         = true
    redirect_response_code = "MOVED_PERMANENTLY_DEFAULT"
    strip_query            = false
  }
}

resource "google_compute_target_http_proxy" "edge" {
  name    = "edge"
  url_map = local.https ? google_compute_url_map.redirect[0].id : google_compute_url_map.edge.id
}

resource "google_compute_global_forwarding_rule" "http" {
  name                  = "edge-http"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.edge.id
  port_range            = "80"
  target                = google_compute_target_http_proxy.edge.id
}

resource "google_compute_managed_ssl_certificate" "edge" {
  count = local.https ? 1 : 0
  name  = "edge"
  managed {
    domains = [var.domain]
  }
}

resource "google_compute_ssl_policy" "edge" {
  name            = "edge"
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
  depends_on      = [google_project_service.api]
}

resource "google_compute_target_https_proxy" "edge" {
  count            = local.https ? 1 : 0
  name             = "edge"
  url_map          = google_compute_url_map.edge.id
  ssl_certificates = [google_compute_managed_ssl_certificate.edge[0].id]
  ssl_policy       = google_compute_ssl_policy.edge.id
}

resource "google_compute_global_forwarding_rule" "https" {
  count                 = local.https ? 1 : 0
  name                  = "edge-https"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.edge.id
  port_range            = "443"
  target                = google_compute_target_https_proxy.edge[0].id
}

# Cloud Armor. The services limit what one person may do; this stops what shouldn't reach them.
resource "google_compute_security_policy" "edge" {
  name       = "edge"
  depends_on = [google_project_service.api]

  # Signing in is what passwords are tried by.
  rule {
    priority = 100
    action   = "rate_based_ban"
    match {
      expr {
        expression = "request.method == 'POST' && (request.path == '/v1/sessions' || request.path == '/sign-in' || request.path == '/register')"
      }
    }
    rate_limit_options {
      conform_action   = "allow"
      exceed_action    = "deny(429)"
      enforce_on_key   = "IP"
      ban_duration_sec = 300
      rate_limit_threshold {
        count        = 30
        interval_sec = 60
      }
    }
    description = "30 sign-ins a minute from one address, then five minutes of none"
  }

  # The pages call the API in a shopper's name. What the shopper asked of the pages has been through these rules already (decision 0310).
  rule {
    priority = 50
    action   = "allow"
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = [google_compute_address.nat.address]
      }
    }
    description = "our own pages"
  }

  # Known attacks. Bodies of JSON set off most false alarms, so only the rules of the lowest sensitivity.
  dynamic "rule" {
    for_each = { 200 = "sqli-v33-stable", 201 = "lfi-v33-stable", 202 = "rce-v33-stable", 203 = "protocolattack-v33-stable" }
    content {
      priority = rule.key
      action   = "deny(403)"
      match {
        expr {
          expression = "evaluatePreconfiguredWaf('${rule.value}', {'sensitivity': 1})"
        }
      }
      description = rule.value
    }
  }

  rule {
    priority = 1000
    action   = "throttle"
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"
      rate_limit_threshold {
        count        = 1200
        interval_sec = 60
      }
    }
    description = "20 requests a second from one address, over a minute"
  }

  rule {
    priority = 2147483647
    action   = "allow"
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
    description = "the rest"
  }

  adaptive_protection_config {
    layer_7_ddos_defense_config {
      enable = true
    }
  }
}
