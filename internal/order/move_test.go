package order_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/payment"
)

// An order's whole life: each step once however often it is asked for, each told once, and the van waits for the money.
func TestLife(t *testing.T) {
	r := open(t)
	id := r.sell(t)
	r.wantRefused(t, r.post(t, r.shopper, id, "pick", `{}`), 403, "PERMISSION_DENIED")
	r.wantRefused(t, r.post(t, r.operator, id, "pack", `{}`), 409, "ORDER_STATE_CONFLICT")
	r.wantRefused(t, r.post(t, r.operator, id, "pick", `{"etag":"2"}`), 412, "ETAG_MISMATCH")
	r.wantRefused(t, r.post(t, r.operator, id, "pick", `{"etag":"one"}`), 412, "ETAG_MISMATCH")

	picked := r.post(t, r.operator, id, "pick", `{"etag":"1","reason":"first shift"}`)
	r.want(t, picked, "PICKING", 2)
	step := picked.body["history"].([]any)[1].(map[string]any)
	if step["actor"] != "operator" || step["reason"] != "first shift" || step["time"] != picked.body["update_time"] {
		t.Errorf("the step is remembered as %v, updated %v", step, picked.body["update_time"])
	}
	for _, etag := range []string{"", "1", `\"1\"`, "2"} { // asked again, by whatever it was decided
		r.want(t, r.post(t, r.operator, id, "pick", `{"etag":"`+etag+`","reason":"again"}`), "PICKING", 2)
	}
	r.wantRefused(t, r.post(t, r.operator, id, "pick", `{"etag":"3"}`), 412, "ETAG_MISMATCH")
	r.wantRefused(t, r.post(t, r.operator, id, "pack", `{"etag":"1"}`), 412, "ETAG_MISMATCH")
	r.want(t, r.post(t, r.operator, id, "pack", `{"etag":"\"2\""}`), "PACKED", 3)
	r.wantRefused(t, r.post(t, r.operator, id, "pick", `{}`), 409, "ORDER_STATE_CONFLICT")

	refused := r.post(t, r.operator, id, "dispatch", `{}`)
	r.wantRefused(t, refused, 409, "ORDER_STATE_CONFLICT")
	r.pay(t, id, payment.Authorized, payment.Captured)
	r.want(t, r.post(t, r.operator, id, "dispatch", `{}`), "DISPATCHED", 4)
	r.wantRefused(t, r.post(t, r.operator, id, "cancel", `{}`), 409, "ORDER_STATE_CONFLICT")
	r.want(t, r.post(t, r.operator, id, "deliver", `{}`), "DELIVERED", 5)
	r.want(t, r.post(t, r.operator, id, "deliver", `{}`), "DELIVERED", 5)
	r.wantRefused(t, r.post(t, r.operator, uuid.NewString(), "pick", `{}`), 404, "ORDER_NOT_FOUND")

	if n := len(r.events(t, id)); n != 4 {
		t.Errorf("%d events of 4 steps", n)
	}
	r.told(t, id, 2, new(orderpb.OrderPicking))
	packed := new(orderpb.OrderPacked)
	r.told(t, id, 3, packed)
	if packed.GetOrder().GetPayment().GetState() != orderpb.OrderPayment_AUTHORIZED || packed.GetOrder().GetTotals().GetTotal().GetMinorUnits() != 585 {
		t.Errorf("told of the packed order: %v", packed)
	}
	r.told(t, id, 4, new(orderpb.OrderDispatched))
	r.told(t, id, 5, new(orderpb.OrderDelivered))
}

// What a refund has left of a captured payment is enough for the van to leave.
func TestDispatchAfterPartialRefund(t *testing.T) {
	r := open(t)
	id := r.sell(t)
	r.want(t, r.post(t, r.operator, id, "pick", `{}`), "PICKING", 2)
	r.want(t, r.post(t, r.operator, id, "pack", `{}`), "PACKED", 3)
	r.pay(t, id, payment.Authorized, payment.Captured)
	r.pay(t, id, payment.Captured, payment.PartiallyRefunded)
	r.want(t, r.post(t, r.operator, id, "dispatch", `{}`), "DISPATCHED", 4)
}

// A tombstone can't be moved, and can't be told from nothing.
func TestTombstoneStays(t *testing.T) {
	r := open(t)
	id := uuid.NewString()
	r.apply(t, orderspanner.InsertAbandoned(id, r.user, "soho", nil, nil)...)
	for _, verb := range []string{"pick", "pack", "dispatch", "deliver", "cancel"} {
		r.wantRefused(t, r.post(t, r.operator, id, verb, `{}`), 404, "ORDER_NOT_FOUND")
	}
	r.wantRefused(t, r.post(t, r.operator, id, "refund", `{"reason":"mouldy"}`, "Idempotency-Key", "refund-01"), 404, "ORDER_NOT_FOUND")
	if n := len(r.events(t, id)); n != 0 {
		t.Errorf("%d events of a tombstone", n)
	}
}

// Who decides by the same version meets: one takes its step, the others are refused, and only what was done is told.
func TestTwoAtOnce(t *testing.T) {
	r := open(t)
	for _, c := range []struct {
		name    string
		verbs   [2]string
		shopper bool // the second one is the shopper
		picked  bool // beforehand
		body    string
	}{
		{"an operator picks, the shopper cancels", [2]string{"pick", "cancel"}, true, false, `{}`},
		{"one operator packs, another cancels", [2]string{"pack", "cancel"}, false, true, `{"etag":"2"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 8 {
				id := r.sell(t)
				version := 2
				if c.picked {
					r.want(t, r.post(t, r.operator, id, "pick", `{}`), "PICKING", 2)
					version = 3
				}
				tokens := [2]string{r.operator, r.operator}
				if c.shopper {
					tokens[1] = r.shopper
				}
				var answers [2]answer
				var wg sync.WaitGroup
				for i := range answers {
					wg.Go(func() { answers[i] = r.post(t, tokens[i], id, c.verbs[i], c.body) })
				}
				wg.Wait()
				won := 0
				for i, a := range answers {
					switch {
					case a.status == 200:
						won++
					case reason(a.body) != "ORDER_STATE_CONFLICT" && reason(a.body) != "ETAG_MISMATCH":
						t.Errorf("%s: %d %v", c.verbs[i], a.status, a.body)
					}
				}
				if n := len(r.events(t, id)); won != 1 || n != version-1 {
					t.Errorf("%d of two steps were taken, %d events of %d steps: %v", won, n, version-1, answers)
				}
			}
		})
	}
}

// The same step by many at once is one step.
func TestSameStepAtOnce(t *testing.T) {
	r := open(t)
	id := r.sell(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if a := r.post(t, r.operator, id, "pick", `{"etag":"1"}`); a.status != 200 || a.state() != "PICKING" || a.etag() != "2" {
				t.Errorf("%d %v", a.status, a.body)
			}
		})
	}
	wg.Wait()
	if n := len(r.events(t, id)); n != 1 {
		t.Errorf("%d events of one step", n)
	}
}

// The step's own rules, where no database is needed.
func TestTake(t *testing.T) {
	at := time.Now()
	packed := order.Order{ID: "o", State: order.Packed, Version: 3, History: make([]order.Event, 3, 8), Payment: order.Payment{State: "CAPTURED"}}
	for _, c := range []struct {
		name  string
		step  order.Step
		taken bool
		code  codes.Code
	}{
		{"onwards", order.Step{To: order.Dispatched, By: order.Operator, ETag: "3"}, true, codes.OK},
		{"in quotes", order.Step{To: order.Dispatched, By: order.Operator, ETag: `"3"`}, true, codes.OK},
		{"half a quote", order.Step{To: order.Dispatched, By: order.Operator, ETag: `"3`}, false, codes.Aborted},
		{"a quote alone", order.Step{To: order.Dispatched, By: order.Operator, ETag: `"`}, false, codes.Aborted},
		{"the version before", order.Step{To: order.Dispatched, By: order.Operator, ETag: "2"}, false, codes.Aborted},
		{"again, by the version before", order.Step{To: order.Packed, By: order.Operator, ETag: "2"}, false, codes.OK},
		{"again, by an old version", order.Step{To: order.Packed, By: order.Operator, ETag: "1"}, false, codes.Aborted},
		{"by the platform", order.Step{To: order.Cancelled, By: order.System}, true, codes.OK},
		{"by the shopper", order.Step{To: order.Cancelled, By: order.Shopper}, false, codes.FailedPrecondition},
	} {
		t.Run(c.name, func(t *testing.T) {
			after, taken, err := packed.Take(c.step, at)
			if taken != c.taken || (err == nil) != (c.code == codes.OK) || (err != nil && fault.From(err).Reason().Code != c.code) {
				t.Fatalf("taken %t, %v; want %t, %s", taken, err, c.taken, c.code)
			}
			if taken && (after.State != c.step.To || after.Version != 4 || len(after.History) != 4 || !after.UpdateTime.Equal(at)) {
				t.Errorf("afterwards %+v", after)
			}
			if packed.State != order.Packed || packed.Version != 3 || len(packed.History) != 3 || packed.History[:4][3].State != "" {
				t.Errorf("the order that was read has changed: %+v", packed)
			}
		})
	}
}
