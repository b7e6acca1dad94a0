package checkout_test

import (
	"testing"
	"time"

	"larder.dev/internal/checkout"
	"larder.dev/internal/order"
	"larder.dev/internal/payment"
	"larder.dev/internal/pricing"
)

func TestStepOf(t *testing.T) {
	for _, c := range []struct {
		made order.State
		paid payment.State
		want checkout.Step
	}{
		{"", "", checkout.Reserved},
		{"", payment.Initiated, checkout.Paying},
		{"", payment.RequiresAction, checkout.AwaitsAction},
		{order.Confirmed, payment.Authorized, checkout.Settling},
		{order.Picking, payment.Authorized, checkout.Settling},
		{order.Abandoned, "", checkout.Releasing},
		{order.Abandoned, payment.Voiding, checkout.Releasing},
		{"", payment.Voided, checkout.Releasing},
		{order.Cancelled, payment.Voiding, checkout.Releasing},
	} {
		if got := checkout.StepOf(c.made, c.paid); got != c.want {
			t.Errorf("order %q, payment %q: step %d, want %d", c.made, c.paid, got, c.want)
		}
	}
}

// A checkout that waits for its shopper is listed with what it holds; one that is sold isn't, for its hold is settled.
func TestUnderWay(t *testing.T) {
	s := open(t)
	s.fill(pricing.Line{ProductID: "apples", Quantity: 2})
	if _, err := s.Checkout(t.Context(), s.request("sold", "pm_card_visa")); err != nil {
		t.Fatal(err)
	}
	waiting := s.request("waiting", "pm_card_threeDSecure2Required")
	outcome, err := s.Checkout(t.Context(), waiting)
	s.want(outcome, err, checkout.RequiresAction)
	checkouts, holds, err := s.UnderWay(t.Context(), s.store, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(checkouts) != 1 || holds != 1 {
		t.Fatalf("%v, %d holds; want one", checkouts, holds)
	}
	got := checkouts[0]
	if got.ID != waiting.ID || got.Step != checkout.AwaitsAction || len(got.Lines) != 1 || got.Lines[0].Quantity != 2 {
		t.Errorf("%+v, want %s waiting for its shopper with two apples", got, waiting.ID)
	}
	if age := got.Deadline.Sub(got.HoldTime); age != 10*time.Minute || got.HoldTime.Sub(s.now).Abs() > time.Second {
		t.Errorf("held at %s until %s; now is %s", got.HoldTime, got.Deadline, s.now)
	}
}
