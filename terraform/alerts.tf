# What somebody must look at. Each has a playbook of its name.

resource "google_monitoring_notification_channel" "email" {
  count        = var.alert_email == "" ? 0 : 1
  display_name = "Larder's people on call"
  type         = "email"
  labels       = { email_address = var.alert_email }
}

module "alert" {
  source     = "./modules/alert"
  for_each   = local.alerts
  project    = var.project_id
  name       = each.key
  channels   = google_monitoring_notification_channel.email[*].id
  says       = each.value.says
  severity   = try(each.value.severity, "CRITICAL")
  conditions = each.value.conditions
}

locals {
  subscription = "resource.type=\"pubsub_subscription\""

  alerts = merge(local.burn_alerts, local.telemetry_alerts, {
    uptime = {
      says = "The public address doesn't answer from outside."
      conditions = [{
        filter  = "metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\" AND resource.type=\"uptime_url\""
        aligner = "ALIGN_FRACTION_TRUE", reducer = "REDUCE_MEAN", below = 0.5, for = 120
      }]
    }
    dead-letters = {
      says     = "Events were put aside that can never be taken in."
      severity = "WARNING"
      conditions = [{
        filter  = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND ${local.subscription} AND resource.label.subscription_id=monitoring.regex.full_match(\".*-dead-letters\")"
        aligner = "ALIGN_MAX", group_by = ["resource.label.subscription_id"], above = 0, for = 60
      }]
    }
    events-late = {
      says = "A function's events have waited for more than five minutes."
      conditions = [{
        filter  = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND ${local.subscription} AND resource.label.subscription_id!=monitoring.regex.full_match(\".*-dead-letters|productindex-.*\")"
        aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", group_by = ["resource.label.subscription_id"], above = 300, for = 120
      }]
    }
    index-late = {
      says = "Changes of the catalogue have waited for the search index for more than two minutes."
      conditions = [{
        filter  = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND ${local.subscription} AND resource.label.subscription_id=monitoring.regex.full_match(\"productindex-.*\")"
        aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", above = 120, for = 300
      }]
    }
    # Debezium's heartbeat is a message every ten seconds.
    catalogue-log-silent = {
      says = "Debezium has published nothing for five minutes, not even its heartbeat."
      conditions = [{
        filter = "metric.type=\"pubsub.googleapis.com/topic/send_request_count\" AND resource.type=\"pubsub_topic\" AND resource.label.topic_id=\"product-cdc\""
        absent = true, aligner = "ALIGN_RATE"
      }]
    }
    sql-slot = {
      says = "PostgreSQL keeps its log for a replication slot that nobody reads: the disk fills."
      conditions = [{
        filter  = "metric.type=\"cloudsql.googleapis.com/database/postgresql/replication/replica_byte_lag\" AND resource.type=\"cloudsql_database\""
        aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", above = 4294967296, for = 600
      }]
    }
    sql-connections = {
      says     = "PostgreSQL has taken four fifths of its connections."
      severity = "WARNING"
      conditions = [{
        filter  = "metric.type=\"cloudsql.googleapis.com/database/postgresql/num_backends\" AND resource.type=\"cloudsql_database\""
        aligner = "ALIGN_MAX", above = var.sql.max_connections * 0.8, for = 300
      }]
    }
    sql-disk = {
      says     = "PostgreSQL's disk is four fifths full."
      severity = "WARNING"
      conditions = [{
        filter  = "metric.type=\"cloudsql.googleapis.com/database/disk/utilization\" AND resource.type=\"cloudsql_database\""
        reducer = "REDUCE_MAX", above = 0.8
      }]
    }
    spanner-cpu = {
      says = "Spanner's urgent work takes more than 65 % of its CPU, and the autoscaler hasn't caught up."
      conditions = [{
        filter  = "metric.type=\"spanner.googleapis.com/instance/cpu/utilization_by_priority\" AND resource.type=\"spanner_instance\" AND metric.label.priority=\"high\""
        reducer = "REDUCE_MAX", above = 0.65, for = 900
      }]
    }
    redis-memory = {
      says = "A Redis server has less than a fifth of its memory left; the stock's refuses writes when it is full."
      conditions = [{
        filter  = "metric.type=\"redis.googleapis.com/stats/memory/usage_ratio\" AND resource.type=\"redis_instance\""
        reducer = "REDUCE_MAX", group_by = ["resource.label.instance_id"], above = 0.8
      }]
    }
    schedule-failing = {
      says = "A scheduled function fails again and again."
      conditions = [{
        filter  = "metric.type=\"logging.googleapis.com/log_entry_count\" AND resource.type=\"cloud_scheduler_job\" AND metric.label.severity=\"ERROR\""
        aligner = "ALIGN_DELTA", group_by = ["resource.label.job_id"], above = 2, for = 900, alignment = 600
      }]
    }
    audit-differs = {
      says = "An audit found a difference: stock, payments or the search index."
      conditions = [{
        filter  = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.audit.name}\" AND resource.type=\"cloud_run_revision\""
        aligner = "ALIGN_DELTA", group_by = ["resource.label.service_name"], above = 0, for = 0, alignment = 300
      }]
    }
  })
}

# The audits log each difference as an error (docs/functions.md).
resource "google_logging_metric" "audit" {
  name   = "larder-audit-differences"
  filter = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(\"reconcilestock\" OR \"reconcilepayments\" OR \"auditindex\") AND severity>=ERROR"
  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

resource "google_monitoring_uptime_check_config" "edge" {
  display_name     = "edge"
  timeout          = "10s"
  period           = "60s"
  selected_regions = ["EUROPE", "USA", "ASIA_PACIFIC"]

  http_check {
    path         = "/openapi.yaml"
    port         = local.https ? 443 : 80
    use_ssl      = local.https
    validate_ssl = local.https
  }
  monitored_resource {
    type = "uptime_url"
    labels = {
      project_id = var.project_id
      host       = local.https ? var.domain : google_compute_global_address.edge.address
    }
  }
}
