package postgres

import (
	"context"
	_ "embed"
	"time"

	"github.com/jackc/pgx/v5"

	"larder.dev/internal/pgdb"
	"larder.dev/internal/user"
)

var (
	//go:embed sql/sessions.sql
	sessionsOf string
	//go:embed sql/notices.sql
	noticesOf string
)

// Sessions implements user.Exports.
func (s *Store) Sessions(ctx context.Context, userID string, limit int) ([]user.KeptSession, error) {
	rows, err := s.pool.Query(ctx, sessionsOf, userID, limit)
	if err != nil {
		return nil, pgdb.Error(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (kept user.KeptSession, err error) {
		var end *time.Time
		err = row.Scan(&kept.ID, &kept.CreateTime, &kept.ExpireTime, &end)
		kept.EndTime = orZero(end)
		return kept, err
	})
	return all, pgdb.Error(err)
}

// Notices implements user.Exports.
func (s *Store) Notices(ctx context.Context, userID string, limit int) ([]user.KeptNotice, error) {
	rows, err := s.pool.Query(ctx, noticesOf, userID, limit)
	if err != nil {
		return nil, pgdb.Error(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (kept user.KeptNotice, err error) {
		var end *time.Time
		err = row.Scan(&kept.EventID, &kept.BeginTime, &end)
		kept.EndTime = orZero(end)
		return kept, err
	})
	return all, pgdb.Error(err)
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
