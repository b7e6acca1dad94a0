package stock_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"

	checkoutspanner "larder.dev/internal/checkout/spanner"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/stock"
	stockspanner "larder.dev/internal/stock/spanner"
)

func (s shop) reconciler() *stock.Reconciler {
	return stock.NewReconciler(s.Service, s.ledger, checkoutspanner.NewSales(s.database))
}

func (s shop) reconcile(t *testing.T) stock.Reconciliation {
	t.Helper()
	found, err := s.reconciler().Reconcile(t.Context(), s.store)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var errOtherEpoch = errors.New("the hold is of another epoch")

// commit sells a hold as a checkout does: order and ledger in one transaction, which refuses another epoch's.
func (s shop) commit(ctx context.Context, order string, hold stock.Hold, lines ...stock.Line) error {
	_, err := s.database.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		epoch, err := stockspanner.Epoch(ctx, txn, s.store)
		if err != nil {
			return err
		}
		if epoch != hold.Epoch {
			return errOtherEpoch
		}
		return txn.BufferWrite(append(
			orderspanner.InsertConfirmed(orderspanner.NewOrder{
				OrderID: order, UserID: uuid.NewString(), StoreID: s.store, Epoch: hold.Epoch.Time(), HoldToken: hold.Token,
				Address: json.RawMessage("{}"),
			}),
			stockspanner.Sale(s.store, order, epoch, lines, "shopper")...))
	})
	return err
}

func TestReconcileFindsNothing(t *testing.T) {
	s := open(t)
	if found := s.reconcile(t); found.Products != 0 || found.Epoch != 0 {
		t.Errorf("a store that sells nothing: %+v", found)
	}
	s.adjust(t, map[string]int64{"apples": 10, "pears": 5})
	s.mustPut(t, "noon", noon, 3)
	clean := func(state string, holds int) {
		t.Helper()
		if found := s.reconcile(t); found.Products != 3 || found.Holds != holds || len(found.Drifts) > 0 || found.Epoch != 0 {
			t.Errorf("%s: %+v; want %d holds and no drift", state, found, holds)
		}
	}
	clean("stocked", 0)

	order := uuid.NewString()
	lines := []stock.Line{line("apples", 2), stock.SlotLine("noon")}
	hold, err := s.reserve(t.Context(), order, lines...)
	if err != nil {
		t.Fatal(err)
	}
	clean("held", 1)
	if err := s.commit(t.Context(), order, hold, lines...); err != nil {
		t.Fatal(err)
	}
	clean("sold, and not settled yet", 1)

	// The store is rebuilt, and a late process holds the sold order's lines again: that hold will be given back.
	if _, _, err := s.Rebuild(t.Context(), s.store); err != nil {
		t.Fatal(err)
	}
	if _, err := s.reserve(t.Context(), order, lines...); err != nil {
		t.Fatal(err)
	}
	clean("sold under another hold", 1)
	if err := s.Settle(t.Context(), s.store, order, hold); err != nil {
		t.Fatal(err)
	}
	clean("settled", 0)

	// A cancellation that the virtual stock hasn't heard of yet is on its way.
	epoch, err := s.ledger.Epoch(t.Context(), s.store)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.database.Apply(t.Context(), stockspanner.Cancellation(s.store, order, epoch, lines, "shopper", "")); err != nil {
		t.Fatal(err)
	}
	clean("cancelled, and not applied yet", 0)
	if err := s.Apply(t.Context(), s.store, "cancellation:"+order, epoch, lines); err != nil {
		t.Fatal(err)
	}
	clean("cancelled", 0)
}

func TestReconcileMendsDrift(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(t *testing.T, s shop)
		want []stock.Drift
	}{
		"too much": {
			func(t *testing.T, s shop) { s.add(t, "stock:apples", 3) },
			[]stock.Drift{{ProductID: "apples", Ledger: 10, Available: 11, Held: 2}},
		},
		"too little, of two": {
			func(t *testing.T, s shop) { s.add(t, "stock:apples", -3); s.add(t, "stock:pears", -1) },
			[]stock.Drift{{ProductID: "apples", Ledger: 10, Available: 5, Held: 2}, {ProductID: "pears", Ledger: 5, Available: 4}},
		},
		"a hold lost": {
			func(t *testing.T, s shop) {
				if err := s.raw.HDel(t.Context(), s.key(), "hold:o1").Err(); err != nil {
					t.Fatal(err)
				}
			},
			[]stock.Drift{{ProductID: "apples", Ledger: 10, Available: 8}},
		},
		"a product lost": {
			func(t *testing.T, s shop) {
				if err := s.raw.HDel(t.Context(), s.key(), "stock:pears").Err(); err != nil {
					t.Fatal(err)
				}
			},
			[]stock.Drift{{ProductID: "pears", Ledger: 5}},
		},
		"a product that the ledger hasn't": {
			func(t *testing.T, s shop) { s.add(t, "stock:gold", 7) },
			[]stock.Drift{{ProductID: "gold", Available: 7}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			s.adjust(t, map[string]int64{"apples": 10, "pears": 5})
			if _, err := s.reserve(t.Context(), "o1", line("apples", 2)); err != nil {
				t.Fatal(err)
			}
			c.harm(t, s)
			found := s.reconcile(t)
			if !slices.Equal(found.Drifts, c.want) {
				t.Errorf("found %+v, want %+v", found.Drifts, c.want)
			}
			if epoch, err := s.ledger.Epoch(t.Context(), s.store); err != nil || found.Epoch != epoch {
				t.Errorf("the new epoch is %s, told was %s (%v)", epoch, found.Epoch, err)
			}
			s.want(t, map[string]int64{"apples": 10, "pears": 5}) // a load drops the holds
			if again := s.reconcile(t); len(again.Drifts) > 0 || again.Epoch != 0 {
				t.Errorf("afterwards: %+v", again)
			}
		})
	}
}

// add changes a number of the store's hash from outside.
func (s shop) add(t *testing.T, field string, by int64) {
	t.Helper()
	if err := s.raw.HIncrBy(t.Context(), s.key(), field, by).Err(); err != nil {
		t.Fatal(err)
	}
}

// A virtual stock that is gone, or of another epoch, is rebuilt and is no drift.
func TestReconcileRebuilds(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, s shop){
		"flushed": func(t *testing.T, s shop) { s.flush(t) },
		"epoch bumped, rebuilder died": func(t *testing.T, s shop) {
			if _, err := s.ledger.Bump(t.Context(), s.store, "test"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		s := open(t)
		s.adjust(t, map[string]int64{"apples": 10})
		harm(t, s)
		if found := s.reconcile(t); found.Products != 1 || len(found.Drifts) > 0 || found.Epoch != 0 {
			t.Errorf("%s: %+v", name, found)
		}
		if err := s.virtual.Apply(t.Context(), s.store, "e", 1, nil); err != nil {
			t.Errorf("%s: not rebuilt: %v", name, err)
		}
	}
}

// interrupted is a ledger in which something always happens between the snapshot of the virtual stock and the sum.
type interrupted struct {
	stock.History
	by func()
}

func (l interrupted) Sum(ctx context.Context, store string, after time.Time) (stock.Sums, error) {
	l.by()
	return l.History.Sum(ctx, store, after)
}

// What happens while the two are read, each time they are, is no drift.
func TestReconcileTellsApartWhatIsOnItsWay(t *testing.T) {
	for name, happens := range map[string]func(t *testing.T, s shop, order string){
		"reserved and sold": func(t *testing.T, s shop, order string) {
			hold, err := s.reserve(t.Context(), order, line("apples", 1))
			if err == nil {
				err = s.commit(t.Context(), order, hold, line("apples", 1))
			}
			if err != nil {
				t.Error(err)
			}
		},
		"reserved, sold, settled and cancelled": func(t *testing.T, s shop, order string) {
			lines := []stock.Line{line("apples", 1)}
			hold, err := s.reserve(t.Context(), order, lines...)
			if err == nil {
				err = s.commit(t.Context(), order, hold, lines...)
			}
			if err == nil {
				err = s.Settle(t.Context(), s.store, order, hold)
			}
			if err == nil {
				_, err = s.database.Apply(t.Context(), stockspanner.Cancellation(s.store, order, hold.Epoch, lines, "shopper", ""))
			}
			if err == nil {
				err = s.Apply(t.Context(), s.store, "cancellation:"+order, hold.Epoch, lines)
			}
			if err != nil {
				t.Error(err)
			}
		},
		"delivered": func(t *testing.T, s shop, _ string) { s.adjust(t, map[string]int64{"apples": 2}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			s.adjust(t, map[string]int64{"apples": 100})
			n := 0
			history := interrupted{s.ledger, func() { n++; happens(t, s, fmt.Sprint("o", n)) }}
			found, err := stock.NewReconciler(s.Service, history, checkoutspanner.NewSales(s.database)).Reconcile(t.Context(), s.store)
			if err != nil || len(found.Drifts) > 0 || n != 1 {
				t.Errorf("%+v, %v after %d looks; want no drift at the first", found, err, n)
			}
			s.add(t, "stock:apples", -1) // just as much as may be on its way
			found, err = stock.NewReconciler(s.Service, history, checkoutspanner.NewSales(s.database)).Reconcile(t.Context(), s.store)
			if err != nil || len(found.Drifts) != 1 || found.Drifts[0].Available+found.Drifts[0].Held-found.Drifts[0].Ledger != -1 {
				t.Errorf("one unit lost: %+v, %v", found, err)
			}
		})
	}
}

// While everything moves, nothing is taken for drift; and a drift that is planted then is told to the unit.
func TestReconcileInAStorm(t *testing.T) {
	s := open(t)
	products := []string{"apples", "pears", "plums"}
	s.adjust(t, map[string]int64{"apples": 100000, "pears": 100000, "plums": 100000})
	whole := t.Context() // what has begun goes on to its end
	ctx, stop := context.WithCancel(whole)
	defer stop()
	var work sync.WaitGroup
	var sold, adjusted atomic.Int64
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for w := range 6 {
		choice := rand.New(rand.NewPCG(seed, uint64(w)))
		work.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				order := fmt.Sprintf("%d-%d", w, n)
				lines := []stock.Line{line(products[choice.IntN(2)], 1+choice.Int64N(5)), line("plums", 1)}
				hold, err := s.reserve(whole, order, lines...)
				if err != nil {
					t.Error(err)
					return
				}
				switch err := s.commit(whole, order, hold, lines...); {
				case errors.Is(err, errOtherEpoch) || choice.IntN(8) == 0:
					if err == nil { // sold, left to the reaper
						continue
					}
					err = s.Release(whole, s.store, order)
					if err != nil {
						t.Error(err)
					}
				case err != nil:
					t.Error(err)
				default:
					sold.Add(1)
					if err := s.Settle(whole, s.store, order, hold); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	work.Go(func() {
		for ctx.Err() == nil {
			a := stock.Adjustment{ID: uuid.NewString(), StoreID: s.store, Actor: "test", Reason: "test", Fingerprint: make([]byte, 32)}
			a.Lines = []stock.Line{line("plums", 2), line("apples", 1)}
			if err := s.Adjust(whole, a); err != nil {
				t.Error(err)
			}
			adjusted.Add(1)
		}
	})
	for range 15 {
		if found := s.reconcile(t); len(found.Drifts) > 0 || found.Epoch != 0 {
			t.Errorf("in the midst of it: %+v", found)
		}
	}
	s.add(t, "stock:plums", 17)
	found := s.reconcile(t)
	if len(found.Drifts) != 1 || found.Drifts[0].ProductID != "plums" || found.Drifts[0].Available+found.Drifts[0].Held-found.Drifts[0].Ledger != 17 {
		t.Errorf("17 planted, found %+v", found.Drifts)
	}
	if found := s.reconcile(t); len(found.Drifts) > 0 {
		t.Errorf("mended: %+v", found)
	}
	stop()
	work.Wait()
	if found := s.reconcile(t); len(found.Drifts) > 0 || found.Products != 3 {
		t.Errorf("afterwards: %+v", found)
	}
	t.Logf("%d orders sold, %d adjustments", sold.Load(), adjusted.Load())
}
