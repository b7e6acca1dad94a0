package checkout

import (
	"context"
	"fmt"
	"time"

	"larder.dev/internal/chaos"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
	"larder.dev/internal/payment"
)

// Cancellation calls an order off.
type Cancellation struct {
	// Step leads to CANCELLED. Its actor decides until when it is allowed.
	order.Step
	// For is who is named in the ledger: a user's id, or a part of the platform.
	For string
	// OnlyIf is the state that the payment must be in, else nothing is done; empty: whichever.
	OnlyIf payment.State
}

// Cancel calls an order off by one transaction (rule 8). What follows from it is done by whoever hears of it, the payment by the
// reconciler at the latest: the payment is voided (7b, 7c), the entry applied to the virtual stock, and a hold that is still there
// settled, since a cancelled order was sold. An order that is cancelled already stays as it is. Errors: ORDER_NOT_FOUND,
// ETAG_MISMATCH, ORDER_STATE_CONFLICT, UNAVAILABLE.
func (s *Service) Cancel(ctx context.Context, id string, cancellation Cancellation) error {
	if err := s.books.Cancel(ctx, id, cancellation, s.now().Add(s.config.VoidRetry)); err != nil {
		return fmt.Errorf("cancel order %s: %w", id, err)
	}
	chaos.At(chaos.CheckoutCancelled)
	return nil
}

// ErrNoEpoch is UNAVAILABLE: without its store's epoch nothing commits (rule 4).
func ErrNoEpoch(store string) error {
	return fault.Unavailable.New("store %s has no stock loaded", store).WithRetryAfter(time.Second)
}
