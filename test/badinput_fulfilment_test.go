package test

import (
	"fmt"
	"strings"
	"time"
)

// soon is a time that a slot or a price may begin at.
func soon() string { return time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339) }

func (w *world) slot(start, end, capacity string) string {
	return fmt.Sprintf(`{"start_time":%q,"end_time":%q,"capacity":%s}`, start, end, capacity)
}

func (w *world) planned(price, start string) string {
	return fmt.Sprintf(`{"price":{"currency":"GBP","minor_units":%s},"start_time":%q}`, price, start)
}

// fulfilmentRows are bad requests about what happens to an order, its money and its delivery after it was placed.
func (w *world) fulfilmentRows() []row {
	var rows []row
	for _, verb := range []string{"Pick", "Pack", "Dispatch", "Deliver"} {
		move := func(what, as, order, body, want string) row {
			return row{rpc: "OrderService." + verb + "Order", what: what, as: as, request: "POST /v1/orders/" + order + ":" + strings.ToLower(verb), body: body, want: want}
		}
		rows = append(rows,
			move("the owner", "shopper", w.shopper.order, `{}`, "403 PERMISSION_DENIED"),
			move("an unknown order", "operator", unknownID, `{}`, "404 ORDER_NOT_FOUND"),
			move("an odd order", "operator", "1", `{}`, "400 INVALID_ARGUMENT order_id"),
			move("an old etag", "operator", w.shopper.order, `{"etag":"0"}`, "412 ETAG_MISMATCH"),
			move("a long reason", "operator", w.shopper.order, `{"reason":"`+strings.Repeat("x", 201)+`"}`, "400 INVALID_ARGUMENT reason"),
			move("a state of one's own", "operator", w.shopper.order, `{"state":"DELIVERED"}`, "400 INVALID_ARGUMENT state"))
		if verb != "Pick" { // the order is CONFIRMED
			rows = append(rows, move("before its time", "operator", w.shopper.order, `{}`, "409 ORDER_STATE_CONFLICT"))
		}
	}
	look := func(rpc, what, as, path, want string) row {
		return row{rpc: rpc, what: what, as: as, request: "GET " + path, want: want}
	}
	letters := "/v1/dead-letters/stock-adjustments"
	rows = append(rows,
		look("OrderService.ListStoreOrders", "no state", "operator", "/v1/stores/soho/orders", "400 INVALID_ARGUMENT state"),
		look("OrderService.ListStoreOrders", "a tombstone's state", "operator", "/v1/stores/soho/orders?state=ABANDONED", "400 INVALID_ARGUMENT state"),
		look("OrderService.ListStoreOrders", "an odd token", "operator", "/v1/stores/soho/orders?state=PICKING&page_token=x", "400 INVALID_PAGE_TOKEN page_token"),
		look("OrderService.CountOrders", "a year", "operator", "/v1/stores/soho/orders:count?minutes=525600", "400 INVALID_ARGUMENT minutes"),
		look("StockService.GetStockStatus", "an unknown store", "operator", "/v1/stores/nonsense/stock:status", "404 STORE_NOT_FOUND"),
		look("OutboxService.ListDeadLetters", "a topic of another's", "operator", "/v1/dead-letters/nonsense", "400 INVALID_ARGUMENT topic"),
		look("OutboxService.GetDeadLetter", "an unknown letter", "operator", letters+"/4711", "404 DEAD_LETTER_NOT_FOUND"),
		look("OutboxService.GetDeadLetter", "an odd letter", "operator", letters+"/%2e%2e", "400 INVALID_ARGUMENT letter_id"),
		row{rpc: "OutboxService.ReplayDeadLetter", what: "no reason", as: "operator", request: "POST " + letters + "/4711:replay", body: `{}`, want: "400 INVALID_ARGUMENT reason"},
		row{rpc: "OutboxService.ReplayDeadLetter", what: "an unknown letter", as: "operator", request: "POST " + letters + "/4711:replay", body: `{"reason":"x"}`, want: "404 DEAD_LETTER_NOT_FOUND"},
		row{rpc: "StockService.RebuildStock", what: "an odd epoch", as: "operator", request: "POST /v1/stores/soho/stock:rebuild", body: `{"seen_epoch":"yesterday"}`, want: "400 INVALID_ARGUMENT body"})
	cancel := func(what, as, order, body, want string) row {
		return row{rpc: "OrderService.CancelOrder", what: what, as: as, request: "POST /v1/orders/" + order + ":cancel", body: body, want: want}
	}
	rows = append(rows,
		cancel("another's", "shopper", w.other.order, `{}`, "404 ORDER_NOT_FOUND"),
		cancel("an unknown order", "shopper", unknownID, `{}`, "404 ORDER_NOT_FOUND"),
		cancel("an odd order", "shopper", "x", `{}`, "400 INVALID_ARGUMENT order_id"),
		cancel("an old etag", "shopper", w.shopper.order, `{"etag":"77"}`, "412 ETAG_MISMATCH"),
		cancel("as somebody", "shopper", w.shopper.order, `{"actor":"system"}`, "400 INVALID_ARGUMENT actor"))

	refund := func(what, order, body, want string, headers ...string) row {
		if len(headers) == 0 {
			headers = []string{"Idempotency-Key: {key}"}
		}
		return row{rpc: "OrderService.RefundOrder", what: what, as: "operator", request: "POST /v1/orders/" + order + ":refund", body: body, want: want, headers: headers}
	}
	line := func(quantity string) string {
		return fmt.Sprintf(`{"reason":"x","lines":[{"product_id":%q,"quantity":%s}]}`, w.sold, quantity)
	}
	rows = append(rows,
		refund("what wasn't captured", w.shopper.order, line("1"), "409 NOTHING_TO_REFUND"),
		refund("all of what wasn't captured", w.shopper.order, `{"reason":"x"}`, "409 NOTHING_TO_REFUND"),
		refund("no reason", w.shopper.order, `{}`, "400 INVALID_ARGUMENT reason"),
		refund("an unknown order", unknownID, `{"reason":"x"}`, "404 ORDER_NOT_FOUND"),
		refund("an amount of one's own", w.shopper.order, `{"reason":"x","amount":{"currency":"GBP","minor_units":1}}`, "400 INVALID_ARGUMENT amount"),
		refund("a product twice", w.shopper.order, fmt.Sprintf(`{"reason":"x","lines":[{"product_id":%[1]q,"quantity":1},{"product_id":%[1]q,"quantity":1}]}`, w.sold), "400 INVALID_ARGUMENT lines[1].product_id"),
		refund("nothing of a line", w.shopper.order, line("0"), "400 INVALID_ARGUMENT lines[0].quantity"),
		refund("less than nothing", w.shopper.order, line("-1"), "400 INVALID_ARGUMENT lines[0].quantity"),
		refund("a hundred", w.shopper.order, line("100"), "400 INVALID_ARGUMENT lines[0].quantity"),
		refund("without a key", w.shopper.order, `{"reason":"x"}`, "400 IDEMPOTENCY_KEY_REQUIRED", "X-None: 1"),
		row{rpc: "OrderService.GetOrderHistory", what: "an unknown order", as: "operator", request: "GET /v1/orders/" + unknownID + "/history", want: "404 ORDER_NOT_FOUND"},
		row{rpc: "OrderService.GetOrderHistory", what: "a shopper's own", as: "shopper", request: "GET /v1/orders/" + w.shopper.order + "/history", want: "403 PERMISSION_DENIED"},
		row{rpc: "PaymentService.GetPayment", what: "an unknown order", as: "operator", request: "GET /v1/orders/" + unknownID + "/payment", want: "404 ORDER_NOT_FOUND"},
		row{rpc: "PaymentService.GetPayment", what: "an odd order", as: "operator", request: "GET /v1/orders/*/payment", want: "400 INVALID_ARGUMENT order_id"},
		row{rpc: "PaymentService.ListPayments", what: "no state", as: "operator", request: "GET /v1/payments", want: "400 INVALID_ARGUMENT state"},
		row{rpc: "PaymentService.ListPayments", what: "a state that is settled", as: "operator", request: "GET /v1/payments?state=CAPTURED", want: "400 INVALID_ARGUMENT state"},
		row{rpc: "PaymentService.ListPayments", what: "a page too large", as: "operator", request: "GET /v1/payments?state=VOIDING&page_size=101", want: "400 INVALID_ARGUMENT page_size"},
		row{rpc: "PaymentService.ListPayments", what: "a rubbish token", as: "operator", request: "GET /v1/payments?state=VOIDING&page_token=!!", want: "400 INVALID_PAGE_TOKEN page_token"},
		row{rpc: "PaymentService.AuditPayments", what: "a page too large", as: "operator", request: "POST /v1/payments:audit", body: `{"page_size":101}`, want: "400 INVALID_ARGUMENT page_size"},
		row{rpc: "PaymentService.AuditPayments", what: "a century", as: "operator", request: "POST /v1/payments:audit", body: `{"hours":1000000}`, want: "400 INVALID_ARGUMENT hours"},
		row{rpc: "PaymentService.AuditPayments", what: "a rubbish token", as: "operator", request: "POST /v1/payments:audit", body: `{"page_token":"!!"}`, want: "400 INVALID_PAGE_TOKEN page_token"},
	)
	return append(rows, w.slotRows()...)
}

func (w *world) slotRows() []row {
	put := func(what, slot, body, want string) row {
		return row{rpc: "StockService.PutSlot", what: what, as: "operator", request: "PUT /v1/stores/soho/slots/" + slot, body: body, want: want}
	}
	start := soon()
	end := time.Now().Add(26 * time.Hour).UTC().Format(time.RFC3339)
	entries := func(what, path, want string) row {
		return row{rpc: "StockService.ListStockEntries", what: what, as: "operator", request: "GET /v1/stores/" + path, want: want}
	}
	price := func(what, product, body, want string) row {
		return row{rpc: "ProductService.PlanPrice", what: what, as: "merchandiser", request: "POST /v1/products/" + product + "/prices", body: body, want: want}
	}
	withdraw := func(what, path, want string) row {
		return row{rpc: "ProductService.DeletePrice", what: what, as: "merchandiser", request: "DELETE /v1/products/" + path, want: want}
	}
	return []row{
		put("nothing", "spoilt-slot", `{}`, "400 INVALID_ARGUMENT end_time,start_time"),
		put("an odd slot", "SLOT", w.slot(start, end, "1"), "400 INVALID_ARGUMENT slot_id"),
		put("ends before it begins", "spoilt-slot", w.slot(end, start, "1"), "400 INVALID_ARGUMENT end_time"),
		put("a negative capacity", "spoilt-slot", w.slot(start, end, "-1"), "400 INVALID_ARGUMENT capacity"),
		put("no time", "spoilt-slot", `{"start_time":"tomorrow","end_time":"later","capacity":1}`, "400 INVALID_ARGUMENT body"),
		{rpc: "StockService.PutSlot", what: "an unknown store", as: "operator", request: "PUT /v1/stores/nonsense/slots/spoilt-slot", body: w.slot(start, end, "1"), want: "404 STORE_NOT_FOUND"},
		{rpc: "StockService.ListSlots", what: "an unknown store", request: "GET /v1/stores/nonsense/slots", want: "404 STORE_NOT_FOUND"},
		{rpc: "StockService.ListSlots", what: "a page too large", request: "GET /v1/stores/soho/slots?page_size=201", want: "400 INVALID_ARGUMENT page_size"},
		{rpc: "StockService.ReconcileStock", what: "an unknown store", as: "operator", request: "POST /v1/stores/nonsense/stock:reconcile", body: `{}`, want: "404 STORE_NOT_FOUND"},
		{rpc: "StockService.ReconcileStock", what: "an odd store", as: "operator", request: "POST /v1/stores/SOHO/stock:reconcile", body: `{}`, want: "400 INVALID_ARGUMENT store_id"},
		entries("an unknown product", "soho/stock/nonsense/entries", "404 PRODUCT_NOT_FOUND"),
		entries("a rubbish token", "soho/stock/"+w.sold+"/entries?page_token=!!", "400 INVALID_PAGE_TOKEN page_token"),
		entries("another list's token", "soho/stock/"+w.sold+"/entries?page_token="+w.page["stock"], "400 INVALID_PAGE_TOKEN page_token"),
		entries("a page too large", "soho/stock/"+w.sold+"/entries?page_size=101", "400 INVALID_ARGUMENT page_size"),
		{rpc: "CheckoutService.CreateCheckout", what: "an unknown slot", as: "shopper", request: "POST /v1/checkouts",
			body: strings.TrimSuffix(w.checkout(delivery, "pm_card_visa", w.total), "}") + `,"delivery_slot_id":"nonsense"}`, want: "409 SLOT_UNAVAILABLE", headers: []string{"Idempotency-Key: {key}"}},
		{rpc: "CheckoutService.CreateCheckout", what: "an odd slot", as: "shopper", request: "POST /v1/checkouts",
			body: strings.TrimSuffix(w.checkout(delivery, "pm_card_visa", w.total), "}") + `,"delivery_slot_id":"slot:x"}`, want: "400 INVALID_ARGUMENT delivery_slot_id", headers: []string{"Idempotency-Key: {key}"}},

		price("an unknown product", "nonsense", w.planned("100", start), "404 PRODUCT_NOT_FOUND"),
		price("yesterday", w.sold, w.planned("100", "2026-01-01T00:00:00Z"), "400 INVALID_ARGUMENT price.start_time"),
		price("nothing", w.sold, `{}`, "400 INVALID_ARGUMENT price.price,price.start_time"),
		price("for nothing", w.sold, w.planned("0", start), "400 INVALID_ARGUMENT price.price.minor_units"),
		price("10^9", w.sold, w.planned("1000000000", start), "400 INVALID_ARGUMENT price.price.minor_units"),
		price("an unknown store", w.sold, strings.TrimSuffix(w.planned("100", start), "}")+`,"store_id":"nonsense"}`, "404 STORE_NOT_FOUND price.store_id"),
		withdraw("no time", w.sold+"/prices", "400 INVALID_ARGUMENT start_time"),
		withdraw("a time that is none", w.sold+"/prices?start_time=soon", "400 INVALID_ARGUMENT start_time"),
		withdraw("no such price", w.sold+"/prices?start_time="+start, "404 PRICE_NOT_FOUND"),
		withdraw("an odd store", w.sold+"/prices?store_id=SOHO&start_time="+start, "400 INVALID_ARGUMENT store_id"),
		withdraw("an unknown product", "nonsense/prices?start_time="+start, "404 PRODUCT_NOT_FOUND"),
		{rpc: "ProductService.ListPrices", what: "an unknown product", as: "merchandiser", request: "GET /v1/products/nonsense/prices", want: "404 PRODUCT_NOT_FOUND"},
		{rpc: "ProductService.AuditIndex", what: "a page too large", as: "operator", request: "POST /v1/products:audit", body: `{"page_size":1001}`, want: "400 INVALID_ARGUMENT page_size"},
		{rpc: "ProductService.AuditIndex", what: "a rubbish token", as: "operator", request: "POST /v1/products:audit", body: `{"page_token":"!!"}`, want: "400 INVALID_PAGE_TOKEN page_token"},
	}
}
