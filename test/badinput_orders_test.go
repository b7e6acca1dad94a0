package test

import (
	"fmt"
	"strings"
)

func (w *world) cartRows() []row {
	put := func(what, as, path, body, want string) row {
		return row{rpc: "CartService.PutItem", what: what, as: as, request: "PUT /v1/carts/" + path, body: body, want: want}
	}
	open := func(what, body, want string) row {
		return row{rpc: "CartService.CreateCart", what: what, as: "shopper", request: "POST /v1/carts", body: body, want: want}
	}
	item := "me/items/" + w.sold
	rows := []row{
		open("nothing", `{}`, "400 INVALID_ARGUMENT store_id"),
		open("an empty body", ``, "400 INVALID_ARGUMENT store_id"),
		open("an unknown store", `{"store_id":"nonsense"}`, "404 STORE_NOT_FOUND"),
		open("a number for a store", `{"store_id":1}`, "400 INVALID_ARGUMENT store_id"),
		open("a path for a store", `{"store_id":"../soho"}`, "400 INVALID_ARGUMENT store_id"),
		open("Lua for a store", `{"store_id":"soho') redis.call('flushall') --"}`, "400 INVALID_ARGUMENT store_id"),
		open("another's cart", `{"store_id":"soho","cart_id":"`+w.other.id+`"}`, "400 INVALID_ARGUMENT cart_id"),

		put("another's cart", "shopper", w.other.id+"/items/"+w.sold, `{"quantity":1}`, "404 CART_NOT_FOUND"),
		put("an operator, another's cart", "operator", w.other.id+"/items/"+w.sold, `{"quantity":1}`, "404 CART_NOT_FOUND"),
		put("no cart", "new", item, `{"quantity":1}`, "404 CART_NOT_FOUND"),
		put("an odd cart", "shopper", "my/items/"+w.sold, `{"quantity":1}`, "400 INVALID_ARGUMENT cart_id"),
		put("capitals for a cart", "shopper", "ME/items/"+w.sold, `{"quantity":1}`, "400 INVALID_ARGUMENT cart_id"),
		put("an unknown product", "shopper", "me/items/nonsense", `{"quantity":1}`, "404 PRODUCT_NOT_FOUND"),
		put("a product of another store", "shopper", "me/items/"+w.unsold, `{"quantity":1}`, "409 PRODUCT_NOT_SOLD"),
		put("an odd product", "shopper", "me/items/BANANAS", `{"quantity":1}`, "400 INVALID_ARGUMENT product_id"),
		put("Lua for a product", "shopper", "me/items/x%27)%20redis.call(%27flushall%27)", `{"quantity":1}`, "400 INVALID_ARGUMENT product_id"),
		put("a line end in a product", "shopper", "me/items/a%0d%0aFLUSHALL", `{"quantity":1}`, "400 INVALID_ARGUMENT product_id"),
		put("another product in the body", "shopper", item, `{"quantity":1,"product_id":"bananas","etag":"old"}`, "412 ETAG_MISMATCH"),
		put("another's cart in the body", "shopper", item, `{"quantity":1,"cart_id":"`+w.other.id+`","etag":"old"}`, "412 ETAG_MISMATCH"),
		put("an old etag", "shopper", item, `{"quantity":1,"etag":"1"}`, "412 ETAG_MISMATCH"),
		put("Lua for an etag", "shopper", item, `{"quantity":1,"etag":"\" or true --"}`, "412 ETAG_MISMATCH"),
		put("an etag too long", "shopper", item, `{"quantity":1,"etag":"`+strings.Repeat("x", 101)+`"}`, "400 INVALID_ARGUMENT etag"),
		put("a price of one's own", "shopper", item, `{"quantity":1,"unit_price":{"currency":"GBP","minor_units":1}}`, "400 INVALID_ARGUMENT unit_price"),
		put("no quantity", "shopper", item, `{}`, "400 INVALID_ARGUMENT quantity"),
		put("an empty body", "shopper", item, ``, "400 INVALID_ARGUMENT quantity"),
		put("null for a quantity", "shopper", item, `{"quantity":null}`, "400 INVALID_ARGUMENT quantity"),
		put("100", "shopper", item, `{"quantity":100}`, "400 INVALID_ARGUMENT quantity"),
	}
	for what, number := range numbers {
		rows = append(rows, put("quantity: "+what, "shopper", item, `{"quantity":`+number+`}`, "400 INVALID_ARGUMENT quantity"))
	}
	for what, try := range map[string][3]string{
		"another's": {"shopper", w.other.id, "404 CART_NOT_FOUND"}, "an operator's of a shopper": {"operator", w.other.id, "404 CART_NOT_FOUND"},
		"unknown": {"shopper", unknownID, "404 CART_NOT_FOUND"}, "none": {"new", "me", "404 CART_NOT_FOUND"},
		"odd": {"shopper", "1", "400 INVALID_ARGUMENT cart_id"}, "NUL": {"shopper", "me%00", "400 INVALID_ARGUMENT cart_id"},
		"a pattern": {"shopper", "*", "400 INVALID_ARGUMENT cart_id"}, "36 dashes": {"shopper", strings.Repeat("-", 36), "404 CART_NOT_FOUND"},
		"another's in capitals": {"shopper", strings.ToUpper(w.other.id), "400 INVALID_ARGUMENT cart_id"},
	} {
		rows = append(rows,
			row{rpc: "CartService.GetCart", what: "cart: " + what, as: try[0], request: "GET /v1/carts/" + try[1], want: try[2]},
			row{rpc: "CartService.DeleteItem", what: "cart: " + what, as: try[0], request: "DELETE /v1/carts/" + try[1] + "/items/" + w.sold, want: try[2]})
	}
	for what, try := range map[string][2]string{
		"a shopper's": {w.other.id, "404 CART_NOT_FOUND"}, "unknown": {unknownID, "404 CART_NOT_FOUND"}, "my own": {"me", "400 INVALID_ARGUMENT cart_id"},
		"odd": {"1", "400 INVALID_ARGUMENT cart_id"}, "a pattern": {"*", "400 INVALID_ARGUMENT cart_id"}, "NUL": {"%00", "400 INVALID_ARGUMENT cart_id"},
		"capitals": {strings.ToUpper(w.guest), "400 INVALID_ARGUMENT cart_id"}, "Lua": {"%27%29%20redis.call%28", "400 INVALID_ARGUMENT cart_id"},
	} {
		rows = append(rows, row{rpc: "CartService.MergeCart", what: "cart: " + what, as: "shopper", request: "POST /v1/carts/" + try[0] + ":merge", body: `{}`, want: try[1]})
	}
	guest := "/v1/carts/" + w.guest
	return append(rows,
		row{rpc: "CartService.GetCart", what: "a shopper's as a guest", request: "GET /v1/carts/" + w.other.id, want: "404 CART_NOT_FOUND"},
		row{rpc: "CartService.PutItem", what: "a shopper's as a guest", request: "PUT /v1/carts/" + w.other.id + "/items/" + w.sold, body: `{"quantity":1}`, want: "404 CART_NOT_FOUND"},
		row{rpc: "CartService.DeleteItem", what: "a shopper's as a guest", request: "DELETE /v1/carts/" + w.other.id + "/items/" + w.sold, want: "404 CART_NOT_FOUND"},
		row{rpc: "CartService.CreateCart", what: "an unknown store as a guest", request: "POST /v1/carts", body: `{"store_id":"nonsense"}`, want: "404 STORE_NOT_FOUND"},
		row{rpc: "CartService.GetCart", what: "a guest's with a token that ended", as: "expired", request: "GET " + guest, want: "401 TOKEN_EXPIRED"},
		row{rpc: "CartService.PutItem", what: "a guest's, 10^9", request: "PUT " + guest + "/items/" + w.sold, body: `{"quantity":1000000000}`, want: "400 INVALID_ARGUMENT quantity"},
		row{rpc: "CartService.MergeCart", what: "a member of one's own", as: "shopper", request: "POST " + guest + ":merge", body: `{"user_id":"` + w.other.id + `"}`, want: "400 INVALID_ARGUMENT user_id"},
		row{rpc: "CartService.DeleteItem", what: "not in the cart", as: "shopper", request: "DELETE /v1/carts/me/items/bananas", want: "404 ITEM_NOT_FOUND"},
		row{rpc: "CartService.DeleteItem", what: "an odd product", as: "shopper", request: "DELETE /v1/carts/me/items/%2e%2e", want: "400 INVALID_ARGUMENT product_id"},
		row{rpc: "CartService.DeleteItem", what: "an old etag", as: "shopper", request: "DELETE /v1/carts/" + item + "?etag=1", want: "412 ETAG_MISMATCH"},
		row{rpc: "CartService.DeleteItem", what: "a quantity", as: "shopper", request: "DELETE /v1/carts/" + item + "?quantity=1", want: "400 INVALID_ARGUMENT quantity"},
		row{rpc: "CartService.DeleteItem", what: "an etag of NUL", as: "shopper", request: "DELETE /v1/carts/" + item + "?etag=%00", want: "400 INVALID_ARGUMENT etag"},
		row{what: "what only services may ask", as: "operator", request: "POST /larder.cart.v1.CartService/ClearCart", body: `{"cart_id":"` + w.other.id + `"}`, want: "404 ROUTE_NOT_FOUND"},
	)
}

func (w *world) checkoutRows() []row {
	send := func(what, as, body, want string) row {
		return row{rpc: "CheckoutService.CreateCheckout", what: what, as: as, request: "POST /v1/checkouts", body: body, want: want, headers: []string{"Idempotency-Key: {key}"}}
	}
	good := w.checkout(delivery, "pm_card_visa", w.total)
	keyed := func(what, want string, headers ...string) row {
		return row{rpc: "CheckoutService.CreateCheckout", what: "key: " + what, as: "shopper", request: "POST /v1/checkouts", body: good, want: want, headers: headers}
	}
	with := func(old, replacement string) string {
		if !strings.Contains(good, old) {
			panic("a checkout has no " + old)
		}
		return strings.Replace(good, old, replacement, 1)
	}
	money := func(amount string) string {
		return w.checkout(delivery, "pm_card_visa", `{"currency":"GBP","minor_units":`+amount+`}`)
	}
	const noKey = "400 IDEMPOTENCY_KEY_REQUIRED"
	rows := []row{
		send("nothing", "shopper", `{}`, "400 INVALID_ARGUMENT address,cart_id,expected_total,payment_method,store_id"),
		send("an empty body", "shopper", ``, "400 INVALID_ARGUMENT address,cart_id,expected_total,payment_method,store_id"),
		send("another's cart", "shopper", with(`"me"`, `"`+w.other.id+`"`), "404 CART_NOT_FOUND"),
		send("an unknown cart", "shopper", with(`"me"`, `"`+unknownID+`"`), "404 CART_NOT_FOUND"),
		send("an odd cart", "shopper", with(`"me"`, `"mine"`), "400 INVALID_ARGUMENT cart_id"),
		send("an operator, another's cart", "operator", with(`"me"`, `"`+w.other.id+`"`), "404 CART_NOT_FOUND"),
		send("no cart", "new", good, "404 CART_NOT_FOUND"),
		send("an empty cart", "idle", good, "409 CART_EMPTY"),
		send("a guest's cart for the total of one's own", "shopper", with(`"me"`, `"`+w.guest+`"`), "409 PRICE_CHANGED"),
		send("another store", "shopper", with(`"soho"`, `"camden"`), "409 STORE_MISMATCH"),
		send("an unknown store", "shopper", with(`"soho"`, `"nonsense"`), "409 STORE_MISMATCH"),
		send("a number for a store", "shopper", with(`"soho"`, `1`), "400 INVALID_ARGUMENT store_id"),
		send("no address", "shopper", w.checkout(`null`, "pm_card_visa", w.total), "400 INVALID_ARGUMENT address"),
		send("a string for an address", "shopper", w.checkout(`"home"`, "pm_card_visa", w.total), "400 INVALID_ARGUMENT body"),
		send("another's saved address", "shopper", w.checkout(`{"address_id":"`+w.other.address+`"}`, "pm_card_visa", w.total), "400 INVALID_ARGUMENT address_id"),
		send("an address without a city", "shopper", with(`"city":"London",`, ``), "400 INVALID_ARGUMENT address.city"),
		send("NUL in the address", "shopper", with(`Lovelace`, `\u0000`), "400 INVALID_ARGUMENT address.recipient"),
		send("no card", "shopper", w.checkout(delivery, "", w.total), "400 INVALID_ARGUMENT payment_method"),
		send("a card's number", "shopper", w.checkout(delivery, "4242424242424242", w.total), "400 INVALID_ARGUMENT payment_method"),
		send("a path for a card", "shopper", w.checkout(delivery, "pm_../../refunds", w.total), "400 INVALID_ARGUMENT payment_method"),
		send("a form for a card", "shopper", w.checkout(delivery, "pm_x&amount=1", w.total), "400 INVALID_ARGUMENT payment_method"),
		send("an unknown card", "shopper", w.checkout(delivery, "pm_nonsense", w.total), "402 PAYMENT_DECLINED"),
		send("a declined card", "shopper", w.checkout(delivery, "pm_card_chargeDeclined", w.total), "402 PAYMENT_DECLINED"),
		send("more than there is", "hungry", w.checkout(delivery, "pm_card_visa", w.dear()), "409 OUT_OF_STOCK"),
		send("an outdated total", "shopper", money(`1`), "409 PRICE_CHANGED"),
		send("a huge total", "shopper", money(`9223372036854775807`), "409 PRICE_CHANGED"),
		send("the total in another currency", "shopper", strings.Replace(good, `"GBP"`, `"EUR"`, 1), "409 PRICE_CHANGED"),
		send("no currency", "shopper", strings.Replace(good, `"GBP"`, `""`, 1), "400 INVALID_ARGUMENT expected_total.currency"),
		send("no total", "shopper", w.checkout(delivery, "pm_card_visa", `null`), "400 INVALID_ARGUMENT expected_total"),
		send("a number for a total", "shopper", w.checkout(delivery, "pm_card_visa", `5`), "400 INVALID_ARGUMENT body"),
		send("a discount of one's own", "shopper", strings.TrimSuffix(good, "}")+`,"discounts":[{"minor_units":100}]}`, "400 INVALID_ARGUMENT discounts"),
		send("another's user id", "shopper", strings.TrimSuffix(good, "}")+`,"user_id":"`+w.other.id+`"}`, "400 INVALID_ARGUMENT user_id"),

		keyed("none", noKey),
		keyed("empty", noKey, "Idempotency-Key: "),
		keyed("short", noKey, "Idempotency-Key: 1234567"),
		keyed("long", noKey, "Idempotency-Key: "+strings.Repeat("x", 101)),
		keyed("huge", noKey, "Idempotency-Key: "+strings.Repeat("x", 8000)),
		keyed("with spaces", noKey, "Idempotency-Key: a key of words"),
		keyed("of another alphabet", noKey, "Idempotency-Key: ключключ"),
		keyed("SQL", noKey, "Idempotency-Key: ' or 1=1; --"),
		keyed("two", noKey, "Idempotency-Key: {key}", "Idempotency-Key: {key}"),
		keyed("of another checkout", "422 IDEMPOTENCY_KEY_REUSED", "Idempotency-Key: "+w.shopper.orderKey),
		// Another shopper's key means nothing here: it makes another checkout, whose cart is empty.
		{rpc: "CheckoutService.CreateCheckout", what: "key: another's, with the body that went with it", as: "idle", request: "POST /v1/checkouts", body: w.other.orderBody, want: "409 CART_EMPTY", headers: []string{"Idempotency-Key: " + w.other.orderKey}},

		{rpc: "CheckoutService.GetCheckout", what: "another's", as: "shopper", request: "GET /v1/checkouts/" + w.other.order, want: "404 CHECKOUT_NOT_FOUND"},
		{rpc: "CheckoutService.GetCheckout", what: "unknown", as: "shopper", request: "GET /v1/checkouts/" + unknownID, want: "404 CHECKOUT_NOT_FOUND"},
		{rpc: "CheckoutService.GetCheckout", what: "no UUID", as: "shopper", request: "GET /v1/checkouts/1", want: "400 INVALID_ARGUMENT checkout_id"},
		{rpc: "CheckoutService.GetCheckout", what: "SQL", as: "shopper", request: "GET /v1/checkouts/%27%20or%20true%20--", want: "400 INVALID_ARGUMENT checkout_id"},
		{rpc: "CheckoutService.GetCheckout", what: "a long id", as: "shopper", request: "GET /v1/checkouts/" + strings.Repeat("0", 9000), want: "400 INVALID_ARGUMENT checkout_id"},
		{rpc: "CheckoutService.GetCheckout", what: "all", as: "shopper", request: "GET /v1/checkouts", want: "405 METHOD_NOT_ALLOWED"},
	}
	for what, number := range numbers {
		want := "400 INVALID_ARGUMENT minor_units"
		switch what {
		case "zero", "minus one":
			want = "400 INVALID_ARGUMENT expected_total.minor_units"
		case "10^9", "2^31":
			want = "409 PRICE_CHANGED"
		}
		rows = append(rows, send("total: "+what, "shopper", money(number), want))
	}
	return rows
}

// dear is the total of 99 of the product that is sold: above the price of free delivery.
func (w *world) dear() string { return `{"currency":"GBP","minor_units":24750}` }

func (w *world) orderRows() []row {
	list := func(what, query, want string) row {
		return row{rpc: "OrderService.ListOrders", what: what, as: "shopper", request: "GET /v1/orders?" + query, want: want}
	}
	get := func(what, id, want string) row {
		return row{rpc: "OrderService.GetOrder", what: what, as: "shopper", request: "GET /v1/orders/" + id, want: want}
	}
	return []row{
		get("another's", w.other.order, "404 ORDER_NOT_FOUND"),
		get("another's in capitals", strings.ToUpper(w.other.order), "404 ORDER_NOT_FOUND"),
		get("unknown", unknownID, "404 ORDER_NOT_FOUND"),
		get("no UUID", "4711", "400 INVALID_ARGUMENT order_id"),
		get("braces", "%7B"+w.shopper.order+"%7D", "400 INVALID_ARGUMENT order_id"),
		get("SQL", w.shopper.order+"%27%20or%201=1", "400 INVALID_ARGUMENT order_id"),
		get("a NUL byte", w.shopper.order+"%00", "400 INVALID_ARGUMENT order_id"),
		get("broken UTF-8", "%e2%82", "400 INVALID_ARGUMENT order_id"),
		get("another alphabet", "%D0%B7%D0%B0%D0%BA%D0%B0%D0%B7", "400 INVALID_ARGUMENT order_id"),
		get("a long id", strings.Repeat("0", 9000), "400 INVALID_ARGUMENT order_id"),
		list("another's", "user_id="+w.other.id, "400 INVALID_ARGUMENT user_id"),
		list("a negative page", "page_size=-1", "400 INVALID_ARGUMENT page_size"),
		list("a large page", "page_size=101", "400 INVALID_ARGUMENT page_size"),
		list("2^63 for a page", "page_size=9223372036854775808", "400 INVALID_ARGUMENT page_size"),
		list("NaN for a page", "page_size=NaN", "400 INVALID_ARGUMENT page_size"),
		list("a rubbish token", "page_token=rubbish", "400 INVALID_PAGE_TOKEN page_token"),
		list("JSON for a token", "page_token=e30", "400 INVALID_PAGE_TOKEN page_token"),
		list("a token of the products' list", "page_token="+w.page["products"], "400 INVALID_PAGE_TOKEN page_token"),
		list("a token of another's list", "page_token="+w.othersPage(), "400 INVALID_PAGE_TOKEN page_token"),
		list("a long token", "page_token="+strings.Repeat("x", 1001), "400 INVALID_ARGUMENT page_token"),
		{rpc: "OrderService.GetOrder", what: "a change", as: "shopper", request: "PATCH /v1/orders/" + w.shopper.order, body: `{"state":"CANCELLED"}`, want: "405 METHOD_NOT_ALLOWED"},
		{rpc: "OrderService.ListOrders", what: "an order of one's own", as: "shopper", request: "POST /v1/orders", body: `{}`, want: "405 METHOD_NOT_ALLOWED"},
	}
}

func (w *world) adjustment(product, quantity string) string {
	return fmt.Sprintf(`{"reason":"spoilt","adjustments":[{"product_id":%q,"quantity":%s}]}`, product, quantity)
}

func (w *world) stockRows() []row {
	adjust := func(what, store, body, want string) row {
		return row{rpc: "StockService.AdjustStock", what: what, as: "operator", request: "POST /v1/stores/" + store + "/stock:adjust", body: body, want: want, headers: []string{"Idempotency-Key: {key}"}}
	}
	keyed := func(what string, headers ...string) row {
		r := adjust("key: "+what, store, w.adjustment(w.sold, "5"), "400 IDEMPOTENCY_KEY_REQUIRED")
		r.headers = headers
		return r
	}
	list := func(what, store, query, want string) row {
		return row{rpc: "StockService.ListStock", what: what, as: "operator", request: "GET /v1/stores/" + store + "/stock" + query, want: want}
	}
	get := func(what, path, want string) row {
		return row{rpc: "StockService.GetStock", what: what, as: "operator", request: "GET /v1/stores/" + path, want: want}
	}
	rebuild := func(what, store, body, want string) row {
		return row{rpc: "StockService.RebuildStock", what: what, as: "operator", request: "POST /v1/stores/" + store + "/stock:rebuild", body: body, want: want}
	}
	many := strings.TrimSuffix(strings.Repeat(`{"product_id":"`+w.sold+`","quantity":1},`, 101), ",")
	rows := []row{
		get("an unknown store", "nonsense/stock/"+w.sold, "404 STORE_NOT_FOUND"),
		get("an odd store", "SOHO/stock/"+w.sold, "400 INVALID_ARGUMENT store_id"),
		get("an unknown product", "soho/stock/nonsense", "404 PRODUCT_NOT_FOUND"),
		get("an odd product", "soho/stock/%2e%2e", "400 INVALID_ARGUMENT product_id"),
		get("Lua for a product", "soho/stock/x%27)%20redis.call(%27flushall%27)", "400 INVALID_ARGUMENT product_id"),
		get("both odd", "*/stock/*", "400 INVALID_ARGUMENT product_id,store_id"),
		list("an unknown store", "nonsense", "", "404 STORE_NOT_FOUND"),
		list("a pattern for a store", "*", "", "400 INVALID_ARGUMENT store_id"),
		list("a negative page", store, "?page_size=-1", "400 INVALID_ARGUMENT page_size"),
		list("a large page", store, "?page_size=1001", "400 INVALID_ARGUMENT page_size"),
		list("1e30 for a page", store, "?page_size=1e30", "400 INVALID_ARGUMENT page_size"),
		list("a rubbish token", store, "?page_token=!!", "400 INVALID_PAGE_TOKEN page_token"),
		list("a rubbish token that can be decoded", store, "?page_token=rubbish", "400 INVALID_PAGE_TOKEN page_token"),
		list("another list's token", store, "?page_token="+w.page["products"], "400 INVALID_PAGE_TOKEN page_token"),
		list("another store's token", "camden", "?page_token="+w.page["stock"], "400 INVALID_PAGE_TOKEN page_token"),
		list("the search's token", store, "?page_token="+w.page["search"], "400 INVALID_PAGE_TOKEN page_token"),
		list("a long token", store, "?page_token="+strings.Repeat("x", 1001), "400 INVALID_ARGUMENT page_token"),

		adjust("nothing", store, `{}`, "400 INVALID_ARGUMENT adjustments,reason"),
		adjust("an empty body", store, ``, "400 INVALID_ARGUMENT adjustments,reason"),
		adjust("an empty list", store, `{"reason":"x","adjustments":[]}`, "400 INVALID_ARGUMENT adjustments"),
		adjust("an object for the list", store, `{"reason":"x","adjustments":{}}`, "400 INVALID_ARGUMENT body"),
		adjust("null in the list", store, `{"reason":"x","adjustments":[null]}`, "400 INVALID_ARGUMENT body"),
		adjust("an empty line", store, `{"reason":"x","adjustments":[{}]}`, "400 INVALID_ARGUMENT adjustments[0].product_id,adjustments[0].quantity"),
		adjust("101 lines", store, `{"reason":"x","adjustments":[`+many+`]}`, "400 INVALID_ARGUMENT adjustments"),
		adjust("a product twice", store, `{"reason":"x","adjustments":[{"product_id":"`+w.sold+`","quantity":1},{"product_id":"`+w.sold+`","quantity":1}]}`, "400 INVALID_ARGUMENT adjustments[1].product_id"),
		adjust("an unknown product behind a good one", store, `{"reason":"x","adjustments":[{"product_id":"`+w.sold+`","quantity":1},{"product_id":"nonsense","quantity":1}]}`, "404 PRODUCT_NOT_FOUND"),
		adjust("no reason", store, `{"adjustments":[{"product_id":"`+w.sold+`","quantity":1}]}`, "400 INVALID_ARGUMENT reason"),
		adjust("a reason too long", store, `{"reason":"`+strings.Repeat("x", 201)+`","adjustments":[{"product_id":"`+w.sold+`","quantity":1}]}`, "400 INVALID_ARGUMENT reason"),
		adjust("NUL in the reason", store, `{"reason":"\u0000","adjustments":[{"product_id":"`+w.sold+`","quantity":1}]}`, "400 INVALID_ARGUMENT reason"),
		adjust("more than may be promised", store, w.adjustment(w.sold, "-1000"), "409 STOCK_UNDERFLOW"),
		adjust("an unknown store", "nonsense", w.adjustment(w.sold, "5"), "404 STORE_NOT_FOUND"),
		adjust("an odd store", "So-Ho", w.adjustment(w.sold, "5"), "400 INVALID_ARGUMENT store_id"),
		keyed("none"), keyed("short", "Idempotency-Key: 1234567"), keyed("odd", "Idempotency-Key: {key}!"),
		keyed("two", "Idempotency-Key: {key}", "Idempotency-Key: {key}"),

		rebuild("an unknown store", "nonsense", `{}`, "404 STORE_NOT_FOUND"),
		rebuild("an odd store", "SOHO", `{}`, "400 INVALID_ARGUMENT store_id"),
		rebuild("an epoch of one's own", store, `{"epoch":"2026-01-01T00:00:00Z"}`, "400 INVALID_ARGUMENT epoch"),
	}
	for what, number := range numbers {
		want := "400 INVALID_ARGUMENT quantity"
		switch what {
		case "zero", "10^9", "2^31":
			want = "400 INVALID_ARGUMENT adjustments[0].quantity"
		case "minus one": // one may be taken
			continue
		}
		rows = append(rows, adjust("quantity: "+what, store, w.adjustment(w.sold, number), want))
	}
	return rows
}

// edgeRows are paths that lead nowhere.
func (w *world) edgeRows() []row {
	var rows []row
	for what, path := range map[string]string{
		"nothing": "/v1", "a file by dots": "/../../etc/passwd",
		"a file behind a route": "/v1/products/../../../etc/passwd", "a file by backslashes": `/v1/stores\..\..\etc\passwd`,
		"a method of gRPC":            "/larder.order.v1.OrderService/GetOrder",
		"a service that isn't public": "/larder.payment.v1.PaymentService/Authorize", "a payment by its provider's id": "/v1/payments/pi_1", "provider": "/v1/payment_intents",
		"many segments": strings.Repeat("/v1", 500), "another alphabet": "/v1/%E8%8D%B7", "NUL": "/v1/%00",
		"a semicolon": "/v1/orders;jsessionid=1", "an escaped route": "/v1/users%2Fme", "two slashes": "//v1//orders",
		"a template of ours": "/v1/orders/{order=*}/x", "line ends": "/v1/orders%0d%0aX-Evil:%201",
	} {
		rows = append(rows, row{what: "path: " + what, as: "operator", request: "GET " + path, want: "404 ROUTE_NOT_FOUND"})
	}
	// What is outside of the API is the storefront's, which answers people.
	for what, path := range map[string]string{
		"a file": "/etc/passwd", "a file by escaped dots": "/%2e%2e/%2e%2e/etc/passwd", "a profiler": "/debug/pprof/", "variables": "/debug/vars",
		"metrics": "/metrics", "reflection": "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "a long segment": "/" + strings.Repeat("x", 20000),
		"an escaped slash": "/v1%2Forders", "HTML": "/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
	} {
		rows = append(rows, row{what: "page: " + what, as: "operator", request: "GET " + path, want: "404", page: true})
	}
	return append(rows,
		row{what: "an upgrade", as: "shopper", request: "GET /v1/nothing", headers: []string{"Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"}, want: "404 ROUTE_NOT_FOUND"},
		row{rpc: "UserService.GetUser", what: "an odd request id", as: "", request: "GET /v1/users/me", headers: []string{"X-Request-Id: <script>"}, want: "401 UNAUTHENTICATED"},
		row{rpc: "UserService.GetUser", what: "a method behind a header", as: "shopper", request: "POST /v1/users/me", headers: []string{"X-HTTP-Method-Override: GET"}, want: "405 METHOD_NOT_ALLOWED"},
		row{rpc: "OrderService.ListOrders", what: "a form that becomes a GET", as: "shopper", request: "POST /v1/orders", headers: []string{"Content-Type: application/x-www-form-urlencoded"}, want: "405 METHOD_NOT_ALLOWED"},
		row{rpc: "UserService.GetUser", what: "a broken trace", as: "", request: "GET /v1/users/me", headers: []string{"Traceparent: 00-zz-zz-zz", "Tracestate: " + strings.Repeat("x", 2000)}, want: "401 UNAUTHENTICATED"},
	)
}
