# What programs of ours tell by OpenTelemetry: a dashboard with all of it, the objectives that Cloud Run's own metrics don't know, and alerts.
# metrics.json is made from internal/telemetry/metrics.go (go test ./internal/telemetry -update). Google keeps OTLP's metrics as Prometheus'
# (https://docs.cloud.google.com/stackdriver/docs/reference/telemetry/v1.metrics), their names as they are.

locals {
  metrics = jsondecode(file("${path.module}/metrics.json"))
  told    = "resource.type=\"prometheus_target\""
  type    = { for metric in local.metrics : metric.name => "metric.type=\"prometheus.googleapis.com/${metric.name}/${metric.kind}\" AND ${local.told}" }

  # How series of a kind are drawn.
  drawn = {
    counter   = { aligner = "ALIGN_RATE", reducer = "REDUCE_SUM" }
    histogram = { aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_99" }
    gauge     = { aligner = "ALIGN_MAX", reducer = "REDUCE_MAX" }
  }

  # Each has a playbook of its name.
  telemetry_alerts = {
    overloaded = {
      says       = "Requests are refused before any work is done: OVERLOADED or RATE_LIMITED."
      severity   = "WARNING"
      conditions = [{ filter = local.type["larder.admission.refused"], aligner = "ALIGN_RATE", group_by = ["metric.label.\"larder.reason\""], above = 1, for = 300 }]
    }
    checkout-steps-failing = {
      says = "Steps of checkout fail, and leave checkouts open."
      conditions = [{
        filter  = "${local.type["larder.checkout.step.duration"]} AND metric.label.\"larder.outcome\"=\"failed\""
        aligner = "ALIGN_DELTA", reducer = "REDUCE_COUNT", group_by = ["metric.label.\"larder.checkout.step\""], above = 10, for = 300
      }]
    }
    epochs-changing = {
      says       = "The stock of stores is loaded anew again and again; their checkouts wait each time."
      conditions = [{ filter = local.type["larder.stock.epochs"], aligner = "ALIGN_DELTA", above = 5, for = 300, alignment = 300 }]
    }
    payments-unavailable = {
      says = "Calls to the payment provider aren't made, or nobody knows what became of them."
      conditions = [{
        filter  = "${local.type["larder.payment.calls"]} AND metric.label.\"larder.payment.class\"=monitoring.regex.full_match(\"unavailable|unknown\")"
        aligner = "ALIGN_RATE", above = 0.2, for = 180
      }]
    }
    outbox-late = {
      says       = "An event has waited in an outbox for more than a minute."
      conditions = [{ filter = local.type["larder.outbox.lag"], aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", group_by = ["metric.label.\"larder.outbox\""], above = 60, for = 120 }]
    }
    breaker-open = {
      says       = "A circuit breaker is open: Elasticsearch or the payment provider isn't asked."
      conditions = [{ filter = local.type["larder.breaker.state"], aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", group_by = ["metric.label.\"larder.breaker\""], above = 1.5, for = 120 }]
    }
  }
}

# From a change's commit to its being in the index; search shows it within a second more.
resource "google_monitoring_custom_service" "telemetry" {
  for_each     = toset(["catalogue", "events"])
  service_id   = each.key
  display_name = each.key
  depends_on   = [google_project_service.api]
}

resource "google_monitoring_slo" "searchable" {
  service             = google_monitoring_custom_service.telemetry["catalogue"].service_id
  slo_id              = "catalogue-searchable"
  display_name        = "A change of the catalogue is searchable within 10 s"
  goal                = 0.99
  rolling_period_days = 28
  request_based_sli {
    distribution_cut {
      distribution_filter = local.type["larder.index.lag"]
      range {
        max = 10
      }
    }
  }
}

resource "google_monitoring_slo" "published" {
  service             = google_monitoring_custom_service.telemetry["events"].service_id
  slo_id              = "events-published"
  display_name        = "In five minutes the oldest event waits for at most 10 s on average"
  goal                = 0.995
  rolling_period_days = 28
  windows_based_sli {
    window_period = "300s"
    metric_mean_in_range {
      time_series = local.type["larder.outbox.lag"]
      range {
        max = 10
      }
    }
  }
}

resource "google_monitoring_dashboard" "telemetry" {
  dashboard_json = jsonencode({
    displayName = "Larder: what programs tell"
    mosaicLayout = {
      columns = 12
      tiles = [for i, metric in local.metrics : {
        xPos = i % 3 * 4, yPos = floor(i / 3) * 4, width = 4, height = 4
        widget = {
          title = metric.title
          xyChart = { dataSets = [{
            plotType = "LINE"
            timeSeriesQuery = { timeSeriesFilter = {
              filter = local.type[metric.name]
              aggregation = {
                alignmentPeriod    = "60s"
                perSeriesAligner   = local.drawn[metric.kind].aligner
                crossSeriesReducer = local.drawn[metric.kind].reducer
                groupByFields      = [for key in metric.by : "metric.label.\"${key}\""]
              }
            } }
          }] }
        }
      }]
    }
  })
}
