# Folds ledger entries into balances.
module "foldledger" {
  source   = "./modules/function"
  platform = local.platform
  target   = "FoldLedger"
  calls    = ["checkout"]
  schedule = "* * * * *"
}
