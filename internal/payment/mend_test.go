package payment_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"cloud.google.com/go/spanner"

	"larder.dev/internal/order"
	"larder.dev/internal/payment"
)

// mend audits everything and mends, and returns what is found of an order: kinds, with a "+" where it was mended.
func (b *till) mend(id string) []string {
	b.t.Helper()
	page := days
	page.Mend = true
	var found []string
	for more := true; more; more = page.Token != "" {
		_, findings, next, err := b.Audit(b.t.Context(), page)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, f := range findings {
			if f.OrderID == id {
				found = append(found, string(f.Kind)+map[bool]string{true: "+"}[f.Mended])
			}
		}
		page.Token = next
	}
	return found
}

// What is found is mended if nobody is charged or paid by it, and is found again if not.
func TestAuditMends(t *testing.T) {
	b := open(t, nil)
	for _, c := range []struct {
		name string
		// plant makes the difference, and returns how to look whether it is as it should be after mending.
		plant func() (id string, right func())
		want  string
	}{
		{"captured, and its webhook was lost", func() (string, func()) {
			id, intent := b.sell()
			if _, err := b.provider.Provider.Capture(t.Context(), intent, gbp(whole), "lost-"+id); err != nil {
				t.Fatal(err)
			}
			return id, func() { b.want(id, payment.Captured, whole, 0) }
		}, "AMOUNT_DIFFERS+"},
		{"given back at the provider", func() (string, func()) {
			id, intent := b.take()
			b.byHand(intent, 100)
			return id, func() { b.want(id, payment.PartiallyRefunded, whole, 100) }
		}, "AMOUNT_DIFFERS+"},
		{"a refund that nobody recorded", func() (string, func()) {
			id, intent := b.take()
			b.provider.breaks(nil, fails("refund"))
			defer b.provider.breaks(nil, nil)
			if _, err := b.Refund(t.Context(), id, back(uuid.NewString())); err == nil {
				t.Fatal("it was to break off")
			}
			return id, func() {
				b.want(id, payment.Refunded, whole, whole)
				b.wantRefunds(intent, whole)
			}
		}, "AMOUNT_DIFFERS+"},
		{"a second authorisation", func() (string, func()) {
			id, intent := b.sell()
			second := b.doubled(id)
			return id, func() {
				b.wantStatus(intent, payment.IntentAuthorized)
				b.wantStatus(second, payment.IntentCancelled)
			}
		}, "DOUBLED+"},
		{"a second one, captured", func() (string, func()) {
			id, _ := b.sell()
			second := b.doubled(id)
			if _, err := b.provider.Provider.Capture(t.Context(), second, gbp(whole), "second-"+id); err != nil {
				t.Fatal(err)
			}
			return id, func() { b.wantRefunds(second) }
		}, "DOUBLED"},
		{"an authorisation that ended", func() (string, func()) {
			id, intent := b.sell()
			if _, err := b.provider.Cancel(t.Context(), intent); err != nil {
				t.Fatal(err)
			}
			return id, func() { b.want(id, payment.CaptureFailed, 0, 0) } // which operators list
		}, "UNAUTHORIZED"},
		{"an intent that the provider doesn't know", func() (string, func()) {
			id, _ := b.lost()
			return id, func() { b.want(id, payment.Authorized, 0, 0) }
		}, "UNAUTHORIZED"},
		{"authorised, and neither row nor order", func() (string, func()) {
			id := uuid.NewString()
			intent := b.doubled(id)
			return id, func() { b.wantStatus(intent, payment.IntentAuthorized) }
		}, "ORPHANED"},
		{"captured, cancelled, and not given back", func() (string, func()) {
			id, intent := b.take()
			b.cancel(id, payment.Captured)
			b.pay(id, payment.Voiding, payment.Voided)
			return id, func() { b.wantRefunds(intent) }
		}, "ORPHANED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, right := c.plant()
			b.now = time.Now().Add(20 * time.Minute)
			if got := b.mend(id); !slices.Equal(got, []string{c.want}) {
				t.Fatalf("found %v, want %s", got, c.want)
			}
			right()
			again := []string{c.want}
			if c.want[len(c.want)-1] == '+' {
				again = nil
			}
			if got := b.mend(id); !slices.Equal(got, again) {
				t.Errorf("found again: %v, want %v", got, again)
			}
			right()
		})
	}
}

// An authorisation that is about to expire is found behind the provider's list, which doesn't go back so far; what is packed is captured.
func TestAuditOfExpiring(t *testing.T) {
	b := open(t, nil)
	packed, _ := b.sell()
	waiting, intent := b.sell()
	b.apply(spanner.UpdateMap("Orders", map[string]any{"OrderId": waiting, "State": string(order.Picking), "UpdateTime": spanner.CommitTimestamp}))
	ended, gone := b.sell()
	if _, err := b.provider.Cancel(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	lost, _ := b.lost()
	captured, _ := b.take()

	b.now = time.Now().Add(6*24*time.Hour - time.Minute)
	for _, id := range []string{packed, waiting} {
		if got := b.audit(id); len(got) > 0 {
			t.Errorf("a day and a minute before its end: %s", got)
		}
	}
	b.now = b.now.Add(2 * time.Minute)
	for id, want := range map[string][]payment.Kind{
		packed: {payment.Expiring}, waiting: {payment.Expiring}, ended: {payment.Unauthorized}, lost: {payment.Unauthorized}, captured: nil,
	} {
		if got := b.audit(id); !slices.Equal(got, want) {
			t.Errorf("found %s, want %s", got, want)
		}
	}

	checked, pages := 0, days
	pages.Size = 1
	for more := true; more; more = pages.Token != "" {
		n, _, next, err := b.Audit(t.Context(), pages)
		if err != nil {
			t.Fatal(err)
		}
		checked, pages.Token = checked+n, next
	}
	if checked != 4 {
		t.Errorf("page by page %d were looked at, want 4", checked)
	}

	b.provider.breaks(fails("capture"), nil)
	if got := b.mend(packed); !slices.Equal(got, []string{"EXPIRING"}) {
		t.Errorf("while the provider takes no captures: %v", got)
	}
	b.provider.breaks(nil, nil)
	if got := b.mend(packed); !slices.Equal(got, []string{"EXPIRING+"}) {
		t.Errorf("packed: %v", got)
	}
	b.want(packed, payment.Captured, whole, 0)
	if got := b.mend(waiting); !slices.Equal(got, []string{"EXPIRING"}) {
		t.Errorf("not packed yet: %v", got)
	}
	b.wantStatus(intent, payment.IntentAuthorized)
}
