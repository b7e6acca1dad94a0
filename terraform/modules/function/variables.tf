variable "platform" {
  description = "What every deployable gets: local.platform."
  type        = any # modules/service says what it is
}

variable "target" {
  description = "The function as FUNCTION_TARGET names it."
  type        = string
}

variable "calls" {
  description = "Services that it calls."
  type        = set(string)
  default     = []
}

variable "topics" {
  description = "Topics that are pushed to it, and of each the types of events; none: all."
  type        = map(list(string))
  default     = {}
}

variable "schedule" {
  description = "When Cloud Scheduler calls it: cron, in UTC."
  type        = string
  default     = null
}

variable "publishes" {
  description = "Topics that it publishes to, besides the dead letters of its own."
  type        = set(string)
  default     = []
}

variable "public" {
  type    = bool
  default = false
}

variable "environment" {
  type    = map(string)
  default = {}
}

variable "secrets" {
  type    = map(string)
  default = {}
}

variable "scaling" {
  type    = object({ min = number, max = number, concurrency = number })
  default = { min = 0, max = 10, concurrency = 32 }
}
