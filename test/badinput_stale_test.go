package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// staleRows are carts that time has passed over: what the shopper asks for was right once.
func (w *world) staleRows(t *testing.T) []row {
	t.Helper()
	// cart makes a person whose cart has a product of their own in it, and returns the checkout that they mean to send.
	cart := func(who, product string) string {
		w.register(t, who, who)
		w.must(t, who, "POST", "/v1/carts", `{"store_id":"soho"}`)
		total, err := json.Marshal(w.must(t, who, "PUT", "/v1/carts/me/items/"+product, `{"quantity":1}`).at("totals.total"))
		if err != nil {
			t.Fatal(err)
		}
		return w.checkout(delivery, "pm_card_visa", string(total))
	}
	retired, dearer := w.fleeting(t), w.fleeting(t)
	asRetired, asDearer, asLate := cart("retired", retired), cart("dearer", dearer), cart("late", w.sold)
	w.must(t, "merchandiser", "DELETE", "/v1/products/"+retired, "")
	w.must(t, "merchandiser", "PATCH", "/v1/products/"+dearer, `{"price":{"currency":"GBP","minor_units":260}}`)
	w.expire(t, "late")

	w.register(t, "full", "full")
	w.must(t, "full", "POST", "/v1/carts", `{"store_id":"soho"}`)
	lines := 0
	for _, stocked := range w.must(t, "operator", "GET", "/v1/stores/soho/stock?page_size=1000", "").list("stock") {
		item := message{method: "PUT", target: "/v1/carts/me/items/" + answer{body: stocked}.word("product_id"), token: w.tokens["full"], body: `{"quantity":1}`}
		if lines < 100 && item.send(t, w.edge).status == http.StatusOK { // not all that is stocked is sold
			lines++
		}
	}
	if lines < 100 {
		t.Fatalf("the seed has stock of %d products", lines)
	}

	send := func(what, as, body, want string) row {
		return row{rpc: "CheckoutService.CreateCheckout", what: "stale: " + what, as: as, request: "POST /v1/checkouts", body: body, want: want, headers: []string{"Idempotency-Key: {key}"}}
	}
	return []row{
		send("a product that is retired", "retired", asRetired, "409 PRODUCT_NOT_SOLD items["+retired+"]"),
		send("a price that has risen", "dearer", asDearer, "409 PRICE_CHANGED"),
		send("a cart that has expired", "late", asLate, "404 CART_NOT_FOUND"),
		send("the total of another cart", "full", w.checkout(delivery, "pm_card_visa", w.total), "409 PRICE_CHANGED"),
		{rpc: "CartService.PutItem", what: "stale: a line too many", as: "full", request: "PUT /v1/carts/me/items/" + w.sold, body: `{"quantity":1}`, want: "409 CART_FULL"},
		{rpc: "CartService.PutItem", what: "stale: a product that is retired", as: "idle", request: "PUT /v1/carts/me/items/" + retired, body: `{"quantity":1}`, want: "404 PRODUCT_NOT_FOUND"},
	}
}

// fleeting makes a product that the store sells and has, for the test to change.
func (w *world) fleeting(t *testing.T) string {
	t.Helper()
	product := "endtoend-c-" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	w.must(t, "merchandiser", "POST", "/v1/products", fmt.Sprintf(
		`{"product_id":%q,"name":"Endtoend %s","category_id":"fruit","status":"ACTIVE","tax_rate_bps":2000,"price":{"currency":"GBP","minor_units":250},"store_ids":["soho"]}`, product, product))
	t.Cleanup(func() {
		message{method: "DELETE", target: "/v1/products/" + product, token: w.tokens["merchandiser"]}.send(t, w.edge)
	})
	w.must(t, "operator", "POST", "/v1/stores/soho/stock:adjust", w.adjustment(product, "5"), "Idempotency-Key: {key}")
	return product
}

// expire ends a person's cart, as 30 days would.
func (w *world) expire(t *testing.T, who string) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: setting(t, "CART_REDIS_ADDR")})
	defer func() { _ = client.Close() }()
	id := w.must(t, who, "GET", "/v1/users/me", "").word("user_id")
	if n, err := client.Del(t.Context(), "cart:{"+id+"}").Result(); n != 1 || err != nil {
		t.Fatalf("%d carts ended: %v", n, err)
	}
}
