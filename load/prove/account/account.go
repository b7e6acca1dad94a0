// Package account accounts for a round from outside: for every unit, every penny and every event. It knows what shoppers, staff and the
// warehouse wrote down (package shop), what the payment provider lists, what is on the topic order-events, and what stands in Spanner
// and Redis, which it reads by itself. It shares no code with what it accounts for.
//
//	a, err := account.Open(ctx, account.Config{...}) // before the round's first order: it listens from here on
//	...                                              // the round
//	err = a.Settle(ctx, day)                         // when all faults are healed: waits until nothing is on its way any more
//	result, err := a.Check(ctx, day.History())
//
// What it counts:
//
//   - oversold: units that were sold and weren't there, by the ledger in the order of its commits, by the sum of what everybody knows, and
//     by whether the history of each product, as its shoppers saw it, is linearizable (package porcupine; see linear.go), and above a
//     product's limit for each shopper.
//   - lost: an order that a shopper was told of and that isn't there, or is another; a refusal with an order; two different final answers
//     under one key; an order, or a cancellation, that nobody asked for.
//   - double_charged: an order for which money is held or taken more than once, or by another intent than the books name.
//   - orphaned_charges: money that is held or taken, or still may be, without an order that is sold and not cancelled.
//   - wrong_amount: amounts that should be one and differ: shown, asked for, booked, authorised, captured, refunded.
//   - stock_drift: products whose virtual stock and open holds aren't what the ledger has, at any time, or whose ledger isn't what
//     everybody knows, at the end.
//   - stuck: what should have come to its end and didn't.
//   - events_missing: states that orders reached, and refunds, that were never told on order-events.
package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"larder.dev/load/prove/shop"
)

// Config says where the accountant looks.
type Config struct {
	// Spanner is the round's database, "projects/p/instances/i/databases/d", at SpannerHost, the emulator's own "host:port".
	Spanner, SpannerHost string
	// PubSubHost is the Pub/Sub emulator, "host:port", and Project the project of its topics.
	PubSubHost, Project string
	// StockRedis is asked for the address of the stock's Redis that is the master now.
	StockRedis func() string
	// Provider is the payment provider's base URL, and ProviderKey what its API takes.
	Provider, ProviderKey string
	// HoldFor is how long a hold lasts before somebody looks after it, 5 s if 0.
	HoldFor time.Duration
	// Stale is how long a server that isn't the master any more may have gone on telling shoppers that something is sold out; 20 s if 0.
	Stale time.Duration
	// Patience bounds Settle, 90 s if 0.
	Patience time.Duration
	// Unwatched: the virtual stock is looked at in the end only. Watching reads the whole ledger again and again, which would be a good part
	// of what a measurement measures.
	Unwatched bool
	Log       *slog.Logger
}

func (c Config) withDefaults() Config {
	c.HoldFor = cmp.Or(c.HoldFor, 5*time.Second)
	c.Stale = cmp.Or(c.Stale, 20*time.Second)
	c.Patience = cmp.Or(c.Patience, 90*time.Second)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Account is a round's accountant.
type Account struct {
	config  Config
	spanner *spanner.Client
	ear     *ear
	stop    context.CancelFunc
	watched sync.WaitGroup

	mu     sync.Mutex
	drifts map[driftKey]Drift
	looks  int
}

// insecureHost is how an emulator is reached.
func insecureHost(host string) []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(host), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
}

// Open begins to listen to order-events and to watch the virtual stock.
func Open(ctx context.Context, config Config) (_ *Account, err error) {
	a := &Account{config: config.withDefaults(), drifts: map[driftKey]Drift{}, stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	// The emulator breaks under concurrent multiplexed sessions, which the client would choose by itself.
	if err := os.Setenv("GOOGLE_CLOUD_SPANNER_MULTIPLEXED_SESSIONS", "false"); err != nil {
		return nil, fmt.Errorf("choose the kind of sessions: %w", err)
	}
	a.spanner, err = spanner.NewClientWithConfig(ctx, a.config.Spanner, spanner.ClientConfig{
		SessionPoolConfig: spanner.SessionPoolConfig{MinOpened: 1, MaxOpened: 20}, DisableNativeMetrics: true,
		Logger: slog.NewLogLogger(a.config.Log.Handler(), slog.LevelDebug),
	}, insecureHost(a.config.SpannerHost)...)
	if err != nil {
		return nil, fmt.Errorf("open the books: %w", err)
	}
	if a.ear, err = listen(ctx, a.config); err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	a.stop = stop
	if !a.config.Unwatched {
		a.watched.Go(func() { a.watch(watching) })
	}
	return a, nil
}

// Close ends listening and watching.
func (a *Account) Close() error {
	a.stop()
	a.watched.Wait()
	err := a.ear.close()
	if a.spanner != nil {
		a.spanner.Close()
	}
	return err
}

// Settle waits until everything that a round began has come to its end: shoppers and staff ask again for what has no final answer, and
// then nothing may be on its way in Spanner, Redis and Pub/Sub. What isn't through when its patience ends, Check counts as stuck.
// Errors: only of the accountant's own.
func (a *Account) Settle(ctx context.Context, day *shop.Day) error {
	began := time.Now()
	settling, cancel := context.WithTimeout(ctx, a.config.Patience)
	defer cancel()
	open, err := day.Finish(settling)
	if err != nil {
		return err
	}
	a.config.Log.InfoContext(ctx, "asked again for what was open", "still_open", open, "took", time.Since(began).Round(time.Millisecond))
	for {
		left, err := a.unsettled(settling, day.History())
		switch {
		case settling.Err() != nil:
			a.config.Log.WarnContext(ctx, "not settled", "left", left, "error", err)
			return ctx.Err()
		case err != nil: // of a component that is on its way up again
			a.config.Log.WarnContext(ctx, "look whether all is settled", "error", err)
		case len(left) == 0:
			a.config.Log.InfoContext(ctx, "settled", "took", time.Since(began).Round(time.Millisecond))
			return nil
		}
		wait(settling, time.Second)
	}
}

// Check reads everything and holds it against each other.
func (a *Account) Check(ctx context.Context, h *shop.History) (Result, error) {
	books, err := a.read(ctx, h)
	if err != nil {
		return Result{}, err
	}
	return a.config.Compare(h, books), nil
}

// Compare holds a history against books that somebody else has read.
func (c Config) Compare(h *shop.History, books Books) Result {
	c = c.withDefaults()
	return check(h, books, rules{holdFor: c.HoldFor, stale: c.Stale})
}

// The counters, by the names that the last line has.
const (
	Oversold        = "oversold"
	Lost            = "lost"
	DoubleCharged   = "double_charged"
	OrphanedCharges = "orphaned_charges"
	WrongAmount     = "wrong_amount"
	StockDrift      = "stock_drift"
	Stuck           = "stuck"
	EventsMissing   = "events_missing"
)

// Counters lists all counters, in the order of the last line.
var Counters = []string{Oversold, Lost, DoubleCharged, OrphanedCharges, WrongAmount, StockDrift, Stuck, EventsMissing}

// maxDetails is how many findings of a counter are told with their details.
const maxDetails = 5

// Result is what an accountant found.
type Result struct {
	// Orders is how many orders were sold, cancelled ones included; Lines are theirs.
	Orders, Lines int
	// Cancelled, Refused, Captured and Refunded tell how much of the platform a round went through; Duplicates are events that came more
	// than once, which they may.
	Cancelled, Refused, Captured, Refunded, Duplicates int
	// Looks is how often the virtual stock of a store was held against the ledger.
	Looks int
	// Counts are by counter.
	Counts map[string]int
	// Details are by counter, the first few of each.
	Details map[string][]string
}

func (r *Result) found(counter string, count int, format string, args ...any) {
	r.add(counter, count, fmt.Sprintf(format, args...))
}

func (r *Result) add(counter string, count int, details ...string) {
	if r.Counts == nil {
		r.Counts, r.Details = map[string]int{}, map[string][]string{}
	}
	r.Counts[counter] += count
	room := maxDetails - len(r.Details[counter])
	r.Details[counter] = append(r.Details[counter], details[:min(room, len(details))]...)
}

// Add adds what was found in another round.
func (r *Result) Add(o Result) {
	r.Orders += o.Orders
	r.Lines += o.Lines
	r.Cancelled += o.Cancelled
	r.Refused += o.Refused
	r.Captured += o.Captured
	r.Refunded += o.Refunded
	r.Duplicates += o.Duplicates
	r.Looks += o.Looks
	for _, counter := range Counters {
		r.add(counter, o.Counts[counter], o.Details[counter]...)
	}
}

// Clean tells that nothing was found.
func (r *Result) Clean() bool {
	for n := range maps.Values(r.Counts) {
		if n != 0 {
			return false
		}
	}
	return true
}

// String lists all counters: "oversold=0 lost=0 ...".
func (r *Result) String() string {
	parts := make([]string, len(Counters))
	for i, counter := range Counters {
		parts[i] = fmt.Sprintf("%s=%d", counter, r.Counts[counter])
	}
	return strings.Join(parts, " ")
}

// wait waits; not longer than ctx lasts.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
