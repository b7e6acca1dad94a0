// Package stock holds a store's stock twice: the ledger in Spanner, which is the truth, and the virtual stock in Redis, which
// says what may still be promised. A checkout takes its lines from the virtual stock as a hold, and only the commit of its order
// enters the sale into the ledger.
//
// Virtual stock may be lost, doubled or outdated at any time: it is loaded under an epoch, bound to one Redis server, and a
// commit refuses a hold of another epoch. So a fault of Redis slows sales down and can't oversell. The rules by number are those of
// docs/protocol.md; the scripts in redis/ keep 1 to 3 and 5 to 8, this package 4 and 9.
package stock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"larder.dev/internal/chaos"
	"larder.dev/internal/fault"
	"larder.dev/internal/telemetry"
)

// Line is a quantity of one product.
type Line struct {
	ProductID string
	Quantity  int64
	// Limit, where it isn't zero, makes the line one that counts what a shopper has bought: it begins at zero, without any stock, and may be
	// taken down to -Limit.
	Limit int64
}

// Epoch names one load of a store's virtual stock: the commit timestamp, in nanoseconds since 1970, of the transaction that
// wrote it into Spanner. So it only grows and none is used twice, whatever Spanner forgets (rule 9). Zero is none.
type Epoch int64

// EpochAt is the epoch of a commit timestamp.
func EpochAt(t time.Time) Epoch { return Epoch(t.UnixNano()) }

// Time is the commit timestamp.
func (e Epoch) Time() time.Time { return time.Unix(0, int64(e)).UTC() }

// String has a fixed width, so that strings compare as epochs do: Lua's numbers would round it.
func (e Epoch) String() string { return fmt.Sprintf("%020d", int64(e)) }

// Hold is a reserved order's place in the virtual stock: its epoch, and a token that the script made.
type Hold struct {
	Epoch Epoch
	Token int64
}

// Shortage is a line that can't be had.
type Shortage struct {
	ProductID string
	Requested int64
	// Available is what is left; never negative.
	Available int64
}

// What Virtual refuses.
var (
	// ErrNeedsRebuild: the virtual stock is missing, on another server than it was loaded on, or older than asked for.
	ErrNeedsRebuild = errors.New("virtual stock needs a rebuild")
	// ErrOtherLines: the order holds other lines already.
	ErrOtherLines = errors.New("the order holds other lines")
)

// InsufficientError lists the lines that can't be had.
type InsufficientError struct{ Shortages []Shortage }

func (e *InsufficientError) Error() string {
	return fmt.Sprintf("%d lines are short", len(e.Shortages))
}

// UnstockedError lists products of which the virtual stock knows nothing: never stocked, or lost.
type UnstockedError struct{ ProductIDs []string }

func (e *UnstockedError) Error() string {
	return fmt.Sprintf("%d products are unknown to the virtual stock", len(e.ProductIDs))
}

// Virtual is the virtual stock. Each method is one atomic script, safe to send again; Load must not be.
type Virtual interface {
	// Reserve holds all lines for an order or none (rule 3). Errors: ErrNeedsRebuild (also below the minimal epoch),
	// ErrOtherLines, *UnstockedError, *InsufficientError.
	Reserve(ctx context.Context, store, order string, lines []Line, deadline time.Time, minimum Epoch) (Hold, error)
	// Settle ends the hold of a sold order (rule 5); sold is the hold in the Orders row.
	Settle(ctx context.Context, store, order string, sold Hold) error
	// Release gives back the hold of an abandoned order (rule 7d).
	Release(ctx context.Context, store, order string) error
	// Apply adds a ledger entry, once, and gives back what was held for it (rule 8). Errors: ErrNeedsRebuild.
	Apply(ctx context.Context, store, entry string, epoch Epoch, lines []Line) error
	// Load replaces a store's virtual stock (rule 9). It is sent at most once per epoch: an error leaves the outcome unknown.
	Load(ctx context.Context, store string, epoch Epoch, quantities map[string]int64) error
	// Loading tells how far a rebuild that is under way has come, nil: none is.
	Loading(ctx context.Context, store string) (*Loading, error)
	// Read returns the loaded epoch and what may still be promised of the products that are stocked. Errors: ErrNeedsRebuild.
	Read(ctx context.Context, store string, products []string) (Epoch, map[string]int64, error)
	// Overdue returns the orders whose holds are past their deadline, at most limit.
	Overdue(ctx context.Context, store string, now time.Time, limit int) ([]string, error)
	// Holds returns a store's holds, those first whose deadline comes first, at most limit, and counts all of them and those past it.
	Holds(ctx context.Context, store string, now time.Time, limit int) (Holds, error)
	// Snapshot returns all of a store's virtual stock as it is at one instant. Errors: ErrNeedsRebuild.
	Snapshot(ctx context.Context, store string) (Snapshot, error)
	// Index lets Overdue find holds that it may have lost; what is no hold any more stays none.
	Index(ctx context.Context, store string, holds []string) error
	// Forget drops what is left of limits that are over.
	Forget(ctx context.Context, store string, limits []string) error
	// TryLock keeps other rebuilders of a store away for a while, at best, unless one of them is at work. unlock may be called once.
	TryLock(ctx context.Context, store string) (unlock func(), locked bool, err error)
}

// Ledger is the truth about stock.
type Ledger interface {
	// Epoch returns a store's epoch by a strong read, zero for a store without one.
	Epoch(ctx context.Context, store string) (Epoch, error)
	// Bump gives a store a new epoch, keeps who asked for it, and returns it.
	Bump(ctx context.Context, store, actor string) (Epoch, error)
	// Rebuilds lists a store's epochs, newest first.
	Rebuilds(ctx context.Context, store string, limit int) ([]Rebuilt, error)
	// SumAt returns the stock of every product of a store exactly at an epoch's timestamp.
	SumAt(ctx context.Context, store string, epoch Epoch) (map[string]int64, error)
	// Stocked tells which of the products have ever had an entry in a store.
	Stocked(ctx context.Context, store string, products []string) ([]string, error)
	// Products lists the products of a store that come after one, by id.
	Products(ctx context.Context, store, after string, limit int) ([]string, error)
	// Stores lists the stores that have an epoch.
	Stores(ctx context.Context) ([]string, error)
	// Entered returns the epoch that an adjustment was entered under, zero if it wasn't. Errors: IDEMPOTENCY_KEY_REUSED.
	Entered(ctx context.Context, adjustment Adjustment) (Epoch, error)
	// Adjust enters an adjustment once, and returns the epoch that it was entered under: zero, and nothing entered, for a store
	// that has none. Errors: IDEMPOTENCY_KEY_REUSED.
	Adjust(ctx context.Context, adjustment Adjustment) (Epoch, error)
	// Withdraw is Adjust for lines that are held under an epoch: nothing is entered, and entered is zero, while the store's is another.
	Withdraw(ctx context.Context, adjustment Adjustment, under Epoch) (entered, current Epoch, err error)
	// Withdrawn returns those of the entries that were entered, by id: adjustments and changes of slots.
	Withdrawn(ctx context.Context, store string, entries []string) (map[string]Withdrawal, error)
	// Slot returns a slot without what is free of it; ok is false where there is none.
	Slot(ctx context.Context, store, id string) (slot Slot, ok bool, err error)
	// Slots lists the slots that begin after a time, by time, without what is free of them.
	Slots(ctx context.Context, store string, after time.Time, limit int) ([]Slot, error)
	// PutSlot writes a slot and enters the change of its capacity. It returns that entry, or the one before if the capacity is that
	// already. Else, and nothing is written then, one of epoch zero for a store whose epoch isn't the change's, or that has none, and
	// ErrCapacityMoved where the change was computed from another capacity. Errors: ALREADY_EXISTS.
	PutSlot(ctx context.Context, store string, change SlotChange) (entry Entry, current Epoch, err error)
	// Entries returns a product's entries that are older than one, newest first.
	Entries(ctx context.Context, store, product string, than Position, limit int) ([]Entry, error)
	// Sales returns what was sold since a time and not cancelled again, most first.
	Sales(ctx context.Context, store string, since time.Time, limit int) ([]Line, error)
	// Fold adds entries that are some seconds old to the balances of at most limit products.
	Fold(ctx context.Context, store string, limit int) (Folded, error)
}

// Service is the stock of all stores.
type Service struct {
	virtual Virtual
	ledger  Ledger
}

// NewService makes one.
func NewService(virtual Virtual, ledger Ledger) *Service {
	return &Service{virtual: virtual, ledger: ledger}
}

// Reserve holds all lines for an order, after a rebuild where one is needed (rule 4). Errors: *InsufficientError, ErrOtherLines, STOCK_REBUILDING.
func (s *Service) Reserve(ctx context.Context, store, order string, lines []Line, deadline time.Time, minimum Epoch) (hold Hold, err error) {
	defer func(began time.Time) { reserved(ctx, began, err) }(time.Now())
	for attempt := 0; ; attempt++ {
		hold, err := s.virtual.Reserve(ctx, store, order, lines, deadline, minimum)
		var unstocked *UnstockedError
		switch {
		case errors.As(err, &unstocked):
			// Rule 2: a missing field is never taken for zero, unless the ledger has never heard of the product either.
			lost, ledgerErr := s.ledger.Stocked(ctx, store, unstocked.ProductIDs)
			if ledgerErr != nil {
				return Hold{}, fmt.Errorf("look for lost stock: %w", ledgerErr)
			}
			if len(lost) == 0 {
				return Hold{}, neverStocked(lines, unstocked.ProductIDs)
			}
			err = s.rebuild(ctx, store, 0, lost)
		case errors.Is(err, ErrNeedsRebuild):
			err = s.rebuild(ctx, store, minimum, nil)
		default:
			return hold, err
		}
		if err != nil {
			return Hold{}, err
		}
		if attempt == 3 {
			return Hold{}, fault.StockRebuilding.New("the store's stock is being loaded anew").WithRetryAfter(time.Second)
		}
	}
}

func neverStocked(lines []Line, products []string) error {
	short := &InsufficientError{}
	for _, line := range lines {
		for _, product := range products {
			if line.ProductID == product {
				short.Shortages = append(short.Shortages, Shortage{ProductID: product, Requested: line.Quantity})
			}
		}
	}
	return short
}

// Settle and Release end holds; see Virtual.
func (s *Service) Settle(ctx context.Context, store, order string, sold Hold) error {
	return ended(ctx, "settled", s.virtual.Settle(ctx, store, order, sold))
}

// Release gives a hold back; see Virtual.
func (s *Service) Release(ctx context.Context, store, order string) error {
	return ended(ctx, "released", s.virtual.Release(ctx, store, order))
}

// Overdue lists the orders of a store whose holds are past their deadline. Holds of adjustments are Check's.
func (s *Service) Overdue(ctx context.Context, store string, now time.Time, limit int) ([]string, error) {
	ids, err := s.virtual.Overdue(ctx, store, now, limit)
	return slices.DeleteFunc(ids, func(id string) bool { _, withdrawal := withdrawalOf(id); return withdrawal }), err
}

// Stores lists the stores that sell.
func (s *Service) Stores(ctx context.Context) ([]string, error) { return s.ledger.Stores(ctx) }

// Apply adds a committed ledger entry to the virtual stock, at the latest by a rebuild. Many that find the stock gone share one.
func (s *Service) Apply(ctx context.Context, store, entry string, epoch Epoch, lines []Line) error {
	err := s.virtual.Apply(ctx, store, entry, epoch, lines)
	if !errors.Is(err, ErrNeedsRebuild) {
		return err
	}
	if err := s.rebuild(ctx, store, epoch, nil); err != nil {
		return err
	}
	if err = s.virtual.Apply(ctx, store, entry, epoch, lines); errors.Is(err, ErrNeedsRebuild) {
		_, _, err = s.Rebuild(ctx, store) // the stock is as it should be, but remembers no more entries
	}
	return err
}

// Available returns what may still be promised, after a rebuild where one is needed; products never stocked are left out.
func (s *Service) Available(ctx context.Context, store string, products []string) (map[string]int64, error) {
	_, quantities, err := s.virtual.Read(ctx, store, products)
	if errors.Is(err, ErrNeedsRebuild) {
		if err := s.rebuild(ctx, store, 0, nil); err != nil {
			return nil, err
		}
		_, quantities, err = s.virtual.Read(ctx, store, products)
	}
	if err != nil {
		return nil, fmt.Errorf("read stock of %s: %w", store, err)
	}
	return quantities, nil
}

// List returns a page of a store's stock, by product id, after a product.
func (s *Service) List(ctx context.Context, store, after string, limit int) ([]Line, error) {
	products, err := s.ledger.Products(ctx, store, after, limit)
	if err != nil || len(products) == 0 {
		return nil, err
	}
	quantities, err := s.Available(ctx, store, products)
	if err != nil {
		return nil, err
	}
	lines := make([]Line, 0, len(products))
	for _, product := range products {
		lines = append(lines, Line{ProductID: product, Quantity: quantities[product]})
	}
	return lines, nil
}

// rebuild is done unless somebody else does it: the virtual stock is that of Spanner's epoch then, at least of the minimal one, and
// knows the products.
func (s *Service) rebuild(ctx context.Context, store string, minimum Epoch, products []string) error {
	rebuilt := func() (bool, error) { return s.rebuilt(ctx, store, minimum, products) }
	unlock, err := s.turn(ctx, store, rebuilt)
	if err != nil || unlock == nil {
		return err
	}
	defer unlock()
	if done, err := rebuilt(); done || err != nil {
		return err
	}
	_, _, err = s.load(ctx, store, system)
	return err
}

// turn waits for the rebuilders' lock, or until there is nothing left to do: unlock is nil then. It waits with jitter: rebuilders
// that start together would outbid each other (rule 9).
func (s *Service) turn(ctx context.Context, store string, done func() (bool, error)) (unlock func(), err error) {
	for began := time.Now(); ; {
		unlock, locked, err := s.virtual.TryLock(ctx, store)
		switch {
		case err != nil:
			return nil, rebuilding(err)
		case locked:
			return unlock, nil
		}
		if done, err := done(); done || err != nil {
			return nil, err
		}
		if time.Since(began) > rebuildWait {
			return nil, rebuilding(nil)
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// rebuildWait is how long a request waits for another's rebuild before it is told to try again.
const rebuildWait = 5 * time.Second

func rebuilding(err error) error {
	return fault.StockRebuilding.New("the store's stock is being loaded anew").WithRetryAfter(time.Second).WithCause(err)
}

// pause waits 20 to 60 ms.
func pause(ctx context.Context) error {
	select {
	case <-time.After(20*time.Millisecond + rand.N(40*time.Millisecond)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rebuilt tells whether the virtual stock is as good as a rebuild would make it.
func (s *Service) rebuilt(ctx context.Context, store string, minimum Epoch, products []string) (bool, error) {
	loaded, known, err := s.virtual.Read(ctx, store, products)
	switch {
	case errors.Is(err, ErrNeedsRebuild):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read stock of %s: %w", store, err)
	case loaded < minimum || len(known) < len(products):
		return false, nil
	}
	current, err := s.ledger.Epoch(ctx, store)
	if err != nil {
		return false, fmt.Errorf("read the epoch of %s: %w", store, err)
	}
	return loaded == current, nil
}

// system is who rebuilds what is lost or differs from the ledger.
const system = "system"

// Rebuild loads a store's virtual stock anew under a new epoch (rule 9), whatever it is now. Errors: STOCK_REBUILDING, while
// somebody else does.
func (s *Service) Rebuild(ctx context.Context, store string) (Epoch, int, error) {
	return s.RebuildFor(ctx, store, system, 0)
}

// RebuildFor is Rebuild for somebody who has seen an epoch (zero: none). A store that has another one by now was rebuilt since: that epoch is
// returned, with no products, and nothing is done. So a request that comes twice rebuilds once.
func (s *Service) RebuildFor(ctx context.Context, store, actor string, seen Epoch) (Epoch, int, error) {
	unlock, err := s.turn(ctx, store, func() (bool, error) { return false, nil })
	if err != nil {
		return 0, 0, err
	}
	defer unlock()
	if seen != 0 {
		current, err := s.ledger.Epoch(ctx, store)
		if err != nil || current != seen {
			return current, 0, err
		}
	}
	return s.load(ctx, store, actor)
}

func (s *Service) load(ctx context.Context, store, actor string) (epoch Epoch, products int, err error) {
	began := time.Now()
	defer func() { telemetry.Rebuild.Since(ctx, began, telemetry.OutcomeOf(err)) }()
	if epoch, err = s.ledger.Bump(ctx, store, actor); err != nil {
		return 0, 0, fmt.Errorf("bump the epoch of %s: %w", store, err)
	}
	telemetry.Epochs.Add(ctx, 1)
	chaos.At(chaos.StockBumped)
	quantities, err := s.ledger.SumAt(ctx, store, epoch)
	if err != nil {
		return 0, 0, fmt.Errorf("sum the ledger of %s: %w", store, err)
	}
	chaos.At(chaos.StockSummed)
	if err := s.virtual.Load(ctx, store, epoch, quantities); err != nil {
		// Unknown outcome: whoever needs the stock next bumps again.
		return 0, 0, fmt.Errorf("load the stock of %s: %w", store, err)
	}
	chaos.At(chaos.StockLoaded)
	slog.InfoContext(ctx, "stock rebuilt", "store", store, "epoch", epoch.String(), "actor", actor, "products", len(quantities), "took", time.Since(began))
	return epoch, len(quantities), nil
}

// Check compares the loaded epoch with Spanner's and rebuilds where they differ, in either direction (rule 4). Else it looks after the holds
// of adjustments that are past their deadline. Workers call it now and then.
func (s *Service) Check(ctx context.Context, store string) error {
	done, err := s.rebuilt(ctx, store, 0, nil)
	switch {
	case err != nil:
		return err
	case !done:
		return s.rebuild(ctx, store, 0, nil)
	default:
		s.countHolds(ctx, store)
		return s.attendWithdrawals(ctx, store)
	}
}
