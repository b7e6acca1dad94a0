package test

import (
	"strings"
	"testing"
)

// limit is the largest body, bytes.
const limit = 1 << 20

// call is a good request; the rows of this file spoil it. What only reads may be sent as it is.
type call struct{ as, request, body string }

// calls has a good request for every public method of the contract.
func (w *world) calls() map[string]call {
	return map[string]call{
		"UserService.CreateUser":     {"", "POST /v1/users", `{"email":"` + w.nobody + `","password":"correct-horse"}`},
		"UserService.GetUser":        {"shopper", "GET /v1/users/me", ""},
		"UserService.UpdateUser":     {"shopper", "PATCH /v1/users/me", `{"display_name":"Spoilt"}`},
		"UserService.VerifyEmail":    {"", "POST /v1/users:verifyEmail", `{"token":"spoilt","password":"correct-horse"}`},
		"UserService.ResetPassword":  {"", "POST /v1/users:resetPassword", `{"token":"spoilt","password":"correct-horse"}`},
		"UserService.ExportUser":     {"shopper", "GET /v1/users/me:export", ""},
		"UserService.DeleteUser":     {"shopper", "DELETE /v1/users/me", ""},
		"UserService.CreateSession":  {"", "POST /v1/sessions", `{"email":"` + w.nobody + `","password":"correct-horse"}`},
		"UserService.RefreshSession": {"", "POST /v1/sessions:refresh", `{"refresh_token":"spoilt"}`},
		"UserService.DeleteSessions": {"shopper", "DELETE /v1/sessions", ""},
		"UserService.DeleteSession":  {"shopper", "DELETE /v1/sessions/current", ""},
		"UserService.CreateAddress":  {"shopper", "POST /v1/users/me/addresses", delivery},
		"UserService.GetAddress":     {"shopper", "GET /v1/users/me/addresses/" + w.shopper.address, ""},
		"UserService.ListAddresses":  {"shopper", "GET /v1/users/me/addresses", ""},
		"UserService.UpdateAddress":  {"shopper", "PUT /v1/users/me/addresses/" + w.shopper.address, otherDelivery},
		"UserService.DeleteAddress":  {"shopper", "DELETE /v1/users/me/addresses/" + w.shopper.address, ""},
		"UserService.GetJwks":        {"", "GET /.well-known/jwks.json", ""},

		"UserService.RequestPasswordReset":     {"", "POST /v1/users:requestPasswordReset", `{"email":"` + w.nobody + `"}`},
		"UserService.RequestEmailVerification": {"shopper", "POST /v1/users/me:requestEmailVerification", `{}`},

		"ProductService.GetProduct":     {"", "GET /v1/products/" + w.sold, ""},
		"ProductService.ListProducts":   {"", "GET /v1/products", ""},
		"ProductService.CreateProduct":  {"merchandiser", "POST /v1/products", w.product("spoilt-" + w.sold)},
		"ProductService.UpdateProduct":  {"merchandiser", "PATCH /v1/products/" + w.sold, `{"name":"Spoilt"}`},
		"ProductService.DeleteProduct":  {"merchandiser", "DELETE /v1/products/" + w.sold, ""},
		"ProductService.ListCategories": {"", "GET /v1/categories", ""},
		"ProductService.ListStores":     {"", "GET /v1/stores", ""},
		"ProductService.PlanPrice":      {"merchandiser", "POST /v1/products/" + w.sold + "/prices", w.planned("100", soon())},
		"ProductService.ListPrices":     {"merchandiser", "GET /v1/products/" + w.sold + "/prices", ""},
		"ProductService.DeletePrice":    {"merchandiser", "DELETE /v1/products/" + w.sold + "/prices?start_time=" + soon(), ""},
		"ProductService.AuditIndex":     {"operator", "POST /v1/products:audit", `{}`},
		"ProductService.ListChanges":    {"operator", "GET /v1/changes", ""},
		"ProductService.ListBrands":     {"", "GET /v1/brands", ""},
		"ProductService.GetBrand":       {"", "GET /v1/brands/larder-market", ""},
		"ProductService.CreateBrand":    {"merchandiser", "POST /v1/brands", spoiltBrand},
		"ProductService.UpdateBrand":    {"merchandiser", "PATCH /v1/brands/larder-market", `{"name":"Spoilt"}`},
		"ProductService.DeleteBrand":    {"merchandiser", "DELETE /v1/brands/larder-market", ""},
		"ProductService.GetCategory":    {"", "GET /v1/categories/fruit", ""},
		"ProductService.CreateCategory": {"merchandiser", "POST /v1/categories", spoiltCategory},
		"ProductService.UpdateCategory": {"merchandiser", "PATCH /v1/categories/fruit", `{"name":"Spoilt"}`},
		"ProductService.DeleteCategory": {"merchandiser", "DELETE /v1/categories/fruit", ""},
		"ProductService.GetStore":       {"", "GET /v1/stores/soho", ""},
		"ProductService.CreateStore":    {"operator", "POST /v1/stores", spoiltStore},
		"ProductService.UpdateStore":    {"operator", "PATCH /v1/stores/soho", `{"name":"Spoilt"}`},
		"ProductService.DeleteStore":    {"operator", "DELETE /v1/stores/soho", ""},
		"ProductService.ImportProducts": {"merchandiser", "POST /v1/products:import", `{}`},
		"ProductService.GetImport":      {"merchandiser", "GET /v1/imports/spoilt-import", ""},

		"ProductService.ListImports":     {"operator", "GET /v1/imports", ""},
		"ProductService.ListIndexAudits": {"operator", "GET /v1/products:audits", ""},

		"OutboxService.GetOutbox":        {"operator", "GET /v1/outbox", ""},
		"OutboxService.ListReplays":      {"operator", "GET /v1/replays", ""},
		"OutboxService.ListDeadLetters":  {"operator", "GET /v1/dead-letters/stock-adjustments", ""},
		"OutboxService.GetDeadLetter":    {"operator", "GET /v1/dead-letters/stock-adjustments/4711", ""},
		"OutboxService.ReplayDeadLetter": {"operator", "POST /v1/dead-letters/stock-adjustments/4711:replay", `{"reason":"spoilt"}`},

		"SearchService.Search":  {"", "GET /v1/search?store=soho&q=milk", ""},
		"SearchService.Suggest": {"", "GET /v1/search:suggest?store=soho&q=mi", ""},

		"SearchService.ListGenerations": {"operator", "GET /v1/search:generations", ""},

		"CartService.CreateCart": {"shopper", "POST /v1/carts", `{"store_id":"camden"}`},
		"CartService.GetCart":    {"shopper", "GET /v1/carts/me", ""},
		"CartService.PutItem":    {"shopper", "PUT /v1/carts/me/items/" + w.sold, `{"quantity":7}`},
		"CartService.DeleteItem": {"shopper", "DELETE /v1/carts/me/items/" + w.sold, ""},
		"CartService.MergeCart":  {"shopper", "POST /v1/carts/" + w.guest + ":merge", `{}`},

		"CheckoutService.CreateCheckout": {"shopper", "POST /v1/checkouts", w.checkout(delivery, "pm_card_visa", w.total)},
		"CheckoutService.GetCheckout":    {"shopper", "GET /v1/checkouts/" + w.shopper.order, ""},

		"CheckoutService.ListCheckouts": {"operator", "GET /v1/stores/soho/checkouts", ""},

		"StockService.GetStockStatus":   {"operator", "GET /v1/stores/soho/stock:status", ""},
		"StockService.GetStock":         {"operator", "GET /v1/stores/soho/stock/" + w.sold, ""},
		"StockService.ListStock":        {"operator", "GET /v1/stores/soho/stock", ""},
		"StockService.AdjustStock":      {"operator", "POST /v1/stores/soho/stock:adjust", w.adjustment(w.sold, "5")},
		"StockService.RebuildStock":     {"operator", "POST /v1/stores/soho/stock:rebuild", `{}`},
		"StockService.ListStockEntries": {"operator", "GET /v1/stores/soho/stock/" + w.sold + "/entries", ""},
		"StockService.ReconcileStock":   {"operator", "POST /v1/stores/soho/stock:reconcile", `{}`},
		"StockService.PutSlot":          {"operator", "PUT /v1/stores/soho/slots/spoilt-slot", w.slot(soon(), soon(), "1")},
		"StockService.ListSlots":        {"", "GET /v1/stores/soho/slots", ""},

		"OrderService.GetOrder":        {"shopper", "GET /v1/orders/" + w.shopper.order, ""},
		"OrderService.ListOrders":      {"shopper", "GET /v1/orders", ""},
		"OrderService.ListStoreOrders": {"operator", "GET /v1/stores/soho/orders?state=CONFIRMED", ""},
		"OrderService.CountOrders":     {"operator", "GET /v1/stores/soho/orders:count", ""},
		"OrderService.GetOrderHistory": {"operator", "GET /v1/orders/" + w.shopper.order + "/history", ""},
		"OrderService.WatchOrder":      {"shopper", "GET /v1/orders/" + w.shopper.order + ":watch", ""},
		"OrderService.CancelOrder":     {"shopper", "POST /v1/orders/" + w.shopper.order + ":cancel", `{}`},
		"OrderService.PickOrder":       {"operator", "POST /v1/orders/" + w.shopper.order + ":pick", `{}`},
		"OrderService.PackOrder":       {"operator", "POST /v1/orders/" + w.shopper.order + ":pack", `{}`},
		"OrderService.DispatchOrder":   {"operator", "POST /v1/orders/" + w.shopper.order + ":dispatch", `{}`},
		"OrderService.DeliverOrder":    {"operator", "POST /v1/orders/" + w.shopper.order + ":deliver", `{}`},
		"OrderService.RefundOrder":     {"operator", "POST /v1/orders/" + w.shopper.order + ":refund", `{"reason":"spoilt"}`},

		"PaymentService.GetPayment":    {"operator", "GET /v1/orders/" + w.shopper.order + "/payment", ""},
		"PaymentService.GetProvider":   {"operator", "GET /v1/payments:provider", ""},
		"PaymentService.ListPayments":  {"operator", "GET /v1/payments?state=CAPTURE_FAILED", ""},
		"PaymentService.AuditPayments": {"operator", "POST /v1/payments:audit", `{}`},
	}
}

// rows is the table.
func (w *world) rows(t *testing.T) []row {
	t.Helper()
	var all []row
	calls, operations := w.calls(), described(t)
	for _, m := range public() {
		good, ok := calls[m.name]
		if !ok {
			t.Fatalf("%s has no good request in calls: write one, so that it can be spoilt", m.name)
		}
		all = append(all, w.badCallers(m, good)...)
		all = append(all, badPaths(m, good)...)
		all = append(all, beyond(m, operations[m.name], good)...)
		if m.body != "" && m.name != "ProductService.ImportProducts" { // its body is a file
			all = append(all, badBodies(m, good)...)
		}
	}
	for _, rows := range [][]row{
		w.userRows(), w.addressRows(), w.productRows(), w.rangeRows(), w.searchRows(), w.cartRows(), w.checkoutRows(), w.staleRows(t), w.stockRows(), w.orderRows(), w.fulfilmentRows(), w.edgeRows(),
	} {
		all = append(all, rows...)
	}
	return all
}

// badCallers are people without a token, with one that isn't theirs, and with the wrong role.
func (w *world) badCallers(m method, good call) []row {
	if good.as == "" {
		return nil
	}
	// With a key, so that nothing but the token stands in the way.
	spoil := func(what, as, want string, headers ...string) row {
		return row{m.name, what, as, good.request, good.body, want, append(headers, "Idempotency-Key: {key}"), false, true, false}
	}
	var rows []row
	if !m.anyone || strings.Contains(good.request, "/me") {
		rows = append(rows,
			spoil("without a token", "", "401 UNAUTHENTICATED"),
			spoil("a service's header from outside", "", "401 UNAUTHENTICATED", "X-Larder-Service-Token: "+w.tokens["foreign"]),
			spoil("metadata from outside", "", "401 UNAUTHENTICATED", "Grpc-Metadata-Authorization: Bearer "+w.tokens["operator"]))
	}
	for name := range w.tokens {
		switch name {
		case "", "shopper", "other", "hungry", "idle", "new", "retired", "dearer", "late", "full", "operator", "merchandiser":
		case "expired":
			rows = append(rows, spoil("token: "+name, name, "401 TOKEN_EXPIRED"))
		default:
			rows = append(rows, spoil("token: "+name, name, "401 UNAUTHENTICATED"))
		}
	}
	rows = append(rows,
		spoil("basic credentials", "", "401 UNAUTHENTICATED", "Authorization: Basic b3BlcmF0b3I6bGFyZGVy"),
		spoil("an empty token", "", "401 UNAUTHENTICATED", "Authorization: Bearer "),
	)
	for _, role := range []string{"shopper", "merchandiser", "operator"} {
		if good.as != "shopper" && good.as != role && !m.roles[role] {
			rows = append(rows, spoil("role: "+role, role, "403 PERMISSION_DENIED"))
		}
	}
	return rows
}

// badPaths are wrong methods, unknown parameters, and paths beside the right one.
func badPaths(m method, good call) []row {
	verb, target, _ := strings.Cut(good.request, " ")
	path, query, _ := strings.Cut(target, "?")
	spoil := func(what, request, want string) row {
		return row{m.name, what, good.as, request, good.body, want, []string{"Idempotency-Key: {key}"}, false, true, false}
	}
	rows := []row{
		spoil("a slash at the end", verb+" "+path+"/", "404 ROUTE_NOT_FOUND"),
		spoil("two slashes", verb+" /"+path, "404 ROUTE_NOT_FOUND"),
		spoil("more segments", verb+" "+path+"/x/y/z", "404 ROUTE_NOT_FOUND"),
		spoil("a dot segment", verb+" /v1/.."+path, "404 ROUTE_NOT_FOUND"),
		spoil("an escaped dot segment", verb+" /v1/%2e%2e"+path, "404 ROUTE_NOT_FOUND"),
		spoil("upper case", verb+" "+strings.Replace(path, "/v1/", "/V1/", 1)+"/", "404 ROUTE_NOT_FOUND"),
		spoil("an unknown verb at the end", verb+" "+path+":nonsense", unknownVerb(m)),
		spoil("a made-up method", "BREW "+path, "405 METHOD_NOT_ALLOWED"),
		spoil("OPTIONS", "OPTIONS "+path, "405 METHOD_NOT_ALLOWED"),
	}
	if query != "" {
		query += "&"
	}
	rows = append(rows, spoil("an unknown parameter", verb+" "+path+"?"+query+"nonsense=1", "400 INVALID_ARGUMENT nonsense"))
	rows = append(rows, spoil("a broken escape in a parameter", verb+" "+path+"?"+query+"q=%zz", "400 INVALID_ARGUMENT query"))
	return rows
}

// unknownVerb: where a path ends with an id, "id:nonsense" is taken for one; behind "id:verb" it is other methods' path, or, of a method
// that reads, the id of what GET of the path reads.
func unknownVerb(m method) string {
	if m.name == "OrderService.WatchOrder" {
		return "400 INVALID_ARGUMENT order_id"
	}
	if strings.Contains(m.template, "}:") {
		return "405 METHOD_NOT_ALLOWED"
	}
	inside, ok := strings.CutSuffix(m.template, "}")
	if !ok {
		return "404 ROUTE_NOT_FOUND"
	}
	return "400 INVALID_ARGUMENT " + inside[strings.LastIndexAny(inside, "{.")+1:]
}

// badBodies are bodies that are no JSON, not the right JSON, not said to be JSON, or too large.
func badBodies(m method, good call) []row {
	spoil := func(what, body, want string, headers ...string) row {
		return row{m.name, what, good.as, good.request, body, want, append(headers, "Idempotency-Key: {key}"), false, true, false}
	}
	inside := func(members string) string {
		return strings.TrimSuffix("{"+members+","+strings.TrimPrefix(good.body, "{"), ",}") + map[bool]string{true: "}"}[good.body == "{}"]
	}
	padded := good.body + strings.Repeat(" ", limit+1-len(good.body))
	chunked := spoil("a body over the limit in chunks", padded, "413 REQUEST_TOO_LARGE")
	chunked.chunked = true
	return []row{
		spoil("half an object", good.body[:len(good.body)-1], "400 INVALID_ARGUMENT body"),
		spoil("no JSON", "quantity=1", "400 INVALID_ARGUMENT body"),
		spoil("XML", `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`, "400 INVALID_ARGUMENT body"),
		spoil("a list", "["+good.body+"]", "400 INVALID_ARGUMENT body"),
		spoil("a string", `"hello"`, "400 INVALID_ARGUMENT body"),
		spoil("a number", `1`, "400 INVALID_ARGUMENT body"),
		spoil("null", `null`, "400 INVALID_ARGUMENT body"),
		spoil("two values", good.body+good.body, "400 INVALID_ARGUMENT body"),
		spoil("rubbish behind the value", good.body+"]", "400 INVALID_ARGUMENT body"),
		spoil("an unknown field", inside(`"nonsense":1`), "400 INVALID_ARGUMENT nonsense"),
		spoil("a field that scripts know", inside(`"__proto__":{"admin":true}`), "400 INVALID_ARGUMENT __proto__"),
		spoil("a type for Any", inside(`"@type":"type.googleapis.com/google.protobuf.Empty"`), "400 INVALID_ARGUMENT @type"),
		spoil("deep nesting of lists", inside(`"nonsense":`+strings.Repeat("[", 20000)+strings.Repeat("]", 20000)), "400 INVALID_ARGUMENT body"),
		spoil("deep nesting of objects", strings.Repeat(`{"a":`, 20000)+"1"+strings.Repeat("}", 20000), "400 INVALID_ARGUMENT body"),
		spoil("truncated UTF-8", inside("\"nons\xc3\":1"), "400 INVALID_ARGUMENT body"),
		spoil("a NUL byte", "\x00"+good.body, "400 INVALID_ARGUMENT body"),
		spoil("UTF-16", "\xff\xfe{\x00}\x00", "400 INVALID_ARGUMENT body"),
		spoil("text", good.body, "415 UNSUPPORTED_MEDIA_TYPE", "Content-Type: text/plain"),
		spoil("a form", "quantity=1", "415 UNSUPPORTED_MEDIA_TYPE", "Content-Type: application/x-www-form-urlencoded"),
		spoil("gRPC over HTTP/1.1", good.body, "415 UNSUPPORTED_MEDIA_TYPE", "Content-Type: application/grpc"),
		spoil("a broken content type", good.body, "415 UNSUPPORTED_MEDIA_TYPE", "Content-Type: ;;json"),
		spoil("a body over the limit", padded, "413 REQUEST_TOO_LARGE"),
		chunked,
	}
}
