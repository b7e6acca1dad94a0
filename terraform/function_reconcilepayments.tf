# Compares our books with the provider's list.
module "reconcilepayments" {
  source   = "./modules/function"
  platform = local.platform
  target   = "ReconcilePayments"
  calls    = ["checkout", "payment"]
  schedule = "*/5 * * * *"
}
