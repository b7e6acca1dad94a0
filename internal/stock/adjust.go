package stock

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"larder.dev/internal/chaos"
	"larder.dev/internal/fault"
)

// An adjustment changes the ledger first, then the virtual stock. What it takes away is held before, like an order's lines: so no
// order is promised meanwhile what is about to go. Its transaction refuses a hold of another epoch, like a commit (rules 4 and 5), and apply
// puts the entry in the hold's place in one step.
//
// Such a hold is never released by whoever made it, nor by the reaper: another process may be at work on the same adjustment, and its
// transaction would still find the hold's epoch. If the adjustment was entered, apply ends the hold. If it wasn't, a rebuild does, and the new
// epoch keeps the late transaction out.

// Adjustment is a change of stock by a person or a warehouse.
type Adjustment struct {
	ID, StoreID   string
	Lines         []Line
	Actor, Reason string
	Fingerprint   []byte
}

// Withdrawal is an adjustment as it was entered, or a change of a slot's capacity.
type Withdrawal struct {
	Epoch Epoch
	Lines []Line
}

// withdrawalPrefix tells the holds of adjustments from those of orders. What follows is the entry's id.
const withdrawalPrefix = "adjustment:"

// WithdrawalHold is the id of the hold that stands in for an entry.
func WithdrawalHold(entry string) string { return withdrawalPrefix + entry }

// withdrawalOf returns the entry that a hold stands in for; ok is false for an order's hold.
func withdrawalOf(hold string) (entry string, ok bool) {
	return strings.CutPrefix(hold, withdrawalPrefix)
}

const (
	// withdrawFor is how long an adjustment may take before its hold is looked after. Longer than a request may take, since what isn't
	// entered by then costs a rebuild.
	withdrawFor = 30 * time.Second
	// withdrawAttempts bounds how often an adjustment is held again because the epoch changed.
	withdrawAttempts = 5
)

// Adjust changes the stock. Errors: STOCK_UNDERFLOW where more is taken away than may still be promised, IDEMPOTENCY_KEY_REUSED,
// STOCK_REBUILDING.
func (s *Service) Adjust(ctx context.Context, a Adjustment) error {
	epoch, err := s.ledger.Entered(ctx, a)
	if err != nil {
		return fmt.Errorf("look for adjustment %s: %w", a.ID, err)
	}
	if epoch == 0 {
		if epoch, err = s.enter(ctx, a); err != nil {
			return fmt.Errorf("enter adjustment %s: %w", a.ID, err)
		}
	}
	chaos.At(chaos.StockEntered)
	if err := s.Apply(ctx, a.StoreID, a.ID, epoch, a.Lines); err != nil {
		return err
	}
	chaos.At(chaos.StockApplied)
	return nil
}

// enter returns the epoch that the adjustment was entered under.
func (s *Service) enter(ctx context.Context, a Adjustment) (Epoch, error) {
	taken := takenBy(a.Lines)
	if len(taken) == 0 {
		return s.add(ctx, a.StoreID, func() (Epoch, error) { return s.ledger.Adjust(ctx, a) })
	}
	epoch, err := s.withdraw(ctx, a.StoreID, a.ID, taken, func(under Epoch) (Epoch, Epoch, error) { return s.ledger.Withdraw(ctx, a, under) })
	var short *InsufficientError
	if !errors.As(err, &short) && !errors.Is(err, ErrOtherLines) {
		return epoch, err
	}
	// A twin may have been at work: what it entered is missing now.
	if epoch, lookErr := s.ledger.Entered(ctx, a); epoch != 0 || lookErr != nil {
		return epoch, lookErr
	}
	if short == nil {
		return 0, fault.IdempotencyKeyReused.New("the Idempotency-Key is in use for another adjustment")
	}
	return 0, underflow(short)
}

// takenBy are the lines that take something away, as they are held.
func takenBy(lines []Line) []Line {
	var taken []Line
	for _, line := range lines {
		if line.Quantity < 0 {
			taken = append(taken, Line{ProductID: line.ProductID, Quantity: -line.Quantity})
		}
	}
	return taken
}

func underflow(short *InsufficientError) error {
	line := short.Shortages[0]
	return fault.StockUnderflow.New("only %d of %s may still be promised", line.Available, line.ProductID).
		WithMetadata("product_id", line.ProductID)
}

// add gives a store its first epoch where what is entered finds none (rule 4: without one nothing commits).
func (s *Service) add(ctx context.Context, store string, enter func() (Epoch, error)) (Epoch, error) {
	epoch, err := enter()
	if err != nil || epoch != 0 {
		return epoch, err
	}
	if _, _, err := s.Rebuild(ctx, store); err != nil {
		return 0, err
	}
	return enter()
}

// withdraw holds lines for an entry and enters it under the hold's epoch, again under another while the store's is another (rule 4).
// Errors: *InsufficientError, ErrOtherLines, STOCK_REBUILDING.
func (s *Service) withdraw(
	ctx context.Context, store, entry string, taken []Line, enter func(under Epoch) (entered, current Epoch, err error),
) (Epoch, error) {
	var minimum Epoch
	for range withdrawAttempts {
		hold, err := s.Reserve(ctx, store, WithdrawalHold(entry), taken, chaos.Now().Add(withdrawFor), minimum)
		if err != nil {
			return 0, err
		}
		chaos.At(chaos.StockHeld)
		entered, current, err := enter(hold.Epoch)
		if err != nil || entered != 0 {
			return entered, err
		}
		minimum = max(current, hold.Epoch+1)
	}
	return 0, rebuilding(errMoved)
}

// Exchange enters what another room's transaction gives and takes, and applies it. What it takes away is held for the entry first, as an
// adjustment's is, and lines have each product once. The transaction enters it once, with spanner.Exchange, under an epoch (zero: whichever
// the store has), and returns the epoch that it was entered under; zero, and nothing is entered, while the store's is another. Errors:
// *InsufficientError, ErrOtherLines, STOCK_REBUILDING, and those of enter.
func (s *Service) Exchange(
	ctx context.Context, store, entry string, lines []Line, enter func(under Epoch) (entered, current Epoch, err error),
) error {
	var epoch Epoch
	var err error
	if taken := takenBy(lines); len(taken) > 0 {
		epoch, err = s.withdraw(ctx, store, entry, taken, enter)
	} else {
		epoch, err = s.add(ctx, store, func() (Epoch, error) { entered, _, err := enter(0); return entered, err })
	}
	if err != nil {
		return err
	}
	chaos.At(chaos.StockEntered)
	if err := s.Apply(ctx, store, entry, epoch, lines); err != nil {
		return fmt.Errorf("apply %s: %w", entry, err)
	}
	chaos.At(chaos.StockApplied)
	return nil
}

// attendWithdrawals ends the holds of adjustments that are past their deadline.
func (s *Service) attendWithdrawals(ctx context.Context, store string) error {
	const limit = 100
	loaded, _, err := s.virtual.Read(ctx, store, nil) // before the holds: those that are found may be of a newer load
	if errors.Is(err, ErrNeedsRebuild) {
		return nil // the holds are gone
	}
	if err != nil {
		return fmt.Errorf("read stock of %s: %w", store, err)
	}
	overdue, err := s.virtual.Overdue(ctx, store, chaos.Now(), limit)
	if err != nil {
		return fmt.Errorf("list overdue holds of %s: %w", store, err)
	}
	for _, hold := range overdue {
		entry, ok := withdrawalOf(hold)
		if !ok {
			continue
		}
		entered, err := s.ledger.Withdrawn(ctx, store, []string{entry})
		if err != nil {
			return fmt.Errorf("look for entry %s: %w", entry, err)
		}
		withdrawal, ok := entered[entry]
		if !ok {
			return s.rebuild(ctx, store, loaded+1, nil) // that ends them all
		}
		if err := s.Apply(ctx, store, entry, withdrawal.Epoch, withdrawal.Lines); err != nil {
			return err
		}
	}
	return nil
}
