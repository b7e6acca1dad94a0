# Objectives over 28 days, and alerts by how fast their budget burns: fast (2 % of the month's budget within an hour) wakes somebody, slow
# (5 % within six hours) waits for the morning. Both look at a short window too, so that an alert ends soon after its cause.
# Source: Google, "The Site Reliability Workbook", chapter 5.

locals {
  # What a shopper waits for: the share of requests that aren't our fault to fail, and the share that is answered within so many ms.
  objectives = {
    search   = { available = 0.999, quick = 0.99, within_ms = 500 }
    product  = { available = 0.999, quick = 0.99, within_ms = 500 }
    cart     = { available = 0.999, quick = 0.99, within_ms = 500 }
    user     = { available = 0.999, quick = 0.99, within_ms = 1000 }
    checkout = { available = 0.9995, quick = 0.99, within_ms = 4000 } # the payment provider's time is in it
    order    = { available = 0.999, quick = 0.99, within_ms = 1000 }
  }

  requests = { for name, _ in local.objectives : name => "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${name}\"" }

  burns = {
    fast = { rate = 14.4, long = "3600s", short = "300s", severity = "CRITICAL" }
    slow = { rate = 6, long = "21600s", short = "1800s", severity = "WARNING" }
  }

  slos = { for slo in concat(values(google_monitoring_slo.available), values(google_monitoring_slo.quick), [google_monitoring_slo.searchable, google_monitoring_slo.published]) : slo.slo_id => slo.name }

  # Each objective but checkout's availability, by what it is called in an alert.
  others = merge(
    { for name in keys(local.objectives) : "${name}-available" => "${name} uses its error budget" if name != "checkout" },
    { for name in keys(local.objectives) : "${name}-quick" => "${name} is slow, and uses its budget" },
    { catalogue-searchable = "Changes of the catalogue are searchable late, and use their budget", events-published = "Events are published late, and use their budget" },
  )

  burn_alerts = { for speed, burn in local.burns : "slo-burn-${speed}" => {
    says       = "checkout uses its error budget up ${burn.rate} times as fast as it may."
    severity   = burn.severity
    conditions = [for window in [burn.long, burn.short] : { filter = "select_slo_burn_rate(\"${local.slos["checkout-available"]}\", \"${window}\")", above = burn.rate, for = 0 }]
  } }
}

# The others', one policy for each objective and speed, with the same two playbooks.
module "burn" {
  source = "./modules/alert"
  for_each = { for pair in setproduct(keys(local.others), keys(local.burns)) :
    "${pair[0]}-${pair[1]}" => { slo = pair[0], speed = pair[1] }
  }
  project  = var.project_id
  name     = "slo-burn-${each.value.speed}"
  channels = google_monitoring_notification_channel.email[*].id
  says     = "${local.others[each.value.slo]} up ${local.burns[each.value.speed].rate} times as fast as it may."
  severity = local.burns[each.value.speed].severity
  conditions = [for window in [local.burns[each.value.speed].long, local.burns[each.value.speed].short] : {
    filter = "select_slo_burn_rate(\"${local.slos[each.value.slo]}\", \"${window}\")", above = local.burns[each.value.speed].rate, for = 0
  }]
}

resource "google_monitoring_custom_service" "service" {
  for_each     = local.objectives
  service_id   = each.key
  display_name = each.key
  depends_on   = [google_project_service.api]
}

resource "google_monitoring_slo" "available" {
  for_each            = local.objectives
  service             = google_monitoring_custom_service.service[each.key].service_id
  slo_id              = "${each.key}-available"
  display_name        = "${each.key} answers"
  goal                = each.value.available
  rolling_period_days = 28
  request_based_sli {
    good_total_ratio {
      bad_service_filter   = "metric.type=\"run.googleapis.com/request_count\" AND ${local.requests[each.key]} AND metric.labels.response_code_class=\"5xx\""
      total_service_filter = "metric.type=\"run.googleapis.com/request_count\" AND ${local.requests[each.key]}"
    }
  }
}

resource "google_monitoring_slo" "quick" {
  for_each            = local.objectives
  service             = google_monitoring_custom_service.service[each.key].service_id
  slo_id              = "${each.key}-quick"
  display_name        = "${each.key} answers within ${each.value.within_ms} ms"
  goal                = each.value.quick
  rolling_period_days = 28
  request_based_sli {
    distribution_cut {
      distribution_filter = "metric.type=\"run.googleapis.com/request_latencies\" AND ${local.requests[each.key]}"
      range {
        max = each.value.within_ms
      }
    }
  }
}

resource "google_monitoring_dashboard" "larder" {
  dashboard_json = jsonencode({
    displayName = "Larder"
    mosaicLayout = {
      columns = 12
      tiles = [for i, chart in local.charts : {
        xPos = i % 3 * 4, yPos = floor(i / 3) * 4, width = 4, height = 4
        widget = {
          title = chart.title
          xyChart = { dataSets = [{
            plotType = "LINE"
            timeSeriesQuery = { timeSeriesFilter = {
              filter      = chart.filter
              aggregation = { alignmentPeriod = "60s", perSeriesAligner = chart.aligner, crossSeriesReducer = chart.reducer, groupByFields = chart.by }
            } }
          }] }
        }
      }]
    }
  })
}

locals {
  run = "resource.type=\"cloud_run_revision\""
  charts = [
    { title = "Requests a second", filter = "metric.type=\"run.googleapis.com/request_count\" ${local.run}", aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = ["resource.label.service_name"] },
    { title = "Answers of 5xx a second", filter = "metric.type=\"run.googleapis.com/request_count\" ${local.run} metric.label.response_code_class=\"5xx\"", aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = ["resource.label.service_name"] },
    { title = "Latency, 99th percentile, ms", filter = "metric.type=\"run.googleapis.com/request_latencies\" ${local.run}", aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", by = ["resource.label.service_name"] },
    { title = "Instances", filter = "metric.type=\"run.googleapis.com/container/instance_count\" ${local.run}", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = ["resource.label.service_name"] },
    { title = "Oldest event that waits, s", filter = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" ${local.subscription}", aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = ["resource.label.subscription_id"] },
    { title = "Dead letters", filter = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" ${local.subscription} resource.label.subscription_id=monitoring.regex.full_match(\".*-dead-letters\")", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = ["resource.label.subscription_id"] },
    { title = "Spanner's CPU", filter = "metric.type=\"spanner.googleapis.com/instance/cpu/utilization_by_priority\" resource.type=\"spanner_instance\"", aligner = "ALIGN_MEAN", reducer = "REDUCE_MAX", by = ["metric.label.priority"] },
    { title = "PostgreSQL's connections", filter = "metric.type=\"cloudsql.googleapis.com/database/postgresql/num_backends\" resource.type=\"cloudsql_database\"", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = ["metric.label.database"] },
    { title = "Redis' memory", filter = "metric.type=\"redis.googleapis.com/stats/memory/usage_ratio\" resource.type=\"redis_instance\"", aligner = "ALIGN_MEAN", reducer = "REDUCE_MAX", by = ["resource.label.instance_id"] },
  ]
}
