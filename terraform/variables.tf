variable "project_id" {
  description = "The Google Cloud project. The only variable that must be given."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is 6 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "region" {
  description = "Where everything runs. It must have three zones."
  type        = string
  default     = "europe-west2"
  validation {
    # Those with three zones that Google Cloud had in 2026; a new one is added here. What each offers, only a project tells.
    condition = contains([
      "africa-south1", "asia-east1", "asia-east2", "asia-northeast1", "asia-northeast2", "asia-northeast3", "asia-south1", "asia-south2",
      "asia-southeast1", "asia-southeast2", "australia-southeast1", "australia-southeast2", "europe-central2", "europe-north1", "europe-north2",
      "europe-southwest1", "europe-west1", "europe-west2", "europe-west3", "europe-west4", "europe-west6", "europe-west8", "europe-west9",
      "europe-west10", "europe-west12", "me-central1", "me-central2", "me-west1", "northamerica-northeast1", "northamerica-northeast2",
      "northamerica-south1", "southamerica-east1", "southamerica-west1", "us-central1", "us-east1", "us-east4", "us-east5", "us-south1",
      "us-west1", "us-west2", "us-west3", "us-west4",
    ], var.region)
    error_message = "region is a region of Google Cloud as europe-west2 is: no zone, and one that variables.tf knows."
  }
}

variable "images" {
  description = "Images by name, each by digest, as Cloud Build gives them. One that is missing is what the tag of var.release names in the project's registry."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("^[a-z0-9.-]+/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$", image))])
    error_message = "An image is named by its digest, registry/path@sha256:..., never by a tag."
  }
}

variable "release" {
  description = "The tag that an image without an entry in var.images is looked up by. What is deployed is the digest that it has at the time of the plan."
  type        = string
  default     = "release"
}

variable "high_availability" {
  description = "Standbys in other zones for PostgreSQL and Redis, three nodes of Elasticsearch, and more than one instance of each service that a shopper waits for."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Refuse to delete what holds data. Terraform's own prevent_destroy is on in any case."
  type        = bool
  default     = true
}

variable "direct_vpc_egress" {
  description = "Services reach the network directly, in place of the Serverless VPC Access connector."
  type        = bool
  default     = false
}

variable "domain" {
  description = "The public domain. Empty: the load balancer answers on its address by plain HTTP, for a first look without a domain; set it for anything else."
  type        = string
  default     = ""
}

variable "test_cards" {
  description = "Offer the payment provider's test cards in the shop. Only with a provider's key of its test mode."
  type        = bool
  default     = false
}

variable "console_access" {
  description = "Who may reach the console, as IAM names them, group:operators@larder.example: Identity-Aware Proxy asks for their Google account before it shows a page. Empty: everybody reaches its sign-in."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for member in var.console_access : can(regex("^(user|group|domain|serviceAccount):.+", member))])
    error_message = "console_access has members as IAM names them: user:, group:, domain: or serviceAccount:."
  }
  validation {
    condition     = length(var.console_access) == 0 || var.domain != ""
    error_message = "Identity-Aware Proxy needs HTTPS, and so a domain."
  }
}

variable "sql" {
  description = "The size of PostgreSQL, and how many connections it takes."
  type = object({
    tier            = optional(string, "db-custom-4-16384")
    disk_gb         = optional(number, 100)
    max_connections = optional(number, 400)
  })
  default = {}
}

variable "spanner" {
  description = "Processing units that the autoscaler stays between. 1000 are a node."
  type = object({
    min_units = optional(number, 1000)
    max_units = optional(number, 10000)
  })
  default = {}
  validation {
    condition     = var.spanner.min_units >= 1000 && var.spanner.max_units >= var.spanner.min_units
    error_message = "The autoscaler needs at least 1000 processing units, and a maximum that isn't below the minimum."
  }
}

variable "redis" {
  description = "Memory of the two Redis servers, GB. cluster: the stock's is a Memorystore Cluster, for more stores than one server bears."
  type = object({
    stock_gb       = optional(number, 5)
    cart_gb        = optional(number, 5)
    cluster        = optional(bool, false)
    cluster_shards = optional(number, 3)
  })
  default = {}
}

variable "elasticsearch" {
  description = "kind: vm runs it on instances of our own; outside takes url, with the secrets' values put in by hand; gke is the operator (ECK) in the GKE profile, reached by url too."
  type = object({
    kind    = optional(string, "vm")
    url     = optional(string, "")
    machine = optional(string, "e2-highmem-2")
    disk_gb = optional(number, 100)
  })
  default = {}
  validation {
    condition     = contains(["vm", "outside", "gke"], var.elasticsearch.kind)
    error_message = "elasticsearch.kind is vm, outside or gke."
  }
  validation {
    condition     = var.elasticsearch.kind == "vm" || can(regex(var.elasticsearch.kind == "gke" ? "^https?://" : "^https://", var.elasticsearch.url))
    error_message = "An Elasticsearch that isn't Terraform's needs elasticsearch.url: by https, but in the cluster of the GKE profile."
  }
}

variable "instances" {
  description = "Instances of a service, by its name, where the defaults of service_*.tf don't fit."
  type        = map(object({ min = number, max = number }))
  default     = {}
}

variable "dataflow" {
  description = "Run productindex on Dataflow. The flex template must be in the bucket (docs/terraform.md); until then leave it off."
  type = object({
    enabled     = optional(bool, true)
    max_workers = optional(number, 4)
    machine     = optional(string, "n1-standard-2")
  })
  default = {}
}

variable "gke" {
  description = "Add the GKE profile: an Autopilot cluster in the network, with a mesh."
  type        = bool
  default     = false
}

variable "mail" {
  description = "The mail server, host:port, and the sender. Its account and password are the secrets smtp-username and smtp-password."
  type        = object({ addr = string, from = string })
  default     = { addr = "smtp.larder.example:587", from = "Larder <orders@larder.example>" }
}

variable "alert_email" {
  description = "Where alerts go. Empty: they are shown in Cloud Monitoring only."
  type        = string
  default     = ""
}

variable "budget" {
  description = "Tell at 50, 90 and 100 percent of so much a month, in units of the billing account's currency. Without an account there is no budget."
  type        = object({ billing_account = string, amount = number })
  default     = null
}

variable "trace_ratio" {
  description = "The share of requests whose traces are recorded, 0 to 1; a request that comes with a trace follows its caller's choice."
  type        = number
  default     = 0.05
  validation {
    condition     = var.trace_ratio >= 0 && var.trace_ratio <= 1
    error_message = "trace_ratio is from 0 to 1."
  }
}
