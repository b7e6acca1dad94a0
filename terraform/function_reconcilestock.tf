# Compares virtual stock with the ledger.
module "reconcilestock" {
  source   = "./modules/function"
  platform = local.platform
  target   = "ReconcileStock"
  calls    = ["checkout"]
  schedule = "*/15 * * * *"
}
