// Code generated from the protos of api/ and operations.yaml by make generate. DO NOT EDIT.

package client

import (
	"context"

	emptypb "google.golang.org/protobuf/types/known/emptypb"
	cartpb "larder.dev/api/cart/v1"
	checkoutpb "larder.dev/api/checkout/v1"
	orderpb "larder.dev/api/order/v1"
	outboxpb "larder.dev/api/outbox/v1"
	paymentpb "larder.dev/api/payment/v1"
	productpb "larder.dev/api/product/v1"
	searchpb "larder.dev/api/search/v1"
	stockpb "larder.dev/api/stock/v1"
	userpb "larder.dev/api/user/v1"
)

// CreateCart is POST /v1/carts.
func (c *Client) CreateCart(ctx context.Context, request *cartpb.CreateCartRequest, options ...Option) (*cartpb.Cart, error) {
	return call(ctx, c, "larder.cart.v1.CartService.CreateCart", request, new(cartpb.Cart), options)
}

// GetCart is GET /v1/carts/{cart_id}.
func (c *Client) GetCart(ctx context.Context, request *cartpb.GetCartRequest, options ...Option) (*cartpb.Cart, error) {
	return call(ctx, c, "larder.cart.v1.CartService.GetCart", request, new(cartpb.Cart), options)
}

// PutItem is PUT /v1/carts/{cart_id}/items/{product_id}.
func (c *Client) PutItem(ctx context.Context, request *cartpb.PutItemRequest, options ...Option) (*cartpb.Cart, error) {
	return call(ctx, c, "larder.cart.v1.CartService.PutItem", request, new(cartpb.Cart), options)
}

// DeleteItem is DELETE /v1/carts/{cart_id}/items/{product_id}.
func (c *Client) DeleteItem(ctx context.Context, request *cartpb.DeleteItemRequest, options ...Option) (*cartpb.Cart, error) {
	return call(ctx, c, "larder.cart.v1.CartService.DeleteItem", request, new(cartpb.Cart), options)
}

// MergeCart is POST /v1/carts/{cart_id}:merge.
func (c *Client) MergeCart(ctx context.Context, request *cartpb.MergeCartRequest, options ...Option) (*cartpb.Cart, error) {
	return call(ctx, c, "larder.cart.v1.CartService.MergeCart", request, new(cartpb.Cart), options)
}

// CreateCheckout is POST /v1/checkouts.
func (c *Client) CreateCheckout(ctx context.Context, request *checkoutpb.CreateCheckoutRequest, options ...Option) (*checkoutpb.Checkout, error) {
	return callWithKey(ctx, c, "larder.checkout.v1.CheckoutService.CreateCheckout", request, new(checkoutpb.Checkout), options)
}

// GetCheckout is GET /v1/checkouts/{checkout_id}.
func (c *Client) GetCheckout(ctx context.Context, request *checkoutpb.GetCheckoutRequest, options ...Option) (*checkoutpb.Checkout, error) {
	return call(ctx, c, "larder.checkout.v1.CheckoutService.GetCheckout", request, new(checkoutpb.Checkout), options)
}

// ListCheckouts is GET /v1/stores/{store_id}/checkouts.
func (c *Client) ListCheckouts(ctx context.Context, request *checkoutpb.ListCheckoutsRequest, options ...Option) (*checkoutpb.ListCheckoutsResponse, error) {
	return call(ctx, c, "larder.checkout.v1.CheckoutService.ListCheckouts", request, new(checkoutpb.ListCheckoutsResponse), options)
}

// GetOrder is GET /v1/orders/{order_id}.
func (c *Client) GetOrder(ctx context.Context, request *orderpb.GetOrderRequest, options ...Option) (*orderpb.Order, error) {
	return call(ctx, c, "larder.order.v1.OrderService.GetOrder", request, new(orderpb.Order), options)
}

// ListOrders is GET /v1/orders.
func (c *Client) ListOrders(ctx context.Context, request *orderpb.ListOrdersRequest, options ...Option) (*orderpb.ListOrdersResponse, error) {
	return call(ctx, c, "larder.order.v1.OrderService.ListOrders", request, new(orderpb.ListOrdersResponse), options)
}

// ListStoreOrders is GET /v1/stores/{store_id}/orders.
func (c *Client) ListStoreOrders(ctx context.Context, request *orderpb.ListStoreOrdersRequest, options ...Option) (*orderpb.ListStoreOrdersResponse, error) {
	return call(ctx, c, "larder.order.v1.OrderService.ListStoreOrders", request, new(orderpb.ListStoreOrdersResponse), options)
}

// CountOrders is GET /v1/stores/{store_id}/orders:count.
func (c *Client) CountOrders(ctx context.Context, request *orderpb.CountOrdersRequest, options ...Option) (*orderpb.CountOrdersResponse, error) {
	return call(ctx, c, "larder.order.v1.OrderService.CountOrders", request, new(orderpb.CountOrdersResponse), options)
}

// GetOrderHistory is GET /v1/orders/{order_id}/history.
func (c *Client) GetOrderHistory(ctx context.Context, request *orderpb.GetOrderHistoryRequest, options ...Option) (*orderpb.OrderHistory, error) {
	return call(ctx, c, "larder.order.v1.OrderService.GetOrderHistory", request, new(orderpb.OrderHistory), options)
}

// WatchOrder is GET /v1/orders/{order_id}:watch.
func (c *Client) WatchOrder(ctx context.Context, request *orderpb.WatchOrderRequest, options ...Option) (*orderpb.WatchOrderResponse, error) {
	return call(ctx, c, "larder.order.v1.OrderService.WatchOrder", request, new(orderpb.WatchOrderResponse), options)
}

// CancelOrder is POST /v1/orders/{order_id}:cancel.
func (c *Client) CancelOrder(ctx context.Context, request *orderpb.CancelOrderRequest, options ...Option) (*orderpb.Order, error) {
	return call(ctx, c, "larder.order.v1.OrderService.CancelOrder", request, new(orderpb.Order), options)
}

// PickOrder is POST /v1/orders/{order_id}:pick.
func (c *Client) PickOrder(ctx context.Context, request *orderpb.PickOrderRequest, options ...Option) (*orderpb.Order, error) {
	return call(ctx, c, "larder.order.v1.OrderService.PickOrder", request, new(orderpb.Order), options)
}

// PackOrder is POST /v1/orders/{order_id}:pack.
func (c *Client) PackOrder(ctx context.Context, request *orderpb.PackOrderRequest, options ...Option) (*orderpb.Order, error) {
	return call(ctx, c, "larder.order.v1.OrderService.PackOrder", request, new(orderpb.Order), options)
}

// DispatchOrder is POST /v1/orders/{order_id}:dispatch.
func (c *Client) DispatchOrder(ctx context.Context, request *orderpb.DispatchOrderRequest, options ...Option) (*orderpb.Order, error) {
	return call(ctx, c, "larder.order.v1.OrderService.DispatchOrder", request, new(orderpb.Order), options)
}

// DeliverOrder is POST /v1/orders/{order_id}:deliver.
func (c *Client) DeliverOrder(ctx context.Context, request *orderpb.DeliverOrderRequest, options ...Option) (*orderpb.Order, error) {
	return call(ctx, c, "larder.order.v1.OrderService.DeliverOrder", request, new(orderpb.Order), options)
}

// RefundOrder is POST /v1/orders/{order_id}:refund.
func (c *Client) RefundOrder(ctx context.Context, request *orderpb.RefundOrderRequest, options ...Option) (*orderpb.Order, error) {
	return callWithKey(ctx, c, "larder.order.v1.OrderService.RefundOrder", request, new(orderpb.Order), options)
}

// GetOutbox is GET /v1/outbox.
func (c *Client) GetOutbox(ctx context.Context, request *outboxpb.GetOutboxRequest, options ...Option) (*outboxpb.GetOutboxResponse, error) {
	return call(ctx, c, "larder.outbox.v1.OutboxService.GetOutbox", request, new(outboxpb.GetOutboxResponse), options)
}

// ListDeadLetters is GET /v1/dead-letters/{topic}.
func (c *Client) ListDeadLetters(ctx context.Context, request *outboxpb.ListDeadLettersRequest, options ...Option) (*outboxpb.ListDeadLettersResponse, error) {
	return call(ctx, c, "larder.outbox.v1.OutboxService.ListDeadLetters", request, new(outboxpb.ListDeadLettersResponse), options)
}

// GetDeadLetter is GET /v1/dead-letters/{topic}/{letter_id}.
func (c *Client) GetDeadLetter(ctx context.Context, request *outboxpb.GetDeadLetterRequest, options ...Option) (*outboxpb.DeadLetter, error) {
	return call(ctx, c, "larder.outbox.v1.OutboxService.GetDeadLetter", request, new(outboxpb.DeadLetter), options)
}

// ReplayDeadLetter is POST /v1/dead-letters/{topic}/{letter_id}:replay.
func (c *Client) ReplayDeadLetter(ctx context.Context, request *outboxpb.ReplayDeadLetterRequest, options ...Option) (*outboxpb.Replay, error) {
	return call(ctx, c, "larder.outbox.v1.OutboxService.ReplayDeadLetter", request, new(outboxpb.Replay), options)
}

// ListReplays is GET /v1/replays.
func (c *Client) ListReplays(ctx context.Context, request *outboxpb.ListReplaysRequest, options ...Option) (*outboxpb.ListReplaysResponse, error) {
	return call(ctx, c, "larder.outbox.v1.OutboxService.ListReplays", request, new(outboxpb.ListReplaysResponse), options)
}

// GetPayment is GET /v1/orders/{order_id}/payment.
func (c *Client) GetPayment(ctx context.Context, request *paymentpb.GetPaymentRequest, options ...Option) (*paymentpb.Payment, error) {
	return call(ctx, c, "larder.payment.v1.PaymentService.GetPayment", request, new(paymentpb.Payment), options)
}

// ListPayments is GET /v1/payments.
func (c *Client) ListPayments(ctx context.Context, request *paymentpb.ListPaymentsRequest, options ...Option) (*paymentpb.ListPaymentsResponse, error) {
	return call(ctx, c, "larder.payment.v1.PaymentService.ListPayments", request, new(paymentpb.ListPaymentsResponse), options)
}

// GetProvider is GET /v1/payments:provider.
func (c *Client) GetProvider(ctx context.Context, request *paymentpb.GetProviderRequest, options ...Option) (*paymentpb.Provider, error) {
	return call(ctx, c, "larder.payment.v1.PaymentService.GetProvider", request, new(paymentpb.Provider), options)
}

// AuditPayments is POST /v1/payments:audit.
func (c *Client) AuditPayments(ctx context.Context, request *paymentpb.AuditPaymentsRequest, options ...Option) (*paymentpb.AuditPaymentsResponse, error) {
	return call(ctx, c, "larder.payment.v1.PaymentService.AuditPayments", request, new(paymentpb.AuditPaymentsResponse), options)
}

// GetProduct is GET /v1/products/{product_id}.
func (c *Client) GetProduct(ctx context.Context, request *productpb.GetProductRequest, options ...Option) (*productpb.Product, error) {
	return call(ctx, c, "larder.product.v1.ProductService.GetProduct", request, new(productpb.Product), options)
}

// ListProducts is GET /v1/products.
func (c *Client) ListProducts(ctx context.Context, request *productpb.ListProductsRequest, options ...Option) (*productpb.ListProductsResponse, error) {
	return call(ctx, c, "larder.product.v1.ProductService.ListProducts", request, new(productpb.ListProductsResponse), options)
}

// CreateProduct is POST /v1/products.
func (c *Client) CreateProduct(ctx context.Context, request *productpb.CreateProductRequest, options ...Option) (*productpb.Product, error) {
	return call(ctx, c, "larder.product.v1.ProductService.CreateProduct", request, new(productpb.Product), options)
}

// UpdateProduct is PATCH /v1/products/{product.product_id}.
func (c *Client) UpdateProduct(ctx context.Context, request *productpb.UpdateProductRequest, options ...Option) (*productpb.Product, error) {
	return call(ctx, c, "larder.product.v1.ProductService.UpdateProduct", request, new(productpb.Product), options)
}

// DeleteProduct is DELETE /v1/products/{product_id}.
func (c *Client) DeleteProduct(ctx context.Context, request *productpb.DeleteProductRequest, options ...Option) (*emptypb.Empty, error) {
	return call(ctx, c, "larder.product.v1.ProductService.DeleteProduct", request, new(emptypb.Empty), options)
}

// GetImport is GET /v1/imports/{import_id}.
func (c *Client) GetImport(ctx context.Context, request *productpb.GetImportRequest, options ...Option) (*productpb.Import, error) {
	return call(ctx, c, "larder.product.v1.ProductService.GetImport", request, new(productpb.Import), options)
}

// ListImports is GET /v1/imports.
func (c *Client) ListImports(ctx context.Context, request *productpb.ListImportsRequest, options ...Option) (*productpb.ListImportsResponse, error) {
	return call(ctx, c, "larder.product.v1.ProductService.ListImports", request, new(productpb.ListImportsResponse), options)
}

// ListBrands is GET /v1/brands.
func (c *Client) ListBrands(ctx context.Context, request *productpb.ListBrandsRequest, options ...Option) (*productpb.ListBrandsResponse, error) {
	return call(ctx, c, "larder.product.v1.ProductService.ListBrands", request, new(productpb.ListBrandsResponse), options)
}

// GetBrand is GET /v1/brands/{brand_id}.
func (c *Client) GetBrand(ctx context.Context, request *productpb.GetBrandRequest, options ...Option) (*productpb.Brand, error) {
	return call(ctx, c, "larder.product.v1.ProductService.GetBrand", request, new(productpb.Brand), options)
}

// CreateBrand is POST /v1/brands.
func (c *Client) CreateBrand(ctx context.Context, request *productpb.CreateBrandRequest, options ...Option) (*productpb.Brand, error) {
	return call(ctx, c, "larder.product.v1.ProductService.CreateBrand", request, new(productpb.Brand), options)
}

// UpdateBrand is PATCH /v1/brands/{brand.brand_id}.
func (c *Client) UpdateBrand(ctx context.Context, request *productpb.UpdateBrandRequest, options ...Option) (*productpb.Brand, error) {
	return call(ctx, c, "larder.product.v1.ProductService.UpdateBrand", request, new(productpb.Brand), options)
}

// DeleteBrand is DELETE /v1/brands/{brand_id}.
func (c *Client) DeleteBrand(ctx context.Context, request *productpb.DeleteBrandRequest, options ...Option) (*emptypb.Empty, error) {
	return call(ctx, c, "larder.product.v1.ProductService.DeleteBrand", request, new(emptypb.Empty), options)
}

// ListCategories is GET /v1/categories.
func (c *Client) ListCategories(ctx context.Context, request *productpb.ListCategoriesRequest, options ...Option) (*productpb.ListCategoriesResponse, error) {
	return call(ctx, c, "larder.product.v1.ProductService.ListCategories", request, new(productpb.ListCategoriesResponse), options)
}

// GetCategory is GET /v1/categories/{category_id}.
func (c *Client) GetCategory(ctx context.Context, request *productpb.GetCategoryRequest, options ...Option) (*productpb.Category, error) {
	return call(ctx, c, "larder.product.v1.ProductService.GetCategory", request, new(productpb.Category), options)
}

// CreateCategory is POST /v1/categories.
func (c *Client) CreateCategory(ctx context.Context, request *productpb.CreateCategoryRequest, options ...Option) (*productpb.Category, error) {
	return call(ctx, c, "larder.product.v1.ProductService.CreateCategory", request, new(productpb.Category), options)
}

// UpdateCategory is PATCH /v1/categories/{category.category_id}.
func (c *Client) UpdateCategory(ctx context.Context, request *productpb.UpdateCategoryRequest, options ...Option) (*productpb.Category, error) {
	return call(ctx, c, "larder.product.v1.ProductService.UpdateCategory", request, new(productpb.Category), options)
}

// DeleteCategory is DELETE /v1/categories/{category_id}.
func (c *Client) DeleteCategory(ctx context.Context, request *productpb.DeleteCategoryRequest, options ...Option) (*emptypb.Empty, error) {
	return call(ctx, c, "larder.product.v1.ProductService.DeleteCategory", request, new(emptypb.Empty), options)
}

// ListStores is GET /v1/stores.
func (c *Client) ListStores(ctx context.Context, request *productpb.ListStoresRequest, options ...Option) (*productpb.ListStoresResponse, error) {
	return call(ctx, c, "larder.product.v1.ProductService.ListStores", request, new(productpb.ListStoresResponse), options)
}

// GetStore is GET /v1/stores/{store_id}.
func (c *Client) GetStore(ctx context.Context, request *productpb.GetStoreRequest, options ...Option) (*productpb.Store, error) {
	return call(ctx, c, "larder.product.v1.ProductService.GetStore", request, new(productpb.Store), options)
}

// CreateStore is POST /v1/stores.
func (c *Client) CreateStore(ctx context.Context, request *productpb.CreateStoreRequest, options ...Option) (*productpb.Store, error) {
	return call(ctx, c, "larder.product.v1.ProductService.CreateStore", request, new(productpb.Store), options)
}

// UpdateStore is PATCH /v1/stores/{store.store_id}.
func (c *Client) UpdateStore(ctx context.Context, request *productpb.UpdateStoreRequest, options ...Option) (*productpb.Store, error) {
	return call(ctx, c, "larder.product.v1.ProductService.UpdateStore", request, new(productpb.Store), options)
}

// DeleteStore is DELETE /v1/stores/{store_id}.
func (c *Client) DeleteStore(ctx context.Context, request *productpb.DeleteStoreRequest, options ...Option) (*emptypb.Empty, error) {
	return call(ctx, c, "larder.product.v1.ProductService.DeleteStore", request, new(emptypb.Empty), options)
}

// PlanPrice is POST /v1/products/{product_id}/prices.
func (c *Client) PlanPrice(ctx context.Context, request *productpb.PlanPriceRequest, options ...Option) (*productpb.PlannedPrice, error) {
	return call(ctx, c, "larder.product.v1.ProductService.PlanPrice", request, new(productpb.PlannedPrice), options)
}

// ListPrices is GET /v1/products/{product_id}/prices.
func (c *Client) ListPrices(ctx context.Context, request *productpb.ListPricesRequest, options ...Option) (*productpb.ListPricesResponse, error) {
	return call(ctx, c, "larder.product.v1.ProductService.ListPrices", request, new(productpb.ListPricesResponse), options)
}

// DeletePrice is DELETE /v1/products/{product_id}/prices.
func (c *Client) DeletePrice(ctx context.Context, request *productpb.DeletePriceRequest, options ...Option) (*emptypb.Empty, error) {
	return call(ctx, c, "larder.product.v1.ProductService.DeletePrice", request, new(emptypb.Empty), options)
}

// AuditIndex is POST /v1/products:audit.
func (c *Client) AuditIndex(ctx context.Context, request *productpb.AuditIndexRequest, options ...Option) (*productpb.AuditIndexResponse, error) {
	return call(ctx, c, "larder.product.v1.ProductService.AuditIndex", request, new(productpb.AuditIndexResponse), options)
}

// ListIndexAudits is GET /v1/products:audits.
func (c *Client) ListIndexAudits(ctx context.Context, request *productpb.ListIndexAuditsRequest, options ...Option) (*productpb.ListIndexAuditsResponse, error) {
	return call(ctx, c, "larder.product.v1.ProductService.ListIndexAudits", request, new(productpb.ListIndexAuditsResponse), options)
}

// ListChanges is GET /v1/changes.
func (c *Client) ListChanges(ctx context.Context, request *productpb.ListChangesRequest, options ...Option) (*productpb.ListChangesResponse, error) {
	return call(ctx, c, "larder.product.v1.ProductService.ListChanges", request, new(productpb.ListChangesResponse), options)
}

// Search is GET /v1/search.
func (c *Client) Search(ctx context.Context, request *searchpb.SearchRequest, options ...Option) (*searchpb.SearchResponse, error) {
	return call(ctx, c, "larder.search.v1.SearchService.Search", request, new(searchpb.SearchResponse), options)
}

// Suggest is GET /v1/search:suggest.
func (c *Client) Suggest(ctx context.Context, request *searchpb.SuggestRequest, options ...Option) (*searchpb.SuggestResponse, error) {
	return call(ctx, c, "larder.search.v1.SearchService.Suggest", request, new(searchpb.SuggestResponse), options)
}

// ListGenerations is GET /v1/search:generations.
func (c *Client) ListGenerations(ctx context.Context, request *searchpb.ListGenerationsRequest, options ...Option) (*searchpb.ListGenerationsResponse, error) {
	return call(ctx, c, "larder.search.v1.SearchService.ListGenerations", request, new(searchpb.ListGenerationsResponse), options)
}

// GetStock is GET /v1/stores/{store_id}/stock/{product_id}.
func (c *Client) GetStock(ctx context.Context, request *stockpb.GetStockRequest, options ...Option) (*stockpb.Stock, error) {
	return call(ctx, c, "larder.stock.v1.StockService.GetStock", request, new(stockpb.Stock), options)
}

// ListStock is GET /v1/stores/{store_id}/stock.
func (c *Client) ListStock(ctx context.Context, request *stockpb.ListStockRequest, options ...Option) (*stockpb.ListStockResponse, error) {
	return call(ctx, c, "larder.stock.v1.StockService.ListStock", request, new(stockpb.ListStockResponse), options)
}

// AdjustStock is POST /v1/stores/{store_id}/stock:adjust.
func (c *Client) AdjustStock(ctx context.Context, request *stockpb.AdjustStockRequest, options ...Option) (*stockpb.AdjustStockResponse, error) {
	return callWithKey(ctx, c, "larder.stock.v1.StockService.AdjustStock", request, new(stockpb.AdjustStockResponse), options)
}

// RebuildStock is POST /v1/stores/{store_id}/stock:rebuild.
func (c *Client) RebuildStock(ctx context.Context, request *stockpb.RebuildStockRequest, options ...Option) (*stockpb.RebuildStockResponse, error) {
	return call(ctx, c, "larder.stock.v1.StockService.RebuildStock", request, new(stockpb.RebuildStockResponse), options)
}

// ListStockEntries is GET /v1/stores/{store_id}/stock/{product_id}/entries.
func (c *Client) ListStockEntries(ctx context.Context, request *stockpb.ListStockEntriesRequest, options ...Option) (*stockpb.ListStockEntriesResponse, error) {
	return call(ctx, c, "larder.stock.v1.StockService.ListStockEntries", request, new(stockpb.ListStockEntriesResponse), options)
}

// ReconcileStock is POST /v1/stores/{store_id}/stock:reconcile.
func (c *Client) ReconcileStock(ctx context.Context, request *stockpb.ReconcileStockRequest, options ...Option) (*stockpb.ReconcileStockResponse, error) {
	return call(ctx, c, "larder.stock.v1.StockService.ReconcileStock", request, new(stockpb.ReconcileStockResponse), options)
}

// GetStockStatus is GET /v1/stores/{store_id}/stock:status.
func (c *Client) GetStockStatus(ctx context.Context, request *stockpb.GetStockStatusRequest, options ...Option) (*stockpb.StockStatus, error) {
	return call(ctx, c, "larder.stock.v1.StockService.GetStockStatus", request, new(stockpb.StockStatus), options)
}

// PutSlot is PUT /v1/stores/{store_id}/slots/{slot_id}.
func (c *Client) PutSlot(ctx context.Context, request *stockpb.PutSlotRequest, options ...Option) (*stockpb.DeliverySlot, error) {
	return call(ctx, c, "larder.stock.v1.StockService.PutSlot", request, new(stockpb.DeliverySlot), options)
}

// ListSlots is GET /v1/stores/{store_id}/slots.
func (c *Client) ListSlots(ctx context.Context, request *stockpb.ListSlotsRequest, options ...Option) (*stockpb.ListSlotsResponse, error) {
	return call(ctx, c, "larder.stock.v1.StockService.ListSlots", request, new(stockpb.ListSlotsResponse), options)
}

// CreateUser is POST /v1/users.
func (c *Client) CreateUser(ctx context.Context, request *userpb.CreateUserRequest, options ...Option) (*userpb.User, error) {
	return call(ctx, c, "larder.user.v1.UserService.CreateUser", request, new(userpb.User), options)
}

// GetUser is GET /v1/users/me.
func (c *Client) GetUser(ctx context.Context, request *userpb.GetUserRequest, options ...Option) (*userpb.User, error) {
	return call(ctx, c, "larder.user.v1.UserService.GetUser", request, new(userpb.User), options)
}

// UpdateUser is PATCH /v1/users/me.
func (c *Client) UpdateUser(ctx context.Context, request *userpb.UpdateUserRequest, options ...Option) (*userpb.User, error) {
	return call(ctx, c, "larder.user.v1.UserService.UpdateUser", request, new(userpb.User), options)
}

// VerifyEmail is POST /v1/users:verifyEmail.
func (c *Client) VerifyEmail(ctx context.Context, request *userpb.VerifyEmailRequest, options ...Option) (*userpb.Session, error) {
	return call(ctx, c, "larder.user.v1.UserService.VerifyEmail", request, new(userpb.Session), options)
}

// RequestEmailVerification is POST /v1/users/me:requestEmailVerification.
func (c *Client) RequestEmailVerification(ctx context.Context, request *userpb.RequestEmailVerificationRequest, options ...Option) (*emptypb.Empty, error) {
	return call(ctx, c, "larder.user.v1.UserService.RequestEmailVerification", request, new(emptypb.Empty), options)
}

// RequestPasswordReset is POST /v1/users:requestPasswordReset.
func (c *Client) RequestPasswordReset(ctx context.Context, request *userpb.RequestPasswordResetRequest, options ...Option) (*emptypb.Empty, error) {
	return call(ctx, c, "larder.user.v1.UserService.RequestPasswordReset", request, new(emptypb.Empty), options)
}

// ResetPassword is POST /v1/users:resetPassword.
func (c *Client) ResetPassword(ctx context.Context, request *userpb.ResetPasswordRequest, options ...Option) (*emptypb.Empty, error) {
	return call(ctx, c, "larder.user.v1.UserService.ResetPassword", request, new(emptypb.Empty), options)
}

// ExportUser is GET /v1/users/me:export.
func (c *Client) ExportUser(ctx context.Context, request *userpb.ExportUserRequest, options ...Option) (*userpb.UserExport, error) {
	return call(ctx, c, "larder.user.v1.UserService.ExportUser", request, new(userpb.UserExport), options)
}

// DeleteUser is DELETE /v1/users/me.
func (c *Client) DeleteUser(ctx context.Context, request *userpb.DeleteUserRequest, options ...Option) (*emptypb.Empty, error) {
	return call(ctx, c, "larder.user.v1.UserService.DeleteUser", request, new(emptypb.Empty), options)
}

// CreateSession is POST /v1/sessions.
func (c *Client) CreateSession(ctx context.Context, request *userpb.CreateSessionRequest, options ...Option) (*userpb.Session, error) {
	return call(ctx, c, "larder.user.v1.UserService.CreateSession", request, new(userpb.Session), options)
}

// RefreshSession is POST /v1/sessions:refresh.
func (c *Client) RefreshSession(ctx context.Context, request *userpb.RefreshSessionRequest, options ...Option) (*userpb.Session, error) {
	return call(ctx, c, "larder.user.v1.UserService.RefreshSession", request, new(userpb.Session), options)
}

// DeleteSession is DELETE /v1/sessions/current.
func (c *Client) DeleteSession(ctx context.Context, request *userpb.DeleteSessionRequest, options ...Option) (*emptypb.Empty, error) {
	return call(ctx, c, "larder.user.v1.UserService.DeleteSession", request, new(emptypb.Empty), options)
}

// DeleteSessions is DELETE /v1/sessions.
func (c *Client) DeleteSessions(ctx context.Context, request *userpb.DeleteSessionsRequest, options ...Option) (*emptypb.Empty, error) {
	return call(ctx, c, "larder.user.v1.UserService.DeleteSessions", request, new(emptypb.Empty), options)
}

// CreateAddress is POST /v1/users/me/addresses.
func (c *Client) CreateAddress(ctx context.Context, request *userpb.CreateAddressRequest, options ...Option) (*userpb.SavedAddress, error) {
	return call(ctx, c, "larder.user.v1.UserService.CreateAddress", request, new(userpb.SavedAddress), options)
}

// GetAddress is GET /v1/users/me/addresses/{address_id}.
func (c *Client) GetAddress(ctx context.Context, request *userpb.GetAddressRequest, options ...Option) (*userpb.SavedAddress, error) {
	return call(ctx, c, "larder.user.v1.UserService.GetAddress", request, new(userpb.SavedAddress), options)
}

// ListAddresses is GET /v1/users/me/addresses.
func (c *Client) ListAddresses(ctx context.Context, request *userpb.ListAddressesRequest, options ...Option) (*userpb.ListAddressesResponse, error) {
	return call(ctx, c, "larder.user.v1.UserService.ListAddresses", request, new(userpb.ListAddressesResponse), options)
}

// UpdateAddress is PUT /v1/users/me/addresses/{address_id}.
func (c *Client) UpdateAddress(ctx context.Context, request *userpb.UpdateAddressRequest, options ...Option) (*userpb.SavedAddress, error) {
	return call(ctx, c, "larder.user.v1.UserService.UpdateAddress", request, new(userpb.SavedAddress), options)
}

// DeleteAddress is DELETE /v1/users/me/addresses/{address_id}.
func (c *Client) DeleteAddress(ctx context.Context, request *userpb.DeleteAddressRequest, options ...Option) (*emptypb.Empty, error) {
	return call(ctx, c, "larder.user.v1.UserService.DeleteAddress", request, new(emptypb.Empty), options)
}

// GetJwks is GET /.well-known/jwks.json.
func (c *Client) GetJwks(ctx context.Context, request *userpb.GetJwksRequest, options ...Option) (*userpb.Jwks, error) {
	return call(ctx, c, "larder.user.v1.UserService.GetJwks", request, new(userpb.Jwks), options)
}
