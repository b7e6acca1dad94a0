package order_test

import (
	"testing"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
)

// Every way there is, as one picture; what isn't in it is refused, for every actor and state of the payment.
func TestNext(t *testing.T) {
	type step struct{ from, to order.State }
	everybody := []order.Actor{order.Shopper, order.Operator, order.System}
	ways := map[step][]order.Actor{
		{order.Confirmed, order.Picking}:    {order.Operator},
		{order.Picking, order.Packed}:       {order.Operator},
		{order.Packed, order.Dispatched}:    {order.Operator},
		{order.Dispatched, order.Delivered}: {order.Operator},
		{order.Confirmed, order.Cancelled}:  everybody,
		{order.Picking, order.Cancelled}:    {order.Operator, order.System},
		{order.Packed, order.Cancelled}:     {order.Operator, order.System},
	}
	for _, from := range order.States() {
		for _, to := range order.States() {
			for _, by := range everybody {
				for _, payment := range []order.PaymentState{"", "AUTHORIZED", "CAPTURED", "CAPTURE_FAILED", "VOIDING", "PARTIALLY_REFUNDED", "REFUNDED"} {
					want := false
					for _, may := range ways[step{from, to}] {
						want = want || may == by
					}
					if to == order.Dispatched && payment != "CAPTURED" && payment != "PARTIALLY_REFUNDED" {
						want = false
					}
					err := order.Next(from, to, by, payment)
					if (err == nil) != want {
						t.Errorf("%s to %s by %s, payment %q: %v, want allowed %t", from, to, by, payment, err, want)
					}
					if err != nil && !fault.Is(err, fault.OrderStateConflict) {
						t.Errorf("%s to %s: %v", from, to, err)
					}
				}
			}
		}
	}
}

// Every state but the tombstone has its name on the wire.
func TestStatesOnTheWire(t *testing.T) {
	for _, state := range order.States() {
		if _, there := orderpb.Order_State_value[string(state)]; there == (state == order.Abandoned) {
			t.Errorf("%s on the wire: %t", state, there)
		}
	}
	if want := len(order.States()); len(orderpb.Order_State_value) != want { // UNSPECIFIED stands in ABANDONED's place
		t.Errorf("the wire has %d states, want %d", len(orderpb.Order_State_value), want)
	}
}
