package payment_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/payment"
	paymentspanner "larder.dev/internal/payment/spanner"
	"larder.dev/internal/payment/stripe"
	"larder.dev/internal/pricing"
	"larder.dev/internal/spannerdb/spannertest"
	"larder.dev/local/payments/simulator"
)

const (
	visa   = "pm_card_visa"
	user   = "7d0f9e5a-1d0f-4a83-9d5f-0b8f3b6f2a11"
	secret = "whsec_test"
	whole  = 749 // what an order of bought costs with the fee, pence
)

var (
	errBroken = errors.New("broken on purpose")
	bought    = []pricing.Line{
		{ProductID: "apples", Name: "Apples", Quantity: 2, UnitPrice: gbp(100)},
		{ProductID: "pears", Name: "Pears", Quantity: 1, UnitPrice: gbp(150)},
	}
)

func gbp(minor int64) money.Money { return money.Of(minor, "GBP") }

// till is the room payment on a real Spanner, in front of the payment simulator.
type till struct {
	*payment.Service
	t        *testing.T
	url      string // the simulator's
	provider *provider
	store    *paymentspanner.Store
	database *spanner.Client
	now      time.Time
}

// provider is the real adapter; before and after are hooks for faults, by method.
type provider struct {
	payment.Provider
	mu            sync.Mutex
	before, after func(method string) error
}

func (p *provider) breaks(before, after func(string) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before, p.after = before, after
}

func (p *provider) hook(after bool, method string) error {
	p.mu.Lock()
	hook := p.before
	if after {
		hook = p.after
	}
	p.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(method)
}

func (p *provider) Capture(ctx context.Context, id string, amount money.Money, key string) (payment.Intent, error) {
	if err := p.hook(false, "capture"); err != nil {
		return payment.Intent{}, err
	}
	intent, err := p.Provider.Capture(ctx, id, amount, key)
	return intent, errors.Join(err, p.hook(true, "capture"))
}

func (p *provider) Refund(ctx context.Context, id string, amount money.Money, key string) error {
	if err := p.hook(false, "refund"); err != nil {
		return err
	}
	return errors.Join(p.Provider.Refund(ctx, id, amount, key), p.hook(true, "refund"))
}

func (p *provider) List(ctx context.Context, since time.Time, page string, limit int) ([]payment.Intent, string, error) {
	intents, next, err := p.Provider.List(ctx, since, page, limit)
	return intents, next, errors.Join(err, p.hook(true, "list"))
}

// fails is a hook that breaks one method.
func fails(at string) func(string) error {
	return func(method string) error {
		if method == at {
			return errBroken
		}
		return nil
	}
}

// open starts a till; webhooks go to hooks, unless it is nil.
func open(t *testing.T, hooks http.Handler) *till {
	t.Helper()
	config := simulator.Config{
		Key: "sk_test", ProcessingTime: time.Hour, AuthorisationLifetime: 24 * time.Hour, MaxIntents: 1000,
		WebhookSecret: secret, Log: slog.New(slog.DiscardHandler),
	}
	if hooks != nil {
		receiver := httptest.NewServer(hooks)
		t.Cleanup(receiver.Close)
		config.WebhookURL = receiver.URL
	}
	simulated, err := simulator.New(config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(simulated.Handler())
	t.Cleanup(func() { server.Close(); _ = simulated.Close() })
	database := spannertest.Open(t)
	b := &till{
		t: t, url: server.URL, database: database, now: time.Now(),
		provider: &provider{Provider: stripe.New(stripe.Config{APIKey: "sk_test", APIURL: server.URL})},
		store:    paymentspanner.NewStore(database, orderspanner.OpenAmong),
	}
	b.Service = payment.NewService(b.provider, b.store, func() time.Time { return b.now })
	return b
}

func (b *till) apply(mutations ...*spanner.Mutation) {
	b.t.Helper()
	if _, err := b.database.Apply(b.t.Context(), mutations); err != nil {
		b.t.Fatal(err)
	}
}

// initiate makes an intent and its row, as a checkout does before it confirms.
func (b *till) initiate() (id, intent string) {
	b.t.Helper()
	id = uuid.NewString()
	made, err := b.Create(b.t.Context(), id, gbp(whole))
	if err != nil {
		b.t.Fatal(err)
	}
	request, err := json.Marshal(struct {
		payment.Frozen
		Address map[string]string `json:"address"`
	}{payment.Frozen{UserID: user, Lines: bought}, map[string]string{"recipient": "Ada", "country": "GB"}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.apply(paymentspanner.InsertInitiated(payment.Record{
		OrderID: id, IntentID: made.ID, Amount: gbp(whole), Fingerprint: make([]byte, 32), Request: request,
	}, b.now)...)
	return id, made.ID
}

func (b *till) confirm(id, intent, method string) payment.Intent {
	b.t.Helper()
	confirmed, err := b.Confirm(b.t.Context(), intent, id, method, "https://shop.example/")
	if err != nil {
		b.t.Fatal(err)
	}
	return confirmed
}

// commit makes the order of a payment, as a checkout does at its end, and packs it, since only then it is captured.
func (b *till) commit(id string) {
	b.t.Helper()
	b.apply(orderspanner.InsertConfirmed(orderspanner.NewOrder{
		OrderID: id, UserID: user, StoreID: "soho", Epoch: b.now, HoldToken: 1, Fingerprint: make([]byte, 32), Lines: bought,
		Totals: pricing.Totals{Total: gbp(whole)}, Address: json.RawMessage(`{}`),
	})...)
	b.pay(id, payment.Initiated, payment.Authorized)
	b.apply(spanner.UpdateMap("Orders", map[string]any{"OrderId": id, "State": string(order.Packed), "UpdateTime": spanner.CommitTimestamp}))
}

// sell makes an order that is authorised.
func (b *till) sell() (id, intent string) {
	b.t.Helper()
	id, intent = b.initiate()
	b.confirm(id, intent, visa)
	b.commit(id)
	return id, intent
}

// take makes an order whose money was taken.
func (b *till) take() (id, intent string) {
	b.t.Helper()
	id, intent = b.sell()
	if state, err := b.Capture(b.t.Context(), id, payment.Step{By: payment.System}); err != nil || state != payment.Captured {
		b.t.Fatalf("%s, %v", state, err)
	}
	return id, intent
}

// pay takes a step of the table, as whoever may take it.
func (b *till) pay(id string, from, to payment.State) {
	b.t.Helper()
	step := payment.Step{To: to, Reason: "test"}
	for _, way := range payment.Transitions() {
		if way.From == from && way.To == to {
			step.By = way.By[0]
		}
	}
	mutations, err := paymentspanner.UpdateState(id, from, step, b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	b.apply(mutations...)
}

// cancel calls an order off, as the first half of rule 8 does.
func (b *till) cancel(id string, from payment.State) {
	b.t.Helper()
	b.apply(spanner.UpdateMap("Orders", map[string]any{"OrderId": id, "State": string(order.Cancelled), "UpdateTime": spanner.CommitTimestamp}))
	b.pay(id, from, payment.Voiding)
}

// want compares a Payments row: its state, and what was captured and refunded.
func (b *till) want(id string, state payment.State, captured, refunded int64) {
	b.t.Helper()
	row, err := b.store.Read(b.t.Context(), id)
	if err != nil || row.State != state || row.Captured != gbp(captured) || row.Refunded != gbp(refunded) {
		b.t.Fatalf("payment %s, %s captured, %s refunded, %v; want %s, %d, %d", row.State, row.Captured, row.Refunded, err, state, captured, refunded)
	}
}

// wantRefunds compares the refunds in the provider's list, newest first.
func (b *till) wantRefunds(intent string, want ...int64) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+"/v1/refunds?limit=100&payment_intent="+intent, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	request.SetBasicAuth("sk_test", "")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	var list struct{ Data []struct{ Amount int64 } }
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		b.t.Fatal(err)
	}
	var got []int64
	for _, refund := range list.Data {
		got = append(got, refund.Amount)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Fatalf("the provider's refunds are %d, want %d", got, want)
	}
}

// wantStatus compares an intent as the provider has it.
func (b *till) wantStatus(intent string, want payment.IntentStatus) {
	b.t.Helper()
	if got, err := b.Get(b.t.Context(), intent); err != nil || got.Status != want {
		b.t.Fatalf("the intent is %s, %v; want %s", got.Status, err, want)
	}
}

// control asks the simulator for what Stripe has no call for.
func (b *till) control(path, body string) {
	b.t.Helper()
	response, err := http.Post(b.url+"/_control"+path, "application/json", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %s", path, response.Status)
	}
}

// byHand refunds at the provider, past our books.
func (b *till) byHand(intent string, amount int64) {
	b.t.Helper()
	if err := b.provider.Provider.Refund(b.t.Context(), intent, gbp(amount), uuid.NewString()); err != nil {
		b.t.Fatal(err)
	}
}

// told returns the events OrderRefunded of an order, by event id.
func (b *till) told(id string) map[string]*orderpb.OrderRefunded {
	b.t.Helper()
	found := map[string]*orderpb.OrderRefunded{}
	err := b.database.Single().Read(b.t.Context(), "Outbox", spanner.AllKeys(), []string{"EventId", "Topic", "Type", "Subject", "Data"}).
		Do(func(row *spanner.Row) error {
			var e event.Event
			var topic string
			if err := row.Columns(&e.ID, &topic, &e.Type, &e.Subject, &e.Data); err != nil {
				return err
			}
			if e.Subject != "orders/"+id {
				return nil
			}
			message := &orderpb.OrderRefunded{}
			if topic != event.OrderEvents || len(e.ID) > 64 {
				b.t.Errorf("event %q is for %s", e.ID, topic)
			}
			found[e.ID] = message
			return e.Decode(message)
		})
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

func wantReason(t *testing.T, err error, want fault.Reason) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Fatalf("%v, want %s", err, want.Name)
	}
}
