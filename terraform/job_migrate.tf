# The schemas: PostgreSQL's and Spanner's, and who may do what in PostgreSQL. The delivery runs it before each release.

module "migrate" {
  source   = "./modules/job"
  platform = local.platform
  name     = "migrate"
  database = { pool = 2 }
  spanner  = local.spanner_database
  environment = {
    GRANT_USERS       = join(",", [module.user.sql_user, module.relay.sql_user])
    GRANT_OUTBOX      = module.outbox.sql_user
    GRANT_PRODUCTS    = join(",", [module.product.sql_user, module.productreindex.sql_user])
    GRANT_REPLICATION = google_sql_user.debezium.name
  }
  timeout = 900
}

# It changes the tables, where the services only use them.
resource "google_spanner_database_iam_member" "migrate" {
  instance = google_spanner_instance.larder.name
  database = google_spanner_database.larder.name
  role     = "roles/spanner.databaseAdmin"
  member   = module.migrate.account
}
