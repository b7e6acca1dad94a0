package postgres

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/product"
)

var (
	//go:embed sql/planned_price.sql
	plannedPrice string
	//go:embed sql/plan_price.sql
	planPrice string
	//go:embed sql/withdraw_price.sql
	withdrawPrice string
	// All that aren't over: a few of these may be replaced for good, and not be listed.
	countPrices = `select count(*) from products.prices where product_id = $1 and (valid_to is null or valid_to > statement_timestamp())`
	//go:embed sql/list_prices.sql
	listPrices string
	//go:embed sql/take_activations.sql
	takeActivations string
)

// Plan implements product.Catalogue.
func (s *Store) Plan(ctx context.Context, id string, p product.PlannedPrice, late time.Duration) error {
	return s.locked(ctx, id, func(tx pgx.Tx, _ product.Product) error {
		if p.StoreID != "" {
			if err := checkStores(ctx, tx, "price.store_id", []string{p.StoreID}); err != nil {
				return err
			}
		}
		there, err := planned(ctx, tx, id, p)
		if err != nil || there {
			return err
		}
		var count int
		if err := tx.QueryRow(ctx, countPrices, id).Scan(&count); err != nil {
			return wrap(err, "count the prices of a product")
		}
		if err := full("prices of the product", count, maxPrices); err != nil {
			return err
		}
		added, err := tx.Exec(ctx, planPrice, id, p.StoreID, p.Start, orNull(p.End), p.Price.Minor, late)
		switch {
		case pgdb.Violates(err, "prices_product_id_store_id_valid_from_key"): // by somebody who doesn't lock the product
			return notPlannable(p)
		case pgdb.Violates(err, "prices_store_id_fkey"): // it was removed since we looked
			return storeNotFound(p.StoreID)
		case err != nil:
			return wrap(err, "plan a price")
		case added.RowsAffected() == 0:
			return fault.Invalid("price.start_time", "must not be in the past")
		}
		return nil
	})
}

// planned tells whether the price is there already. Error: PRICE_NOT_PLANNABLE, if another is in its place.
func planned(ctx context.Context, tx pgx.Tx, id string, p product.PlannedPrice) (bool, error) {
	var minor int64
	var end *time.Time
	err := tx.QueryRow(ctx, plannedPrice, id, p.StoreID, p.Start).Scan(&minor, &end)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, nil
	case err != nil:
		return false, wrap(err, "look for a planned price")
	case minor != p.Price.Minor || (end == nil) != p.End.IsZero() || (end != nil && !end.Equal(p.End)):
		return false, notPlannable(p)
	default:
		return true, nil
	}
}

func notPlannable(p product.PlannedPrice) error {
	return fault.PriceNotPlannable.New("another price begins at %s", p.Start.UTC().Format(time.RFC3339Nano)).
		WithViolation("price.start_time", "is another price's")
}

// Withdraw implements product.Catalogue.
func (s *Store) Withdraw(ctx context.Context, id, storeID string, start time.Time) error {
	return s.locked(ctx, id, func(tx pgx.Tx, _ product.Product) error {
		removed, err := tx.Exec(ctx, withdrawPrice, id, storeID, start)
		if err != nil || removed.RowsAffected() > 0 {
			return wrap(err, "take a planned price back")
		}
		err = tx.QueryRow(ctx, plannedPrice, id, storeID, start).Scan(nil, nil)
		begins := start.UTC().Format(time.RFC3339Nano)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return fault.PriceNotFound.New("no price of %q begins there at %s", id, begins)
		case err != nil:
			return wrap(err, "look for a planned price")
		default:
			return fault.PriceBegun.New("the price of %q has begun at %s", id, begins)
		}
	})
}

// Prices implements product.Catalogue.
func (s *Store) Prices(ctx context.Context, id string) ([]product.PlannedPrice, error) {
	p, err := s.Product(ctx, id)
	if err != nil {
		return nil, err
	}
	prices, err := collect(ctx, s.pool, func(row pgx.Row) (product.PlannedPrice, error) {
		read := product.PlannedPrice{Price: money.Of(0, p.Price.Currency)}
		var end *time.Time
		err := row.Scan(&read.StoreID, &read.Price.Minor, &read.Start, &end)
		if end != nil {
			read.End = *end
		}
		return read, err
	}, listPrices, id, maxPrices)
	return prices, wrap(err, "list prices")
}

// Activate implements product.Catalogue.
func (s *Store) Activate(ctx context.Context, limit int) (products int, more bool, err error) {
	err = pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		ids, err := collect(ctx, tx, scanID, takeActivations, limit)
		if err != nil {
			return wrap(err, "take price activations")
		}
		more = len(ids) == limit
		if len(ids) == 0 {
			return nil
		}
		slices.Sort(ids)
		ids = slices.Compact(ids) // one product's prices in two stores begin at once, or one ends and another begins
		products = len(ids)
		_, err = tx.Exec(ctx, `select products.refresh_documents($1)`, ids)
		return wrap(err, "bring documents up to date")
	})
	return products, more, err
}

// orNull makes SQL's null of no time.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// scanID reads a row that is an id.
func scanID(row pgx.Row) (id string, err error) {
	err = row.Scan(&id)
	return id, err
}
