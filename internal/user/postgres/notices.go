package postgres

import (
	"context"
	_ "embed"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"larder.dev/internal/pgdb"
	"larder.dev/internal/user"
)

var (
	//go:embed sql/begin_notice.sql
	beginNotice string
	//go:embed sql/end_notice.sql
	endNotice string
	//go:embed sql/delete_old_notices.sql
	deleteOldNotices string
)

// BeginNotice implements user.Notices.
func (s *Store) BeginNotice(ctx context.Context, userID, eventID string, now, before time.Time) (user.Notice, error) {
	var notice user.Notice
	var begun, ended bool
	err := s.pool.QueryRow(ctx, beginNotice, eventID, userID, now, before).Scan(&notice.Email, &notice.DisplayName, &begun, &ended)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return user.Notice{State: user.NoticeGone}, nil
	case err != nil:
		return user.Notice{}, pgdb.Error(err)
	case begun:
		notice.State = user.NoticeDue
		return notice, nil
	case ended:
		return user.Notice{State: user.NoticeSent}, nil
	default:
		return user.Notice{State: user.NoticeBusy}, nil
	}
}

// EndNotice implements user.Notices.
func (s *Store) EndNotice(ctx context.Context, eventID string, now time.Time) error {
	_, err := s.pool.Exec(ctx, endNotice, eventID, now)
	return pgdb.Error(err)
}
