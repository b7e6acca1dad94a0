package checkout_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/checkout"
	"larder.dev/internal/checkout/checkouttest"
	"larder.dev/internal/fault"
	"larder.dev/internal/payment"
)

func TestShopperConfirms(t *testing.T) {
	s := open(t)
	r := s.request("key-1", "pm_card_threeDSecure2Required")
	outcome, err := s.Checkout(t.Context(), r)
	s.want(outcome, err, checkout.RequiresAction)
	if outcome.ActionURL == "" {
		t.Error("no URL to act at")
	}
	s.wantStates(r.ID, "", payment.RequiresAction)
	outcome, err = s.Poll(t.Context(), r.ID, s.user)
	s.want(outcome, err, checkout.RequiresAction)

	s.act(r.ID, "complete")
	s.flush() // the frozen checkout is in Spanner
	outcome, err = s.Poll(t.Context(), r.ID, s.user)
	s.want(outcome, err, checkout.Confirmed)
	s.wantStock(oneSold, oneSold)
	s.wantIntents(map[payment.IntentStatus]int{payment.IntentAuthorized: 1})
	if _, err := s.Poll(t.Context(), r.ID, uuid.NewString()); !fault.Is(err, fault.CheckoutNotFound) {
		t.Errorf("another shopper's look: %v", err)
	}
}

func TestShopperFailsToConfirm(t *testing.T) {
	for _, how := range []string{"fail", ""} {
		t.Run("outcome "+how, func(t *testing.T) {
			s := open(t)
			r := s.request("key-1", "pm_card_threeDSecure2Required")
			outcome, err := s.Checkout(t.Context(), r)
			s.want(outcome, err, checkout.RequiresAction)
			if how != "" {
				s.act(r.ID, how)
			}
			s.later()
			s.wantStock(full, full)
			s.wantNothingCharged()
			s.wantStates(r.ID, "ABANDONED", payment.Voided)
		})
	}
}

// act does what the shopper does on the provider's page.
func (s *shop) act(id, outcome string) {
	s.t.Helper()
	standing, err := s.books.Look(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	intent, err := s.provider.Get(s.t.Context(), standing.Payment.IntentID)
	if err != nil {
		s.t.Fatal(err)
	}
	if provider, ok := s.provider.(*checkouttest.Provider); ok {
		if err := provider.Act(intent.ActionURL, outcome); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	post(s.t, intent.ActionURL+"/"+outcome)
}

// A provider that is still at work refuses to cancel: the payment stays VOIDING until it is done.
func TestProcessing(t *testing.T) {
	s := open(t)
	r := s.request("key-1", "pm_card_processing")
	outcome, err := s.Checkout(t.Context(), r)
	s.want(outcome, err, checkout.Processing)
	s.now = s.now.Add(time.Hour)
	if _, err := s.Reap(t.Context(), s.store, 10); err != nil {
		t.Error(err)
	}
	s.wantStates(r.ID, "ABANDONED", payment.Voiding)
	s.wantStock(full, full)
}
