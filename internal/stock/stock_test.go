package stock_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"larder.dev/internal/fault"
	"larder.dev/internal/spannerdb/spannertest"
	"larder.dev/internal/stock"
	"larder.dev/internal/stock/redis"
	stockspanner "larder.dev/internal/stock/spanner"
)

// shop is one store with real Redis and Spanner.
type shop struct {
	*stock.Service
	virtual *redis.Virtual
	ledger  *stockspanner.Ledger
	raw     goredis.UniversalClient
	// database is the ledger's.
	database *spanner.Client
	store    string
}

func open(t *testing.T) shop {
	t.Helper()
	address := os.Getenv("STOCK_REDIS_ADDR")
	if address == "" {
		t.Fatal("STOCK_REDIS_ADDR is not set: run the tests by `make test`, which starts Redis")
	}
	virtual, err := redis.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = virtual.Close() })
	database := spannertest.Open(t)
	ledger := stockspanner.NewLedger(database)
	s := shop{
		Service: stock.NewService(virtual, ledger), virtual: virtual, ledger: ledger, raw: virtual.Client(), database: database,
		store: "t-" + uuid.NewString()[:8],
	}
	t.Cleanup(func() { s.flush(t) })
	return s
}

// key is the store's hash; this test reads and breaks it from outside.
func (s shop) key() string { return "stock:{" + s.store + "}" }

func (s shop) flush(t *testing.T) {
	t.Helper()
	if err := s.raw.Del(context.Background(), s.key(), s.key()+":deadlines", s.key()+":flips", s.key()+":loading").Err(); err != nil {
		t.Error(err)
	}
}

func (s shop) adjust(t *testing.T, quantities map[string]int64) {
	t.Helper()
	a := stock.Adjustment{ID: uuid.NewString(), StoreID: s.store, Actor: "test", Reason: "test", Fingerprint: make([]byte, 32)}
	for product, quantity := range quantities {
		a.Lines = append(a.Lines, stock.Line{ProductID: product, Quantity: quantity})
	}
	if err := s.Adjust(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

func (s shop) want(t *testing.T, want map[string]int64) {
	t.Helper()
	for product, quantity := range want {
		got, err := s.Available(t.Context(), s.store, []string{product})
		if err != nil {
			t.Fatal(err)
		}
		if got[product] != quantity {
			t.Errorf("%s: %d may be promised, want %d", product, got[product], quantity)
		}
	}
}

func (s shop) reserve(ctx context.Context, order string, lines ...stock.Line) (stock.Hold, error) {
	return s.Reserve(ctx, s.store, order, lines, time.Now().Add(time.Minute), 0)
}

func line(product string, quantity int64) stock.Line {
	return stock.Line{ProductID: product, Quantity: quantity}
}

// poll asks until the answer is yes, or the limit is reached.
func poll(limit time.Duration, yes func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); time.Now().Before(end); <-tick.C {
		if yes() {
			return true
		}
	}
	return yes()
}

func TestReserveTakesAllLinesOrNone(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 10, "pears": 3})

	hold, err := s.reserve(t.Context(), "o1", line("pears", 1), line("apples", 4))
	if err != nil {
		t.Fatal(err)
	}
	s.want(t, map[string]int64{"apples": 6, "pears": 2})

	again, err := s.reserve(t.Context(), "o1", line("apples", 4), line("pears", 1))
	if err != nil || again != hold {
		t.Errorf("the same lines again: %v, %v; want the same hold %v", again, err, hold)
	}
	if _, err := s.reserve(t.Context(), "o1", line("apples", 5)); !errors.Is(err, stock.ErrOtherLines) {
		t.Errorf("other lines: %v, want ErrOtherLines", err)
	}

	_, err = s.reserve(t.Context(), "o2", line("apples", 1), line("pears", 9))
	var short *stock.InsufficientError
	if !errors.As(err, &short) || len(short.Shortages) != 1 || short.Shortages[0] != (stock.Shortage{ProductID: "pears", Requested: 9, Available: 2}) {
		t.Errorf("too many pears: %v", err)
	}
	_, err = s.reserve(t.Context(), "o3", line("plums", 1))
	if !errors.As(err, &short) || short.Shortages[0].Available != 0 {
		t.Errorf("a product never stocked: %v, want it short", err)
	}
	s.want(t, map[string]int64{"apples": 6, "pears": 2})
}

func TestHoldsEnd(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 10})
	for _, c := range []struct {
		name string
		end  func(order string, hold stock.Hold) error
		left int64
	}{
		{"settled: sold", func(o string, h stock.Hold) error { return s.Settle(t.Context(), s.store, o, h) }, 7},
		{"settled with another token: given back", func(o string, h stock.Hold) error {
			return s.Settle(t.Context(), s.store, o, stock.Hold{Epoch: h.Epoch, Token: h.Token + 100})
		}, 7},
		{"settled with another epoch: given back", func(o string, h stock.Hold) error {
			return s.Settle(t.Context(), s.store, o, stock.Hold{Epoch: h.Epoch - 1, Token: h.Token})
		}, 7},
		{"released: given back", func(o string, _ stock.Hold) error { return s.Release(t.Context(), s.store, o) }, 7},
	} {
		order := uuid.NewString()
		hold, err := s.reserve(t.Context(), order, line("apples", 3))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for range 2 { // the second time there is nothing to end
			if err := c.end(order, hold); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		got, err := s.Available(t.Context(), s.store, []string{"apples"})
		if err != nil || got["apples"] != c.left {
			t.Errorf("%s: %d left, want %d (%v)", c.name, got["apples"], c.left, err)
		}
	}
}

func TestOverdue(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 10})
	if _, err := s.reserve(t.Context(), "o1", line("apples", 1)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   time.Duration
		want int
	}{{0, 0}, {2 * time.Minute, 1}} {
		orders, err := s.Overdue(t.Context(), s.store, time.Now().Add(c.at), 10)
		if err != nil || len(orders) != c.want {
			t.Errorf("after %s: %v, %v; want %d", c.at, orders, err, c.want)
		}
	}
}

// The index of deadlines is a hint: what it has lost is found again in the holds.
func TestOverdueWithoutTheIndex(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 10})
	for _, order := range []string{"o1", "o2", "o3"} {
		if _, err := s.reserve(t.Context(), order, line("apples", 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.raw.Del(t.Context(), s.key()+":deadlines").Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(t.Context(), s.store, "o2"); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(2 * time.Minute)
	if orders, err := s.Overdue(t.Context(), s.store, later, 10); err != nil || len(orders) > 0 {
		t.Fatalf("the index is gone, and has %v (%v)", orders, err)
	}
	if found := s.reconcile(t); len(found.Drifts) > 0 {
		t.Errorf("%+v", found)
	}
	for at, want := range map[time.Time][]string{time.Now(): nil, later: {"o1", "o3"}} {
		orders, err := s.Overdue(t.Context(), s.store, at, 10)
		slices.Sort(orders)
		if err != nil || !slices.Equal(orders, want) {
			t.Errorf("overdue at %s: %v, %v; want %v", at, orders, err, want)
		}
	}
	// And what the index has too much goes when somebody looks after it.
	if err := s.raw.ZAdd(t.Context(), s.key()+":deadlines", goredis.Z{Score: 1, Member: "o4"}).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(t.Context(), s.store, "o4"); err != nil {
		t.Fatal(err)
	}
	if orders, err := s.Overdue(t.Context(), s.store, time.Now(), 10); err != nil || len(orders) > 0 {
		t.Errorf("overdue: %v, %v; want none", orders, err)
	}
}

// Whatever happens to Redis, the next reserve works on stock that equals the ledger.
func TestRebuildsByItself(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, s shop){
		"flushed": func(t *testing.T, s shop) { s.flush(t) },
		"another server": func(t *testing.T, s shop) {
			ep := s.raw.HGet(t.Context(), s.key(), "ep").Val()
			if err := s.raw.HSet(t.Context(), s.key(), "ep", ep[:21]+"otherserver").Err(); err != nil {
				t.Fatal(err)
			}
		},
		"a product's field lost": func(t *testing.T, s shop) {
			if err := s.raw.HDel(t.Context(), s.key(), "stock:apples").Err(); err != nil {
				t.Fatal(err)
			}
		},
		"epoch bumped, rebuilder died": func(t *testing.T, s shop) {
			if _, err := s.ledger.Bump(t.Context(), s.store, "test"); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(t.Context(), s.store); err != nil {
				t.Fatal(err)
			}
		},
		"epoch of a Spanner that forgot it": func(t *testing.T, s shop) {
			if err := s.virtual.Load(t.Context(), s.store, stock.EpochAt(time.Now().Add(time.Hour)), map[string]int64{"apples": 99}); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(t.Context(), s.store); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			s.adjust(t, map[string]int64{"apples": 10, "pears": 5})
			before, err := s.reserve(t.Context(), "before", line("apples", 4))
			if err != nil {
				t.Fatal(err)
			}
			harm(t, s)
			hold, err := s.reserve(t.Context(), "after", line("apples", 2))
			if err != nil {
				t.Fatal(err)
			}
			if hold.Epoch == before.Epoch {
				t.Error("the hold has the epoch from before the harm")
			}
			s.want(t, map[string]int64{"apples": 8, "pears": 5}) // a load drops the holds
		})
	}
}

func TestApplyIsIdempotentAndFenced(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 10})
	epoch, err := s.ledger.Epoch(t.Context(), s.store)
	if err != nil {
		t.Fatal(err)
	}
	apples := []stock.Line{line("apples", 5)}
	for range 2 {
		if err := s.virtual.Apply(t.Context(), s.store, "e1", epoch, apples); err != nil {
			t.Fatal(err)
		}
	}
	s.want(t, map[string]int64{"apples": 15})
	if err := s.virtual.Apply(t.Context(), s.store, "older", epoch-1, apples); err != nil {
		t.Errorf("an entry that the load had: %v", err)
	}
	s.want(t, map[string]int64{"apples": 15})
	if err := s.virtual.Apply(t.Context(), s.store, "newer", epoch+1, apples); !errors.Is(err, stock.ErrNeedsRebuild) {
		t.Errorf("an entry of a newer epoch: %v, want ErrNeedsRebuild", err)
	}
}

// Whatever the virtual stock remembers, an entry is added once; and many that find it gone don't each load it.
func TestApplyRebuilds(t *testing.T) {
	for name, c := range map[string]struct {
		harm  func(t *testing.T, s shop)
		loads int64
	}{
		"flushed": {func(t *testing.T, s shop) { s.flush(t) }, 3},
		"remembers no more entries": {func(t *testing.T, s shop) {
			if err := s.raw.HSet(t.Context(), s.key(), "applied", 5000).Err(); err != nil {
				t.Fatal(err)
			}
		}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			s.adjust(t, map[string]int64{"apples": 1})
			var entered []stock.Adjustment
			var epochs []stock.Epoch
			for range 20 {
				a := stock.Adjustment{ID: uuid.NewString(), StoreID: s.store, Lines: []stock.Line{line("apples", 1)}, Actor: "test", Fingerprint: make([]byte, 32)}
				epoch, err := s.ledger.Adjust(t.Context(), a)
				if err != nil {
					t.Fatal(err)
				}
				entered, epochs = append(entered, a), append(epochs, epoch)
			}
			c.harm(t, s)
			told := s.raw.XLen(t.Context(), s.key()+":flips").Val()
			var wg sync.WaitGroup
			for i, a := range entered {
				wg.Go(func() {
					if err := s.Apply(t.Context(), s.store, a.ID, epochs[i], a.Lines); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			s.want(t, map[string]int64{"apples": 21})
			loads := s.raw.XLen(t.Context(), s.key()+":flips").Val() - told // each load is told of, and nothing else turned
			if loads < 1 || loads > c.loads {
				t.Errorf("%d loads, want at most %d", loads, c.loads)
			}
		})
	}
}

func TestAdjust(t *testing.T) {
	s := open(t)
	a := stock.Adjustment{ID: "a1", StoreID: s.store, Lines: []stock.Line{line("apples", 7)}, Actor: "test", Reason: "delivery", Fingerprint: make([]byte, 32)}
	for range 3 {
		if err := s.Adjust(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	s.want(t, map[string]int64{"apples": 7})

	other := a
	other.Fingerprint = append([]byte{1}, make([]byte, 31)...)
	if err := s.Adjust(t.Context(), other); !fault.Is(err, fault.IdempotencyKeyReused) {
		t.Errorf("the same id with another content: %v", err)
	}
	if err := s.Adjust(t.Context(), stock.Adjustment{ID: "a2", StoreID: s.store, Lines: []stock.Line{line("apples", -8)}, Fingerprint: make([]byte, 32)}); !fault.Is(err, fault.StockUnderflow) {
		t.Errorf("more than there is: %v", err)
	}
	if err := s.Adjust(t.Context(), stock.Adjustment{ID: "a3", StoreID: s.store, Lines: []stock.Line{line("apples", -7)}, Fingerprint: make([]byte, 32)}); err != nil {
		t.Error(err)
	}
	s.want(t, map[string]int64{"apples": 0})
	if _, products, err := s.Rebuild(t.Context(), s.store); err != nil || products != 1 {
		t.Errorf("rebuild: %d products, %v", products, err)
	}
	s.want(t, map[string]int64{"apples": 0})
	listed, err := s.List(t.Context(), s.store, "", 10)
	if err != nil || len(listed) != 1 || listed[0] != line("apples", 0) {
		t.Errorf("list: %v, %v", listed, err)
	}
}

// A hot product: many want more than there is, while the stock is rebuilt under them.
func TestHotProduct(t *testing.T) {
	s := open(t)
	const units, shoppers = 40, 200
	s.adjust(t, map[string]int64{"drop": units})
	var held atomic.Int64
	var wg sync.WaitGroup
	for i := range shoppers {
		wg.Go(func() {
			_, err := s.reserve(t.Context(), fmt.Sprint("o", i), line("drop", 1))
			var short *stock.InsufficientError
			switch {
			case err == nil:
				held.Add(1)
			case !errors.As(err, &short):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if held.Load() != units {
		t.Errorf("%d of %d units are held", held.Load(), units)
	}
	s.want(t, map[string]int64{"drop": 0})
}

// Many that find the stock gone rebuild it once or a few times, and all get theirs.
func TestConcurrentRebuild(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 1000})
	s.flush(t)
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			if _, err := s.reserve(t.Context(), fmt.Sprint("o", i), line("apples", 1)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s.want(t, map[string]int64{"apples": 970})
}

func TestSelfTest(t *testing.T) {
	s := open(t)
	if err := s.virtual.SelfTest(t.Context()); err != nil {
		t.Error(err)
	}
}
