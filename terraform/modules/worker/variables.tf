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

variable "workers" {
  description = "How many instances there are, always."
  type        = number
}

variable "command" {
  type    = list(string)
  default = null
}
