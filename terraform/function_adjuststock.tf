# Enters a warehouse's messages in the ledger.
module "adjuststock" {
  source   = "./modules/function"
  platform = local.platform
  target   = "AdjustStock"
  calls    = ["checkout"]
  topics   = local.pubsub.push["adjuststock"]
}
