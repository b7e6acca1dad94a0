package checkout_test

import (
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"larder.dev/internal/checkout"
	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/order"
	"larder.dev/internal/payment"
	"larder.dev/internal/pricing"
)

// pick begins the picking of an order.
func (s *shop) pick(id string) {
	s.t.Helper()
	if _, err := s.orders.Move(s.t.Context(), id, order.Step{To: order.Picking, By: order.Operator}, s.now); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) tryPack(id string, picks ...order.Pick) error {
	return s.Pack(s.t.Context(), id, checkout.Packing{Step: order.Step{To: order.Packed, By: order.Operator}, For: "operator", Picks: picks})
}

func (s *shop) pack(id string, picks ...order.Pick) {
	s.t.Helper()
	if err := s.tryPack(id, picks...); err != nil {
		s.t.Fatal(err)
	}
}

// bought is an order as Spanner has it.
func (s *shop) bought(id string) order.Order {
	s.t.Helper()
	found, _, err := s.books.Bought(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// wantCaptured has an order captured, and compares what the books, the provider, and the receipt say.
func (s *shop) wantCaptured(id string, want int64) {
	s.t.Helper()
	if state, err := s.payments.Capture(s.t.Context(), id, payment.Step{By: payment.System}); err != nil || state != payment.Captured {
		s.t.Fatalf("%s, %v", state, err)
	}
	found := s.bought(id)
	standing, err := s.books.Look(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	intent, err := s.provider.Get(s.t.Context(), standing.Payment.IntentID)
	if err != nil || intent.Captured.Minor != want || standing.Payment.Captured != intent.Captured || found.Receipt.Totals.Total != intent.Captured {
		s.t.Errorf("captured are %s by the provider, %s by the books, the receipt has %s, %v; want %d", intent.Captured, standing.Payment.Captured,
			found.Receipt.Totals.Total, err, want)
	}
	if intent.Captured.Minor > intent.Amount.Minor || intent.Amount != found.Totals.Most() {
		s.t.Errorf("%s are captured of %s; the order agreed to %s", intent.Captured, intent.Amount, found.Totals.Most())
	}
}

// What wasn't there is on sale again, isn't charged, and comes back only once, also if the order is cancelled afterwards.
func TestShortPick(t *testing.T) {
	s := open(t)
	id := s.buy("key-1") // 2 apples, 1 pear
	s.pick(id)
	short := order.Pick{ProductID: "apples", Quantity: 1}
	for range 2 { // the same again: the same
		s.pack(id, short)
	}
	s.wantRefused(s.tryPack(id), fault.OrderStateConflict) // other goods
	s.wantStates(id, "PACKED", payment.Authorized)
	s.wantStock(map[string]int64{"apples": 9, "pears": 4}, map[string]int64{"apples": 9, "pears": 4})
	if got := s.bought(id); got.Version != 3 || got.Receipt.Totals.Total.Minor != 599 || got.Totals.Total.Minor != 699 {
		t.Errorf("order of %s, version %d, receipt %+v", got.Totals.Total, got.Version, got.Receipt)
	}
	s.wantCaptured(id, 599)
	if err := s.cancel(id, order.Operator); err != nil {
		t.Fatal(err)
	}
	s.hear(id)
	s.wantStock(full, full)
	s.later()
	s.wantNothingHeld(id)
}

// wantNothingHeld sees that all that was captured was given back.
func (s *shop) wantNothingHeld(id string) {
	s.t.Helper()
	standing, err := s.books.Look(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	intent, err := s.provider.Get(s.t.Context(), standing.Payment.IntentID)
	if err != nil || intent.Captured != intent.Refunded || standing.Payment.State != payment.Voided {
		s.t.Errorf("%s of %s were given back, the payment is %s, %v", intent.Refunded, intent.Captured, standing.Payment.State, err)
	}
}

// A substitute is taken from the stock, costs no more than what was ordered, and goes back with a cancelled order.
func TestSubstitute(t *testing.T) {
	for _, c := range []struct {
		price, charged, discounts int64
	}{{90, 689, 0}, {100, 699, 0}, {140, 699, 40}} {
		t.Run(fmt.Sprint(c.price), func(t *testing.T) {
			s := open(t)
			s.restock("quinces", 3)
			s.offers["quinces"] = order.Offer{Name: "Quinces", Price: money.Of(c.price, "GBP"), TaxRateBPS: 2000}
			s.fill(pricing.Line{ProductID: "apples", Quantity: 2, Substitutable: true}, pricing.Line{ProductID: "pears", Quantity: 1})
			id := s.buy("key-1")
			s.pick(id)
			quince := []order.Substitute{{ProductID: "quinces", Quantity: 1}}
			for _, bad := range []order.Pick{
				{ProductID: "pears", Substitutes: quince}, // not wanted
				{ProductID: "apples", Quantity: 2, Substitutes: quince},
				{ProductID: "apples", Quantity: 1, Substitutes: []order.Substitute{{ProductID: "apples", Quantity: 1}}},
				{ProductID: "apples", Quantity: 1, Substitutes: []order.Substitute{{ProductID: "unicorns", Quantity: 1}}},
				{ProductID: "apples", Quantity: 3}, {ProductID: "plums", Quantity: 1}, {ProductID: "apples", Quantity: 2, Grams: 100},
			} {
				s.wantRefused(s.tryPack(id, bad), fault.InvalidArgument)
			}
			s.pack(id, order.Pick{ProductID: "apples", Quantity: 1, Substitutes: quince})
			after := map[string]int64{"apples": 9, "pears": 4, "quinces": 2}
			s.wantStock(after, after)
			receipt := s.bought(id).Receipt
			if receipt.Totals.Discounts.Minor != c.discounts || len(receipt.Lines) != 3 || receipt.Lines[1].SubstituteFor != "apples" {
				t.Errorf("receipt is %+v", receipt)
			}
			s.wantCaptured(id, c.charged)
			if err := s.cancel(id, order.Operator); err != nil {
				t.Fatal(err)
			}
			s.hear(id)
			all := map[string]int64{"apples": 10, "pears": 5, "quinces": 3}
			s.wantStock(all, all)
		})
	}
}

// What may not be promised can't stand in: nothing is held afterwards, and the order goes on being picked.
func TestSubstituteIsSoldOut(t *testing.T) {
	s := open(t)
	s.restock("quinces", 1)
	s.offers["quinces"] = order.Offer{Name: "Quinces", Price: money.Of(90, "GBP")}
	s.fill(pricing.Line{ProductID: "apples", Quantity: 2, Substitutable: true})
	id := s.buy("key-1")
	s.pick(id)
	s.wantRefused(s.tryPack(id, order.Pick{ProductID: "apples", Substitutes: []order.Substitute{{ProductID: "quinces", Quantity: 2}}}), fault.OutOfStock)
	s.wantStates(id, "PICKING", payment.Authorized)
	s.wantStock(map[string]int64{"apples": 8, "quinces": 1}, map[string]int64{"apples": 8, "quinces": 1})
	s.wantRefused(s.tryPack(id, order.Pick{ProductID: "apples"}), fault.OrderStateConflict) // nothing at all: cancel it
}

// Weighed goods are authorised with their headroom, and captured by their weight.
func TestWeighed(t *testing.T) {
	s := open(t)
	s.fill(pricing.Line{ProductID: "apples", Quantity: 2, PieceGrams: 500}, pricing.Line{ProductID: "pears", Quantity: 1})
	id := s.buy("key-1")
	if most := s.bought(id).Payment.Authorized.Minor; most != 699+40 {
		t.Errorf("authorised are %d, want 739: 699 and a fifth of 200", most)
	}
	s.pick(id)
	for _, grams := range []int64{0, 1203, 20_000_000} { // not weighed; a penny above; far above
		s.wantRefused(s.tryPack(id, order.Pick{ProductID: "apples", Quantity: 2, Grams: grams}), fault.InvalidArgument)
	}
	s.wantRefused(s.tryPack(id), fault.InvalidArgument)
	s.pack(id, order.Pick{ProductID: "apples", Quantity: 2, Grams: 1100})
	s.wantStock(oneSold, oneSold)
	s.wantCaptured(id, 719)
}

// Of an order's limit, what wasn't given may be bought again today.
func TestShortPickFreesTheLimit(t *testing.T) {
	s := open(t)
	s.limit(3, 3)
	id := s.buy("key-1")
	s.pick(id)
	s.pack(id, order.Pick{ProductID: "apples", Quantity: 1})
	s.limit(3, 3)
	_, err := s.Checkout(t.Context(), s.request("key-2", visa))
	s.wantLimitRefused(err, 3, 3, 2)
	s.limit(2, 3)
	s.buy("key-3")
}

// Two who pack, and one who cancels, at once, whatever they picked: one of them decides, and stock, books and provider agree.
func TestPackTogether(t *testing.T) {
	s := open(t)
	s.restock("apples", 500)
	s.restock("quinces", 500)
	s.offers["quinces"] = order.Offer{Name: "Quinces", Price: money.Of(80, "GBP")}
	apples, quinces, round := int64(510), int64(500), 0
	rapid.Check(t, func(rt *rapid.T) {
		if round++; round > 12 { // each takes some 20 commits
			return
		}
		s.fill(pricing.Line{ProductID: "apples", Quantity: 4, Substitutable: true})
		id := s.buy(fmt.Sprintf("key-%d-%d", round, rapid.Int().Draw(rt, "key")))
		s.pick(id)
		choice := rapid.Custom(func(rt *rapid.T) order.Pick {
			pick := order.Pick{ProductID: "apples", Quantity: rapid.Int64Range(1, 4).Draw(rt, "picked")}
			if missing := 4 - pick.Quantity; missing > 0 && rapid.Bool().Draw(rt, "substituted") {
				pick.Substitutes = []order.Substitute{{ProductID: "quinces", Quantity: rapid.Int64Range(1, missing).Draw(rt, "substitutes")}}
			}
			return pick
		})
		picks := []order.Pick{choice.Draw(rt, "first"), choice.Draw(rt, "second")}
		cancels := rapid.Bool().Draw(rt, "cancels")
		var all sync.WaitGroup
		for _, pick := range picks {
			all.Go(func() { _ = s.tryPack(id, pick) }) // one may be told that the other was first
		}
		if cancels {
			all.Go(func() { _ = s.cancel(id, order.Operator) })
		}
		all.Wait()
		if err := s.stock.Check(t.Context(), s.store); err != nil {
			rt.Fatal(err)
		}
		found := s.bought(id)
		switch found.State {
		case order.Packed:
			for _, line := range found.Receipt.Lines {
				if line.SubstituteFor == "" {
					apples -= line.Quantity
				} else {
					quinces -= line.Quantity
				}
			}
		case order.Cancelled:
			s.hear(id)
		default:
			rt.Fatalf("the order is %s", found.State)
		}
		if _, _, err := s.stock.Rebuild(t.Context(), s.store); err != nil { // what the loser held
			rt.Fatal(err)
		}
		want := map[string]int64{"apples": apples, "quinces": quinces}
		s.wantStock(want, want)
		if t.Failed() {
			rt.Fatalf("%s after %+v, cancelled too: %t", found.State, picks, cancels)
		}
	})
}
