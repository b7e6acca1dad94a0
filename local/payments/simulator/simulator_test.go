package simulator_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v83"

	"larder.dev/local/payments/simulator"
)

// clock is a clock that tests move by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// provider is a simulator behind an HTTP server, with stripe-go in front, retries off.
type provider struct {
	*stripe.Client
	url   string
	clock *clock
	stop  func()
}

func start(t *testing.T, cfg simulator.Config) *provider {
	t.Helper()
	c := newClock()
	if cfg.Now == nil {
		cfg.Now = c.Now
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	s, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	stop := sync.OnceFunc(func() {
		server.CloseClientConnections()
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return &provider{Client: client(server.URL, simulator.DefaultKey), url: server.URL, clock: c, stop: stop}
}

func client(url, key string) *stripe.Client {
	return stripe.NewClient(key, stripe.WithBackends(stripe.NewBackendsWithConfig(&stripe.BackendConfig{
		URL: stripe.String(url), MaxNetworkRetries: stripe.Int64(0), EnableTelemetry: stripe.Bool(false),
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})))
}

func (p *provider) create(t *testing.T, amount int64, key string) *stripe.PaymentIntent {
	t.Helper()
	in, err := p.tryCreate(amount, key)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (p *provider) tryCreate(amount int64, key string) (*stripe.PaymentIntent, error) {
	params := &stripe.PaymentIntentCreateParams{
		Amount: stripe.Int64(amount), Currency: stripe.String("gbp"), CaptureMethod: stripe.String("manual"),
		Metadata: map[string]string{"order": "o-1"},
	}
	if key != "" {
		params.SetIdempotencyKey(key)
	}
	return p.V1PaymentIntents.Create(context.Background(), params)
}

func (p *provider) confirm(id, method, key string) (*stripe.PaymentIntent, error) {
	params := &stripe.PaymentIntentConfirmParams{PaymentMethod: stripe.String(method)}
	if key != "" {
		params.SetIdempotencyKey(key)
	}
	return p.V1PaymentIntents.Confirm(context.Background(), id, params)
}

func (p *provider) capture(id string, amount int64) (*stripe.PaymentIntent, error) {
	return p.V1PaymentIntents.Capture(context.Background(), id, &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(amount)})
}

func (p *provider) cancel(id string) (*stripe.PaymentIntent, error) {
	return p.V1PaymentIntents.Cancel(context.Background(), id, nil)
}

func (p *provider) get(t *testing.T, id string) *stripe.PaymentIntent {
	t.Helper()
	params := &stripe.PaymentIntentRetrieveParams{}
	params.AddExpand("latest_charge.refunds")
	in, err := p.V1PaymentIntents.Retrieve(context.Background(), id, params)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (p *provider) refund(id string, amount int64) (*stripe.Refund, error) {
	return p.V1Refunds.Create(context.Background(), &stripe.RefundCreateParams{PaymentIntent: stripe.String(id), Amount: stripe.Int64(amount)})
}

// authorised makes an intent that can be captured.
func (p *provider) authorised(t *testing.T, amount int64) *stripe.PaymentIntent {
	t.Helper()
	in, err := p.confirm(p.create(t, amount, "").ID, "pm_card_visa", "")
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (p *provider) control(t *testing.T, path, body string) {
	t.Helper()
	resp, err := http.Post(p.url+"/_control"+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("control %s %s: %d %s", path, body, resp.StatusCode, text)
	}
}

func refusal(t *testing.T, err error) *stripe.Error {
	t.Helper()
	var e *stripe.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a refusal of the API", err)
	}
	return e
}

// eventually polls until ok, for at most five seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 5 s: %s", what)
		}
	}
}
