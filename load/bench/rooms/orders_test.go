//go:build bench

package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	checkoutpb "larder.dev/api/checkout/v1"
	orderpb "larder.dev/api/order/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/checkout"
	"larder.dev/internal/checkout/checkouttest"
	checkoutredis "larder.dev/internal/checkout/redis"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/money"
	"larder.dev/internal/order"
	"larder.dev/internal/payment"
	"larder.dev/internal/pricing"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
	"larder.dev/internal/stock"
	stockredis "larder.dev/internal/stock/redis"
	"larder.dev/load/bench/figure"
)

const (
	orderLines    = 5
	orderShoppers = 50
	// promisedRate is what checkout and order are to sustain, in orders a second, and promisedP99 within which time a checkout is to answer.
	promisedRate = 500
	promisedP99  = time.Second
)

// shop sells products out of the real stock's Redis; the database, the provider and the carts are in memory.
type shop struct {
	store string
	*checkout.Service
	books   checkout.Books
	stock   checkout.Stock
	paid    payments
	carts   carts
	locks   checkout.Locks
	orders  checkouttest.Orders
	answers checkout.Orders
	request checkout.Request
}

// carts has the same in every cart.
type carts struct{ quote checkout.Quote }

func (c carts) Quote(_ context.Context, cart string) (checkout.Quote, error) {
	quote := c.quote
	quote.CartID = cart
	return quote, nil
}

func (carts) Clear(context.Context, string, string) error { return nil }

// payments is the room payment without a network between.
type payments struct{ *payment.Service }

func (p payments) Confirm(ctx context.Context, intent, id, method string) (payment.Intent, error) {
	return p.Service.Confirm(ctx, intent, id, method, "https://shop.example/")
}

func (p payments) Void(ctx context.Context, id string) error {
	_, err := p.Service.Void(ctx, id)
	return err
}

func (p payments) CaptureAgain(ctx context.Context, id string) error {
	_, err := p.Capture(ctx, id, payment.Step{By: payment.System})
	return err
}

// noOffers implements checkout.Catalogue: nothing is packed here.
type noOffers struct{}

func (noOffers) Offers(context.Context, string, []string) (map[string]order.Offer, error) {
	return nil, nil
}

// openShop opens a shop in which so many of each product are on sale; every cart has each of them, in this quantity.
func openShop(t *testing.T, products int, onSale, quantity int64) *shop {
	t.Helper()
	virtual, err := stockredis.Open(address(t, "STOCK_REDIS_ADDR"))
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{store: "bench-" + uuid.NewString()[:8], locks: checkoutredis.NewLocks(virtual.Client())}
	t.Cleanup(func() {
		key := "stock:{" + s.store + "}"
		if err := virtual.Client().Unlink(context.Background(), key, key+":deadlines", key+":flips").Err(); err != nil {
			t.Error(err)
		}
		_ = virtual.Close()
	})
	database := checkouttest.NewDatabase()
	stocks := stock.NewService(virtual, database.Ledger())
	var lines []pricing.Line
	var delivery []stock.Line
	for i := range products {
		product := fmt.Sprintf("product-of-some-length-%d", i)
		lines = append(lines, pricing.Line{ProductID: product, Name: "A product, 500 g", Quantity: quantity, UnitPrice: money.Of(125, "GBP"), TaxRateBPS: 2000})
		delivery = append(delivery, stock.Line{ProductID: product, Quantity: onSale})
	}
	adjustment := stock.Adjustment{ID: uuid.NewString(), StoreID: s.store, Lines: delivery, Actor: "bench", Reason: "bench", Fingerprint: make([]byte, 32)}
	if err := stocks.Adjust(t.Context(), adjustment); err != nil {
		t.Fatal(err)
	}
	totals, err := pricing.Total("GBP", lines, pricing.Delivery{Fee: money.Of(399, "GBP")})
	if err != nil {
		t.Fatal(err)
	}
	books := database.Books(time.Now)
	s.books, s.answers, s.stock, s.orders = books, books, stocks, database.Orders()
	s.paid = payments{payment.NewService(checkouttest.NewProvider(), database.Payments(), time.Now)}
	s.carts = carts{checkout.Quote{CartETag: "7", StoreID: s.store, Lines: lines, Totals: totals}}
	s.Service = s.service(s.books, s.stock, s.paid, s.carts, s.locks)
	s.request = checkout.Request{
		StoreID: s.store, Fingerprint: make([]byte, 32), PaymentMethod: "pm_card_visa", ExpectedTotal: totals.Total,
		Address: json.RawMessage(`{"recipient":"Ada","line1":"1 High St","city":"London","postcode":"N1 1AA","country":"GB"}`),
	}
	return s
}

func (s *shop) service(books checkout.Books, stocks checkout.Stock, paid checkout.Payments, carts checkout.Carts, locks checkout.Locks) *checkout.Service {
	config := checkout.Config{HoldFor: 10 * time.Minute, VoidRetry: 15 * time.Second, VoidRetryMax: 10 * time.Minute, CaptureGrace: 24 * time.Hour}
	return checkout.NewService(config, books, stocks, paid, carts, locks, noOffers{}, time.Now)
}

// load is what the process that plays the shoppers is to do, and has done. It is a process of its own, so that this one's CPU time is the
// services'.
type load struct {
	Checkout, Order string
	Tokens          []string
	Store           string
	Total           int64
	// Rate is in orders a second, for so many orders; Reads is how many reads of an order follow, one after the other by a few callers.
	Rate, Orders, Reads int
}

type loaded struct {
	// Took and Read are by order, in the order in which they were due; each counts from then. Refused is why there was none: a reason of fault, or
	// empty.
	Took, Read []time.Duration
	Refused    []string
	// Lasted is from the first order to the last answer.
	Lasted time.Duration
	Failed int
	First  string
}

// TestMain is the other process's main program, where that is asked for.
func TestMain(m *testing.M) {
	task := os.Getenv("BENCH_LOAD")
	if task == "" {
		os.Exit(m.Run())
	}
	if err := playShoppers(task); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// playShoppers reads a task from a file, and leaves its result there.
func playShoppers(task string) error {
	text, err := os.ReadFile(task)
	if err != nil {
		return err
	}
	var l load
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	out, err := l.play(context.Background())
	if err != nil {
		return err
	}
	if text, err = json.Marshal(out); err != nil {
		return err
	}
	return os.WriteFile(task, text, 0o600)
}

// play checks out in an open loop: each order begins at its time, whether those before have been answered or not, and is read by its shopper
// once it stands.
func (l load) play(ctx context.Context) (loaded, error) {
	var conns [2]*grpc.ClientConn
	for i, at := range []string{l.Checkout, l.Order} {
		conn, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return loaded{}, err
		}
		defer func() { _ = conn.Close() }()
		conns[i] = conn
	}
	checkouts, orders := checkoutpb.NewCheckoutServiceClient(conns[0]), orderpb.NewOrderServiceClient(conns[1])
	as := func(i int) context.Context {
		return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+l.Tokens[i%len(l.Tokens)])
	}
	out := loaded{Took: make([]time.Duration, l.Orders), Read: make([]time.Duration, l.Orders), Refused: make([]string, l.Orders)}
	made, failed := make([]string, l.Orders), make([]error, l.Orders)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range l.Orders {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(l.Rate))
		<-time.After(time.Until(due))
		wg.Go(func() {
			bought, err := checkouts.CreateCheckout(metadata.AppendToOutgoingContext(as(i), "idempotency-key", uuid.NewString()), l.request())
			out.Took[i] = time.Since(due)
			if err == nil && bought.GetState() != checkoutpb.Checkout_CONFIRMED {
				err = fmt.Errorf("the checkout is %s", bought.GetState())
			}
			if failed[i] = err; err != nil {
				out.Refused[i] = reason(err)
				return
			}
			made[i] = bought.GetCheckoutId()
			asked := time.Now()
			_, failed[i] = orders.GetOrder(as(i), &orderpb.GetOrderRequest{OrderId: made[i]})
			out.Read[i] = time.Since(asked)
		})
	}
	wg.Wait()
	out.Lasted = time.Since(began)
	for _, err := range failed {
		if err != nil {
			if out.Failed++; out.First == "" {
				out.First = err.Error()
			}
		}
	}
	const callers = 8
	var unread [callers]error
	for caller := range callers {
		wg.Go(func() {
			for i := caller; i < l.Reads && unread[caller] == nil; i += callers {
				_, unread[caller] = orders.GetOrder(as(i%l.Orders), &orderpb.GetOrderRequest{OrderId: made[i%l.Orders]})
			}
		})
	}
	wg.Wait()
	return out, errors.Join(unread[:]...)
}

func (l load) request() *checkoutpb.CreateCheckoutRequest {
	return &checkoutpb.CreateCheckoutRequest{
		CartId: uuid.NewString(), StoreId: l.Store, PaymentMethod: "pm_card_visa",
		ExpectedTotal: &typepb.Money{Currency: "GBP", MinorUnits: l.Total},
		Address:       &typepb.Address{Recipient: "Ada", Line1: "1 High St", City: "London", Postcode: "N1 1AA", Country: "GB"},
	}
}

// reason of a refusal; of one without, its text.
func reason(err error) string {
	var coded *fault.Error
	if errors.As(fault.FromRPC(err), &coded) {
		return coded.Reason().Name
	}
	return err.Error()
}

// serve starts checkout and order before the shop, until the test ends.
func (s *shop) serve(t *testing.T) load {
	t.Helper()
	issuer := servetest.NewIssuer(t)
	checkouts := issuer.Start(t, "checkout", func(ctx context.Context, app *serve.App) error {
		return app.Register(ctx, &checkoutpb.CheckoutService_ServiceDesc, checkout.NewServer(s.Service, s.answers), nil)
	})
	orders := issuer.Start(t, "order", func(ctx context.Context, app *serve.App) error {
		return app.Register(ctx, &orderpb.OrderService_ServiceDesc, order.NewServer(order.New(s.orders, nil, nil, time.Now)), nil)
	})
	l := load{
		Checkout: checkouts.Listener.Addr().String(), Order: orders.Listener.Addr().String(), Store: s.store, Total: s.request.ExpectedTotal.Minor,
	}
	for range orderShoppers {
		l.Tokens = append(l.Tokens, issuer.Token(t, identity.Caller{UserID: uuid.NewString(), Roles: []string{identity.RoleShopper}}, time.Hour))
	}
	return l
}

// TestOrders has checkout and order sell at a rate, on stand-ins for Spanner and the provider, and the real stock's Redis.
func TestOrders(t *testing.T) {
	runtime.GOMAXPROCS(2)
	s := openShop(t, orderLines, 1e9, 2)
	l := s.serve(t)
	l.Rate, l.Orders = promisedRate, promisedRate*2 // warms up
	playedBy(t, l)

	l.Orders, l.Reads = promisedRate*setting(t, "BENCH_SECONDS", 20), 0
	before := cpu(t)
	out := playedBy(t, l)
	perOrder := (cpu(t) - before) / time.Duration(l.Orders)
	took := answered(out, l)
	report("orders rate=%d/s orders=%d lines=%d stand-ins, p50=%s p99=%s longest=%s, the read behind it p50=%s p99=%s, cpu_per_order=%s failed=%d %s",
		l.Rate, l.Orders, orderLines, ms(figure.Percentile(out.Took, 500)), ms(figure.Percentile(out.Took, 990)), ms(figure.Percentile(out.Took, 1000)),
		ms(figure.Percentile(out.Read, 500)), ms(figure.Percentile(out.Read, 990)), us(perOrder), out.Failed, out.First)
	tell(t, figure.Figure{
		Name: "orders a second", Seen: fmt.Sprintf("%.0f/s asked, %.0f/s answered, p99 %s", float64(l.Rate), took, ms(figure.Percentile(out.Took, 990))),
		Bound: fmt.Sprintf("%d/s, p99 %s", promisedRate, promisedP99), Missed: !kept(out, l, took),
	})

	const reads = 5000
	l.Rate, l.Orders, l.Reads = 100, 20, 0
	before = cpu(t)
	playedBy(t, l)
	few := cpu(t) - before
	l.Reads = reads
	before = cpu(t)
	playedBy(t, l)
	perRead := (cpu(t) - before - few) / reads
	tell(t, figure.Figure{
		Name: "CPU of an order", Seen: fmt.Sprintf("%s with its read, %s a read of it", us(perOrder), us(perRead)),
		Ratio: float64(perRead) / float64(perOrder), To: "a read",
	})

	highest, rate := promisedRate, promisedRate+250
	for ; rate <= 4000; rate += 250 {
		l.Rate, l.Orders, l.Reads = rate, rate*6, 0
		out := playedBy(t, l)
		rated := answered(out, l)
		report("orders rate=%d/s answered=%.0f/s p50=%s p99=%s failed=%d %s", rate, rated,
			ms(figure.Percentile(out.Took, 500)), ms(figure.Percentile(out.Took, 990)), out.Failed, out.First)
		if !kept(out, l, rated) {
			break
		}
		highest = rate
	}
	tell(t, figure.Figure{Name: "orders a second, at most", Seen: fmt.Sprintf("%d/s held, %d/s not", highest, rate)})
}

// answered is how many orders were answered a second.
func answered(out loaded, l load) float64 {
	return float64(l.Orders-out.Failed) / out.Lasted.Seconds()
}

// kept tells whether a rate was held: nearly as many answers as requests, none refused, and none that waits ever longer.
func kept(out loaded, l load, rated float64) bool {
	return out.Failed == 0 && rated >= 0.95*float64(l.Rate) && figure.Percentile(out.Took, 990) <= promisedP99
}

// playedBy another process, which plays the shoppers.
func playedBy(t *testing.T, l load) (out loaded) {
	t.Helper()
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	task := filepath.Join(t.TempDir(), "load.json")
	if err := os.WriteFile(task, text, 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shoppers := exec.CommandContext(t.Context(), program)
	shoppers.Env = append(os.Environ(), "BENCH_LOAD="+task)
	if output, err := shoppers.CombinedOutput(); err != nil {
		t.Fatalf("play shoppers: %v\n%s", err, output)
	}
	if text, err = os.ReadFile(task); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// stopwatch counts the time that a checkout spends in what it calls.
type stopwatch struct{ inside time.Duration }

func timed[T any](w *stopwatch, call func() (T, error)) (T, error) {
	began := time.Now()
	defer func() { w.inside += time.Since(began) }()
	return call()
}

type timedBooks struct {
	checkout.Books
	*stopwatch
}

func (b timedBooks) Look(ctx context.Context, id string) (checkout.Standing, error) {
	return timed(b.stopwatch, func() (checkout.Standing, error) { return b.Books.Look(ctx, id) })
}

func (b timedBooks) Initiate(ctx context.Context, id string, frozen checkout.Frozen, intent string, fingerprint []byte, attendAfter time.Time) (checkout.Standing, error) {
	return timed(b.stopwatch, func() (checkout.Standing, error) {
		return b.Books.Initiate(ctx, id, frozen, intent, fingerprint, attendAfter)
	})
}

func (b timedBooks) Commit(ctx context.Context, id string, frozen checkout.Frozen, fingerprint []byte, hold stock.Hold) (standing checkout.Standing, epoch stock.Epoch, err error) {
	began := time.Now()
	defer func() { b.inside += time.Since(began) }()
	return b.Books.Commit(ctx, id, frozen, fingerprint, hold)
}

type timedStock struct {
	checkout.Stock
	*stopwatch
}

func (s timedStock) Reserve(ctx context.Context, store, order string, lines []stock.Line, deadline time.Time, minimum stock.Epoch) (stock.Hold, error) {
	return timed(s.stopwatch, func() (stock.Hold, error) { return s.Stock.Reserve(ctx, store, order, lines, deadline, minimum) })
}

func (s timedStock) Settle(ctx context.Context, store, order string, sold stock.Hold) error {
	_, err := timed(s.stopwatch, func() (struct{}, error) { return struct{}{}, s.Stock.Settle(ctx, store, order, sold) })
	return err
}

type timedPayments struct {
	checkout.Payments
	*stopwatch
}

func (p timedPayments) Create(ctx context.Context, id string, amount money.Money) (payment.Intent, error) {
	return timed(p.stopwatch, func() (payment.Intent, error) { return p.Payments.Create(ctx, id, amount) })
}

func (p timedPayments) Confirm(ctx context.Context, intent, id, method string) (payment.Intent, error) {
	return timed(p.stopwatch, func() (payment.Intent, error) { return p.Payments.Confirm(ctx, intent, id, method) })
}

type timedCarts struct {
	checkout.Carts
	*stopwatch
}

func (c timedCarts) Quote(ctx context.Context, cart string) (checkout.Quote, error) {
	return timed(c.stopwatch, func() (checkout.Quote, error) { return c.Carts.Quote(ctx, cart) })
}

func (c timedCarts) Clear(ctx context.Context, cart, etag string) error {
	_, err := timed(c.stopwatch, func() (struct{}, error) { return struct{}{}, c.Carts.Clear(ctx, cart, etag) })
	return err
}

type timedLocks struct {
	checkout.Locks
	*stopwatch
}

func (l timedLocks) Lock(ctx context.Context, name string) func() {
	unlock, _ := timed(l.stopwatch, func() (func(), error) { return l.Locks.Lock(ctx, name), nil })
	return func() { _, _ = timed(l.stopwatch, func() (struct{}, error) { unlock(); return struct{}{}, nil }) }
}

// TestSaga has one checkout after the other, and takes what is spent in its calls apart from the saga's own time. The stand-ins answer in
// microseconds and Redis in a hundred: any real database or provider only makes the saga's own part smaller.
func TestSaga(t *testing.T) {
	s := openShop(t, orderLines, 1e9, 2)
	var w stopwatch
	service := s.service(timedBooks{s.books, &w}, timedStock{s.stock, &w}, timedPayments{s.paid, &w}, timedCarts{s.carts, &w}, timedLocks{s.locks, &w})
	const orders, warm = 3000, 300
	var own, inside []time.Duration
	for i := range warm + orders {
		r := s.request
		r.UserID, r.CartID = uuid.NewString(), uuid.NewString()
		r.ID = checkout.ID(r.UserID, "key")
		w.inside = 0
		began := time.Now()
		outcome, err := service.Checkout(t.Context(), r)
		took := time.Since(began)
		if err != nil || outcome.State != checkout.Confirmed {
			t.Fatalf("%v, %v", outcome, err)
		}
		if i >= warm {
			own, inside = append(own, took-w.inside), append(inside, w.inside)
		}
	}
	mine, calls := figure.Percentile(own, 500), figure.Percentile(inside, 500)
	report("saga own p50=%s p99=%s, its calls p50=%s p99=%s", us(mine), us(figure.Percentile(own, 990)), us(calls), us(figure.Percentile(inside, 990)))
	tell(t, figure.Figure{
		Name: "the saga's own time", Seen: fmt.Sprintf("%s, its calls %s", us(mine), us(calls)),
		Ratio: float64(calls) / float64(mine+calls), To: "a checkout in its calls",
	})
}
