package simulator_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v83"
	"github.com/stripe/stripe-go/v83/webhook"

	"larder.dev/local/payments/simulator"
)

func TestIdempotencyKeys(t *testing.T) {
	p := start(t, simulator.Config{})
	first := p.create(t, 990, "k1")
	again := p.create(t, 990, "k1")
	if again.ID != first.ID || again.LastResponse.Header.Get("Idempotent-Replayed") != "true" {
		t.Fatalf("replay: %s, header %q", again.ID, again.LastResponse.Header.Get("Idempotent-Replayed"))
	}
	if first.LastResponse.Header.Get("Idempotent-Replayed") != "" {
		t.Error("the first answer calls itself a replay")
	}
	_, err := p.tryCreate(991, "k1")
	if e := refusal(t, err); e.HTTPStatusCode != http.StatusBadRequest || e.Type != stripe.ErrorTypeIdempotency {
		t.Errorf("other parameters: %d %s", e.HTTPStatusCode, e.Type)
	}
	if _, err := p.confirm(first.ID, "pm_card_visa", "k1"); refusal(t, err).Type != stripe.ErrorTypeIdempotency {
		t.Errorf("other endpoint: %v", err)
	}

	// A decline was executed, so it is remembered; a refused parameter was not.
	if _, err := p.confirm(first.ID, "pm_card_chargeDeclined", "k2"); refusal(t, err).Code != stripe.ErrorCodeCardDeclined {
		t.Fatal(err)
	}
	if _, err := p.confirm(first.ID, "pm_card_visa", "k3"); err != nil {
		t.Fatal(err)
	}
	_, err = p.confirm(first.ID, "pm_card_chargeDeclined", "k2")
	if e := refusal(t, err); e.Code != stripe.ErrorCodeCardDeclined || e.LastResponse.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("replayed decline: %v", err)
	}
	if _, err := p.tryCreate(1, "k4"); refusal(t, err).Code != stripe.ErrorCodeAmountTooSmall {
		t.Fatal(err)
	}
	p.create(t, 100, "k4")

	p.clock.advance(24*time.Hour - time.Second)
	if in := p.create(t, 990, "k1"); in.ID != first.ID {
		t.Error("forgotten within 24 hours")
	}
	p.clock.advance(time.Second)
	if in := p.create(t, 990, "k1"); in.ID == first.ID {
		t.Error("remembered after 24 hours")
	}
}

func TestKeyInUse(t *testing.T) {
	t.Parallel()
	p := start(t, simulator.Config{})
	p.control(t, "/faults", `{"kind":"slow","delay":"1s"}`)
	ids := make(chan string, 1)
	go func() {
		in, err := p.tryCreate(100, "same")
		if err != nil {
			ids <- err.Error()
			return
		}
		ids <- in.ID
	}()
	eventually(t, "the first call runs", func() bool {
		resp, err := http.Get(p.url + "/_control/faults")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		left, _ := io.ReadAll(resp.Body)
		return strings.TrimSpace(string(left)) == "[]"
	})
	_, err := p.tryCreate(100, "same")
	if e := refusal(t, err); e.HTTPStatusCode != http.StatusConflict || e.Code != stripe.ErrorCodeIdempotencyKeyInUse {
		t.Errorf("while the first call runs: %v", err)
	}
	id := <-ids
	if in := p.create(t, 100, "same"); in.ID != id {
		t.Errorf("two intents for one key: %s and %s", in.ID, id)
	}
}

func TestConcurrentCallsWithOneKeyMakeOneIntent(t *testing.T) {
	p := start(t, simulator.Config{LatencyP50: time.Millisecond, LatencyP99: 5 * time.Millisecond, Seed: 7})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				_, err := p.tryCreate(100, "race")
				if err == nil {
					return
				}
				if e := refusal(t, err); e.HTTPStatusCode != http.StatusConflict {
					t.Errorf("got %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	n := 0
	for _, err := range p.V1PaymentIntents.List(context.Background(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d intents", n)
	}
}

// Nothing that was answered is lost when the process dies at any moment: the journal is copied as it is, without closing
// it, and cut in the middle of a line.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "payments", "journal.jsonl")
	c := newClock()
	p := start(t, simulator.Config{Journal: path, Now: c.Now})
	first := p.create(t, 990, "k1")
	paid := p.authorised(t, 500)
	if _, err := p.capture(paid.ID, 450); err != nil {
		t.Fatal(err)
	}
	if _, err := p.refund(paid.ID, 50); err != nil {
		t.Fatal(err)
	}
	if _, err := p.confirm(first.ID, "pm_card_chargeDeclinedInsufficientFunds", "k2"); err == nil {
		t.Fatal("not declined")
	}
	waiting, err := p.confirm(p.create(t, 700, "").ID, "pm_card_processing", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := simulator.New(simulator.Config{Journal: path}); err == nil {
		t.Error("two processes hold one journal")
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "journal.jsonl")
	if err := os.WriteFile(copied, append(content, []byte(`{"intents":[{"id":"pi_torn","stat`)...), 0o600); err != nil {
		t.Fatal(err)
	}
	for round := range 2 { // the second start reads what the first has rewritten
		q := start(t, simulator.Config{Journal: copied, Now: c.Now})
		if in := q.create(t, 990, "k1"); in.ID != first.ID {
			t.Fatalf("round %d: the key is forgotten", round)
		}
		if _, err := q.confirm(first.ID, "pm_card_chargeDeclinedInsufficientFunds", "k2"); refusal(t, err).DeclineCode != stripe.DeclineCodeInsufficientFunds {
			t.Errorf("round %d: %v", round, err)
		}
		now := q.get(t, paid.ID)
		if now.Status != stripe.PaymentIntentStatusSucceeded || now.AmountReceived != 450 || now.LatestCharge.AmountRefunded != 50 || len(now.LatestCharge.Refunds.Data) != 1 {
			t.Errorf("round %d: %s received %d refunded %d", round, now.Status, now.AmountReceived, now.LatestCharge.AmountRefunded)
		}
		if in := q.get(t, waiting.ID); in.Status != stripe.PaymentIntentStatusProcessing {
			t.Errorf("round %d: %s", round, in.Status)
		}
		var ids []string
		for in, err := range q.V1PaymentIntents.List(context.Background(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, in.ID)
		}
		if len(ids) != 3 || ids[0] != waiting.ID || ids[2] != first.ID {
			t.Errorf("round %d: listed %v", round, ids)
		}
		q.stop()
	}
	c.advance(time.Hour)
	q := start(t, simulator.Config{Journal: copied, Now: c.Now})
	if in := q.get(t, waiting.ID); in.Status != stripe.PaymentIntentStatusRequiresCapture {
		t.Errorf("processing does not go on after a restart: %s", in.Status)
	}
}

func TestJournalThatIsDamagedIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	if err := os.WriteFile(path, []byte("{\"intents\":\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := simulator.New(simulator.Config{Journal: path}); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("got %v", err)
	}
}

// receiver is a webhook endpoint that checks signatures with stripe-go and can refuse.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	events []stripe.Event
	refuse int
}

const hookSecret = "whsec_test"

func receive(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		e, err := webhook.ConstructEvent(body, req.Header.Get("Stripe-Signature"), hookSecret)
		if err != nil {
			t.Errorf("webhook: %v", err)
		}
		if _, err := webhook.ConstructEvent(append(body, ' '), req.Header.Get("Stripe-Signature"), hookSecret); err == nil {
			t.Error("a changed body passes the signature")
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.refuse != 0 {
			r.refuse--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.events = append(r.events, e)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) count(kind stripe.EventType, intent string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, e := range r.events {
		var in stripe.PaymentIntent
		if e.Type == kind && json.Unmarshal(e.Data.Raw, &in) == nil && in.ID == intent {
			n++
		}
	}
	return n
}

func TestWebhooks(t *testing.T) {
	r := receive(t)
	p := start(t, simulator.Config{WebhookURL: r.URL, WebhookSecret: hookSecret})
	in := p.authorised(t, 300)
	if _, err := p.capture(in.ID, 300); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []stripe.EventType{
		stripe.EventTypePaymentIntentCreated, stripe.EventTypePaymentIntentAmountCapturableUpdated, stripe.EventTypePaymentIntentSucceeded,
	} {
		eventually(t, string(kind), func() bool { return r.count(kind, in.ID) == 1 })
	}
	declined := p.create(t, 300, "")
	if _, err := p.confirm(declined.ID, "pm_card_chargeDeclined", ""); err == nil {
		t.Fatal("not declined")
	}
	eventually(t, "payment_failed", func() bool { return r.count(stripe.EventTypePaymentIntentPaymentFailed, declined.ID) == 1 })

	p.control(t, "/webhooks", `{"duplicates":2,"delay":"20ms","jitter":"30ms"}`)
	canceled := p.create(t, 300, "")
	if _, err := p.cancel(canceled.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "three copies", func() bool { return r.count(stripe.EventTypePaymentIntentCanceled, canceled.ID) == 3 })

	p.control(t, "/webhooks", `{"lose":1}`)
	lost := p.create(t, 300, "")
	eventually(t, "nothing left to deliver", func() bool { return p.pendingEvents(t) == 0 })
	p.control(t, "/webhooks", `{}`)
	if _, err := p.cancel(lost.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a later event", func() bool { return r.count(stripe.EventTypePaymentIntentCanceled, lost.ID) == 1 })
	if r.count(stripe.EventTypePaymentIntentCreated, lost.ID) != 0 {
		t.Error("an event that was to be lost was delivered")
	}
}

// pendingEvents is how many events wait for delivery.
func (p *provider) pendingEvents(t *testing.T) int {
	t.Helper()
	resp, err := http.Get(p.url + "/_control/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var stats struct {
		PendingEvents int `json:"pending_events"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&stats); err != nil {
		t.Fatal(err)
	}
	return stats.PendingEvents
}

func TestWebhookIsRetriedAndOutlivesARestart(t *testing.T) {
	r := receive(t)
	r.refuse = -1 // for ever
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	cfg := simulator.Config{WebhookURL: r.URL, WebhookSecret: hookSecret, Journal: path}
	p := start(t, cfg)
	in := p.create(t, 300, "")
	p.stop()
	r.mu.Lock()
	r.refuse = 2
	r.mu.Unlock()
	start(t, cfg)
	eventually(t, "the event of the earlier life", func() bool { return r.count(stripe.EventTypePaymentIntentCreated, in.ID) == 1 })
}

func TestProcessingEndsByItself(t *testing.T) {
	r := receive(t)
	p := start(t, simulator.Config{WebhookURL: r.URL, WebhookSecret: hookSecret, ProcessingTime: 30 * time.Millisecond, Now: time.Now})
	in, err := p.confirm(p.create(t, 300, "").ID, "pm_card_processing", "")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the event, without a call", func() bool {
		return r.count(stripe.EventTypePaymentIntentAmountCapturableUpdated, in.ID) == 1
	})
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		kind     string
		effect   bool
		answered bool
	}{
		{"error", false, true},
		{"error_after", true, true},
		{"drop", false, false},
		{"drop_after", true, false},
		{"timeout", true, false},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			p := start(t, simulator.Config{})
			in := p.create(t, 300, "")
			p.control(t, "/faults", `{"kind":"`+c.kind+`","match":"/confirm"}`)
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			defer cancel()
			params := &stripe.PaymentIntentConfirmParams{PaymentMethod: stripe.String("pm_card_visa")}
			params.SetIdempotencyKey("k")
			_, err := p.V1PaymentIntents.Confirm(ctx, in.ID, params)
			if err == nil {
				t.Fatal("the call succeeded")
			}
			if c.answered && refusal(t, err).HTTPStatusCode != http.StatusInternalServerError {
				t.Errorf("got %v", err)
			}
			want := stripe.PaymentIntentStatusRequiresPaymentMethod
			if c.effect {
				want = stripe.PaymentIntentStatusRequiresCapture
			}
			if now := p.get(t, in.ID).Status; now != want {
				t.Fatalf("after the fault: %s, want %s", now, want)
			}
			if in, err := p.confirm(in.ID, "pm_card_visa", "k"); err != nil || in.Status != stripe.PaymentIntentStatusRequiresCapture {
				t.Errorf("retry under the same key: %v", err)
			}
		})
	}
}
