package checkout_test

import (
	"fmt"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/encoding/protojson"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/checkout"
	"larder.dev/internal/fault"
	"larder.dev/internal/payment"
	"larder.dev/internal/pricing"
)

func TestBuyOnce(t *testing.T) {
	s := open(t)
	r := s.request("key-1", visa)
	for range 3 {
		outcome, err := s.Checkout(t.Context(), r)
		s.want(outcome, err, checkout.Confirmed)
	}
	s.wantStock(oneSold, oneSold)
	s.wantIntents(map[payment.IntentStatus]int{payment.IntentAuthorized: 1})
	s.wantStates(r.ID, "CONFIRMED", payment.Authorized)
	if s.cart.cleared != 1 {
		t.Errorf("the cart was cleared %d times", s.cart.cleared)
	}
	other := s.request("key-1", "pm_card_mastercard")
	_, err := s.Checkout(t.Context(), other)
	s.wantRefused(err, fault.IdempotencyKeyReused)

	order, err := s.books.Order(t.Context(), r.ID)
	if err != nil || len(order.Lines) != 2 || order.Totals.Total.MinorUnits != 699 || order.Address.City != "London" {
		t.Errorf("%v, %v", order, err)
	}
	var told orderpb.OrderConfirmed
	events := s.events("orders/"+r.ID, &told)
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	if err := protojson.Unmarshal(events[0].Data, &told); err != nil {
		t.Fatal(err)
	}
	if err := protovalidate.Validate(&told); err != nil { // who hears of it would put it aside
		t.Errorf("the event is %s: %v", events[0].Data, err)
	}
}

// A refusal leaves nothing behind but a tombstone, and the same request gets the same answer, whatever has changed since.
func TestRefusalsAreFinal(t *testing.T) {
	for _, c := range []struct {
		name   string
		card   string
		change func(s *shop, r *checkout.Request)
		mend   func(s *shop)
		reason fault.Reason
		pay    payment.State
	}{
		{"declined", "pm_card_chargeDeclinedInsufficientFunds", nil, nil, fault.PaymentDeclined, payment.Voided},
		{"out of stock", visa, func(s *shop, r *checkout.Request) {
			s.fill(pricing.Line{ProductID: "apples", Quantity: 11})
			r.ExpectedTotal = s.cart.quote.Totals.Total
		}, func(s *shop) { s.restock("apples", 100); s.restock("apples", -100) }, fault.OutOfStock, ""},
		{"price changed", visa, func(_ *shop, r *checkout.Request) { r.ExpectedTotal.Minor++ }, nil, fault.PriceChanged, ""},
		{"cart empty", visa, func(s *shop, _ *checkout.Request) { s.fill() },
			func(s *shop) { s.fill(pricing.Line{ProductID: "apples", Quantity: 1}) }, fault.CartEmpty, ""},
		{"no cart", visa, func(s *shop, _ *checkout.Request) { s.cart.err = fault.CartNotFound.New("none") },
			func(s *shop) { s.cart.err = nil }, fault.CartNotFound, ""},
		{"other store", visa, func(_ *shop, r *checkout.Request) { r.StoreID += "x" }, nil, fault.StoreMismatch, ""},
		{"not sold", visa, func(s *shop, _ *checkout.Request) { s.cart.quote.NotSold = []string{"pears"} },
			func(s *shop) { s.cart.quote.NotSold = nil }, fault.ProductNotSold, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			r := s.request("key-1", c.card)
			if c.change != nil {
				c.change(s, &r)
			}
			_, err := s.Checkout(t.Context(), r)
			s.wantRefused(err, c.reason)
			if c.mend != nil {
				c.mend(s)
			}
			_, again := s.Checkout(t.Context(), r)
			s.wantRefused(again, c.reason)
			if fault.From(again).Status().Message() != fault.From(err).Status().Message() {
				t.Errorf("first %v, then %v", err, again)
			}
			s.wantStates(r.ID, "ABANDONED", c.pay)
			s.wantStock(full, full)
			intents, _, err := s.provider.List(t.Context(), time.Unix(0, 0), "", 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, intent := range intents {
				if intent.Status != payment.IntentCancelled {
					t.Errorf("an intent is left %s", intent.Status)
				}
			}
		})
	}
}

// Wherever a try breaks off, the same request again ends in one order, and if nobody asks again, the reaper and the reconciler
// end in none, with nothing held or charged.
func TestBreaksOff(t *testing.T) {
	fails := func(at string) func(string) error {
		return func(method string) error {
			if method == at {
				return errBroken
			}
			return nil
		}
	}
	for _, c := range []struct {
		name          string
		before, after func(string) error
		flush         bool
	}{
		{"before the intent is created", fails("create"), nil, false},
		{"after the intent was created", nil, fails("create"), false},
		{"before the payment is confirmed", fails("confirm"), nil, false},
		{"after the payment was confirmed", nil, fails("confirm"), false},
		{"before the payment is confirmed, then FLUSHALL", fails("confirm"), nil, true},
		{"after the payment was confirmed, then FLUSHALL", nil, fails("confirm"), true},
	} {
		for _, again := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, asked again %t", c.name, again), func(t *testing.T) {
				s := open(t)
				r := s.request("key-1", visa)
				s.payments.before, s.payments.after = c.before, c.after
				outcome, err := s.Checkout(t.Context(), r)
				s.want(outcome, err, checkout.Processing)
				s.payments.before, s.payments.after = nil, nil
				if c.flush {
					s.flush()
				}
				if again {
					outcome, err := s.Checkout(t.Context(), r)
					s.want(outcome, err, checkout.Confirmed)
					s.wantStock(oneSold, oneSold)
					s.wantIntents(map[payment.IntentStatus]int{payment.IntentAuthorized: 1})
					return
				}
				s.later()
				s.wantStock(full, full)
				s.wantNothingCharged()
				_, err = s.Checkout(t.Context(), r)
				s.wantRefused(err, fault.CheckoutExpired)
			})
		}
	}
}
