package checkout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"

	"larder.dev/internal/checkout"
	"larder.dev/internal/checkout/checkouttest"
	checkoutredis "larder.dev/internal/checkout/redis"
	checkoutspanner "larder.dev/internal/checkout/spanner"
	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/payment"
	paymentspanner "larder.dev/internal/payment/spanner"
	"larder.dev/internal/payment/stripe"
	"larder.dev/internal/pricing"
	"larder.dev/internal/spannerdb/spannertest"
	"larder.dev/internal/stock"
	stockredis "larder.dev/internal/stock/redis"
	stockspanner "larder.dev/internal/stock/spanner"
	"larder.dev/local/payments/simulator"
)

// shop is a store with real Redis and Spanner, the payment simulator behind the real adapter, and a cart in memory. Below TestStandIn it has
// stand-ins in the place of Spanner and of the provider.
type shop struct {
	*checkout.Service
	t        *testing.T
	store    string
	user     string
	cart     *cart
	stock    *stock.Service
	virtual  *stockredis.Virtual
	payments *payments
	stocks   *stocks
	backend
	// offers are what the store sells in the place of something else.
	offers offers
	now    time.Time
}

// backend is what a shop's data and money are kept in.
type backend struct {
	books interface {
		checkout.Books
		checkout.Orders
	}
	ledger   stock.Ledger
	orders   order.Store
	paid     payment.Store
	provider payment.Provider
	// database is Spanner's, nil for a stand-in; memory is the stand-in's, nil for Spanner.
	database *spanner.Client
	memory   *checkouttest.Database
}

// realBackend is the Spanner emulator, and the payment simulator behind Stripe's adapter.
func realBackend(t *testing.T) backend {
	t.Helper()
	simulated, err := simulator.New(simulator.Config{Key: "sk_test", ProcessingTime: time.Hour, AuthorisationLifetime: time.Hour, MaxIntents: 1000})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(simulated.Handler())
	t.Cleanup(func() { server.Close(); _ = simulated.Close() })
	database := spannertest.Open(t)
	return backend{
		books: checkoutspanner.NewBooks(database, time.Now), ledger: stockspanner.NewLedger(database), orders: orderspanner.New(database),
		paid: paymentspanner.NewStore(database, orderspanner.OpenAmong), database: database,
		provider: stripe.New(stripe.Config{APIKey: "sk_test", APIURL: server.URL}),
	}
}

// standIn is a backend in memory.
func standIn() backend {
	memory := checkouttest.NewDatabase()
	return backend{
		books: memory.Books(time.Now), ledger: memory.Ledger(), orders: memory.Orders(), paid: memory.Payments(), memory: memory,
		provider: checkouttest.NewProvider(),
	}
}

// cart implements checkout.Carts.
type cart struct {
	quote   checkout.Quote
	err     error
	cleared int
}

func (c *cart) Quote(context.Context, string) (checkout.Quote, error) { return c.quote, c.err }
func (c *cart) Clear(context.Context, string, string) error           { c.cleared++; return nil }

// offers implements checkout.Catalogue.
type offers map[string]order.Offer

func (o offers) Offers(context.Context, string, []string) (map[string]order.Offer, error) {
	return o, nil
}

// payments implements checkout.Payments by the payment room, without a network between; before and after are hooks for faults.
type payments struct {
	*payment.Service
	before, after func(method string) error
}

func (p *payments) around(method string, call func() (payment.Intent, error)) (payment.Intent, error) {
	if p.before != nil {
		if err := p.before(method); err != nil {
			return payment.Intent{}, err
		}
	}
	intent, err := call()
	if err == nil && p.after != nil {
		err = p.after(method)
	}
	return intent, err
}

func (p *payments) Create(ctx context.Context, id string, amount money.Money) (payment.Intent, error) {
	return p.around("create", func() (payment.Intent, error) { return p.Service.Create(ctx, id, amount) })
}

func (p *payments) Confirm(ctx context.Context, intent, id, method string) (payment.Intent, error) {
	return p.around("confirm", func() (payment.Intent, error) {
		return p.Service.Confirm(ctx, intent, id, method, "https://shop.example/")
	})
}

func (p *payments) Get(ctx context.Context, intent string) (payment.Intent, error) {
	return p.around("get", func() (payment.Intent, error) { return p.Service.Get(ctx, intent) })
}

func (p *payments) Void(ctx context.Context, id string) error {
	_, err := p.around("void", func() (payment.Intent, error) {
		_, err := p.Service.Void(ctx, id)
		return payment.Intent{}, err
	})
	return err
}

func (p *payments) CaptureAgain(ctx context.Context, id string) error {
	_, err := p.around("capture", func() (payment.Intent, error) {
		_, err := p.Capture(ctx, id, payment.Step{By: payment.System})
		return payment.Intent{}, err
	})
	return err
}

// stocks implements checkout.Stock by the stock room; before is a hook for faults.
type stocks struct {
	*stock.Service
	before func(method string) error
}

func (s *stocks) Reserve(ctx context.Context, store, order string, lines []stock.Line, deadline time.Time, minimum stock.Epoch) (stock.Hold, error) {
	if s.before != nil {
		if err := s.before("reserve"); err != nil {
			return stock.Hold{}, err
		}
	}
	return s.Service.Reserve(ctx, store, order, lines, deadline, minimum)
}

func (s *stocks) Settle(ctx context.Context, store, order string, sold stock.Hold) error {
	if s.before != nil {
		if err := s.before("settle"); err != nil {
			return err
		}
	}
	return s.Service.Settle(ctx, store, order, sold)
}

func open(t *testing.T) *shop {
	t.Helper()
	address := os.Getenv("STOCK_REDIS_ADDR")
	if address == "" {
		t.Fatal("STOCK_REDIS_ADDR is not set: run the tests by `make test`, which starts Redis")
	}
	virtual, err := stockredis.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = virtual.Close() })
	s := &shop{
		t: t, store: "t-" + uuid.NewString()[:8], user: uuid.NewString(), cart: &cart{}, virtual: virtual, now: time.Now(), offers: offers{},
	}
	if strings.HasPrefix(t.Name(), "TestStandIn/") {
		s.backend = standIn()
	} else {
		s.backend = realBackend(t)
	}
	s.stock = stock.NewService(virtual, s.ledger)
	s.payments = &payments{Service: payment.NewService(s.provider, s.paid, func() time.Time { return s.now })}
	s.stocks = &stocks{Service: s.stock}
	s.Service = s.another(s.books, checkoutredis.NewLocks(virtual.Client()))
	t.Cleanup(s.flush)

	s.restock("apples", 10)
	s.restock("pears", 5)
	s.fill(pricing.Line{ProductID: "apples", Quantity: 2}, pricing.Line{ProductID: "pears", Quantity: 1})
	return s
}

// another is one more process of the service.
func (s *shop) another(books checkout.Books, locks checkout.Locks) *checkout.Service {
	config := checkout.Config{HoldFor: 10 * time.Minute, VoidRetry: 15 * time.Second, VoidRetryMax: 10 * time.Minute, CaptureGrace: 24 * time.Hour}
	return checkout.NewService(config, books, s.stocks, s.payments, s.cart, locks, s.offers, func() time.Time { return s.now })
}

func (s *shop) flush() {
	key := "stock:{" + s.store + "}"
	if err := s.virtual.Client().Del(context.Background(), key, key+":deadlines", key+":flips").Err(); err != nil {
		s.t.Error(err)
	}
}

func (s *shop) restock(product string, quantity int64) {
	s.t.Helper()
	err := s.stock.Adjust(s.t.Context(), stock.Adjustment{
		ID: uuid.NewString(), StoreID: s.store, Lines: []stock.Line{{ProductID: product, Quantity: quantity}},
		Actor: "test", Reason: "test", Fingerprint: make([]byte, 32),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// fill prices every unit at 100 pence.
func (s *shop) fill(lines ...pricing.Line) {
	s.t.Helper()
	for i := range lines {
		lines[i].Name, lines[i].UnitPrice = lines[i].ProductID, money.Of(100, "GBP")
	}
	totals, err := pricing.Total("GBP", lines, pricing.Delivery{Fee: money.Of(399, "GBP")})
	if err != nil {
		s.t.Fatal(err)
	}
	s.cart.quote = checkout.Quote{CartID: s.user, CartETag: "7", StoreID: s.store, Lines: lines, Totals: totals}
}

func (s *shop) request(key, card string) checkout.Request {
	address, err := json.Marshal(map[string]any{"recipient": "Ada", "line1": "1 High St", "city": "London", "postcode": "N1 1AA", "country": "GB"})
	if err != nil {
		s.t.Fatal(err)
	}
	fingerprint := make([]byte, 32)
	copy(fingerprint, card)
	return checkout.Request{
		ID: checkout.ID(s.user, key), Fingerprint: fingerprint, UserID: s.user, CartID: s.user, StoreID: s.store,
		Address: address, PaymentMethod: card, ExpectedTotal: s.cart.quote.Totals.Total,
	}
}

// wantStock compares what may be promised, and the ledger.
func (s *shop) wantStock(promised, ledger map[string]int64) {
	s.t.Helper()
	for product, want := range promised {
		got, err := s.stock.Available(s.t.Context(), s.store, []string{product})
		if err != nil || got[product] != want {
			s.t.Errorf("%s: %d may be promised, want %d (%v)", product, got[product], want, err)
		}
	}
	epoch, err := s.ledger.Bump(s.t.Context(), s.store+"-audit", "test") // a moment to read at
	if err != nil {
		s.t.Fatal(err)
	}
	sums, err := s.ledger.SumAt(s.t.Context(), s.store, epoch)
	if err != nil {
		s.t.Fatal(err)
	}
	for product, want := range ledger {
		if sums[product] != want {
			s.t.Errorf("%s: the ledger has %d, want %d", product, sums[product], want)
		}
	}
}

// wantIntents compares the provider's own list, by status.
func (s *shop) wantIntents(want map[payment.IntentStatus]int) {
	s.t.Helper()
	intents, _, err := s.provider.List(s.t.Context(), time.Unix(0, 0), "", 100)
	if err != nil {
		s.t.Fatal(err)
	}
	got := map[payment.IntentStatus]int{}
	for _, intent := range intents {
		got[intent.Status]++
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("the provider's intents: %v, want %v", got, want)
	}
}

// wantStates compares Spanner's rows.
func (s *shop) wantStates(id, order string, state payment.State) {
	s.t.Helper()
	standing, err := s.books.Look(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	gotOrder, gotPayment := "", payment.State("")
	if standing.Order != nil {
		gotOrder = string(standing.Order.State)
	}
	if standing.Payment != nil {
		gotPayment = standing.Payment.State
	}
	if gotOrder != order || gotPayment != state {
		s.t.Errorf("order %q, payment %q; want %q, %q", gotOrder, gotPayment, order, state)
	}
}

func (s *shop) want(o checkout.Outcome, err error, want checkout.Progress) {
	s.t.Helper()
	if err != nil || o.State != want {
		s.t.Fatalf("%v, %v; want state %v", o, err, want)
	}
}

func (s *shop) wantRefused(err error, reason fault.Reason) {
	s.t.Helper()
	if !fault.Is(err, reason) {
		s.t.Fatalf("%v, want %s", err, reason.Name)
	}
}

var (
	full      = map[string]int64{"apples": 10, "pears": 5}
	oneSold   = map[string]int64{"apples": 8, "pears": 4}
	errBroken = errors.New("broken on purpose")
)

const visa = "pm_card_visa"

// later lets the deadlines pass, and the reaper and the reconciler look.
func (s *shop) later() {
	s.t.Helper()
	s.now = s.now.Add(time.Hour)
	if _, err := s.Reap(s.t.Context(), s.store, 100); err != nil {
		s.t.Error(err)
	}
	if _, err := s.Reconcile(s.t.Context(), 100); err != nil {
		s.t.Error(err)
	}
	s.now = s.now.Add(time.Hour)
	if n, err := s.Reconcile(s.t.Context(), 100); n > 0 || err != nil {
		s.t.Errorf("%d payments are left to look after, %v", n, err)
	}
}

// wantNothingCharged allows intents that were never confirmed and that nobody can confirm any more, since no row names them.
func (s *shop) wantNothingCharged() {
	s.t.Helper()
	intents, _, err := s.provider.List(s.t.Context(), time.Unix(0, 0), "", 100)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, intent := range intents {
		if intent.Status != payment.IntentCancelled && intent.Status != payment.IntentRequiresConfirmation {
			s.t.Errorf("an intent is left %s", intent.Status)
		}
	}
}

// noLocks implements checkout.Locks as a lock server that is away does: nobody waits for anybody.
type noLocks struct{}

func (noLocks) Lock(context.Context, string) func() { return func() {} }
