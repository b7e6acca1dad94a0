# Writes to shoppers.
module "notifyshopper" {
  source      = "./modules/function"
  platform    = local.platform
  target      = "NotifyShopper"
  calls       = ["user"]
  topics      = local.pubsub.push["notifyshopper"]
  environment = { SMTP_ADDR = var.mail.addr, MAIL_FROM = var.mail.from }
  secrets = {
    SMTP_USERNAME = module.secret["smtp-username"].id
    SMTP_PASSWORD = module.secret["smtp-password"].id
  }
}
