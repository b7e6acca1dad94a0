package postgres

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"larder.dev/internal/pgdb"
)

var (
	//go:embed sql/lock_unverified.sql
	lockUnverified string
	//go:embed sql/delete_unverified.sql
	deleteUnverified string
)

// DeleteUnverified implements user.Unverified. One statement locks, and the next, which sees what was committed before the locks, decides.
func (s *Store) DeleteUnverified(ctx context.Context, after string, limit int, unused, now time.Time) (deleted int, last string, err error) {
	if after == "" {
		after = uuid.Nil.String()
	}
	err = pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		deleted, last = 0, ""
		old, err := ids(ctx, tx, lockUnverified, after, limit, unused)
		if err != nil {
			return fmt.Errorf("lock unverified accounts: %w", err)
		}
		if len(old) == limit {
			last = old[limit-1]
		}
		gone, err := ids(ctx, tx, deleteUnverified, old, unused)
		if err != nil {
			return fmt.Errorf("delete unverified accounts: %w", err)
		}
		for _, id := range gone {
			if err := tellDeleted(ctx, tx, id, now); err != nil {
				return err
			}
		}
		deleted = len(gone)
		return nil
	})
	return deleted, last, err
}

func ids(ctx context.Context, tx pgx.Tx, sql string, arguments ...any) ([]string, error) {
	rows, err := tx.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
