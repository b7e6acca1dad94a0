package postgres

import (
	"context"
	_ "embed"

	"github.com/jackc/pgx/v5"

	"larder.dev/internal/product"
)

//go:embed sql/list_changes.sql
var listChanges string

// Changes implements product.Trail.
func (s *Store) Changes(ctx context.Context, of product.Subject, before int64, limit int) ([]product.Change, error) {
	sql, args := listChanges, []any{before, limit}
	if of != (product.Subject{}) {
		sql, args = sql+" and products.change_subject(table_name, key) = $3", append(args, of.Table+"/"+of.ID)
	}
	changes, err := collect(ctx, s.pool, func(row pgx.Row) (c product.Change, err error) {
		return c, row.Scan(&c.ID, &c.Time, &c.By, &c.Table, &c.Key, &c.Operation, &c.Before, &c.After)
	}, sql+" order by change_id desc limit $2", args...)
	return changes, wrap(err, "list changes")
}
