# Debezium Server: PostgreSQL's log to Pub/Sub. There is one at a time, because a replication slot has one reader: a new revision is
# refused by PostgreSQL while the old one reads, and waits for it (slot.max.retries). Offsets lie in PostgreSQL, in a
# schema of Debezium's own, so that a restore takes them back with the slot's data.
module "debezium" {
  source    = "./modules/worker"
  platform  = merge(local.platform, { environment = {}, telemetry = {} })
  name      = "debezium"
  workers   = 1
  publishes = ["product-cdc"]
  resources = { cpu = "1", memory = "1Gi" }
  environment = merge(local.debezium, {
    DEBEZIUM_SOURCE_DATABASE_HOSTNAME = google_sql_database_instance.larder.private_ip_address
    DEBEZIUM_SOURCE_DATABASE_PORT     = "5432"
    DEBEZIUM_SOURCE_DATABASE_USER     = google_sql_user.debezium.name
    DEBEZIUM_SOURCE_DATABASE_DBNAME   = google_sql_database.larder.name
    DEBEZIUM_SOURCE_DATABASE_SSLMODE  = "require"
    DEBEZIUM_SINK_PUBSUB_PROJECT_ID   = var.project_id

    DEBEZIUM_SOURCE_OFFSET_STORAGE           = "io.debezium.storage.jdbc.offset.JdbcOffsetBackingStore"
    DEBEZIUM_SOURCE_OFFSET_STORAGE_JDBC_URL  = "jdbc:postgresql://${google_sql_database_instance.larder.private_ip_address}:5432/${google_sql_database.larder.name}?sslmode=require&currentSchema=debezium"
    DEBEZIUM_SOURCE_OFFSET_STORAGE_JDBC_USER = google_sql_user.debezium.name

    # Fifteen minutes: longer than any revision takes to go.
    DEBEZIUM_SOURCE_SLOT_MAX_RETRIES    = "900"
    DEBEZIUM_SOURCE_SLOT_RETRY_DELAY_MS = "1000"
  })
  secrets = {
    DEBEZIUM_SOURCE_DATABASE_PASSWORD            = module.secret["debezium-password"].id
    DEBEZIUM_SOURCE_OFFSET_STORAGE_JDBC_PASSWORD = module.secret["debezium-password"].id
  }
}

locals {
  # Local runs and Google Cloud share Debezium's settings, in local/components/debezium.properties. What depends on the machine, there as
  # ${NAME}, comes above.
  debezium = {
    for line in split("\n", file("${path.module}/../local/components/debezium.properties")) :
    upper(replace(split("=", line)[0], "/[.-]/", "_")) => replace(join("=", slice(split("=", line), 1, length(split("=", line)))), "\\\\", "\\")
    if startswith(line, "debezium.") && !strcontains(line, "$${") && !strcontains(line, ".offset.storage") && !strcontains(line, ".slot.")
    || startswith(line, "debezium.source.slot.name")
  }
}
