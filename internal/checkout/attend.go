package checkout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// attendEvery is the time between two looks after what checkouts left behind.
const attendEvery = 5 * time.Second

// Attend looks after what checkouts left behind, now and then, until ctx ends: overdue holds, open payments, and virtual stock of
// another epoch than Spanner's. Any number of processes may do so at once, and functions do by a schedule: one of them is enough.
func (s *Service) Attend(ctx context.Context) error {
	for {
		pause := attendEvery + rand.N(attendEvery/2) // many processes don't look at the same time
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		s.attend(ctx)
	}
}

func (s *Service) attend(ctx context.Context) {
	const limit = 100
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stores, err := s.stock.Stores(ctx)
	if err != nil {
		slog.WarnContext(ctx, "list stores", "error", err)
	}
	for _, store := range stores {
		n, err := s.attendStore(ctx, store, limit)
		switch {
		case err != nil:
			slog.WarnContext(ctx, "look after a store", "store", store, "holds", n, "error", err)
		case n > 0:
			slog.InfoContext(ctx, "overdue holds looked after", "store", store, "holds", n)
		}
	}
	if n, err := s.Reconcile(ctx, limit); n > 0 || err != nil {
		slog.InfoContext(ctx, "open payments looked after", "payments", n, "error", err)
	}
}

// attendStore looks after a store's virtual stock and its overdue holds; it returns how many of these it looked at. The holds are
// looked after even if the stock can't be checked.
func (s *Service) attendStore(ctx context.Context, store string, limit int) (int, error) {
	checked := s.stock.Check(ctx, store)
	if checked != nil {
		checked = fmt.Errorf("check the stock of %s: %w", store, checked)
	}
	n, err := s.Reap(ctx, store, limit)
	return n, errors.Join(checked, err)
}
