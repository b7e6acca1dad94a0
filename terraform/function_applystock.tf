# Gives a cancelled order's goods and slot back.
module "applystock" {
  source   = "./modules/function"
  platform = local.platform
  target   = "ApplyStock"
  calls    = ["checkout"]
  topics   = local.pubsub.push["applystock"]
}
