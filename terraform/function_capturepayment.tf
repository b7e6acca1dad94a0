# Captures a payment when its order is packed.
module "capturepayment" {
  source   = "./modules/function"
  platform = local.platform
  target   = "CapturePayment"
  calls    = ["payment"]
  topics   = local.pubsub.push["capturepayment"]
}
