package checkout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"larder.dev/internal/chaos"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
	"larder.dev/internal/payment"
)

const (
	// attendEvery is the time between two looks after what checkouts left behind.
	attendEvery = 5 * time.Second
	// attendRound bounds what is done for one store, or for the payments, at each look.
	attendRound = 30 * time.Second
	// attendAtOnce and attendOne are how many checkouts are looked after at once, and how long for each: a provider that doesn't answer
	// keeps nobody else waiting.
	attendAtOnce = 4
	attendOne    = 10 * time.Second
)

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
	bounded := func(do func(ctx context.Context) (int, error)) (int, error) {
		ctx, cancel := context.WithTimeout(ctx, attendRound)
		defer cancel()
		return do(ctx)
	}
	stores, err := s.stock.Stores(ctx)
	if err != nil {
		slog.WarnContext(ctx, "list stores", "error", err)
	}
	for _, store := range stores {
		n, err := bounded(func(ctx context.Context) (int, error) { return s.attendStore(ctx, store, limit) })
		switch {
		case err != nil:
			slog.WarnContext(ctx, "look after a store", "store", store, "holds", n, "error", err)
		case n > 0:
			slog.InfoContext(ctx, "overdue holds looked after", "store", store, "holds", n)
		}
	}
	if n, err := bounded(func(ctx context.Context) (int, error) { return s.Reconcile(ctx, limit) }); n > 0 || err != nil {
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

// Reap looks after the holds of a store that are past their deadline (rule 11): sold ones are settled, all others abandoned.
// It returns how many it looked at. Any number of reapers may run at once.
func (s *Service) Reap(ctx context.Context, store string, limit int) (int, error) {
	overdue, err := s.stock.Overdue(ctx, store, s.now(), limit)
	if err != nil {
		return 0, fmt.Errorf("list overdue holds of %s: %w", store, err)
	}
	return len(overdue), each(ctx, overdue, func(ctx context.Context, id string) error { return s.reap(ctx, store, id) })
}

func (s *Service) reap(ctx context.Context, store, id string) error {
	chaos.At(chaos.CheckoutReaping)
	standing, err := s.books.Look(ctx, id)
	if err != nil {
		return fmt.Errorf("look at checkout %s: %w", id, err)
	}
	if standing.Sold() {
		_, err = s.sold(ctx, id, standing.Order)
		return err
	}
	tombstone := tombstoneOf(standing)
	tombstone.StoreID = store
	return expired(s.abandon(ctx, id, tombstone))
}

// Reconcile looks after payments that are open and past their time (rule 11), which a flushed Redis has no holds of: those of
// cancelled orders are voided, those without an order abandoned, refused captures tried again, and orders that could not be paid in their
// time of grace cancelled (rule 12). It returns how many it looked at.
func (s *Service) Reconcile(ctx context.Context, limit int) (int, error) {
	open, err := s.books.ToAttend(ctx, s.due(), limit)
	if err != nil {
		return 0, fmt.Errorf("list open payments: %w", err)
	}
	return len(open), each(ctx, open, s.reconcile)
}

// reconcile puts the payment off before anything else: one that can't be ended now stands behind all others then, whatever happens here.
func (s *Service) reconcile(ctx context.Context, id string) error {
	if chaos.Without(chaos.Reconciling) {
		return nil
	}
	chaos.At(chaos.CheckoutReconciling)
	standing, err := s.books.Look(ctx, id)
	if err != nil {
		return fmt.Errorf("look at checkout %s: %w", id, err)
	}
	if standing.Payment == nil || !standing.Payment.State.Open() {
		return nil // somebody has been here meanwhile
	}
	due := s.due()
	mine, err := s.books.PutOff(ctx, id, due, due.Now.Add(s.again(standing.Payment, due.Now)))
	if err != nil || !mine {
		return err
	}
	switch standing.Payment.State {
	case payment.Voiding: // cancelled, or abandoned: rules 8 and 7a are kept, 7b and 7c are to do
		if err := s.void(ctx, id, standing.Payment); err != nil {
			slog.WarnContext(ctx, "void later", "checkout", id, "error", err)
		}
		return nil
	case payment.CaptureFailed:
		return s.capture(ctx, id, due.Now.Sub(standing.Payment.UpdateTime))
	default:
		return expired(s.abandon(ctx, id, tombstoneOf(standing)))
	}
}

// due is when payments are to be attended to. What is set by others than this room, and the fifth that is drawn by lot, are within it.
func (s *Service) due() payment.Due {
	return payment.Due{Now: s.now(), Within: 2*max(s.config.HoldFor, s.config.VoidRetryMax) + time.Minute}
}

// again is the time until another try to end or capture a payment: as long as it has been VOIDING or CAPTURE_FAILED by now, within bounds,
// and not the same for all that got stuck together.
func (s *Service) again(row *payment.Record, now time.Time) time.Duration {
	wait := s.config.VoidRetry
	if row.State == payment.Voiding || row.State == payment.CaptureFailed {
		wait = min(max(wait, now.Sub(row.UpdateTime)), s.config.VoidRetryMax)
	}
	return wait + rand.N(wait/4+1)
}

// capture asks again for a capture that was refused, until the time of grace is over; then the order is cancelled.
func (s *Service) capture(ctx context.Context, id string, failedFor time.Duration) error {
	if failedFor >= s.config.CaptureGrace {
		return s.unpaid(ctx, id)
	}
	if err := s.payments.CaptureAgain(ctx, id); err != nil { // or an operator finds out why
		slog.ErrorContext(ctx, "an order is unpaid", "order", id, "failed_for", failedFor, "error", err)
	}
	return nil
}

// unpaid cancels an order whose capture was refused for good, and that nobody has had captured again or cancelled in the time of grace
// (rule 12). One that can't be cancelled any more is left to the operator: its goods have left, which only a captured payment allows.
func (s *Service) unpaid(ctx context.Context, id string) error {
	err := s.Cancel(ctx, id, Cancellation{
		Step:   order.Step{To: order.Cancelled, By: order.System, Reason: "the payment could not be taken: its authorisation had ended"},
		For:    string(order.System),
		OnlyIf: payment.CaptureFailed,
	})
	if fault.Is(err, fault.OrderStateConflict) {
		slog.ErrorContext(ctx, "an order is unpaid and can't be cancelled", "order", id, "error", err)
		return nil
	}
	return err
}

// each does something for many checkouts, a few at once.
func each(ctx context.Context, ids []string, do func(ctx context.Context, id string) error) error {
	failed := make([]error, len(ids))
	var group errgroup.Group
	group.SetLimit(attendAtOnce)
	for i, id := range ids {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, attendOne)
			defer cancel()
			failed[i] = do(ctx, id)
			return nil
		})
	}
	_ = group.Wait() // what failed is kept apart: one stops no other
	return errors.Join(failed...)
}
