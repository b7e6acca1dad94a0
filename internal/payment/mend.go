package payment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"larder.dev/internal/fault"
)

// What the audit mends, and why the rest is left to people (decision 0264):
//
//   - Our books take over what the provider says happened to an order's own intent, as they do when a webhook tells of it. No money moves.
//   - A second authorisation of an order whose own one holds is let go: it was never to be confirmed, and nothing was taken.
//   - A packed order whose authorisation is about to expire is captured, as it was to be all along (rule 12).
//
// Nothing else is touched. An authorisation that our books know nothing of may be that of an order which they have lost, and money that was
// taken or given back beside them moves only by somebody's hand.

// mendAll mends what can be of findings, each with its intent, and marks in place what agrees afterwards. What can't be mended now isn't an
// error: it is found again.
func (s *Service) mendAll(ctx context.Context, intents []Intent, findings []Finding, now time.Time) error {
	for i, intent := range intents {
		acted, err := s.mend(ctx, intent, findings[i])
		if err != nil {
			slog.WarnContext(ctx, "a difference can't be mended", "order", intent.Order, "intent", intent.ID, "error", err)
			continue
		}
		if !acted {
			continue
		}
		after := []Intent{intent}
		if err := s.reread(ctx, after); err != nil {
			return err
		}
		_, left, err := s.compare(ctx, after, now)
		if err != nil {
			return err
		}
		findings[i].Mended = len(left) == 0
	}
	return nil
}

// mend does what is safe about a finding; false: nothing is.
func (s *Service) mend(ctx context.Context, intent Intent, finding Finding) (acted bool, err error) {
	switch finding.Kind {
	case Doubled:
		if intent.Status != IntentAuthorized {
			return false, nil
		}
		return s.letGo(ctx, intent)
	case Expiring:
		_, err := s.Capture(ctx, intent.Order, Step{By: System})
		if fault.Is(err, fault.PaymentNotCapturable) { // it isn't packed yet
			return false, nil
		}
		return err == nil, err
	default:
		record, err := s.store.Read(ctx, intent.Order)
		switch {
		case fault.Is(err, fault.OrderNotFound):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("read payment of %s: %w", intent.Order, err)
		case record.IntentID != intent.ID:
			return false, nil
		}
		return true, s.follow(ctx, record, intent)
	}
}

// letGo cancels a second authorisation of an order, if the order's own one holds.
func (s *Service) letGo(ctx context.Context, second Intent) (bool, error) {
	record, err := s.store.Read(ctx, second.Order)
	if err != nil {
		return false, fmt.Errorf("read payment of %s: %w", second.Order, err)
	}
	own, err := s.provider.Get(ctx, record.IntentID)
	if err != nil {
		return false, fmt.Errorf("read intent of %s: %w", second.Order, err)
	}
	if own.ID == second.ID || own.Status != IntentAuthorized && own.Status != IntentCaptured {
		return false, nil
	}
	_, err = s.provider.Cancel(ctx, second.ID)
	if errors.Is(err, ErrCaptured) || errors.Is(err, ErrProcessing) {
		return false, nil
	}
	return err == nil, err
}
