# An alert, and what to do about it: docs/playbooks/<name>.md. There is no alert without one.

variable "project" { type = string }
variable "name" { type = string }
variable "channels" { type = list(string) }

variable "says" {
  description = "What is the matter, in one line."
  type        = string
}

variable "severity" {
  description = "CRITICAL wakes somebody; WARNING waits for the morning."
  type        = string
  default     = "CRITICAL"
  validation {
    condition     = contains(["CRITICAL", "WARNING"], var.severity)
    error_message = "severity is CRITICAL or WARNING."
  }
}

variable "conditions" {
  description = "All of them at once. for: how long, seconds. absent: there is no data for so long."
  type = list(object({
    filter    = string
    above     = optional(number)
    below     = optional(number)
    for       = optional(number, 300)
    absent    = optional(bool, false)
    aligner   = optional(string, "ALIGN_MEAN")
    reducer   = optional(string, "REDUCE_SUM")
    group_by  = optional(list(string), [])
    alignment = optional(number, 60)
  }))
}

locals {
  playbook = "docs/playbooks/${var.name}.md"
}

resource "google_monitoring_alert_policy" "this" {
  project               = var.project
  display_name          = var.name
  combiner              = "AND"
  severity              = var.severity
  notification_channels = var.channels
  user_labels           = { playbook = var.name }

  documentation {
    subject   = var.says
    mime_type = "text/markdown"
    content   = "${var.says}\n\nWhat to do: `${local.playbook}` in the repository."
  }

  dynamic "conditions" {
    for_each = [for condition in var.conditions : condition if !condition.absent]
    content {
      display_name = var.says
      condition_threshold {
        filter          = conditions.value.filter
        comparison      = conditions.value.above != null ? "COMPARISON_GT" : "COMPARISON_LT"
        threshold_value = coalesce(conditions.value.above, conditions.value.below)
        duration        = "${conditions.value.for}s"
        dynamic "aggregations" {
          # A burn rate is a number already.
          for_each = startswith(conditions.value.filter, "select_slo_burn_rate") ? [] : [conditions.value]
          content {
            alignment_period     = "${aggregations.value.alignment}s"
            per_series_aligner   = aggregations.value.aligner
            cross_series_reducer = aggregations.value.reducer
            group_by_fields      = aggregations.value.group_by
          }
        }
      }
    }
  }

  dynamic "conditions" {
    for_each = [for condition in var.conditions : condition if condition.absent]
    content {
      display_name = var.says
      condition_absent {
        filter   = conditions.value.filter
        duration = "${conditions.value.for}s"
        aggregations {
          alignment_period     = "${conditions.value.alignment}s"
          per_series_aligner   = conditions.value.aligner
          cross_series_reducer = conditions.value.reducer
        }
      }
    }
  }

  alert_strategy {
    auto_close = "1800s"
  }
}
