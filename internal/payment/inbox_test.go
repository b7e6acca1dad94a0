package payment_test

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/payment"
	"larder.dev/internal/payment/stripe"
)

// hooks receives the provider's webhooks, as the function PaymentWebhook does, and keeps them.
type hooks struct {
	t    *testing.T
	mu   sync.Mutex
	told []*paymentpb.ProviderEvent
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Error(err)
	}
	e, err := stripe.ReadWebhook(body, r.Header.Get("Stripe-Signature"), []string{"whsec_new", secret}, 5*time.Minute, time.Now())
	if err != nil {
		h.t.Errorf("%s: %v", body, err)
	}
	if e != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.told = append(h.told, e)
	}
}

// await waits for the events of a type about an intent, and returns them.
func (h *hooks) await(intent, kind string, count int) []payment.Event {
	h.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var found []payment.Event
		h.mu.Lock()
		for _, e := range h.told {
			if e.GetIntentId() == intent && e.GetType() == kind {
				found = append(found, payment.Event{
					ID: e.GetEventId(), Type: e.GetType(), IntentID: e.GetIntentId(), OrderID: e.GetOrderId(), Time: e.GetCreateTime().AsTime(),
				})
			}
		}
		h.mu.Unlock()
		if len(found) >= count {
			return found
		}
		select {
		case <-tick.C:
		case <-deadline:
			h.t.Fatalf("%d events %s of %s, want %d", len(found), kind, intent, count)
		}
	}
}

// taken applies an event and compares what came of it.
func (b *till) taken(e payment.Event, applied, resume bool) {
	b.t.Helper()
	gotApplied, gotResume, err := b.Apply(b.t.Context(), e)
	if err != nil || gotApplied != applied || gotResume != resume {
		b.t.Fatalf("%s: applied %t, resume %t, %v; want %t, %t", e.Type, gotApplied, gotResume, err, applied, resume)
	}
}

// The answer to a capture was lost: the provider's own webhook, signed, tells of it, twice. Its earlier events come late and do no harm.
func TestEventTellsOfCapture(t *testing.T) {
	h := &hooks{t: t}
	b := open(t, h)
	b.control("/webhooks", `{"duplicates":1}`)
	id, intent := b.sell()
	b.provider.breaks(nil, fails("capture"))
	if _, err := b.Capture(t.Context(), id, payment.Step{By: payment.System}); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	b.want(id, payment.Authorized, 0, 0)
	captured := h.await(intent, "payment_intent.succeeded", 2)
	authorised := h.await(intent, "payment_intent.amount_capturable_updated", 2)
	b.taken(captured[0], true, false)
	b.want(id, payment.Captured, whole, 0)
	b.taken(captured[1], false, false)
	for i, e := range authorised {
		b.taken(e, i == 0, false)
	}
	b.want(id, payment.Captured, whole, 0)

	account, err := b.Account(t.Context(), id)
	if err != nil || len(account.Events) != 2 || account.Events[0].ID != captured[0].ID || account.Events[1].Type != authorised[0].Type {
		t.Errorf("%+v, %v", account.Events, err)
	}

	// A refund whose end nobody recorded is ended by the charge's event.
	b.provider.breaks(nil, fails("refund"))
	if _, err := b.Refund(t.Context(), id, back(uuid.NewString(), units("pears", 1))); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	b.provider.breaks(nil, nil)
	b.taken(h.await(intent, "charge.refunded", 1)[0], true, false)
	b.want(id, payment.PartiallyRefunded, whole, 150)
	b.wantRefunds(intent, 150)
	if len(b.told(id)) != 1 {
		t.Errorf("told %d times", len(b.told(id)))
	}
}

func hint(id, intent string) payment.Event {
	return payment.Event{ID: "evt_" + uuid.NewString(), Type: "payment_intent.any", IntentID: intent, OrderID: id, Time: time.Unix(1_795_000_000, 0)}
}

// A checkout that waits is to go on as soon as the intent has news, however often it is told, and not once it has come to its end. Its
// payment is never moved by an event.
func TestEventResumesCheckout(t *testing.T) {
	b := open(t, nil)
	for _, c := range []struct {
		method string
		state  payment.State
		resume bool
	}{
		{"", payment.Initiated, false}, // not confirmed
		{visa, payment.Initiated, true},
		{visa, payment.RequiresAction, true},
		{"pm_card_chargeDeclined", payment.Initiated, true},
		{"pm_card_processing", payment.Initiated, false},
		{"pm_card_threeDSecure2Required", payment.RequiresAction, false},
	} {
		t.Run(c.method+" "+string(c.state), func(t *testing.T) {
			id, intent := b.initiate()
			if c.method != "" {
				b.confirm(id, intent, c.method)
			}
			if c.state != payment.Initiated {
				b.pay(id, payment.Initiated, c.state)
			}
			e := hint(id, intent)
			b.taken(e, true, c.resume)
			b.taken(e, false, c.resume)
			b.want(id, c.state, 0, 0)
			b.pay(id, c.state, payment.Voiding)
			b.taken(e, false, false)
			b.taken(hint(id, intent), true, false)
			b.want(id, payment.Voiding, 0, 0)
		})
	}
	id, intent := b.initiate()
	b.confirm(id, intent, visa)
	if _, err := b.provider.Cancel(t.Context(), intent); err != nil {
		t.Fatal(err)
	}
	b.taken(hint(id, intent), true, true) // cancelled by hand, at the provider: the checkout is to end
}

func TestEventFollowsIntent(t *testing.T) {
	h := &hooks{t: t}
	b := open(t, h)
	t.Run("an authorisation expires", func(t *testing.T) {
		id, intent := b.sell()
		b.control("/advance", `{"by":"48h"}`)
		expired := h.await(intent, "payment_intent.canceled", 1)[0]
		b.taken(expired, true, false)
		b.want(id, payment.CaptureFailed, 0, 0)
		b.taken(expired, false, false)
		b.want(id, payment.CaptureFailed, 0, 0)
	})
	t.Run("given back by hand", func(t *testing.T) {
		id, intent := b.take()
		b.byHand(intent, 100)
		b.taken(hint(id, intent), true, false)
		b.want(id, payment.PartiallyRefunded, whole, 100)
		if _, err := b.Refund(t.Context(), id, back(uuid.NewString(), units("pears", 1))); err != nil {
			t.Fatal(err)
		}
		b.taken(hint(id, intent), true, false)
		b.want(id, payment.PartiallyRefunded, whole, 250)
		b.byHand(intent, whole-250)
		b.taken(hint(id, intent), true, false)
		b.want(id, payment.Refunded, whole, whole)
		_, err := b.Refund(t.Context(), id, back(uuid.NewString()))
		wantReason(t, err, fault.NothingToRefund)
	})
	t.Run("a voided one", func(t *testing.T) {
		id, intent := b.take()
		b.cancel(id, payment.Captured)
		if _, err := b.Void(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		b.taken(hint(id, intent), true, false)
		b.want(id, payment.Voided, whole, whole)
	})
	t.Run("another intent", func(t *testing.T) {
		id, intent := b.sell()
		if _, err := b.provider.Provider.Capture(t.Context(), intent, gbp(whole), "lost-"+id); err != nil {
			t.Fatal(err)
		}
		other, err := b.provider.Create(t.Context(), payment.CreateRequest{Order: id, Key: uuid.NewString(), Amount: gbp(whole)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.provider.Confirm(t.Context(), other.ID, visa, "", uuid.NewString()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.provider.Capture(t.Context(), other.ID, gbp(whole), uuid.NewString()); err != nil {
			t.Fatal(err)
		}
		b.taken(hint(id, other.ID), true, false)
		b.want(id, payment.Authorized, 0, 0)
	})
	t.Run("no payment", func(t *testing.T) {
		_, _, err := b.Apply(t.Context(), hint(uuid.NewString(), "pi_1"))
		wantReason(t, err, fault.OrderNotFound)
	})
}

// An event that can't be followed isn't recorded: it comes again.
func TestEventIsKeptUntilItsEffect(t *testing.T) {
	b := open(t, nil)
	id, intent := b.take()
	b.provider.breaks(fails("refund"), nil)
	if _, err := b.Refund(t.Context(), id, back(uuid.NewString())); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	b.byHand(intent, 10) // so that there is something to follow
	e := hint(id, intent)
	if _, _, err := b.Apply(t.Context(), e); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	b.provider.breaks(nil, nil)
	b.taken(e, true, false)
	account, err := b.Account(t.Context(), id)
	if err != nil || account.Refunds[0].State != payment.RefundFailed || account.Refunded != gbp(10) {
		t.Errorf("%+v, %v", account, err)
	}
}

// The same event, delivered many times at once, is taken in once.
func TestEventsAtOnce(t *testing.T) {
	b := open(t, nil)
	id, intent := b.sell()
	if _, err := b.provider.Provider.Capture(t.Context(), intent, gbp(whole), "lost"); err != nil {
		t.Fatal(err)
	}
	e := hint(id, intent)
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := 0
	for range 5 {
		wg.Go(func() {
			applied, _, err := b.Apply(t.Context(), e)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if applied {
				count++
			}
		})
	}
	wg.Wait()
	if count != 1 {
		t.Errorf("applied %d times", count)
	}
	b.want(id, payment.Captured, whole, 0)
}
