package stock

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Holds are a store's open holds.
type Holds struct {
	// First are those whose deadline comes first.
	First []OpenHold
	// All and Overdue count: all of them, and those that are past their deadline.
	All, Overdue int64
}

// OpenHold is a hold with what it is for.
type OpenHold struct {
	// ID is an order's, or an adjustment's.
	ID       string
	Lines    []Line
	Deadline time.Time
}

// Adjusts tells that the hold is an adjustment's, not a checkout's.
func (h OpenHold) Adjusts() bool { _, ok := withdrawalOf(h.ID); return ok }

// Rebuilt is an epoch of a store, and who asked for it.
type Rebuilt struct {
	Epoch Epoch
	Actor string
}

// Loading is a rebuild that is under way.
type Loading struct {
	// Products are how many there are to load, zero while the ledger is summed; Loaded, how many of them are.
	Products, Loaded int64
	// Began is when the loading began, zero while the ledger is summed.
	Began time.Time
}

// Status is how a store's virtual stock stands to its ledger.
type Status struct {
	// Epoch is Spanner's, zero for a store that was never stocked; Loaded is the virtual stock's, zero where that has to be rebuilt.
	Epoch, Loaded Epoch
	Holds         Holds
	// Loading is the rebuild that is under way; nil: none is.
	Loading *Loading
	// Rebuilds are the last ones, newest first.
	Rebuilds []Rebuilt
}

// shownRebuilds is how many rebuilds a status has.
const shownRebuilds = 20

// Status looks at a store. It changes nothing: a virtual stock that is gone is told, not mended.
func (s *Service) Status(ctx context.Context, store string, now time.Time) (status Status, err error) {
	if status.Epoch, err = s.ledger.Epoch(ctx, store); err != nil {
		return Status{}, fmt.Errorf("read the epoch of %s: %w", store, err)
	}
	status.Loaded, _, err = s.virtual.Read(ctx, store, nil)
	if err != nil && !errors.Is(err, ErrNeedsRebuild) {
		return Status{}, fmt.Errorf("read the stock of %s: %w", store, err)
	}
	if status.Holds, err = s.virtual.Holds(ctx, store, now, 0); err != nil {
		return Status{}, fmt.Errorf("count the holds of %s: %w", store, err)
	}
	if status.Loading, err = s.virtual.Loading(ctx, store); err != nil {
		return Status{}, fmt.Errorf("look for a rebuild of %s: %w", store, err)
	}
	if status.Rebuilds, err = s.ledger.Rebuilds(ctx, store, shownRebuilds); err != nil {
		return Status{}, fmt.Errorf("list the rebuilds of %s: %w", store, err)
	}
	return status, nil
}

// Holds lists a store's holds; see Virtual.
func (s *Service) Holds(ctx context.Context, store string, now time.Time, limit int) (Holds, error) {
	return s.virtual.Holds(ctx, store, now, limit)
}
