package checkout_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	checkoutpb "larder.dev/api/checkout/v1"
	"larder.dev/internal/checkout"
	"larder.dev/internal/fault"
	"larder.dev/internal/payment"
	"larder.dev/internal/pricing"
)

// limit fills the cart with apples, of which a shopper may buy so many in a day.
func (s *shop) limit(quantity, limit int64) {
	s.t.Helper()
	s.fill(pricing.Line{ProductID: "apples", Quantity: quantity})
	s.cart.quote.MaxPerShopper = map[string]int64{"apples": limit}
}

// wantLimitRefused looks at the detail.
func (s *shop) wantLimitRefused(err error, requested, limit, left int64) {
	s.t.Helper()
	s.wantRefused(err, fault.LimitExceeded)
	s.wantExceeded(err, requested, limit, left)
}

func (s *shop) wantExceeded(err error, requested, limit, left int64) {
	s.t.Helper()
	for _, detail := range fault.From(err).Status().Details() {
		told, ok := detail.(*checkoutpb.LimitExceeded)
		if !ok {
			continue
		}
		renews := s.now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
		if len(told.GetLimits()) != 1 || !told.GetRenewTime().AsTime().Equal(renews) {
			s.t.Fatalf("told %v, until %s", told, renews)
		}
		if l := told.GetLimits()[0]; l.GetProductId() != "apples" || l.GetRequested() != requested || l.GetMaxPerShopper() != limit || l.GetAvailable() != left {
			s.t.Errorf("told %v, want %d of %d, %d left", l, requested, limit, left)
		}
		return
	}
	s.t.Fatal("the refusal has no detail")
}

func TestLimit(t *testing.T) {
	s := open(t)
	s.limit(4, 3)
	over := s.request("key-1", visa)
	for range 2 { // in one cart; the same key gets the same answer
		_, err := s.Checkout(t.Context(), over)
		s.wantLimitRefused(err, 4, 3, 3)
	}
	s.wantStates(over.ID, "ABANDONED", "")
	s.wantStock(full, full)
	s.wantIntents(map[payment.IntentStatus]int{})

	s.limit(2, 3)
	first := s.request("key-2", visa)
	outcome, err := s.Checkout(t.Context(), first)
	s.want(outcome, err, checkout.Confirmed)
	_, err = s.Checkout(t.Context(), s.request("key-3", visa)) // by a second order
	s.wantLimitRefused(err, 2, 3, 1)

	// What Redis forgets, the ledger knows.
	s.flush()
	_, err = s.Checkout(t.Context(), s.request("key-4", visa))
	s.wantLimitRefused(err, 2, 3, 1)

	// Another shopper, another day, and an order of which nothing counts.
	me := s.user
	s.user = uuid.NewString()
	outcome, err = s.Checkout(t.Context(), s.request("key-5", visa))
	s.want(outcome, err, checkout.Confirmed)
	s.user = me
	s.fill(pricing.Line{ProductID: "pears", Quantity: 4})
	outcome, err = s.Checkout(t.Context(), s.request("key-6", visa))
	s.want(outcome, err, checkout.Confirmed)
	s.limit(3, 3)
	today := s.now
	s.now = today.Add(24 * time.Hour)
	outcome, err = s.Checkout(t.Context(), s.request("key-7", visa))
	s.want(outcome, err, checkout.Confirmed)
	s.now = today

	// A cancelled order gives back what it had used up, once.
	s.mustCancel(first.ID)
	for range 2 {
		s.hear(first.ID)
	}
	s.limit(4, 3)
	_, err = s.Checkout(t.Context(), s.request("key-8", visa))
	s.wantLimitRefused(err, 4, 3, 3)
	s.flush()
	_, err = s.Checkout(t.Context(), s.request("key-9", visa))
	s.wantLimitRefused(err, 4, 3, 3)
	s.limit(3, 3)
	outcome, err = s.Checkout(t.Context(), s.request("key-10", visa))
	s.want(outcome, err, checkout.Confirmed)
	left := map[string]int64{"apples": 2, "pears": 1}
	s.wantStock(left, left)
}

// A checkout that fails or waits: what it has used up of the limit is given back, or kept, through a rebuild as well.
func TestLimitIsHeld(t *testing.T) {
	s := open(t)
	s.limit(2, 3)
	_, err := s.Checkout(t.Context(), s.request("key-1", "pm_card_chargeDeclinedInsufficientFunds"))
	s.wantRefused(err, fault.PaymentDeclined)
	waiting := s.request("key-2", "pm_card_threeDSecure2Required")
	outcome, err := s.Checkout(t.Context(), waiting)
	s.want(outcome, err, checkout.RequiresAction)
	_, err = s.Checkout(t.Context(), s.request("key-3", visa))
	s.wantLimitRefused(err, 2, 3, 1)

	// It ends on the next day, and after a change of the limit: it is counted as it was frozen.
	s.act(waiting.ID, "complete")
	s.flush()
	s.now = s.now.Add(24 * time.Hour)
	s.limit(2, 1)
	outcome, err = s.Poll(t.Context(), waiting.ID, s.user)
	s.want(outcome, err, checkout.Confirmed)
	s.now = s.now.Add(-24 * time.Hour)
	s.limit(2, 3)
	_, err = s.Checkout(t.Context(), s.request("key-4", visa))
	s.wantLimitRefused(err, 2, 3, 1)
	sold := map[string]int64{"apples": 8, "pears": 5}
	s.wantStock(sold, sold)
}

// Of many carts at once, and several processes, only as many come through as the limit lets.
func TestLimitHoldsAtOnce(t *testing.T) {
	s := open(t)
	s.limit(2, 5)
	processes := []*checkout.Service{s.Service, s.another(s.books, noLocks{}), s.another(s.books, noLocks{})}
	var mu sync.Mutex
	var confirmed, refused int
	var wg sync.WaitGroup
	for i := range 6 {
		r := s.request(fmt.Sprint("key-", i), visa)
		wg.Go(func() {
			outcome, err := processes[i%len(processes)].Checkout(t.Context(), r)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && outcome.State == checkout.Confirmed:
				confirmed++
			case fault.Is(err, fault.LimitExceeded):
				refused++
			default:
				t.Errorf("%v, %v", outcome, err)
			}
		})
	}
	wg.Wait()
	if confirmed != 2 || refused != 4 {
		t.Errorf("%d orders of 2 units for a limit of 5, %d refused", confirmed, refused)
	}
	left := map[string]int64{"apples": 6}
	s.wantStock(left, left)
}

// With goods short as well, the goods are the reason, and the limits are told besides: the cart need change only once.
func TestLimitAndGoodsShort(t *testing.T) {
	s := open(t)
	s.limit(11, 3)
	_, err := s.Checkout(t.Context(), s.request("key-1", visa))
	s.wantRefused(err, fault.OutOfStock)
	s.wantExceeded(err, 11, 3, 3)
	s.slot("morning", time.Hour, 0)
	s.limit(4, 3)
	_, err = s.Checkout(t.Context(), s.inSlot("key-2", visa))
	s.wantLimitRefused(err, 4, 3, 3)
}
