package stock

import (
	"context"
	"errors"
	"time"

	"larder.dev/internal/telemetry"
)

// reserved records a reservation, and what it refused.
func reserved(ctx context.Context, began time.Time, err error) {
	outcome := "held"
	var short *InsufficientError
	switch {
	case err == nil:
		telemetry.Holds.Add(ctx, 1, "made")
	case errors.As(err, &short):
		outcome = "short"
		for _, shortage := range short.Shortages {
			telemetry.OversellRefused.Add(ctx, 1, kindOf(shortage.ProductID))
		}
	default:
		outcome = telemetry.Failed
	}
	telemetry.Reserve.Since(ctx, began, outcome)
}

// countHolds tells how many holds a store has. What can't be counted now is at the next look.
func (s *Service) countHolds(ctx context.Context, store string) {
	if holds, err := s.virtual.Holds(ctx, store, time.Time{}, 0); err == nil {
		telemetry.OpenHolds.Set(ctx, float64(holds.All), store)
	}
}

// kindOf is what a line takes of.
func kindOf(product string) string {
	if _, ok := SlotOf(product); ok {
		return "slot"
	}
	if _, ok := LimitOf(product); ok {
		return "limit"
	}
	return "product"
}

// ended counts a hold that ended.
func ended(ctx context.Context, event string, err error) error {
	if err == nil {
		telemetry.Holds.Add(ctx, 1, event)
	}
	return err
}
