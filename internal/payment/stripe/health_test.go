package stripe_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"larder.dev/internal/payment"
	"larder.dev/internal/payment/stripe"
)

// The provider's health tells answers, failures, and the breaker that opens.
func TestHealth(t *testing.T) {
	var broken atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			http.Error(w, `{}`, http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":"pi_1","object":"payment_intent","status":"requires_capture","amount":5,"currency":"gbp"}`))
	}))
	t.Cleanup(server.Close)
	p := stripe.New(stripe.Config{APIKey: "sk_test", APIURL: server.URL, Deadline: 300 * time.Millisecond})
	if now := p.Health(); now.Breaker != payment.Closed || !now.LastAnswer.IsZero() || now.Median != 0 {
		t.Errorf("before any call: %+v", now)
	}
	if _, err := p.Get(t.Context(), "pi_1"); err != nil {
		t.Fatal(err)
	}
	if now := p.Health(); now.Calls != 1 || now.Failures != 0 || now.LastAnswer.IsZero() || now.Median <= 0 || now.P99 < now.Median {
		t.Errorf("after an answer: %+v", now)
	}
	broken.Store(true)
	end, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for p.Health().Breaker != payment.Opened {
		if _, err := p.Get(end, "pi_1"); err == nil || end.Err() != nil {
			t.Fatalf("the breaker stays %+v: %v", p.Health(), err)
		}
	}
	if now := p.Health(); now.LastFailure.IsZero() || now.Retry <= 0 || now.Failures < 10 {
		t.Errorf("open: %+v", now)
	}
}
