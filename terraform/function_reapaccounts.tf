# Deletes accounts that were never verified and that nobody uses, at night.
module "reapaccounts" {
  source   = "./modules/function"
  platform = local.platform
  target   = "ReapAccounts"
  calls    = ["user"]
  schedule = "40 3 * * *"
}
