package payment_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"larder.dev/internal/fault"
	"larder.dev/internal/payment"
)

// Rule 7b, then 7c, according to what the provider says of the intent, not to what the row says.
func TestVoid(t *testing.T) {
	b := open(t, nil)
	for _, c := range []struct {
		name               string
		make               func() (id, intent string)
		from               payment.State
		status             payment.IntentStatus
		captured, refunded int64
		refunds            []int64
	}{
		{"authorised", b.sell, payment.Authorized, payment.IntentCancelled, 0, 0, nil},
		{"captured", b.take, payment.Captured, payment.IntentCaptured, whole, whole, []int64{whole}},
		{"captured, and nobody heard of it", func() (string, string) {
			id, intent := b.sell()
			if _, err := b.provider.Provider.Capture(t.Context(), intent, gbp(whole), "lost-"+id); err != nil {
				t.Fatal(err)
			}
			return id, intent
		}, payment.Authorized, payment.IntentCaptured, whole, whole, []int64{whole}},
		{"refunded in part", func() (string, string) {
			id, intent := b.take()
			if _, err := b.Refund(t.Context(), id, back(uuid.NewString(), units("pears", 1))); err != nil {
				t.Fatal(err)
			}
			return id, intent
		}, payment.PartiallyRefunded, payment.IntentCaptured, whole, whole, []int64{whole - 150, 150}},
		{"refunded in full", func() (string, string) {
			id, intent := b.take()
			if _, err := b.Refund(t.Context(), id, back(uuid.NewString())); err != nil {
				t.Fatal(err)
			}
			return id, intent
		}, payment.Refunded, payment.IntentCaptured, whole, whole, []int64{whole}},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, intent := c.make()
			if state, err := b.Void(t.Context(), id); err != nil || state != c.from {
				t.Fatalf("a payment that isn't to be voided: %s, %v", state, err)
			}
			b.cancel(id, c.from)
			for range 2 {
				if state, err := b.Void(t.Context(), id); err != nil || state != payment.Voided {
					t.Fatalf("%s, %v", state, err)
				}
				b.want(id, payment.Voided, c.captured, c.refunded)
				b.wantStatus(intent, c.status)
				b.wantRefunds(intent, c.refunds...)
			}
			_, err := b.Refund(t.Context(), id, back(uuid.NewString(), units("apples", 1)))
			wantReason(t, err, fault.NothingToRefund)
			if _, err := b.Capture(t.Context(), id, payment.Step{By: payment.System}); !fault.Is(err, fault.PaymentNotCapturable) {
				t.Errorf("capture afterwards: %v", err)
			}
		})
	}
	_, err := b.Void(t.Context(), uuid.NewString())
	wantReason(t, err, fault.OrderNotFound)
}

// A provider that is still at work refuses to cancel: the payment stays VOIDING until it is done.
func TestVoidProcessing(t *testing.T) {
	b := open(t, nil)
	id, intent := b.initiate()
	b.confirm(id, intent, "pm_card_processing")
	b.pay(id, payment.Initiated, payment.Voiding)
	if _, err := b.Void(t.Context(), id); !errors.Is(err, payment.ErrProcessing) {
		t.Fatalf("%v", err)
	}
	b.want(id, payment.Voiding, 0, 0)
	b.control("/advance", `{"by":"2h"}`)
	if state, err := b.Void(t.Context(), id); err != nil || state != payment.Voided {
		t.Fatalf("%s, %v", state, err)
	}
	b.wantStatus(intent, payment.IntentCancelled)
}

// A refund that broke off, and a cancellation: whichever reaches the provider first, all of the money goes back, and no more.
func TestVoidMeetsRefund(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after func(string) error
		reason        *fault.Reason // of the refund, asked for again
		refunds       []int64
	}{
		{"the refund was paid", nil, fails("refund"), nil, []int64{whole - 200, 200}},
		{"the refund was not paid", fails("refund"), nil, &fault.RefundRefused, []int64{whole}},
	} {
		for _, voided := range []bool{true, false} { // before the refund is asked for again
			b := open(t, nil)
			id, intent := b.take()
			wanted := back(uuid.NewString(), units("apples", 2))
			b.provider.breaks(c.before, c.after)
			if _, err := b.Refund(t.Context(), id, wanted); !errors.Is(err, errBroken) {
				t.Fatalf("%s: %v", c.name, err)
			}
			b.provider.breaks(nil, nil)
			b.cancel(id, payment.Captured)
			reason, refunds := c.reason, c.refunds
			if !voided {
				reason, refunds = nil, []int64{whole - 200, 200}
			}
			again := func() {
				_, err := b.Refund(t.Context(), id, wanted)
				if reason == nil && err != nil || reason != nil && !fault.Is(err, *reason) {
					t.Fatalf("%s: %v", c.name, err)
				}
			}
			if !voided {
				again()
				b.want(id, payment.Voiding, whole, 200)
			}
			if state, err := b.Void(t.Context(), id); err != nil || state != payment.Voided {
				t.Fatalf("%s: %s, %v", c.name, state, err)
			}
			again()
			b.want(id, payment.Voided, whole, whole)
			b.wantRefunds(intent, refunds...)
		}
	}
}

// An operator's refund comes between the look at an intent and its refund in full: then less is left.
func TestVoidRacesRefund(t *testing.T) {
	b := open(t, nil)
	id, intent := b.take()
	b.cancel(id, payment.Captured)
	raced := false
	b.provider.breaks(func(method string) error {
		if method == "refund" && !raced {
			raced = true
			b.byHand(intent, 300)
		}
		return nil
	}, nil)
	if state, err := b.Void(t.Context(), id); err != nil || state != payment.Voided {
		t.Fatalf("%s, %v", state, err)
	}
	b.want(id, payment.Voided, whole, whole)
	b.wantRefunds(intent, whole-300, 300)
}
