variable "platform" {
  description = "What every deployable gets: local.platform."
  type = object({
    project             = string
    region              = string
    images              = map(string)
    hosts               = map(string)
    account_prefix      = string
    accounts_domain     = string
    network             = string
    subnetwork          = string
    connector           = string
    direct_vpc_egress   = bool
    sql                 = object({ instance = string, host = string, database = string })
    deletion_protection = bool
    high_availability   = bool
    instances           = map(object({ min = number, max = number }))
    environment         = map(string)
    serving             = map(string)
    telemetry           = map(string)
  })
}

variable "name" { type = string }

variable "image" {
  description = "The name of the image, where it is not the name."
  type        = string
  default     = null
}

variable "environment" {
  type    = map(string)
  default = {}
}

variable "secrets" {
  description = "Secrets that the program gets as environment variables, by the variable. Its account, and no other of its kind, may read them."
  type        = map(string)
  default     = {}
}

variable "calls" {
  description = "Services that it calls. It gets the address of each."
  type        = set(string)
  default     = []
}

variable "publishes" {
  description = "Topics that it publishes to."
  type        = set(string)
  default     = []
}

variable "database" {
  description = "Signs in to PostgreSQL by IAM, with a pool of so many connections an instance."
  type        = object({ pool = number })
  default     = null
}

variable "spanner" {
  description = "The Spanner database that it reads and writes, projects/p/instances/i/databases/d."
  type        = string
  default     = null
}

variable "resources" {
  description = "CPU and memory of an instance."
  type        = object({ cpu = string, memory = string })
  default     = { cpu = "1", memory = "512Mi" }
}

variable "public" {
  description = "The load balancer has routes to it. Else only the network, Pub/Sub and Cloud Scheduler reach it."
  type        = bool
  default     = false
}

variable "people" {
  description = "Whether it serves people's requests, and so verifies their tokens."
  type        = bool
  default     = true
}

variable "scaling" {
  description = "Instances, at least and at most, and requests at once an instance."
  type        = object({ min = number, max = number, concurrency = number })
}

variable "timeout" {
  description = "Bounds a request, seconds."
  type        = number
  default     = 30
}

variable "liveness" {
  description = "The path that says the process runs."
  type        = string
  default     = "/livez"
}

variable "egress" {
  description = "What goes out through the network. ALL_TRAFFIC for what must have Cloud NAT's address on the internet."
  type        = string
  default     = "PRIVATE_RANGES_ONLY" # run.app is one, by the private zone of network.tf
}

variable "affinity" {
  description = "Keep a browser with one instance, as long as it can be."
  type        = bool
  default     = false
}
