package checkout_test

import (
	"fmt"
	"sync"
	"testing"

	"larder.dev/internal/checkout"
	"larder.dev/internal/fault"
	"larder.dev/internal/payment"
	"larder.dev/internal/pricing"
)

// Twins, more than there is: many shoppers' clicks at once, each twice, without waiting for each other's lock.
func TestRush(t *testing.T) {
	s := open(t)
	const shoppers = 12
	s.fill(pricing.Line{ProductID: "pears", Quantity: 1})
	var mu sync.Mutex
	confirmed := map[string]bool{}
	var wg sync.WaitGroup
	for i := range shoppers {
		r := s.request(fmt.Sprint("key-", i), visa)
		for twin := range 2 {
			r := r
			r.CartID = fmt.Sprint(i, "-", twin) // another lock
			wg.Go(func() {
				sold, err := insist(t.Context(), s.Service, r)
				if !sold && !fault.Is(err, fault.OutOfStock) {
					t.Errorf("%v", err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if sold {
					confirmed[r.ID] = true
				}
			})
		}
	}
	wg.Wait()
	// A twin that comes late holds a pear once more until it sees that its order is there, and another shopper may be refused meanwhile: that
	// is what the lock is good for. So a pear may be left, and never is one sold twice.
	if n := len(confirmed); n > 5 || n == 0 {
		t.Errorf("%d orders for 5 pears", n)
	}
	s.later()
	left := map[string]int64{"pears": 5 - int64(len(confirmed))}
	s.wantStock(left, left)
	s.wantAuthorised(confirmed)
}

// A rebuild between reserve and commit: the hold's epoch is refused, and the checkout reserves again (rule 4).
func TestEpochFence(t *testing.T) {
	s := open(t)
	r := s.request("key-1", visa)
	rebuilt := false
	s.payments.after = func(method string) error {
		if method == "confirm" && !rebuilt {
			rebuilt = true
			_, _, err := s.stock.Rebuild(t.Context(), s.store)
			return err
		}
		return nil
	}
	outcome, err := s.Checkout(t.Context(), r)
	s.want(outcome, err, checkout.Confirmed)
	s.wantStock(oneSold, oneSold)
}

// The same, and the last unit goes to another in between: nothing is sold twice, and the money is given back.
func TestEpochFenceAndGone(t *testing.T) {
	s := open(t)
	s.fill(pricing.Line{ProductID: "pears", Quantity: 5})
	first := s.request("key-1", visa)
	second := s.request("key-2", visa)
	raced := false
	s.payments.after = func(method string) error {
		if method != "confirm" || raced {
			return nil
		}
		raced = true
		s.flush() // forgets the first one's hold
		outcome, err := s.Checkout(t.Context(), second)
		s.want(outcome, err, checkout.Confirmed)
		return nil
	}
	first.CartID = "another" // no lock between the two
	_, err := s.Checkout(t.Context(), first)
	s.wantRefused(err, fault.OutOfStock)
	s.wantStock(map[string]int64{"pears": 0}, map[string]int64{"pears": 0})
	s.wantIntents(map[payment.IntentStatus]int{payment.IntentAuthorized: 1, payment.IntentCancelled: 1})
}
