package payment

import (
	"context"
	"errors"
	"time"

	"larder.dev/internal/money"
)

// Intent is the provider's record of one payment.
type Intent struct {
	ID       string
	Status   IntentStatus
	Order    string // the order's id, as given at creation
	Amount   money.Money
	Captured money.Money
	Refunded money.Money
	// Decline is set in status IntentFailed.
	Decline *Decline
	// ActionURL is set in status IntentRequiresAction: where the shopper confirms.
	ActionURL string
	Created   time.Time
}

// IntentStatus is what the provider says of an intent.
type IntentStatus string

const (
	IntentRequiresConfirmation IntentStatus = "requires_confirmation"
	IntentRequiresAction       IntentStatus = "requires_action"
	IntentProcessing           IntentStatus = "processing"
	IntentAuthorized           IntentStatus = "authorized"
	IntentCaptured             IntentStatus = "captured"
	IntentCancelled            IntentStatus = "cancelled"
	// IntentFailed: declined; the intent may be confirmed again.
	IntentFailed IntentStatus = "failed"
)

// Decline tells why a provider refused to authorise.
type Decline struct {
	// Class is ours and stable: INSUFFICIENT_FUNDS, EXPIRED_CARD, INCORRECT_DETAILS, FRAUD_SUSPECTED, AUTHENTICATION_FAILED, GENERIC.
	Class string
	// Code is the provider's own.
	Code string
}

// CreateRequest asks for an intent. Key is the idempotency key: the same key gives the same intent for as long as the
// provider remembers it (Stripe: 24 hours at least).
type CreateRequest struct {
	Order  string
	Key    string
	Amount money.Money
}

// What a provider refuses for good. Any other error leaves the outcome unknown (ErrUnknownOutcome) or is a fault of ours.
var (
	// ErrUnknownOutcome: the call may or may not have had its effect (a time-out, a broken connection, a server's fault).
	ErrUnknownOutcome = errors.New("payment provider: outcome unknown")
	// ErrUnavailable: the call was not made (the breaker is open, too many are under way).
	ErrUnavailable = errors.New("payment provider: unavailable")
	// ErrProcessing: an intent can't be cancelled while the provider is at work on it.
	ErrProcessing = errors.New("payment provider: intent is processing")
	// ErrCaptured: an intent can't be cancelled, its money was taken.
	ErrCaptured = errors.New("payment provider: intent is captured")
	// ErrNotCapturable: an intent is cancelled, expired or not authorised.
	ErrNotCapturable = errors.New("payment provider: intent can't be captured")
	// ErrNotConfirmable: an intent is cancelled or was confirmed before; Get tells which.
	ErrNotConfirmable = errors.New("payment provider: intent can't be confirmed")
	// ErrNotRefundable: nothing was captured, not so much is left of it, or the card takes no refund.
	ErrNotRefundable = errors.New("payment provider: can't be refunded")
	// ErrNotFound: there is no such intent.
	ErrNotFound = errors.New("payment provider: no such intent")
)

// Provider moves money. Every call is bounded in time and retried only where an idempotency key makes that safe.
type Provider interface {
	// Create makes an unconfirmed intent with manual capture; no money moves.
	Create(ctx context.Context, request CreateRequest) (Intent, error)
	// Confirm authorises with a method. A decline is an Intent in status IntentFailed, not an error. Errors: ErrNotConfirmable.
	Confirm(ctx context.Context, id, method, returnURL, key string) (Intent, error)
	// Get reads. Errors: ErrNotFound.
	Get(ctx context.Context, id string) (Intent, error)
	// Cancel ends an intent that isn't captured; a cancelled one stays so without error. Errors: ErrProcessing, ErrCaptured.
	Cancel(ctx context.Context, id string) (Intent, error)
	// Capture takes at most what was authorised. Errors: ErrNotCapturable.
	Capture(ctx context.Context, id string, amount money.Money, key string) (Intent, error)
	// Refund gives back a captured amount; under the same key once, for ever. Errors: ErrNotRefundable.
	Refund(ctx context.Context, id string, amount money.Money, key string) error
	// List returns the intents created since a time, newest first, and the token of the next page; at most limit (1 to 100). Of a
	// payment with more than ten refunds, Refunded may be too low; Get has it right. Errors: ErrNotFound for a token of no page.
	List(ctx context.Context, since time.Time, page string, limit int) (intents []Intent, next string, err error)
}
