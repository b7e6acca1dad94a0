# Voids or refunds the payment of a cancelled order.
module "voidpayment" {
  source   = "./modules/function"
  platform = local.platform
  target   = "VoidPayment"
  calls    = ["payment"]
  topics   = local.pubsub.push["voidpayment"]
}
