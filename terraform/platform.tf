# What every deployable gets.

# Read at the time of the plan, so that the plan says what it will do: its APIs must be on before (docs/deploy.md).
data "google_project" "this" {
  project_id = var.project_id
}

locals {
  # What a program may be called by: Cloud Run's deterministic host, so that services may name each other, and themselves, before any
  # of them is made.
  services = ["user", "product", "search", "cart", "checkout", "order", "payment", "outbox"]
  hosts    = { for name in local.services : name => "${name}-${data.google_project.this.number}.${var.region}.run.app" }

  accounts_domain = "${var.project_id}.iam.gserviceaccount.com"

  platform = {
    project = var.project_id
    region  = var.region
    images  = local.images
    hosts   = local.hosts
    # A service account's id has 6 to 30 characters, and "user" has 4.
    account_prefix    = "larder-"
    accounts_domain   = local.accounts_domain
    network           = google_compute_network.larder.id
    subnetwork        = google_compute_subnetwork.run.id
    connector         = one(google_vpc_access_connector.run[*].id)
    direct_vpc_egress = var.direct_vpc_egress
    sql = {
      instance = google_sql_database_instance.larder.name
      host     = google_sql_database_instance.larder.private_ip_address
      database = google_sql_database.larder.name
    }
    pubsub_agent        = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    deletion_protection = var.deletion_protection
    high_availability   = var.high_availability
    instances           = var.instances
    # What has callers verifies them.
    environment = {
      GOOGLE_CLOUD_PROJECT   = var.project_id
      SERVICE_ACCOUNT_DOMAIN = local.accounts_domain
      SERVICE_ACCOUNT_PREFIX = "larder-"
    }
    # Where programs of ours send traces and metrics. Their logs go by standard output (decision 0331).
    telemetry = {
      OTEL_EXPORTER_OTLP_ENDPOINT = "https://telemetry.googleapis.com"
      OTEL_LOGS_EXPORTER          = "none"
      OTEL_TRACES_SAMPLER         = "parentbased_traceidratio"
      OTEL_TRACES_SAMPLER_ARG     = tostring(var.trace_ratio)
      OTEL_RESOURCE_ATTRIBUTES    = "gcp.project_id=${var.project_id},cloud.provider=gcp,cloud.platform=gcp_cloud_run,cloud.region=${var.region}"
    }
    # And those that people call, people.
    serving = {
      JWKS_URL = "https://${local.hosts["user"]}/.well-known/jwks.json"
      # From where the pages call in a shopper's address (decision 0310).
      TRUSTED_ADDRESSES = google_compute_address.nat.address
    }
  }
}

resource "google_project_service" "api" {
  for_each = toset([
    "artifactregistry.googleapis.com", "cloudbuild.googleapis.com", "cloudscheduler.googleapis.com", "compute.googleapis.com",
    "container.googleapis.com", "dataflow.googleapis.com", "dns.googleapis.com", "gkehub.googleapis.com", "iam.googleapis.com",
    "mesh.googleapis.com", "monitoring.googleapis.com", "pubsub.googleapis.com", "redis.googleapis.com", "run.googleapis.com",
    "secretmanager.googleapis.com", "servicenetworking.googleapis.com", "spanner.googleapis.com", "sqladmin.googleapis.com",
    "vpcaccess.googleapis.com", "networkconnectivity.googleapis.com", "billingbudgets.googleapis.com",
    "containeranalysis.googleapis.com", "telemetry.googleapis.com", "iap.googleapis.com",
  ])
  service            = each.key
  disable_on_destroy = false
}
