# Has carts and orders forget who has deleted their account.
module "forgetuser" {
  source   = "./modules/function"
  platform = local.platform
  target   = "ForgetUser"
  calls    = ["cart", "order"]
  topics   = local.pubsub.push["forgetuser"]
}
