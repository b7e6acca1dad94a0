package stock

import (
	"context"
	"time"
)

// Kinds of ledger entries.
const (
	KindSale         = "sale"
	KindCancellation = "cancellation"
	KindAdjustment   = "adjustment"
	// KindPicking is what a packed order was given less, or instead, than it was sold.
	KindPicking = "picking"
)

// Entry is one change of a product's stock in the ledger.
type Entry struct {
	ID, ProductID string
	// Quantity is negative where something is taken away.
	Quantity int64
	// Epoch is the store's, as the entry's transaction read it.
	Epoch Epoch
	Kind  string
	// Reference is the order, or the adjustment, that the entry belongs to.
	Reference, Actor, Reason string
	// Time is the transaction's commit timestamp.
	Time time.Time
}

// Position is an entry's place in its product's history.
type Position struct {
	Time time.Time
	ID   string
}

// Newest is the place behind every entry.
var Newest = Position{Time: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}

// Entries returns a page of a product's history, newest first, older than a place in it.
func (s *Service) Entries(ctx context.Context, store, product string, than Position, limit int) ([]Entry, error) {
	return s.ledger.Entries(ctx, store, product, than, limit)
}

// Sales returns how much of each product a store sold since a time, less what was cancelled, most first. Slots are left out.
func (s *Service) Sales(ctx context.Context, store string, since time.Time, limit int) ([]Line, error) {
	return s.ledger.Sales(ctx, store, since, limit)
}

// Folded is what was folded.
type Folded struct {
	Products int
	Entries  int64
	// More: there may be more to fold.
	More bool
}

// Fold moves entries of a store that are some seconds old into the balances of at most limit products, the longest unfolded first, so that
// a rebuild reads few. Any number may fold at once; what is summed at an epoch's timestamp stays what it is.
func (s *Service) Fold(ctx context.Context, store string, limit int) (Folded, error) {
	return s.ledger.Fold(ctx, store, limit)
}
