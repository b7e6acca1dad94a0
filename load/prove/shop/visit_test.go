package shop

import (
	"testing"
	"time"
)

// Somebody asks in the shoppers' place and writes down what was answered: what has no answer is asked again under its key, by the shopper whose it
// is, and there is one order. A stranger's checkout can't be asked for.
func TestVisit(t *testing.T) {
	p := newPlatform(t)
	people, err := Open(t.Context(), Config{Edge: p.URL, Seed: 1, Shoppers: 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := people.LoadStock(t.Context()); err != nil || !p.saw("POST /v1/stores/{store}/stock:rebuild") {
		t.Fatalf("load the stock: %v", err)
	}
	sessions, err := people.Sessions(t.Context())
	if err != nil || len(sessions) != 3 || sessions[1].User == "" || sessions[1].Token == "" {
		t.Fatalf("sessions %+v, %v", sessions, err)
	}

	p.mu.Lock()
	p.stock["sohofigs"] = 5
	p.carts["cart-1"] = &cartJSON{ID: "cart-1", Store: "soho"}
	p.carts["cart-1"].Totals.Total = pence(150)
	p.carts["cart-1"].Items = append(p.carts["cart-1"].Items, struct {
		Product  string `json:"product_id"`
		Quantity int64  `json:"quantity"`
		Price    money  `json:"unit_price"`
	}{"figs", 1, pence(100)})
	p.mu.Unlock()
	now := time.Now()
	open := &Checkout{Key: "k-1", User: sessions[1].User, Wishes: []Wish{{
		Store: "soho", Cart: "cart-1", Method: "pm_card_visa", Recipient: "Ada", Total: 150, Lines: []Line{{Product: "figs", Quantity: 1, Price: 100}},
	}}, Deed: Deed{Asks: []Ask{{Start: now, End: now}}}}
	history := &History{Stores: people.Stores(), Limits: people.Limits(), Checkouts: []*Checkout{open}}
	day, err := people.Visit(Place{Edge: p.URL}, history)
	if err != nil {
		t.Fatal(err)
	}
	left, err := day.Finish(t.Context())
	if err != nil || left != 0 {
		t.Fatalf("%d are left, %v", left, err)
	}
	answer, _, ok := open.Final()
	if !ok || answer.Kind != Done || answer.Order.User != sessions[1].User || len(p.keys) != 1 || len(history.Checkouts) != 1 || p.stock["sohofigs"] != 4 {
		t.Errorf("came to %+v, %d keys, %d checkouts, %d left", answer, len(p.keys), len(history.Checkouts), p.stock["sohofigs"])
	}
	if err := day.Close(); err != nil {
		t.Error(err)
	}
	history.Checkouts = append(history.Checkouts, &Checkout{Key: "k-2", User: "a stranger"})
	if _, err := people.Visit(Place{Edge: p.URL}, history); err == nil {
		t.Error("a stranger's checkout can be asked again")
	}
}

func TestReadCheckout(t *testing.T) {
	got := ReadCheckout(409, []byte(`{"error":{"details":[{"reason":"OUT_OF_STOCK","metadata":{"checkout_id":"x"}},{"shortages":[{"product_id":"figs","requested":"3"}]}]}}`))
	if got.Kind != Refused || got.ID != "x" || len(got.Short) != 1 || got.Short[0].Quantity != 3 {
		t.Errorf("read %+v", got)
	}
	if got := ReadCheckout(0, nil); got.Kind != Unknown {
		t.Errorf("no answer is %+v", got)
	}
}
