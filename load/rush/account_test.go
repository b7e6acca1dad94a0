package main

import (
	"testing"
	"time"

	"larder.dev/load/prove/account"
	"larder.dev/load/prove/shop"
)

// books are what stands when the order of confirmed was sold, of ten figs that were there.
func books() account.Books {
	at := time.UnixMilli(startMS + 20)
	return account.Books{
		Orders: map[string]*account.Order{"o-1": {
			ID: "o-1", User: "ann", Store: "soho", State: "CONFIRMED", Version: 1, LinesTotal: 200, Fee: 50, Total: 250,
			Lines: []shop.Line{{Product: "figs", Quantity: 2, Price: 100}}, History: []account.Moved{{Version: 1, State: "CONFIRMED", Actor: "shopper"}},
		}},
		Payments: map[string]*account.Payment{"o-1": {Order: "o-1", State: "AUTHORIZED", Intent: "pi-1", Amount: 250}},
		Intents:  []account.Intent{{ID: "pi-1", Order: "o-1", Status: "requires_capture", Amount: 250}},
		Ledger: []account.Entry{
			{Store: "soho", Product: "figs", ID: "seed-1", Kind: "adjustment", Reason: "first stock", Quantity: 10, Time: at.Add(-time.Hour)},
			{Store: "soho", Product: "figs", ID: "sale:o-1", Kind: "sale", Reference: "o-1", Quantity: -2, Time: at},
		},
		Virtual: map[string]*account.Virtual{"soho": {Stock: map[string]int64{"figs": 8}}},
		Events:  map[account.Event]int{{Order: "o-1", State: "CONFIRMED", Version: 1}: 1},
	}
}

// What k6's lines tell is held against the books: an order that a line tells of and that isn't there is lost, one that no line asked for too,
// and one that costs more than the shopper has seen, or was sold twice, is found.
func TestAccounts(t *testing.T) {
	for _, test := range []struct {
		name, counter string
		lines         []string
		plant         func(b *account.Books)
	}{
		{"as it is", "", nil, func(*account.Books) {}},
		{"a paid order isn't there", account.Lost, nil, func(b *account.Books) { delete(b.Orders, "o-1") }},
		{"nobody asked", account.Lost, []string{""}, func(*account.Books) {}},
		{"told refused", account.Lost, []string{askedAs("k-1"), answered(t, "k-1", "m", 409, `{"error":{"details":[{"reason":"OUT_OF_STOCK","metadata":{"checkout_id":"o-1"}}]}}`)}, func(*account.Books) {}},
		{"never answered", account.Stuck, []string{askedAs("k-1")}, func(*account.Books) {}},
		{"charged twice", account.DoubleCharged, nil, func(b *account.Books) {
			b.Intents = append(b.Intents, account.Intent{ID: "pi-2", Order: "o-1", Status: "requires_capture", Amount: 250})
		}},
		{"charged without an order", account.OrphanedCharges, nil, func(b *account.Books) {
			b.Intents = append(b.Intents, account.Intent{ID: "pi-2", Order: "o-2", Status: "requires_capture", Amount: 250})
		}},
		{"oversold", account.Oversold, nil, func(b *account.Books) { b.Ledger[0].Quantity = 1 }},
	} {
		lines := test.lines
		if lines == nil {
			lines = []string{askedAs("k-1"), answered(t, "k-1", "m", 200, confirmed)}
		}
		b := books()
		opening := []*shop.Adjustment{{Store: "soho", Key: "first stock", By: shop.ByOperator, Lines: []shop.Line{{Product: "figs", Quantity: 10}}}}
		opening[0].Asks = []shop.Ask{{Start: b.Ledger[0].Time.Add(-time.Second), End: b.Ledger[0].Time.Add(time.Second), Answer: shop.Answer{Kind: shop.Done}}}
		test.plant(&b)
		history := &shop.History{Stores: []string{"soho"}, Adjustments: opening, Checkouts: mustRead(t, lines...).checkouts}
		got := account.Config{}.Compare(history, b)
		if test.counter == "" && !got.Clean() || test.counter != "" && got.Counts[test.counter] == 0 {
			t.Errorf("%s: found %s: %v", test.name, got.String(), got.Details)
		}
	}
}
