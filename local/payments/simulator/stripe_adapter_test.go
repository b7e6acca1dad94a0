package simulator_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"larder.dev/internal/money"
	"larder.dev/internal/payment"
	"larder.dev/internal/payment/stripe"
	"larder.dev/local/payments/simulator"
)

// The conformance of internal/payment/stripe to payment.Provider, against the simulator. It lives here because nothing else
// may import local/.

func adapter(p *provider) *stripe.Provider {
	return stripe.New(stripe.Config{
		APIKey: simulator.DefaultKey, APIURL: p.url, CallTimeout: 300 * time.Millisecond, Deadline: 4 * time.Second,
	})
}

func gbp(minor int64) money.Money { return money.Of(minor, "GBP") }

func created(t *testing.T, a payment.Provider, order string, minor int64) payment.Intent {
	t.Helper()
	in, err := a.Create(context.Background(), payment.CreateRequest{Order: order, Key: order, Amount: gbp(minor)})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func confirmed(t *testing.T, a payment.Provider, id, method, key string) payment.Intent {
	t.Helper()
	in, err := a.Confirm(context.Background(), id, method, "https://shop.example/back", key)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestAdapterPaysAndRefunds(t *testing.T) {
	ctx, p := context.Background(), start(t, simulator.Config{})
	a := adapter(p)
	in := created(t, a, "order-1", 1000)
	if in.Status != payment.IntentRequiresConfirmation || in.Order != "order-1" || in.Amount != gbp(1000) || in.Created.IsZero() {
		t.Fatalf("created %+v", in)
	}
	if again := created(t, a, "order-1", 1000); again.ID != in.ID {
		t.Error("the same key made a second intent")
	}
	if in = confirmed(t, a, in.ID, "pm_card_visa", "c1"); in.Status != payment.IntentAuthorized || in.Captured != gbp(0) {
		t.Fatalf("confirmed %+v", in)
	}
	if _, err := a.Capture(ctx, in.ID, gbp(1001), "too-much"); !errors.Is(err, payment.ErrNotCapturable) {
		t.Errorf("capture above the authorisation: %v", err)
	}
	in, err := a.Capture(ctx, in.ID, gbp(900), "cap")
	if err != nil || in.Status != payment.IntentCaptured || in.Captured != gbp(900) {
		t.Fatalf("captured %+v %v", in, err)
	}
	if in, err = a.Capture(ctx, in.ID, gbp(900), "cap after a day"); err != nil || in.Captured != gbp(900) {
		t.Errorf("the same capture again: %v", err)
	}
	if _, err = a.Capture(ctx, in.ID, gbp(800), "cap other"); !errors.Is(err, payment.ErrNotCapturable) {
		t.Errorf("another capture: %v", err)
	}
	if _, err = a.Cancel(ctx, in.ID); !errors.Is(err, payment.ErrCaptured) {
		t.Errorf("cancel of a captured one: %v", err)
	}
	for _, key := range []string{"r1", "r1", "r2"} {
		if err := a.Refund(ctx, in.ID, gbp(300), key); err != nil {
			t.Fatal(err)
		}
	}
	p.clock.advance(25 * time.Hour) // Stripe has forgotten the keys, the refunds are still known by theirs
	if err := a.Refund(ctx, in.ID, gbp(300), "r2"); err != nil {
		t.Fatal(err)
	}
	if in, err = a.Get(ctx, in.ID); err != nil || in.Refunded != gbp(600) || in.Captured != gbp(900) {
		t.Fatalf("refunded %v of %v, %v", in.Refunded, in.Captured, err)
	}
	if err := a.Refund(ctx, in.ID, gbp(301), "r3"); err == nil || errors.Is(err, payment.ErrUnknownOutcome) {
		t.Errorf("refund above what is left: %v", err)
	}
}

func TestAdapterDeclines(t *testing.T) {
	p := start(t, simulator.Config{})
	a := adapter(p)
	for i, c := range []struct{ method, class, code string }{
		{"pm_card_chargeDeclined", "GENERIC", "generic_decline"},
		{"pm_card_chargeDeclinedInsufficientFunds", "INSUFFICIENT_FUNDS", "insufficient_funds"},
		{"pm_card_chargeDeclinedExpiredCard", "EXPIRED_CARD", "expired_card"},
		{"pm_card_chargeDeclinedIncorrectCvc", "INCORRECT_DETAILS", "incorrect_cvc"},
		{"pm_card_chargeDeclinedFraudulent", "FRAUD_SUSPECTED", "fraudulent"},
		{"pm_card_chargeDeclinedLostCard", "GENERIC", "lost_card"},
	} {
		t.Run(c.method, func(t *testing.T) {
			in := created(t, a, fmt.Sprint("order-", i), 500)
			for _, how := range []string{"fresh", "replayed", "read"} {
				var got payment.Intent
				if how == "read" {
					var err error
					if got, err = a.Get(context.Background(), in.ID); err != nil {
						t.Fatal(err)
					}
				} else {
					got = confirmed(t, a, in.ID, c.method, fmt.Sprint("confirm-", i))
				}
				if got.Status != payment.IntentFailed || got.Decline == nil || got.Decline.Class != c.class || got.Decline.Code != c.code {
					t.Errorf("%s: %s %+v", how, got.Status, got.Decline)
				}
			}
			if got := confirmed(t, a, in.ID, "pm_card_visa", fmt.Sprint("second-", i)); got.Status != payment.IntentAuthorized || got.Decline != nil {
				t.Errorf("confirmed again: %+v", got)
			}
			// The first confirmation, sent again, must not tell old news.
			if got := confirmed(t, a, in.ID, c.method, fmt.Sprint("confirm-", i)); got.Status != payment.IntentAuthorized {
				t.Errorf("late duplicate of the declined confirmation: %s", got.Status)
			}
		})
	}
}

// A method that the provider doesn't have is the shopper's fault, and leaves the intent as it was.
func TestAdapterUnknownMethod(t *testing.T) {
	p := start(t, simulator.Config{})
	a := adapter(p)
	in := created(t, a, "order", 500)
	for _, how := range []string{"fresh", "replayed"} {
		if got := confirmed(t, a, in.ID, "pm_none", "confirm"); got.Status != payment.IntentFailed || got.Decline == nil || got.Decline.Class != "INCORRECT_DETAILS" {
			t.Errorf("%s: %s %+v", how, got.Status, got.Decline)
		}
	}
	if got := confirmed(t, a, in.ID, "pm_card_visa", "second"); got.Status != payment.IntentAuthorized {
		t.Errorf("confirmed again: %+v", got)
	}
	if got := confirmed(t, a, in.ID, "pm_none", "confirm"); got.Status != payment.IntentAuthorized {
		t.Errorf("late duplicate of the refused confirmation: %s", got.Status)
	}
}

func TestAdapterAction(t *testing.T) {
	p := start(t, simulator.Config{})
	a := adapter(p)
	for _, c := range []struct {
		outcome string
		status  payment.IntentStatus
		class   string
	}{{"/complete", payment.IntentAuthorized, ""}, {"/fail", payment.IntentFailed, "AUTHENTICATION_FAILED"}} {
		in := created(t, a, "order"+c.outcome, 500)
		in = confirmed(t, a, in.ID, "pm_card_threeDSecure2Required", "c"+c.outcome)
		if in.Status != payment.IntentRequiresAction || in.ActionURL == "" {
			t.Fatalf("confirmed %+v", in)
		}
		noRedirect := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := noRedirect.Post(in.ActionURL+c.outcome, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		// The retried confirmation sees what has become of it, not what Stripe answered at first.
		got := confirmed(t, a, in.ID, "pm_card_threeDSecure2Required", "c"+c.outcome)
		if got.Status != c.status || c.class != "" && got.Decline.Class != c.class {
			t.Errorf("after %s: %+v %+v", c.outcome, got, got.Decline)
		}
	}
}

func TestAdapterCancels(t *testing.T) {
	ctx, p := context.Background(), start(t, simulator.Config{ProcessingTime: time.Minute})
	a := adapter(p)
	in := created(t, a, "order-1", 500)
	confirmed(t, a, in.ID, "pm_card_visa", "c1")
	for range 2 {
		got, err := a.Cancel(ctx, in.ID)
		if err != nil || got.Status != payment.IntentCancelled || got.Refunded != gbp(0) {
			t.Fatalf("%+v %v", got, err)
		}
	}
	if _, err := a.Confirm(ctx, in.ID, "pm_card_visa", "", "c2"); !errors.Is(err, payment.ErrNotConfirmable) {
		t.Errorf("confirm of a cancelled one: %v", err)
	}
	if _, err := a.Confirm(ctx, in.ID, "pm_card_visa", "https://shop.example/back", "c1"); !errors.Is(err, payment.ErrNotConfirmable) {
		t.Errorf("late duplicate of the confirmation: %v", err)
	}
	if _, err := a.Confirm(ctx, in.ID, "pm_card_amex", "", "c1"); err == nil || errors.Is(err, payment.ErrUnknownOutcome) {
		t.Errorf("a known key with other parameters: %v", err)
	}
	if _, err := a.Capture(ctx, in.ID, gbp(500), "cap"); !errors.Is(err, payment.ErrNotCapturable) {
		t.Errorf("capture of a cancelled one: %v", err)
	}
	slow := created(t, a, "order-2", 500)
	if got := confirmed(t, a, slow.ID, "pm_card_processing", "c3"); got.Status != payment.IntentProcessing {
		t.Fatalf("got %s", got.Status)
	}
	if _, err := a.Cancel(ctx, slow.ID); !errors.Is(err, payment.ErrProcessing) {
		t.Errorf("cancel while processing: %v", err)
	}
	p.clock.advance(time.Minute)
	if got, err := a.Cancel(ctx, slow.ID); err != nil || got.Status != payment.IntentCancelled {
		t.Errorf("cancel after processing: %v %v", got.Status, err)
	}
	if _, err := a.Get(ctx, "pi_none"); !errors.Is(err, payment.ErrNotFound) {
		t.Errorf("unknown intent: %v", err)
	}
}

func TestAdapterLists(t *testing.T) {
	ctx, p := context.Background(), start(t, simulator.Config{})
	a := adapter(p)
	var since time.Time
	for i := range 10 {
		in := created(t, a, fmt.Sprint("order-", i), 500)
		if i == 4 {
			since = in.Created
		}
		p.clock.advance(time.Second)
	}
	var orders []string
	for page, more := "", true; more; more = page != "" {
		intents, next, err := a.List(ctx, since, page, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range intents {
			orders = append(orders, in.Order)
		}
		page = next
	}
	if fmt.Sprint(orders) != "[order-9 order-8 order-7 order-6 order-5 order-4]" {
		t.Errorf("listed %v", orders)
	}
}

// What is retried under the same key has one effect; what stays unknown says so.
func TestAdapterUnderFaults(t *testing.T) {
	for _, c := range []struct {
		name, fault string
		want        error // nil: the retries get through
	}{
		{"errors before the effect", `{"kind":"error","count":2}`, nil},
		{"errors after the effect", `{"kind":"error_after","count":2}`, nil},
		{"cut before the effect", `{"kind":"drop","count":2}`, nil},
		{"cut after the effect", `{"kind":"drop_after","count":2}`, nil},
		{"time-outs after the effect", `{"kind":"timeout","count":2}`, nil},
		{"errors for ever", `{"kind":"error","count":1000}`, payment.ErrUnknownOutcome},
		{"time-outs for ever", `{"kind":"timeout","count":1000}`, payment.ErrUnknownOutcome},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, simulator.Config{})
			a := adapter(p)
			in := created(t, a, "order-1", 500)
			p.control(t, "/faults", c.fault)
			got, err := a.Confirm(context.Background(), in.ID, "pm_card_visa", "", "c1")
			if c.want != nil {
				if !errors.Is(err, c.want) {
					t.Fatalf("got %v, want %v", err, c.want)
				}
				return
			}
			if err != nil || got.Status != payment.IntentAuthorized {
				t.Fatalf("got %s %v", got.Status, err)
			}
			if _, _, err := a.List(context.Background(), time.Unix(0, 0), "", 10); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAdapterWithoutProvider(t *testing.T) {
	p := start(t, simulator.Config{})
	a := adapter(p)
	in := created(t, a, "order-1", 500)
	p.stop()
	if _, err := a.Get(context.Background(), in.ID); !errors.Is(err, payment.ErrUnavailable) {
		t.Errorf("nobody listens: %v", err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := a.Get(gone, in.ID); !errors.Is(err, payment.ErrUnknownOutcome) && !errors.Is(err, payment.ErrUnavailable) {
		t.Errorf("caller gone: %v", err)
	}
}

// After enough failures the breaker refuses without calling, so that a provider in trouble is left alone.
func TestAdapterBreaker(t *testing.T) {
	t.Parallel()
	p := start(t, simulator.Config{})
	a := adapter(p)
	in := created(t, a, "order-1", 500)
	p.control(t, "/faults", `{"kind":"error","count":100000}`)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	for range 20 {
		if _, err := a.Get(ctx, in.ID); errors.Is(err, payment.ErrUnavailable) {
			return
		}
	}
	t.Error("20 failed calls of 5 attempts each, and the breaker is closed")
}
