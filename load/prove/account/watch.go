package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

	"larder.dev/load/prove/shop"
)

// The platform mends drift, and every rebuild hides it. So the accountant looks while the round goes on. Of each product, at every
// instant, the virtual stock must be
//
//	the ledger's sum  -  what is held, but for orders that are sold under that very hold  -  entries that are on their way to it
//
// An entry that isn't a sale is on its way if it was entered under the loaded epoch and isn't remembered as applied; what it takes away is
// held until then. The two sides are read some milliseconds apart, so a difference counts only if it is the same three times in a row under the same epoch.
const (
	lookEvery = 1500 * time.Millisecond // at one store after the other
	lookAgain = 400 * time.Millisecond
	looks     = 3
	lookShare = 3
)

// Drift is a product whose virtual stock isn't what it must be.
type Drift struct {
	Product
	Epoch time.Time
	// Ledger is the ledger's sum, Stock the virtual stock, Held what is held by orders that aren't sold, Pending what is on its way.
	Ledger, Stock, Held, Pending int64
}

// driftKey names a drift: it is the same one until the stock is loaded anew.
type driftKey struct {
	Product
	epoch int64
}

func (d Drift) difference() int64 { return d.Stock - (d.Ledger - d.Held - d.Pending) }

func (d Drift) String() string {
	return fmt.Sprintf("%s under epoch %s: the ledger has %d, the virtual stock %d, orders hold %d, on the way are %d: a difference of %d",
		d.Product, d.Epoch.Format(time.RFC3339Nano), d.Ledger, d.Stock, d.Held, d.Pending, d.difference())
}

// view is a store at an instant.
type view struct {
	epoch          time.Time
	drifts         map[string]Drift
	holds, pending int
}

// watch looks at one store after the other until ctx ends.
func (a *Account) watch(ctx context.Context) {
	for turn, pause := 0, lookEvery; ctx.Err() == nil; turn++ {
		wait(ctx, pause)
		began := time.Now()
		stores, err := a.stores(ctx)
		if err != nil || len(stores) == 0 {
			continue // before the first adjustment, or a component is away
		}
		store := stores[turn%len(stores)]
		drifts, err := a.drifting(ctx, store)
		pause = max(lookEvery, lookShare*time.Since(began)) // the more there is to read, the less often
		if err != nil {
			a.config.Log.Log(ctx, level(err), "watch the virtual stock", "store", store, "error", err)
			continue
		}
		a.mu.Lock()
		a.looks++
		for _, drift := range drifts {
			key := driftKey{drift.Product, drift.Epoch.UnixNano()}
			if _, known := a.drifts[key]; !known {
				a.config.Log.ErrorContext(ctx, "stock drifted", "drift", drift.String())
				a.drifts[key] = drift
			}
		}
		a.mu.Unlock()
	}
}

// level is how loudly a failed look is told of: faults of components are what a round is made of.
func level(err error) slog.Level {
	if errors.Is(err, errNotLoaded) || errors.Is(err, errMoved) || errors.Is(err, context.Canceled) {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

func (a *Account) stores(ctx context.Context) ([]string, error) {
	var stores []string
	txn := a.spanner.ReadOnlyTransaction()
	defer txn.Close()
	err := rows(ctx, txn, "Epochs", []string{"StoreId"}, func(row *spanner.Row) error {
		var store string
		err := row.Columns(&store)
		stores = append(stores, store)
		return err
	})
	return stores, err
}

// drifting returns what differs in the same way each time. Errors: errNotLoaded, errMoved.
func (a *Account) drifting(ctx context.Context, store string) (map[string]Drift, error) {
	var found view
	for i := range looks {
		if i > 0 {
			wait(ctx, lookAgain)
		}
		seen, err := a.look(ctx, store)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			for product, drift := range seen.drifts {
				if before, ok := found.drifts[product]; !ok || !seen.epoch.Equal(found.epoch) || before.difference() != drift.difference() {
					delete(seen.drifts, product)
				}
			}
		}
		if found = seen; len(found.drifts) == 0 {
			return nil, nil
		}
	}
	return found.drifts, nil
}

// errMoved tells that the loaded epoch isn't Spanner's: the stock is to be loaded anew.
var errMoved = errors.New("the epoch moved on")

// look compares a store's virtual stock with the ledger as it was at that time. Errors: errNotLoaded, errMoved.
func (a *Account) look(ctx context.Context, store string) (view, error) {
	at := time.Now()
	v, err := a.virtual(ctx, store)
	if err == nil && v.Elsewhere {
		err = errNotLoaded // nobody sells by it
	}
	if err != nil {
		return view{}, err
	}
	txn := a.spanner.ReadOnlyTransaction().WithTimestampBound(spanner.ReadTimestamp(at))
	defer txn.Close()
	row, err := txn.ReadRow(ctx, "Epochs", spanner.Key{store}, []string{"Epoch"})
	if spanner.ErrCode(err) == codes.NotFound {
		return view{}, errMoved
	}
	var epoch time.Time
	if err == nil {
		err = row.Columns(&epoch)
	}
	if err != nil {
		return view{}, fmt.Errorf("read the epoch of %s: %w", store, err)
	}
	if !epoch.Equal(v.Epoch) {
		return view{}, errMoved
	}
	sums, err := ledgerSums(ctx, txn, store)
	if err != nil {
		return view{}, err
	}
	late, err := unapplied(ctx, txn, store, v)
	if err != nil {
		return view{}, err
	}
	held, err := unsold(ctx, txn, v)
	if err != nil {
		return view{}, err
	}
	return view{epoch: epoch, holds: len(v.Holds), pending: len(late), drifts: compare(store, v, sums, held, late)}, nil
}

func ledgerSums(ctx context.Context, txn *spanner.ReadOnlyTransaction, store string) (map[string]int64, error) {
	sums := map[string]int64{}
	statement := spanner.Statement{SQL: sumsSQL, Params: map[string]any{"store": store}}
	err := txn.Query(ctx, statement).Do(func(row *spanner.Row) error {
		var product string
		var sum int64
		err := row.Columns(&product, &sum)
		sums[product] = sum
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sum the ledger of %s: %w", store, err)
	}
	return sums, nil
}

// unapplied returns the lines of entries that are on their way.
func unapplied(ctx context.Context, txn *spanner.ReadOnlyTransaction, store string, v *Virtual) ([]shop.Line, error) {
	var late []shop.Line
	statement := spanner.Statement{SQL: unappliedSQL, Params: map[string]any{"store": store, "epoch": v.Epoch}}
	err := txn.Query(ctx, statement).Do(func(row *spanner.Row) error {
		var entry string
		var line shop.Line
		err := row.Columns(&entry, &line.Product, &line.Quantity)
		if !v.Applied[entry] {
			late = append(late, line)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what isn't applied in %s: %w", store, err)
	}
	return late, nil
}

// unsold sums by product what is held by orders that aren't sold under that very hold: it will be given back, or sold.
func unsold(ctx context.Context, txn *spanner.ReadOnlyTransaction, v *Virtual) (map[string]int64, error) {
	held := map[string]int64{}
	keys := make([]spanner.Key, 0, len(v.Holds))
	for order, hold := range v.Holds {
		keys = append(keys, spanner.Key{order})
		for _, line := range hold.Lines {
			held[line.Product] += line.Quantity
		}
	}
	columns := []string{"OrderId", "State", "Epoch", "HoldToken"}
	err := txn.Read(ctx, "Orders", spanner.KeySetFromKeys(keys...), columns).Do(func(row *spanner.Row) error {
		var id, state string
		var epoch spanner.NullTime
		var token spanner.NullInt64
		if err := row.Columns(&id, &state, &epoch, &token); err != nil {
			return err
		}
		hold := v.Holds[id]
		if state == abandoned || !epoch.Time.Equal(hold.Epoch) || token.Int64 != hold.Token {
			return nil
		}
		for _, line := range hold.Lines {
			held[line.Product] -= line.Quantity
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the orders of holds: %w", err)
	}
	return held, nil
}

// compare returns the products that differ.
func compare(store string, v *Virtual, sums, held map[string]int64, late []shop.Line) map[string]Drift {
	pending := units(late)
	products := map[string]bool{}
	for _, side := range []map[string]int64{sums, v.Stock, held} {
		for product := range side {
			products[product] = true
		}
	}
	drifts := map[string]Drift{}
	for product := range products {
		drift := Drift{
			Product: Product{store, product}, Epoch: v.Epoch,
			Ledger: sums[product], Stock: v.Stock[product], Held: held[product], Pending: pending[product],
		}
		if drift.difference() == 0 {
			continue
		}
		drifts[product] = drift
	}
	return drifts
}
