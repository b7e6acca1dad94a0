package payment_test

import (
	"slices"
	"testing"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/payment"
)

// Every way there is, as one picture; what isn't in it is refused, for every actor.
func TestNext(t *testing.T) {
	everybody := []payment.Actor{payment.Shopper, payment.Operator, payment.System, payment.Provides}
	const (
		shopper = "shopper"
		books   = "operator system provider"
		refunds = "operator provider"
		anybody = "shopper operator system"
		system  = "system"
	)
	ways := map[payment.State]map[payment.State]string{
		payment.Initiated:      {payment.RequiresAction: shopper, payment.Authorized: shopper, payment.Voiding: system},
		payment.RequiresAction: {payment.Authorized: shopper, payment.Voiding: system},
		payment.Authorized:     {payment.Captured: books, payment.CaptureFailed: books, payment.Voiding: anybody},
		payment.CaptureFailed:  {payment.Captured: books, payment.Voiding: anybody},
		payment.Captured:       {payment.PartiallyRefunded: refunds, payment.Refunded: refunds, payment.Voiding: anybody},
		payment.PartiallyRefunded: {
			payment.PartiallyRefunded: refunds, payment.Refunded: refunds, payment.Voiding: anybody,
		},
		payment.Refunded: {payment.Voiding: anybody},
		payment.Voiding:  {payment.Voided: system},
	}
	for _, from := range payment.States() {
		for _, to := range payment.States() {
			for _, by := range everybody {
				err := payment.Next(from, payment.Step{To: to, By: by})
				if want := slices.Contains(words(ways[from][to]), string(by)); (err == nil) != want {
					t.Errorf("%s to %s by %s: %v, want allowed %t", from, to, by, err, want)
				}
				if err != nil && !fault.Is(err, fault.PaymentStateConflict) {
					t.Errorf("%s to %s by %s: %v", from, to, by, err)
				}
			}
			if payment.Allowed(from, to) != (ways[from][to] != "") {
				t.Errorf("%s to %s is allowed: %t", from, to, payment.Allowed(from, to))
			}
		}
	}
}

// Every state has its name on the wire.
func TestStatesOnTheWire(t *testing.T) {
	for _, state := range payment.States() {
		if state.Proto() == orderpb.OrderPayment_STATE_UNSPECIFIED {
			t.Errorf("the wire has no %s", state)
		}
	}
	if want := len(payment.States()) + 1; len(orderpb.OrderPayment_State_value) != want {
		t.Errorf("the wire has %d states, want %d", len(orderpb.OrderPayment_State_value), want)
	}
}
