package account

import (
	"testing"
	"time"
)

// What a seed has entered, under one reason in each store, is known from the ledger; what comes to it later without anybody's asking is found,
// and books in which something is sold can't be taken over.
func TestOpening(t *testing.T) {
	s := newScene(t)
	s.history.Adjustments, s.books.Ledger = nil, nil
	enter := func(store, product string, quantity int64, kind string) {
		s.now = s.now.Add(time.Second)
		s.books.Ledger = append(s.books.Ledger, Entry{
			Store: store, Product: product, ID: kind + product, Kind: kind, Reason: "first stock", Quantity: quantity, Time: s.now,
		})
	}
	enter(store, "figs", 10, "adjustment")
	enter(store, "plums", 20, "adjustment")
	enter("camden", "figs", 7, "adjustment")
	adjustments, err := opening(s.books, s.now)
	if err != nil || len(adjustments) != 2 {
		t.Fatalf("%d adjustments, %v; want one for each store", len(adjustments), err)
	}
	s.history.Adjustments = adjustments
	s.buy(3)
	s.books.Virtual[store].Stock = map[string]int64{"figs": 7, "plums": 20, limitOfAnn: -3}
	if got := s.check(); !got.Clean() {
		t.Fatalf("found %s: %v", got.String(), got.Details)
	}

	enter(store, "medlars", 5, "adjustment")
	s.books.Virtual[store].Stock["medlars"] = 5
	if got := s.check(); got.Counts[StockDrift] == 0 {
		t.Errorf("found %s; medlars came from nowhere", got.String())
	}
	if _, err := opening(s.books, s.now); err == nil {
		t.Error("took over books in which something is sold")
	}
}
