# Writes to shoppers.
module "notifyshopper" {
  source   = "./modules/function"
  platform = local.platform
  target   = "NotifyShopper"
  calls    = ["user"]
  topics   = local.pubsub.push["notifyshopper"]
  environment = {
    SMTP_ADDR       = var.mail.addr
    MAIL_FROM       = var.mail.from
    MAIL_VERIFY_URL = "${local.public_url}/verify" # pages of the storefront
    MAIL_RESET_URL  = "${local.public_url}/reset"
  }
  secrets = {
    SMTP_USERNAME = module.secret["smtp-username"].id
    SMTP_PASSWORD = module.secret["smtp-password"].id
  }
}
