# The account that the program runs as. What it may do is below, and nothing else.
resource "google_service_account" "this" {
  project      = var.platform.project
  account_id   = "${var.platform.account_prefix}${var.name}"
  display_name = "Larder: ${var.name}"
}

locals {
  member = "serviceAccount:${google_service_account.this.account_id}@${var.platform.accounts_domain}"
  # Cloud SQL knows an account by its address without the end.
  sql_user = "${google_service_account.this.account_id}@${trimsuffix(var.platform.accounts_domain, ".gserviceaccount.com")}"

  environment = merge(
    { GOMAXPROCS = var.resources.cpu }, # Go by itself takes two at least (decision 0401)
    var.platform.environment,
    var.platform.telemetry,
    { for service in var.calls : "${upper(service)}_ADDR" => "${var.platform.hosts[service]}:443" },
    var.database == null ? {} : {
      # The password is a token of IAM, which pgdb gets where it runs.
      DATABASE_URL = "postgres://${urlencode(local.sql_user)}@${var.platform.sql.host}/${var.platform.sql.database}?sslmode=require&iam_login=true&pool_max_conns=${var.database.pool}"
    },
    var.spanner == null ? {} : { SPANNER_DATABASE = var.spanner },
    var.environment,
  )
}

resource "google_secret_manager_secret_iam_member" "reads" {
  for_each  = toset(values(var.secrets))
  project   = var.platform.project
  secret_id = each.key
  role      = "roles/secretmanager.secretAccessor"
  member    = local.member
}

resource "google_pubsub_topic_iam_member" "publishes" {
  for_each = var.publishes
  project  = var.platform.project
  topic    = each.key
  role     = "roles/pubsub.publisher"
  member   = local.member
}

# What writes traces and metrics writes them as itself.
resource "google_project_iam_member" "telemetry" {
  for_each = length(var.platform.telemetry) == 0 ? [] : toset(["roles/telemetry.tracesWriter", "roles/telemetry.metricsWriter"])
  project  = var.platform.project
  role     = each.key
  member   = local.member
}

resource "google_spanner_database_iam_member" "uses" {
  count    = var.spanner == null ? 0 : 1
  project  = var.platform.project
  instance = split("/", var.spanner)[3]
  database = split("/", var.spanner)[5]
  role     = "roles/spanner.databaseUser"
  member   = local.member
}

resource "google_project_iam_member" "sql" {
  for_each = var.database == null ? [] : toset(["roles/cloudsql.client", "roles/cloudsql.instanceUser"])
  project  = var.platform.project
  role     = each.key
  member   = local.member
}

resource "google_sql_user" "this" {
  count           = var.database == null ? 0 : 1
  project         = var.platform.project
  name            = local.sql_user
  instance        = var.platform.sql.instance
  type            = "CLOUD_IAM_SERVICE_ACCOUNT"
  deletion_policy = "ABANDON" # what it owns in the database stays
}
