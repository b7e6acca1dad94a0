package product

import (
	"context"
	"time"

	"larder.dev/internal/fault"
	"larder.dev/internal/money"
)

// PlannedPrice is a price for a period. Times are whole microseconds, as they are kept.
type PlannedPrice struct {
	StoreID string // empty: the everyday price
	Price   money.Money
	Start   time.Time
	End     time.Time // exclusive; zero: until another begins
}

// late is how long before now a new price may begin: what a request for "now" takes on its way, by a clock that isn't ours.
const late = time.Minute

// activations is how many products Activate takes on by default.
const activations = 500

// Plan adds a price to a product, and returns it as it is kept. The same again changes nothing, also when it has begun since.
// Errors: INVALID_ARGUMENT, PRODUCT_NOT_FOUND, STORE_NOT_FOUND, PRICE_NOT_PLANNABLE.
func (s *Service) Plan(ctx context.Context, id string, p PlannedPrice) (PlannedPrice, error) {
	p.Start, p.End = p.Start.Truncate(time.Microsecond), p.End.Truncate(time.Microsecond)
	if err := p.check(); err != nil {
		return PlannedPrice{}, err
	}
	return p, s.catalogue.Plan(ctx, id, p, late)
}

// Withdraw takes a planned price back that hasn't begun: a store's, or for an empty one an everyday price. Errors: PRODUCT_NOT_FOUND,
// PRICE_NOT_FOUND, PRICE_BEGUN.
func (s *Service) Withdraw(ctx context.Context, id, storeID string, start time.Time) error {
	return s.catalogue.Withdraw(ctx, id, storeID, start.Truncate(time.Microsecond))
}

// Prices returns the prices of a product that are in force now or will be: the everyday ones first, then by store and time. Errors:
// PRODUCT_NOT_FOUND.
func (s *Service) Prices(ctx context.Context, id string) ([]PlannedPrice, error) {
	return s.catalogue.Prices(ctx, id)
}

// Activate brings the documents up to date of products whose prices have begun or ended since the last time, at most limit, 0
// meaning 500. It returns of how many, and whether there may be more.
func (s *Service) Activate(ctx context.Context, limit int) (products int, more bool, err error) {
	if limit == 0 {
		limit = activations
	}
	return s.catalogue.Activate(ctx, limit)
}

// check holds a planned price against the rules that its proto can't state.
func (p PlannedPrice) check() error {
	switch {
	case p.Price.Currency != Currency:
		return fault.Invalid("price.price.currency", "must be %s, the stores' currency", Currency)
	case p.Price.Minor < 1 || p.Price.Minor > MaxAmount:
		return fault.Invalid("price.price.minor_units", "must be 1 to %d", MaxAmount)
	case !p.End.IsZero() && !p.End.After(p.Start):
		return fault.Invalid("price.end_time", "must be after start_time")
	default:
		return nil
	}
}
