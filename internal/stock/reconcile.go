package stock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// Reconciling compares the virtual stock with the truth. Of each product the virtual stock must have, available and held by orders that
// aren't sold, what the ledger has. The two can't be read at one instant, so the virtual stock is read first, and what the ledger took
// in since is told apart exactly:
//
//   - A sale that was reserved after the snapshot: the token of its hold, which the script made, is above the snapshot's.
//   - An adjustment or a cancellation that the virtual stock doesn't remember as applied: on its way, while it is young.
//   - An adjustment whose hold is still there: on its way, however old. Apply ends the hold with it. The hold itself counts as held.
//   - A hold whose order is sold under this very hold is in the ledger already, and waits to be settled. One under another hold will be
//     given back, so it counts as held.
//
// Nothing else changes one without the other. So of a product that differs, or that may seem not to only because something was on its
// way, the entries are read. What differs then is looked at a few times, and only what differs each time is drift. A rebuild
// under a new epoch mends it.

// Snapshot is a store's virtual stock at one instant.
type Snapshot struct {
	Epoch Epoch
	// Token is the last that was given out: each change of stock makes a greater one.
	Token int64
	// Quantities are what may still be promised.
	Quantities map[string]int64
	// Holds are by order.
	Holds map[string]Held
	// Applied are the ledger's entries that were added since the load.
	Applied map[string]bool
}

// Held is what an order holds.
type Held struct {
	Hold
	Lines []Line
}

// History is the ledger as it was at a moment, which Spanner names by a timestamp. A moment may be read for an hour.
type History interface {
	// Moment returns a store's epoch, zero for a store without one, and the moment it was read at: now.
	Moment(ctx context.Context, store string) (Epoch, time.Time, error)
	// Sum returns what every product sums up to now, and which of them have entries that were committed after a moment.
	Sum(ctx context.Context, store string, after time.Time) (Sums, error)
	// Between returns the products' entries that were committed after one moment and until another.
	Between(ctx context.Context, store string, products []string, after, until time.Time) ([]Entry, error)
	// WithdrawnAt is Ledger.Withdrawn at a moment.
	WithdrawnAt(ctx context.Context, store string, at time.Time, entries []string) (map[string]Withdrawal, error)
}

// Sums is a store's ledger at a moment, by product.
type Sums struct {
	Epoch      Epoch
	At         time.Time
	Quantities map[string]int64
	// Moved are the products with entries that were committed after the moment that was asked about.
	Moved []string
}

// Orders is the room order.
type Orders interface {
	// Sold returns the holds under which orders were sold, of those that were sold at a moment, whatever became of them since.
	Sold(ctx context.Context, at time.Time, orders []string) (map[string]Hold, error)
}

// Drift is a product whose virtual stock isn't what the ledger has.
type Drift struct {
	ProductID string
	// Ledger is without what is on its way to the virtual stock; Available + Held should be the same.
	Ledger, Available, Held int64
}

// Reconciliation is what was found.
type Reconciliation struct {
	Products, Holds int
	// Drifts are by product, at most maxDrifts.
	Drifts []Drift
	// Epoch is the new one after a drift was mended, else zero.
	Epoch Epoch
}

const (
	// looks is how often a difference must be seen, lookAgain the time between two.
	looks     = 3
	lookAgain = time.Second
	// onItsWay is how long an entry may take from the ledger to the virtual stock: a cancellation's is told by an event.
	onItsWay = 10 * time.Second
	// maxDrifts bounds what is told, and what is looked at again.
	maxDrifts = 1000
	// indexed is how many holds are looked up in the index of deadlines at once.
	indexed = 200
)

// Reconciler compares the virtual stock with the ledger and the orders.
type Reconciler struct {
	service *Service
	history History
	orders  Orders
}

// NewReconciler makes one.
func NewReconciler(service *Service, history History, orders Orders) *Reconciler {
	return &Reconciler{service: service, history: history, orders: orders}
}

// Reconcile compares a store's virtual stock, and mends it. Holds whose deadline was lost get it back. A virtual stock that is missing or of another epoch is rebuilt, and is no
// drift. Errors: STOCK_REBUILDING.
func (r *Reconciler) Reconcile(ctx context.Context, store string) (Reconciliation, error) {
	var found Reconciliation
	for i := range looks {
		if i > 0 {
			if err := wait(ctx, lookAgain); err != nil {
				return Reconciliation{}, err
			}
		}
		seen, err := r.look(ctx, store)
		if err != nil {
			return Reconciliation{}, fmt.Errorf("compare the stock of %s: %w", store, err)
		}
		if i > 0 {
			seen.Drifts = slices.DeleteFunc(seen.Drifts, func(d Drift) bool {
				return !slices.ContainsFunc(found.Drifts, func(before Drift) bool { return before.ProductID == d.ProductID })
			})
		}
		if found = seen; len(found.Drifts) == 0 {
			return found, nil
		}
	}
	for _, drift := range found.Drifts {
		slog.ErrorContext(ctx, "stock drifted", "store", store, "product", drift.ProductID,
			"ledger", drift.Ledger, "available", drift.Available, "held", drift.Held)
	}
	var err error
	found.Epoch, _, err = r.service.Rebuild(ctx, store)
	return found, err
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errMoved: the epoch changed while the two were read.
var errMoved = errors.New("the epoch moved on")

func (r *Reconciler) look(ctx context.Context, store string) (Reconciliation, error) {
	for range 3 {
		seen, err := r.compare(ctx, store)
		if !errors.Is(err, ErrNeedsRebuild) && !errors.Is(err, errMoved) {
			return seen, err
		}
		if err := r.service.Check(ctx, store); err != nil {
			return Reconciliation{}, err
		}
	}
	return Reconciliation{}, rebuilding(errMoved)
}

func (r *Reconciler) compare(ctx context.Context, store string) (Reconciliation, error) {
	epoch, before, err := r.history.Moment(ctx, store)
	if err != nil || epoch == 0 {
		return Reconciliation{}, err // a store without an epoch has neither
	}
	snapshot, err := r.service.virtual.Snapshot(ctx, store)
	if err != nil {
		return Reconciliation{}, err
	}
	for holds := range slices.Chunk(slices.Collect(maps.Keys(snapshot.Holds)), indexed) {
		if err := r.service.virtual.Index(ctx, store, holds); err != nil {
			return Reconciliation{}, err
		}
	}
	ledger, err := r.history.Sum(ctx, store, before)
	if err != nil {
		return Reconciliation{}, err
	}
	if snapshot.Epoch != epoch || ledger.Epoch != epoch {
		return Reconciliation{}, errMoved
	}
	held, err := r.held(ctx, snapshot, ledger.At)
	if err != nil {
		return Reconciliation{}, err
	}
	if err := r.forget(ctx, store, snapshot, ledger, held); err != nil {
		return Reconciliation{}, err
	}
	withdrawals, err := r.withdrawals(ctx, store, snapshot, ledger.At)
	if err != nil {
		return Reconciliation{}, err
	}
	for _, withdrawal := range withdrawals {
		for _, line := range withdrawal.Lines {
			ledger.Moved = append(ledger.Moved, line.ProductID)
		}
	}
	products := suspects(ledger, snapshot.Quantities, held)
	pending, err := r.pending(ctx, store, snapshot, withdrawals, products, before, ledger.At)
	if err != nil {
		return Reconciliation{}, err
	}
	seen := Reconciliation{Products: len(ledger.Quantities), Holds: len(snapshot.Holds)}
	for _, product := range products {
		drift := Drift{
			ProductID: product, Ledger: ledger.Quantities[product] - pending[product],
			Available: snapshot.Quantities[product], Held: held[product],
		}
		if drift.Ledger != drift.Available+drift.Held {
			seen.Drifts = append(seen.Drifts, drift)
		}
	}
	slices.SortFunc(seen.Drifts, func(a, b Drift) int { return cmp.Compare(a.ProductID, b.ProductID) })
	return seen, nil
}

// held sums what orders hold that aren't sold under the very hold, by product.
func (r *Reconciler) held(ctx context.Context, snapshot Snapshot, at time.Time) (map[string]int64, error) {
	orders := slices.DeleteFunc(slices.Collect(maps.Keys(snapshot.Holds)), func(id string) bool { _, ok := withdrawalOf(id); return ok })
	sold, err := r.orders.Sold(ctx, at, orders)
	if err != nil {
		return nil, fmt.Errorf("read the orders of holds: %w", err)
	}
	held := map[string]int64{}
	for order, hold := range snapshot.Holds {
		if sale, ok := sold[order]; ok && sale == hold.Hold {
			continue
		}
		for _, line := range hold.Lines {
			held[line.ProductID] += line.Quantity
		}
	}
	return held, nil
}

// withdrawals are the adjustments that were entered and wait to be applied, by the holds that stand in for them.
func (r *Reconciler) withdrawals(ctx context.Context, store string, snapshot Snapshot, at time.Time) (map[string]Withdrawal, error) {
	var held []string
	for id := range snapshot.Holds {
		if entry, ok := withdrawalOf(id); ok && !snapshot.Applied[entry] {
			held = append(held, entry)
		}
	}
	if len(held) == 0 {
		return nil, nil
	}
	entered, err := r.history.WithdrawnAt(ctx, store, at, held)
	if err != nil {
		return nil, err
	}
	// What was entered under an older epoch was loaded.
	maps.DeleteFunc(entered, func(_ string, w Withdrawal) bool { return w.Epoch != snapshot.Epoch })
	return entered, nil
}

// forget leaves limits out whose days are over, and takes them from the virtual stock, where no load comes by for long.
func (r *Reconciler) forget(ctx context.Context, store string, snapshot Snapshot, ledger Sums, held map[string]int64) error {
	isOver := func(product string, _ int64) bool { return over(product, ledger.At) }
	var gone []string
	for product := range snapshot.Quantities {
		if over(product, ledger.At) {
			gone = append(gone, product)
		}
	}
	maps.DeleteFunc(snapshot.Quantities, isOver)
	maps.DeleteFunc(ledger.Quantities, isOver)
	maps.DeleteFunc(held, isOver)
	for batch := range slices.Chunk(gone, maxDrifts) {
		if err := r.service.virtual.Forget(ctx, store, batch); err != nil {
			return err
		}
	}
	return nil
}

// suspects are the products that the two sides don't agree on, and then those that moved meanwhile; at most maxDrifts.
func suspects(ledger Sums, available, held map[string]int64) []string {
	known := map[string]bool{}
	var products []string
	for _, side := range []map[string]int64{ledger.Quantities, available, held} {
		for product := range side {
			if !known[product] && ledger.Quantities[product] != available[product]+held[product] {
				known[product] = true
				products = append(products, product)
			}
		}
	}
	for _, product := range ledger.Moved {
		if !known[product] && !over(product, ledger.At) {
			known[product] = true
			products = append(products, product)
		}
	}
	return products[:min(len(products), maxDrifts)]
}

// pending sums what the ledger has and a snapshot that was taken after before couldn't have.
func (r *Reconciler) pending(
	ctx context.Context, store string, snapshot Snapshot, withdrawals map[string]Withdrawal, products []string, before, now time.Time,
) (map[string]int64, error) {
	if len(products) == 0 {
		return nil, nil
	}
	entries, err := r.history.Between(ctx, store, products, before.Add(-onItsWay), now)
	if err != nil {
		return nil, err
	}
	// What was entered under an older epoch was loaded, and what was sold before before was reserved before the snapshot.
	entries = slices.DeleteFunc(entries, func(e Entry) bool {
		_, withdrawal := withdrawals[e.ID] // counted below
		return e.Epoch != snapshot.Epoch || (e.Kind == KindSale && !e.Time.After(before)) || withdrawal
	})
	var orders []string
	for _, entry := range entries {
		if entry.Kind == KindSale {
			orders = append(orders, entry.Reference)
		}
	}
	sold, err := r.orders.Sold(ctx, now, slices.Compact(slices.Sorted(slices.Values(orders))))
	if err != nil {
		return nil, fmt.Errorf("read the orders of sales: %w", err)
	}
	pending := map[string]int64{}
	for _, withdrawal := range withdrawals {
		for _, line := range withdrawal.Lines {
			pending[line.ProductID] += line.Quantity
		}
	}
	for _, entry := range entries {
		late := !snapshot.Applied[entry.ID]
		if entry.Kind == KindSale {
			late = sold[entry.Reference].Token > snapshot.Token
		}
		if late {
			pending[entry.ProductID] += entry.Quantity
		}
	}
	return pending, nil
}
