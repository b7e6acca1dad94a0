# Takes in what the payment provider tells, and answers once it is published.
module "paymentwebhook" {
  source    = "./modules/function"
  platform  = local.platform
  target    = "PaymentWebhook"
  public    = true
  publishes = ["payment-events"]
  secrets   = { WEBHOOK_SECRETS = module.secret["stripe-webhook-secrets"].id }
  scaling   = { min = 1, max = 20, concurrency = 80 }
}
