package payment

import (
	"context"
	"fmt"
	"time"

	"larder.dev/internal/chaos"
)

// Event is something that the provider has told by a webhook: a hint to look, no more.
type Event struct {
	// ID and Type are the provider's own.
	ID, Type string
	IntentID string
	OrderID  string
	// Time is when the provider made it.
	Time time.Time
}

// ReceivedEvent is an event that was taken in.
type ReceivedEvent struct {
	Event
	ReceiveTime time.Time
}

// Apply takes in an event: the provider is asked for the intent as it is now, the books follow, and the event is recorded. It is recorded
// last, since each effect may happen twice and none may be missing. An event that was taken in before has no effect; applied is then
// false. An event of another intent than the row's is only recorded: that intent was never to be confirmed.
//
// resume tells that the checkout waits for the very news that the intent has: it is to go on, and its commit does the rest. It is told of
// repeated events too, so that whoever dies between this and the checkout's going on is made up for by the event's next delivery.
//
// Errors: ORDER_NOT_FOUND.
func (s *Service) Apply(ctx context.Context, e Event) (applied, resume bool, err error) {
	record, before, err := s.store.Received(ctx, e.OrderID, e.ID)
	if err != nil {
		return false, false, fmt.Errorf("look at event %s of %s: %w", e.ID, e.OrderID, err)
	}
	waits := record.State == Initiated || record.State == RequiresAction
	if record.IntentID == e.IntentID && (waits || !before) {
		intent, err := s.provider.Get(ctx, record.IntentID)
		if err != nil {
			return false, false, fmt.Errorf("read intent of %s: %w", e.OrderID, err)
		}
		resume = waits && news(intent.Status)
		if !before {
			if err := s.follow(ctx, record, intent); err != nil {
				return false, false, err
			}
		}
	}
	if before {
		return false, resume, nil
	}
	if applied, err = s.store.TakeIn(ctx, e); err != nil {
		return false, false, fmt.Errorf("record event %s of %s: %w", e.ID, e.OrderID, err)
	}
	chaos.At(chaos.PaymentNoted)
	return applied, resume, nil
}

// news tells that a checkout can go on by what the intent has become: to its commit, or to its end.
func news(status IntentStatus) bool {
	return status == IntentAuthorized || status == IntentCaptured || status == IntentFailed || status == IntentCancelled
}

// follow brings the books up to the intent, where the table of states allows it. What isn't authorised yet is the checkout's, what is
// VOIDING the reconciler's.
func (s *Service) follow(ctx context.Context, record Record, intent Intent) error {
	switch {
	case intent.Status == IntentCaptured && Allowed(record.State, Captured):
		told := Step{By: Provides, Reason: "the provider tells that it is captured"} // the answer to our capture was lost
		if _, err := s.store.Captured(ctx, record.OrderID, told, intent.Captured); err != nil {
			return fmt.Errorf("record capture of %s: %w", record.OrderID, err)
		}
	case intent.Status == IntentCancelled && Allowed(record.State, CaptureFailed):
		if err := s.captureFailed(ctx, record.OrderID, Step{By: Provides}); err != nil { // it expired before we captured it
			return err
		}
	}
	if intent.Refunded.Minor == 0 {
		return nil
	}
	if _, err := s.FinishRefunds(ctx, record.OrderID); err != nil {
		return err
	}
	if err := s.store.Refunded(ctx, record.OrderID, intent.Refunded); err != nil { // given back by hand, at the provider
		return fmt.Errorf("record refunds of %s: %w", record.OrderID, err)
	}
	return nil
}
