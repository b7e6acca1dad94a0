package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"larder.dev/internal/fault"
)

// What is listed whole, without pages, is bounded where it is added, so that no list is ever cut.
const (
	maxCategories = 2_000
	maxStores     = 1_000
	maxPrices     = 1_000 // of a product, in force or planned
)

// admit refuses one more row of a table that has as many as a list tells: CATALOGUE_FULL. Those who add at once wait for each other.
func admit(ctx context.Context, tx pgx.Tx, table string, most int) error {
	name := pgx.Identifier{"products", table}.Sanitize()
	if _, err := tx.Exec(ctx, `lock table `+name+` in share update exclusive mode`); err != nil {
		return wrap(err, "lock a table")
	}
	var count int
	if err := tx.QueryRow(ctx, `select count(*) from `+name).Scan(&count); err != nil {
		return wrap(err, "count a table")
	}
	return full(table, count, most)
}

func full(what string, count, most int) error {
	if count >= most {
		return fault.CatalogueFull.New("there are %d %s already", count, what)
	}
	return nil
}
