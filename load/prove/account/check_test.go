package account

import (
	"maps"
	"slices"
	"testing"
	"time"

	"larder.dev/load/prove/shop"
)

// whole is a round with something of everything; plant gets it before it is checked.
func whole(t *testing.T, plant func(s *scene, bought, packed, gone *Order)) Result {
	t.Helper()
	s := newScene(t)
	_, bought := s.buy(1)
	_, packed := s.buy(2)
	s.pack(packed)
	s.refund(packed)
	_, gone := s.buy(3)
	s.cancel(gone)
	_, back := s.buy(2)
	s.pack(back)
	s.cancel(back)
	_, _ = s.buy(7)
	s.refuse(5)
	plant(s, bought, packed, gone)
	return s.check()
}

func TestNothingFound(t *testing.T) {
	got := whole(t, func(*scene, *Order, *Order, *Order) {})
	if !got.Clean() {
		t.Fatalf("found %s: %v", got.String(), got.Details)
	}
	if got.Orders != 5 || got.Cancelled != 2 || got.Refused != 1 || got.Captured != 2 || got.Refunded != 2 || got.Duplicates != 1 {
		t.Errorf("counted %+v", got)
	}
}

// What somebody tried in vain to take away was held for a while: who was told in that while that it is sold out was told right, who was told
// so later wasn't.
func TestHeldInVain(t *testing.T) {
	for after, clean := range map[time.Duration]bool{10 * time.Second: true, 2 * time.Minute: false} {
		got := whole(t, func(s *scene, _, _, _ *Order) {
			s.adjust("figs", 100)
			a := s.adjust("figs", -100)
			s.books.Ledger = s.books.Ledger[:len(s.books.Ledger)-1]
			a.Asks[0].Answer = shop.Answer{Kind: shop.Refused, Reason: "STOCK_UNDERFLOW"}
			s.now = s.now.Add(after - time.Minute) // the next one is asked a minute later
			s.refuse(1)
		})
		if got.Clean() != clean {
			t.Errorf("told %v later: found %s: %v", after, got.String(), got.Details)
		}
	}
}

// Each counter rises for faults of its own, and no other does but those that are named with it.
func TestPlanted(t *testing.T) {
	tests := []struct {
		name, counter string
		also          []string
		plant         func(s *scene, bought, packed, gone *Order)
	}{
		{"a unit too many is sold", Oversold, nil, func(s *scene, _, _, _ *Order) {
			s.buy(1)
		}},
		{"sold out though there is plenty", Oversold, nil, func(s *scene, _, _, _ *Order) {
			s.now = s.now.Add(time.Hour)
			s.adjust("figs", 100)
			s.now = s.now.Add(time.Hour)
			s.refuse(1)
		}},
		{"a slot is overbooked", Oversold, nil, func(s *scene, bought, packed, _ *Order) {
			slot := Product{store, "slot:noon"}
			s.books.Slots[slot] = 1
			s.history.Adjustments = append(s.history.Adjustments, &shop.Adjustment{
				Store: store, By: shop.BySlot, Capacity: 1, Lines: []shop.Line{{Product: slot.Product, Quantity: 1}},
				Deed: shop.Deed{Asks: []shop.Ask{s.ask(shop.Answer{Kind: shop.Done})}},
			})
			first := s.books.Ledger[0].Time.Add(-time.Hour)
			s.books.Ledger = slices.Insert(s.books.Ledger, 0, Entry{Store: store, Product: slot.Product, Kind: "adjustment", Reason: "capacity", Quantity: 1, Time: first})
			for i, o := range []*Order{bought, packed} {
				o.Slot = "noon"
				s.history.Checkouts[i].Wishes[0].Slot, s.history.Checkouts[i].Asks[0].Answer.Order.Slot = "noon", "noon"
				s.enter(slot.Product, -1, "sale", o.ID, "")
			}
		}},
		{"an order is gone", Lost, []string{OrphanedCharges, StockDrift, Stuck}, func(s *scene, bought, _, _ *Order) {
			delete(s.books.Orders, bought.ID)
			delete(s.books.Events, Event{Order: bought.ID, State: "CONFIRMED", Version: 1})
		}},
		{"an order has other lines", Lost, nil, func(s *scene, bought, _, _ *Order) {
			s.history.Checkouts[0].Wishes[0].Lines = []shop.Line{{Product: "plums", Quantity: 1, Price: 100}}
			_ = bought
		}},
		{"an order is of another store", Lost, nil, func(s *scene, _, _, _ *Order) {
			s.history.Checkouts[0].Wishes[0].Store = "camden"
		}},
		{"refused, and there is an order", Lost, nil, func(s *scene, bought, _, _ *Order) {
			c := s.history.Checkouts[0]
			c.Asks = []shop.Ask{{Start: c.Asks[0].Start, End: c.Asks[0].End, Answer: shop.Answer{Kind: shop.Refused, ID: bought.ID, Reason: "CART_EMPTY"}}}
		}},
		{"refused, then confirmed", Lost, nil, func(s *scene, bought, _, _ *Order) {
			c := s.history.Checkouts[0]
			refused := shop.Ask{Start: c.Asks[0].Start, End: c.Asks[0].Start, Answer: shop.Answer{Kind: shop.Refused, ID: bought.ID, Reason: "CART_EMPTY"}}
			c.Asks = append([]shop.Ask{refused}, c.Asks...)
		}},
		{"refused for two reasons", Lost, nil, func(s *scene, _, _, _ *Order) {
			c := s.history.Checkouts[len(s.history.Checkouts)-1]
			c.Asks = append(c.Asks, s.ask(shop.Answer{Kind: shop.Refused, Reason: "PRICE_CHANGED"}))
		}},
		{"two bodies under one key", Lost, nil, func(s *scene, _, _, _ *Order) {
			c := s.history.Checkouts[0]
			c.Wishes = append(c.Wishes, c.Wishes[0])
			again := s.ask(c.Asks[0].Answer)
			again.Wish = 1
			c.Asks = append(c.Asks, again)
		}},
		{"an order that nobody asked for", Lost, nil, func(s *scene, _, _, _ *Order) {
			s.adjust("figs", 1)
			s.buy(1)
			s.history.Checkouts = s.history.Checkouts[:len(s.history.Checkouts)-1]
		}},
		{"cancelled by nobody", Lost, nil, func(s *scene, _, _, _ *Order) {
			s.history.Steps = slices.DeleteFunc(s.history.Steps, func(step *shop.Step) bool { return step.Order == "order-3" })
		}},
		{"a step is undone", Lost, nil, func(s *scene, bought, _, _ *Order) {
			s.history.Steps = append(s.history.Steps, &shop.Step{
				Order: bought.ID, Verb: "pick", Deed: shop.Deed{Asks: []shop.Ask{s.ask(shop.Answer{Kind: shop.Done})}},
			})
		}},
		{"two authorisations", DoubleCharged, nil, func(s *scene, bought, _, _ *Order) {
			s.books.Intents = append(s.books.Intents, Intent{ID: "other", Order: bought.ID, Status: "requires_capture", Amount: bought.Total})
		}},
		{"another intent than the payment's", DoubleCharged, nil, func(s *scene, bought, _, _ *Order) {
			s.intent(bought).Status = "requires_capture"
			s.books.Intents = append(s.books.Intents, Intent{ID: "other", Order: bought.ID, Status: "succeeded", Amount: bought.Total, Received: bought.Total})
		}},
		{"captured more than authorised", DoubleCharged, []string{WrongAmount}, func(s *scene, _, packed, _ *Order) {
			s.intent(packed).Received += 10
		}},
		{"money is held for no order", OrphanedCharges, nil, func(s *scene, _, _, _ *Order) {
			s.books.Intents = append(s.books.Intents, Intent{ID: "other", Order: "nobody", Status: "requires_capture", Amount: 100})
		}},
		{"money is held for a tombstone", OrphanedCharges, nil, func(s *scene, _, _, _ *Order) {
			id := s.history.Checkouts[len(s.history.Checkouts)-1].ID()
			s.books.Intents = append(s.books.Intents, Intent{ID: "other", Order: id, Status: "requires_action", Amount: 100})
		}},
		{"money is held for a cancelled order", OrphanedCharges, nil, func(s *scene, _, _, gone *Order) {
			s.intent(gone).Status = "requires_capture"
		}},
		{"captured is another amount", WrongAmount, nil, func(s *scene, _, packed, _ *Order) {
			s.intent(packed).Received -= 50
			s.books.Payments[packed.ID].Captured -= 50
		}},
		{"authorised is another amount", WrongAmount, nil, func(s *scene, bought, _, _ *Order) {
			s.intent(bought).Amount++
		}},
		{"another total than was agreed", WrongAmount, nil, func(s *scene, _, _, _ *Order) {
			s.history.Checkouts[0].Wishes[0].Total--
		}},
		{"refunded twice", WrongAmount, nil, func(s *scene, _, packed, _ *Order) {
			s.intent(packed).Refunded = 200
		}},
		{"nothing is held for an order", WrongAmount, nil, func(s *scene, bought, _, _ *Order) {
			s.intent(bought).Status = "canceled"
		}},
		{"the virtual stock has more", StockDrift, nil, func(s *scene, _, _, _ *Order) {
			s.books.Virtual[store].Stock = map[string]int64{"figs": 1, "plums": 20}
		}},
		{"drift was seen", StockDrift, nil, func(s *scene, _, _, _ *Order) {
			s.books.Drifts = []Drift{{Product: Product{store, "figs"}, Ledger: 1}}
		}},
		{"an adjustment is entered twice", StockDrift, nil, func(s *scene, _, _, _ *Order) {
			a := s.history.Adjustments[1]
			s.enter("plums", 20, "adjustment", a.Key, a.Key)
		}},
		{"an adjustment is gone", StockDrift, nil, func(s *scene, _, _, _ *Order) {
			s.books.Ledger = slices.DeleteFunc(s.books.Ledger, func(e Entry) bool { return e.Product == "plums" })
		}},
		{"a refused adjustment is entered", StockDrift, nil, func(s *scene, _, _, _ *Order) {
			a := s.adjust("plums", -1)
			a.Asks[0].Answer = shop.Answer{Kind: shop.Refused, Reason: "STOCK_UNDERFLOW"}
		}},
		{"a shopper buys more than one may", Oversold, nil, func(s *scene, _, _, _ *Order) { s.history.Limits["figs"] = 3 }},
		{"what a shopper buys isn't counted", StockDrift, nil, func(s *scene, bought, _, _ *Order) {
			s.books.Ledger = slices.DeleteFunc(s.books.Ledger, func(e Entry) bool { return e.Product == limitOfAnn && e.Reference == bought.ID })
		}},
		{"what a shopper buys is counted against another", StockDrift, []string{Lost}, func(s *scene, bought, _, _ *Order) {
			s.books.Orders[bought.ID].User = "bob"
		}},
		{"a hold is left", Stuck, []string{StockDrift}, func(s *scene, bought, _, _ *Order) {
			s.books.Virtual[store].Holds[bought.ID] = Hold{Lines: []shop.Line{{Product: "figs", Quantity: 1}}}
		}},
		{"the virtual stock isn't loaded", Stuck, nil, func(s *scene, _, _, _ *Order) {
			s.books.Virtual[store] = nil
		}},
		{"the virtual stock is another server's", Stuck, nil, func(s *scene, _, _, _ *Order) {
			s.books.Virtual[store].Elsewhere = true
		}},
		{"a checkout without an end", Stuck, nil, func(s *scene, _, _, _ *Order) {
			c := s.refuse(5)
			c.Asks[0].Answer = shop.Answer{Kind: shop.Processing}
		}},
		{"a payment is voiding", Stuck, nil, func(s *scene, _, _, gone *Order) {
			s.books.Payments[gone.ID].State = "VOIDING"
		}},
		{"a packed order isn't captured", Stuck, nil, func(s *scene, bought, _, _ *Order) {
			s.step(bought, "pick")
			s.step(bought, "pack")
			bought.Receipt, bought.Charged = slices.Clone(bought.Lines), bought.Total
		}},
		{"a refund is requested", Stuck, nil, func(s *scene, _, packed, _ *Order) {
			s.books.Payments[packed.ID].Refunds = append(s.books.Payments[packed.ID].Refunds, Refund{ID: "x", State: "REQUESTED", Amount: 1})
		}},
		{"a delivery isn't entered", Stuck, nil, func(s *scene, _, _, _ *Order) {
			s.history.Adjustments = append(s.history.Adjustments, &shop.Adjustment{
				Store: store, Key: "delivery", By: shop.ByWarehouse, Lines: []shop.Line{{Product: "figs", Quantity: 1}},
				Deed: shop.Deed{Asks: []shop.Ask{s.ask(shop.Answer{Kind: shop.Processing})}},
			})
		}},
		{"an event isn't published", Stuck, nil, func(s *scene, _, _, _ *Order) { s.books.Unpublished = 1 }},
		{"a state was never told", EventsMissing, nil, func(s *scene, _, packed, _ *Order) {
			delete(s.books.Events, Event{Order: packed.ID, State: "PACKED", Version: 3})
		}},
		{"a refund was never told", EventsMissing, nil, func(s *scene, _, packed, _ *Order) {
			delete(s.books.Events, Event{Order: packed.ID, Refund: "refund-" + packed.ID})
		}},
		{"a state was told that never was", EventsMissing, nil, func(s *scene, bought, _, _ *Order) {
			s.books.Events[Event{Order: bought.ID, State: "PICKING", Version: 2}] = 1
		}},
	}
	raised := map[string]bool{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := whole(t, test.plant)
			raised[test.counter] = true
			if got.Counts[test.counter] == 0 {
				t.Errorf("%s didn't rise: %s, %v", test.counter, got.String(), got.Details)
			}
			for counter, n := range got.Counts {
				if n > 0 && counter != test.counter && !slices.Contains(test.also, counter) {
					t.Errorf("%s rose too: %v", counter, got.Details[counter])
				}
			}
		})
	}
	for _, counter := range Counters {
		if !raised[counter] {
			t.Errorf("no test plants %s", counter)
		}
	}
}

func TestAddRounds(t *testing.T) {
	var all Result
	for range 4 {
		got := whole(t, func(s *scene, _, _, _ *Order) { s.books.Unpublished = 3; s.buy(1) })
		all.Add(got)
	}
	if all.Orders != 24 || all.Counts[Stuck] != 12 || all.Counts[Oversold] == 0 || len(all.Details[Stuck]) != 4 || len(all.Details[Oversold]) > maxDetails {
		t.Errorf("added up: %+v", all)
	}
	if all.Clean() || slices.Sorted(maps.Keys(all.Counts))[0] != DoubleCharged {
		t.Errorf("counters: %v", all.Counts)
	}
}

// What wasn't picked is on sale again and isn't charged; whatever else became of it is found.
func TestShortPick(t *testing.T) {
	for _, c := range []struct {
		name, counter string
		plant         func(s *scene, short *Order)
	}{
		{"nothing", "", func(*scene, *Order) {}},
		{"cancelled afterwards", "", func(s *scene, short *Order) {
			short.Lines[0].Quantity = 2 // what goes back
			s.cancel(short)
			short.Lines[0].Quantity = 3
		}},
		{"all that was ordered is charged", WrongAmount, func(s *scene, short *Order) {
			s.books.Payments[short.ID].Captured, s.intent(short).Received = short.Total, short.Total
		}},
		{"another receipt than was picked", WrongAmount, func(s *scene, short *Order) {
			s.history.Steps[len(s.history.Steps)-1].Lines[0].Quantity = 1
		}},
		{"what was missing isn't on sale again", StockDrift, func(s *scene, _ *Order) {
			s.books.Ledger = slices.DeleteFunc(s.books.Ledger, func(e Entry) bool { return e.Kind == "picking" && e.Product == "figs" })
		}},
	} {
		s := newScene(t)
		_, short := s.buy(3)
		s.packShort(short, 1)
		c.plant(s, short)
		got := s.check()
		if got.Clean() != (c.counter == "") {
			t.Errorf("%s: found %s: %v", c.name, got.String(), got.Details)
		}
		if c.counter != "" && got.Counts[c.counter] == 0 {
			t.Errorf("%s: found %s, want %s", c.name, got.String(), c.counter)
		}
	}
}
