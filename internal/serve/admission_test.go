package serve

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/priority"

	"larder.dev/internal/fault"
)

// The order: checkout in progress, checkout, cart, search, suggestions.
func TestPriorityOfMethods(t *testing.T) {
	order := []struct {
		service, method string
		want            priority.Priority
	}{
		{"larder.checkout.v1.CheckoutService", "GetCheckout", priority.VeryHigh},
		{"larder.payment.v1.PaymentService", "ConfirmIntent", priority.VeryHigh},
		{"larder.checkout.v1.CheckoutService", "CreateCheckout", priority.High},
		{"larder.cart.v1.CartService", "PutItem", priority.Medium},
		{"larder.search.v1.SearchService", "Search", priority.Low},
		{"larder.product.v1.ProductService", "GetProduct", priority.Low},
		{"larder.search.v1.SearchService", "Suggest", priority.VeryLow},
	}
	for _, m := range order {
		rules, err := rulesOf(m.service)
		if err != nil {
			t.Fatal(err)
		}
		if got := rules["/"+m.service+"/"+m.method].priority; got != m.want {
			t.Errorf("%s has the priority %d, want %d", m.method, got, m.want)
		}
	}
}

// crowd sends requests of two priorities for ten seconds to a process that answers 4 at once, each in 20 ms: 200 a second. It answers how
// many of each were let in, and the longest time that one took.
func crowd(t *testing.T, a *admission, low, high priority.Priority, lowRate, highRate int) (lowIn, highIn int, longest time.Duration) {
	t.Helper()
	const lasts = 10 * time.Second
	var running sync.WaitGroup
	var mu sync.Mutex
	workers := make(chan struct{}, 4)
	ask := func(urgency priority.Priority, in *int) {
		leave, err := a.enter(t.Context(), urgency, true)
		if err != nil {
			if fault.From(err).Reason().Name != fault.Overloaded.Name {
				t.Errorf("refused with %v", err)
			}
			return
		}
		began := time.Now()
		workers <- struct{}{}
		<-time.After(20 * time.Millisecond)
		<-workers
		leave(nil)
		mu.Lock()
		defer mu.Unlock()
		*in++
		longest = max(longest, time.Since(began))
	}
	begin := time.Now()
	stream := func(urgency priority.Priority, rate int, in *int) {
		for i := range rate * int(lasts/time.Second) {
			<-time.After(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))))
			running.Go(func() { ask(urgency, in) })
		}
	}
	running.Go(func() { stream(low, lowRate, &lowIn) })
	running.Go(func() { stream(high, highRate, &highIn) })
	running.Wait()
	return lowIn, highIn, longest
}

func TestUnderOverloadTheHigherIsLetIn(t *testing.T) {
	for _, pair := range [][2]priority.Priority{
		{priority.VeryLow, priority.Low}, {priority.Low, priority.Medium}, {priority.Medium, priority.High}, {priority.High, priority.VeryHigh},
	} {
		synctest.Test(t, func(t *testing.T) {
			low, high, longest := crowd(t, newAdmission(16, 512), pair[0], pair[1], 900, 100)
			t.Logf("of priority %d %d of 9000 were let in, of %d %d of 1000, the longest took %s", pair[0], low, pair[1], high, longest)
			if high < 900 {
				t.Errorf("of priority %d only %d of 1000 were let in", pair[1], high)
			}
			if total := low + high; total < 1600 {
				t.Errorf("%d were answered, of 2000 that could have been", total)
			}
		})
	}
	t.Run("equals have equal chances", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if _, high, _ := crowd(t, newAdmission(16, 512), priority.Low, priority.Low, 900, 100); high > 500 {
				t.Errorf("%d of 1000 were let in: the check above sees no priority", high)
			}
		})
	})
}

func TestWhatCanBeAnsweredIsLetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if low, high, _ := crowd(t, newAdmission(16, 512), priority.VeryLow, priority.VeryHigh, 150, 30); low != 1500 || high != 300 {
			t.Errorf("%d of 1500 and %d of 300 were let in, with room for all", low, high)
		}
	})
}

func TestABurstIsLetIn(t *testing.T) {
	a := newAdmission(16, 512)
	for i := range headroom {
		if _, err := a.enter(t.Context(), priority.VeryHigh, true); err != nil {
			t.Fatalf("request %d of a burst on a quiet process: %v", i, err)
		}
	}
	if _, err := a.enter(t.Context(), priority.VeryHigh, true); fault.From(err).Reason().Name != fault.Overloaded.Name {
		t.Errorf("one beyond it is told %v", err)
	}
}
