# Empties the cart that was bought.
module "clearcart" {
  source   = "./modules/function"
  platform = local.platform
  target   = "ClearCart"
  calls    = ["cart"]
  topics   = local.pubsub.push["clearcart"]
}
