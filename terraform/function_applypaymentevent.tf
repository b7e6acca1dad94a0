# Enters the provider's events in the books.
module "applypaymentevent" {
  source   = "./modules/function"
  platform = local.platform
  target   = "ApplyPaymentEvent"
  calls    = ["payment", "checkout"]
  topics   = local.pubsub.push["applypaymentevent"]
}
