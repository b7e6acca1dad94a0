package checkout_test

import (
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"

	"larder.dev/internal/checkout"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
	"larder.dev/internal/payment"
)

// stick leaves payments behind that can't be voided: the provider knows nothing of them.
func (s *shop) stick(n int, since time.Time) {
	s.t.Helper()
	for range n {
		id := uuid.NewString()
		tombstone := checkout.Order{UserID: s.user, StoreID: s.store, State: order.Abandoned, Fingerprint: make([]byte, 32)}
		frozen := checkout.Frozen{UserID: s.user, StoreID: s.store, Totals: s.cart.quote.Totals}
		if _, err := s.books.Initiate(s.t.Context(), id, frozen, "pi_"+id, tombstone.Fingerprint, since); err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.books.Abandon(s.t.Context(), id, tombstone, since); err != nil {
			s.t.Fatal(err)
		}
	}
}

// latest is the last time at which a payment is to be attended to, and how many are.
func (s *shop) latest() (at time.Time, n int64) {
	s.t.Helper()
	if s.memory != nil {
		return s.memory.Attended()
	}
	statement := spanner.NewStatement("SELECT MAX(AttendAfter), COUNT(*) FROM Payments WHERE AttendAfter IS NOT NULL")
	err := s.database.Single().Query(s.t.Context(), statement).Do(func(row *spanner.Row) error {
		var newest spanner.NullTime
		err := row.Columns(&newest, &n)
		at = newest.Time
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return at, n
}

// reconcile looks after at most 100 payments.
func (s *shop) reconcile(want int) {
	s.t.Helper()
	n, err := s.Reconcile(s.t.Context(), 100)
	if n != want || err != nil {
		s.t.Fatalf("%d payments were looked after, want %d (%v)", n, want, err)
	}
}

// Payments that can't be ended stand in front of nobody: who has waited longest comes first, and a try, whatever comes of it, puts a payment
// behind all others, for longer and longer, up to a bound.
func TestStuckPaymentsHoldUpNobody(t *testing.T) {
	s := open(t)
	s.stick(150, s.now.Add(-time.Hour))
	r := s.request("key-1", "pm_card_threeDSecure2Required")
	outcome, err := s.Checkout(t.Context(), r)
	s.want(outcome, err, checkout.RequiresAction)
	s.now = s.now.Add(time.Hour)

	s.reconcile(100)
	s.wantStates(r.ID, "", payment.RequiresAction)
	s.reconcile(51)
	s.wantStates(r.ID, "ABANDONED", payment.Voided)
	s.reconcile(0)

	for _, c := range []struct{ stuck, atLeast, atMost time.Duration }{
		{time.Hour, 10 * time.Minute, 13 * time.Minute},
		{2 * time.Hour, 10 * time.Minute, 13 * time.Minute},
	} {
		at, n := s.latest()
		if wait := at.Sub(s.now); n != 150 || wait < c.atLeast || wait > c.atMost {
			t.Errorf("%d payments wait, the last one for %s", n, wait)
		}
		s.now = s.now.Add(c.stuck)
		s.reconcile(100)
		s.reconcile(50)
		s.reconcile(0)
	}
}

// The first tries come soon, and two reconcilers at once share the work.
func TestReconcileSoonAndOnce(t *testing.T) {
	s := open(t)
	s.stick(20, s.now)
	s.now = time.Now().Add(20 * time.Second)
	looked := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := s.Reconcile(t.Context(), 100)
			looked <- err
		}()
	}
	for range 2 {
		if err := <-looked; err != nil {
			t.Error(err)
		}
	}
	if at, n := s.latest(); n != 20 || at.Sub(s.now) < 15*time.Second || at.Sub(s.now) > time.Minute {
		t.Errorf("%d payments wait, the last one for %s", n, at.Sub(s.now))
	}
	s.reconcile(0)
}

// expire ends an order's authorisation at the provider, and lets the books hear of it.
func (s *shop) expire(id string) {
	s.t.Helper()
	standing, err := s.books.Look(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.provider.Cancel(s.t.Context(), standing.Payment.IntentID); err != nil {
		s.t.Fatal(err)
	}
	for after := range 2 { // again: the time of grace doesn't begin anew
		at := s.now.Add(time.Duration(1+after) * time.Minute)
		if state, err := s.paid.CaptureFailed(s.t.Context(), id, payment.Step{By: payment.System, Reason: "expired"}, at); err != nil || state != payment.CaptureFailed {
			s.t.Fatal(state, err)
		}
	}
	if standing.Order.State == order.Packed {
		_, err = s.payments.Capture(s.t.Context(), id, payment.Step{By: payment.System})
		s.wantRefused(err, fault.PaymentNotCapturable)
	}
}

// An order that can't be paid is the operator's for a day, then the platform cancels it, goods and all (rule 12).
func TestUnpaidOrderIsCancelled(t *testing.T) {
	for _, state := range []order.State{order.Confirmed, order.Picking, order.Packed} {
		t.Run(string(state), func(t *testing.T) {
			s := open(t)
			id := s.buy("key-1")
			if state != order.Confirmed {
				s.pick(id)
			}
			if state == order.Packed {
				s.pack(id)
			}
			s.expire(id)
			s.now = s.now.Add(23 * time.Hour)
			s.reconcile(1) // which asks for the capture again
			s.reconcile(0)
			s.wantStates(id, string(state), payment.CaptureFailed)
			s.now = s.now.Add(2 * time.Hour)
			s.reconcile(1)
			s.wantStates(id, "CANCELLED", payment.Voiding)
			told := s.told(id)
			if got := told.GetReason(); got != "the payment could not be taken: its authorisation had ended" {
				t.Errorf("told: %s", got)
			}
			s.hear(id)
			s.wantStock(full, full)
			s.now = s.now.Add(time.Minute)
			s.reconcile(1)
			s.wantStates(id, "CANCELLED", payment.Voided)
			s.wantIntents(map[payment.IntentStatus]int{payment.IntentCancelled: 1})
		})
	}
}

// An operator who has the money captured at the last moment keeps the order.
func TestCapturedAfterAll(t *testing.T) {
	s := open(t)
	id := s.buy("key-1")
	s.expire(id)
	if state, err := s.paid.Captured(t.Context(), id, payment.Step{By: payment.Operator, Reason: "by hand"}, s.cart.quote.Totals.Total); err != nil || state != payment.Captured {
		t.Fatal(state, err)
	}
	late := checkout.Cancellation{Step: order.Step{To: order.Cancelled, By: order.System}, For: "system", OnlyIf: payment.CaptureFailed}
	if err := s.Cancel(t.Context(), id, late); err != nil {
		t.Error(err)
	}
	s.now = s.now.Add(48 * time.Hour)
	s.reconcile(0)
	s.wantStates(id, "CONFIRMED", payment.Captured)
}

// A process whose clock was wrong puts payments off until a time that is hours away. Nobody waits for it: a time further ahead than anybody
// sets counts as past.
func TestPutOffByAWrongClock(t *testing.T) {
	s := open(t)
	r := s.request("key-1", "pm_card_threeDSecure2Required")
	outcome, err := s.Checkout(t.Context(), r)
	s.want(outcome, err, checkout.RequiresAction)
	right := s.now
	s.now = right.Add(2 * time.Hour) // this process's clock alone
	s.payments.before = func(string) error { return errBroken }
	s.reconcile(1) // given up, put off, and not voided
	s.wantStates(r.ID, "ABANDONED", payment.Voiding)

	s.now, s.payments.before = right, nil
	s.reconcile(1)
	s.wantStates(r.ID, "ABANDONED", payment.Voided)
	s.reconcile(0)
}

// A capture that was refused is tried again, in a time of grace, without anybody asking for it.
func TestRefusedCaptureIsTriedAgain(t *testing.T) {
	s := open(t)
	id := s.buy("key-1")
	s.pick(id)
	s.pack(id)
	if _, err := s.paid.CaptureFailed(t.Context(), id, payment.Step{By: payment.System, Reason: "refused"}, s.now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	s.reconcile(0)
	s.now = s.now.Add(2 * time.Minute)
	s.payments.before = func(string) error { return errBroken }
	s.reconcile(1) // in vain
	s.wantStates(id, "PACKED", payment.CaptureFailed)
	s.payments.before = nil
	s.reconcile(0)
	s.now = s.now.Add(10 * time.Minute)
	s.reconcile(1)
	s.wantStates(id, "PACKED", payment.Captured)
	s.reconcile(0)
}
