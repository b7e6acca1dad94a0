package payment_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"

	"larder.dev/internal/fault"
	"larder.dev/internal/payment"
	paymentspanner "larder.dev/internal/payment/spanner"
)

var days = payment.AuditPage{Back: 48 * time.Hour, Size: 100}

// audit reads a page and returns the kinds of findings of an order.
func (b *till) audit(id string) []payment.Kind {
	b.t.Helper()
	_, findings, _, err := b.Audit(b.t.Context(), days)
	if err != nil {
		b.t.Fatal(err)
	}
	var kinds []payment.Kind
	for _, f := range findings {
		if f.OrderID == id {
			kinds = append(kinds, f.Kind)
			if f.IntentID == "" || f.Detail == "" {
				b.t.Errorf("%+v", f)
			}
		}
	}
	return kinds
}

// doubled authorises a second intent for an order.
func (b *till) doubled(id string) (intent string) {
	b.t.Helper()
	other, err := b.provider.Create(b.t.Context(), payment.CreateRequest{Order: id, Key: uuid.NewString(), Amount: gbp(whole)})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.provider.Confirm(b.t.Context(), other.ID, visa, "", uuid.NewString()); err != nil {
		b.t.Fatal(err)
	}
	return other.ID
}

// lost makes an order whose intent the provider has no more.
func (b *till) lost() (id, intent string) {
	b.t.Helper()
	id, intent = uuid.NewString(), "pi_lost_"+uuid.NewString()
	b.apply(paymentspanner.InsertInitiated(payment.Record{
		OrderID: id, IntentID: intent, Amount: gbp(whole), Fingerprint: make([]byte, 32), Request: []byte(`{}`),
	}, b.now)...)
	b.commit(id)
	return id, intent
}

// Whatever can happen to an order that is right is no finding, now or later.
func TestAuditOfCleanBooks(t *testing.T) {
	b := open(t, nil)
	voided := func(id string, from payment.State) {
		b.cancel(id, from)
		if _, err := b.Void(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	b.initiate() // left behind before it was confirmed
	id, intent := b.initiate()
	b.confirm(id, intent, "pm_card_chargeDeclined")
	b.sell()
	b.take()
	b.refunded(back(uuid.NewString(), units("apples", 1)))
	b.refunded(back(uuid.NewString(), units("apples", 1)), back(uuid.NewString()))
	id, _ = b.sell()
	voided(id, payment.Authorized)
	id, _ = b.take()
	voided(id, payment.Captured)
	_, err := b.provider.Create(t.Context(), payment.CreateRequest{Order: uuid.NewString(), Key: "no row", Amount: gbp(100)})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := b.provider.Create(t.Context(), payment.CreateRequest{Key: "another shop's", Amount: gbp(100)})
	if err != nil {
		t.Fatal(err)
	}
	b.confirm("x", foreign.ID, visa)

	b.now = time.Now()
	for _, later := range []time.Duration{0, time.Hour} {
		b.now = b.now.Add(later)
		checked, findings, next, err := b.Audit(t.Context(), days)
		if err != nil || checked != 9 || next != "" || len(findings) > 0 {
			t.Errorf("%s later: %d checked, next %q, %v, %+v", later, checked, next, err, findings)
		}
	}
}

func TestAuditFinds(t *testing.T) {
	b := open(t, nil)
	set := func(id string, columns map[string]any) {
		columns["OrderId"] = id
		b.apply(spanner.UpdateMap("Payments", columns))
	}
	for _, c := range []struct {
		name string
		make func() string
		want []payment.Kind
		// underWay: no finding until it has been so for a quarter of an hour.
		underWay bool
	}{
		{"authorised, and neither row nor order", func() string {
			id := uuid.NewString()
			b.doubled(id)
			return id
		}, []payment.Kind{payment.Orphaned}, false},
		{"authorised, and no order", func() string {
			id, intent := b.initiate()
			b.confirm(id, intent, visa)
			return id
		}, []payment.Kind{payment.Orphaned}, true},
		{"to be voided, and nobody does", func() string {
			id, _ := b.sell()
			b.cancel(id, payment.Authorized)
			return id
		}, []payment.Kind{payment.Orphaned}, true},
		{"captured, cancelled, and not given back", func() string {
			id, _ := b.take()
			b.cancel(id, payment.Captured)
			b.pay(id, payment.Voiding, payment.Voided)
			return id
		}, []payment.Kind{payment.Orphaned}, false},
		{"an order whose authorisation was cancelled", func() string {
			id, intent := b.sell()
			if _, err := b.provider.Cancel(t.Context(), intent); err != nil {
				t.Fatal(err)
			}
			return id
		}, []payment.Kind{payment.Unauthorized}, false},
		{"an order that was never authorised", func() string {
			id, _ := b.initiate()
			b.commit(id)
			return id
		}, []payment.Kind{payment.Unauthorized}, false},
		{"another amount", func() string {
			id, _ := b.sell()
			set(id, map[string]any{"Amount": int64(whole + 1)})
			return id
		}, []payment.Kind{payment.AmountDiffers}, false},
		{"captured, and the books don't know", func() string {
			id, intent := b.sell()
			if _, err := b.provider.Provider.Capture(t.Context(), intent, gbp(whole), "lost-"+id); err != nil {
				t.Fatal(err)
			}
			return id
		}, []payment.Kind{payment.AmountDiffers}, false},
		{"captured in the books only", func() string {
			id, _ := b.sell()
			set(id, map[string]any{"State": string(payment.Captured), "Captured": int64(whole)})
			return id
		}, []payment.Kind{payment.AmountDiffers}, false},
		{"given back, and the books don't know", func() string {
			id, intent := b.take()
			b.byHand(intent, 100)
			return id
		}, []payment.Kind{payment.AmountDiffers}, false},
		{"given back in the books only", func() string {
			id, _ := b.take()
			set(id, map[string]any{"State": string(payment.PartiallyRefunded), "Refunded": int64(100)})
			return id
		}, []payment.Kind{payment.AmountDiffers}, false},
		{"a refund that nobody finishes", func() string {
			id, _ := b.take()
			b.provider.breaks(fails("refund"), nil)
			defer b.provider.breaks(nil, nil)
			if _, err := b.Refund(t.Context(), id, back(uuid.NewString())); err == nil {
				t.Fatal("it was to break off")
			}
			return id
		}, []payment.Kind{payment.AmountDiffers}, true},
		{"a refund that nobody recorded", func() string {
			id, _ := b.take()
			b.provider.breaks(nil, fails("refund"))
			defer b.provider.breaks(nil, nil)
			if _, err := b.Refund(t.Context(), id, back(uuid.NewString())); err == nil {
				t.Fatal("it was to break off")
			}
			return id
		}, []payment.Kind{payment.AmountDiffers}, true},
		{"an order without a payment", func() string {
			id, _ := b.sell()
			b.apply(spanner.Delete("Payments", spanner.Key{id}))
			return id
		}, []payment.Kind{payment.AmountDiffers}, false},
		{"an order whose intent the provider doesn't know", func() string {
			id, _ := b.lost()
			return id
		}, []payment.Kind{payment.Unauthorized}, false},
		{"two intents of one order", func() string {
			id, _ := b.sell()
			b.doubled(id)
			return id
		}, []payment.Kind{payment.Doubled}, false},
		{"two intents of no order", func() string {
			id := uuid.NewString()
			b.doubled(id)
			b.doubled(id)
			return id
		}, []payment.Kind{payment.Orphaned, payment.Orphaned}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := c.make()
			b.now = time.Now().Add(time.Second) // Spanner's clock, which dates payments, may be a little ahead
			if got := b.audit(id); c.underWay && len(got) > 0 || !c.underWay && !slices.Equal(got, c.want) {
				t.Errorf("at once: %s", got)
			}
			b.now = b.now.Add(20 * time.Minute)
			if got := b.audit(id); !slices.Equal(got, c.want) {
				t.Errorf("later: %s, want %s", got, c.want)
			}
		})
	}
}

// What moves between the reading of the list and of the books is no finding.
func TestAuditLooksAgain(t *testing.T) {
	b := open(t, nil)
	captured, _ := b.sell()
	cancelled, _ := b.sell()
	b.provider.breaks(nil, func(method string) error {
		if method != "list" {
			return nil
		}
		b.provider.breaks(nil, nil)
		b.cancel(cancelled, payment.Authorized)
		if _, err := b.Void(t.Context(), cancelled); err != nil {
			return err
		}
		_, err := b.Capture(t.Context(), captured, payment.Step{By: payment.System})
		return err
	})
	b.now = time.Now()
	if checked, findings, _, err := b.Audit(t.Context(), days); err != nil || checked != 2 || len(findings) > 0 {
		t.Errorf("%d checked, %+v, %v", checked, findings, err)
	}
	b.want(captured, payment.Captured, whole, 0)
	b.want(cancelled, payment.Voided, 0, 0)
}

func TestAuditPages(t *testing.T) {
	b := open(t, nil)
	want := map[string]bool{}
	for range 5 {
		id := uuid.NewString()
		b.doubled(id)
		want[id] = true
	}
	b.now = time.Now()
	page := days
	page.Size = 2
	sizes := ""
	for more := true; more; more = page.Token != "" {
		checked, findings, next, err := b.Audit(t.Context(), page)
		if err != nil {
			t.Fatal(err)
		}
		sizes += fmt.Sprint(checked)
		for _, f := range findings {
			delete(want, f.OrderID)
		}
		page.Token = next
	}
	if sizes != "221" || len(want) > 0 {
		t.Errorf("pages of %s, not found: %v", sizes, want)
	}

	page = days
	page.Settled = time.Hour
	if checked, findings, _, err := b.Audit(t.Context(), page); err != nil || checked != 0 || len(findings) > 0 {
		t.Errorf("younger than is looked at: %d, %+v, %v", checked, findings, err)
	}
	b.now = b.now.Add(2 * time.Hour)
	if checked, findings, _, err := b.Audit(t.Context(), page); err != nil || checked != 5 || len(findings) != 5 {
		t.Errorf("settled: %d, %+v, %v", checked, findings, err)
	}
	page.Back = time.Hour
	if checked, _, _, err := b.Audit(t.Context(), page); err != nil || checked != 0 {
		t.Errorf("older than is looked at: %d, %v", checked, err)
	}
	page.Token = "pi_of_nobody"
	_, _, _, err := b.Audit(t.Context(), page)
	wantReason(t, err, fault.InvalidPageToken)
}
