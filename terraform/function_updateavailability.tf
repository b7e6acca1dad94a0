# Tells the catalogue what sold out or came back.
module "updateavailability" {
  source   = "./modules/function"
  platform = local.platform
  target   = "UpdateAvailability"
  calls    = ["product"]
  topics   = local.pubsub.push["updateavailability"]
}
