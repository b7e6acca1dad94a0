package user

import (
	"context"
	"fmt"
	"time"
)

// Anybody can make accounts without proving anything, so some are mistyped, given up, or made by programs. Nobody will come for them; and
// they hold what somebody said of a person who may not know of it. Those are deleted (decision 0254).

// UnverifiedLife is how long an account that claims an address waits for its use. It is longer than a refresh token waits, so no account
// that is deleted has a session that could go on.
const UnverifiedLife = 90 * 24 * time.Hour

// Unverified is what the room needs of its store for accounts that claim an address.
type Unverified interface {
	// DeleteUnverified looks at the next accounts, by id behind an id, "" for the first, at most limit, that have claimed an address since
	// before a time. Those that nobody has signed in to or refreshed a session of since then it deletes, as DeleteAccount does. It returns
	// how many those were, and the last account that it looked at, "" when there are no more.
	DeleteUnverified(ctx context.Context, after string, limit int, unused, now time.Time) (deleted int, last string, err error)
}

// Reap deletes unverified accounts past their life, of the next ones by id behind an id, "" for the first. It looks at limit at most, 0
// means 500. last is where to go on, "" at the end. It may run beside itself, and beside the people that it waits for: an account that is
// being signed in to or verified is left for another day.
func (s *Service) Reap(ctx context.Context, after string, limit int) (reaped int, last string, err error) {
	if limit == 0 {
		limit = 500
	}
	now := s.now()
	if reaped, last, err = s.store.DeleteUnverified(ctx, after, limit, now.Add(-UnverifiedLife), now); err != nil {
		return 0, "", fmt.Errorf("delete unverified accounts: %w", err)
	}
	return reaped, last, nil
}
