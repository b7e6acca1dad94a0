// Package payment is the platform's side of moving money: the states of an order's payment, the narrow interface to a provider;
// capture, voiding and refunds; the provider's own events, and the audit that compares its list with our books.
//
// The rules, beside those of docs/protocol.md (7, 10 and 12):
//
//   - A payment row is written before any money moves and names the one intent that may be confirmed, so that whatever is charged can
//     be found, and undone, from Spanner alone.
//   - The provider decides what happened to money, the books follow: each step looks, asks the provider, and records what it answered.
//     A step that breaks off is done again, by the same call or by the provider's event, and then has no second effect.
//   - A refund is recorded before the provider is asked, under the id that is its key there, so it is paid once. What is requested counts
//     as given away: never more goes back than was captured, nor more units of a product than were bought.
//   - An event of the provider's is only a hint to look: the intent is read as it is now, so late and reordered events do no harm. An
//     order never comes into being by it: checkout's commit alone does that.
package payment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/chaos"
	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/pricing"
)

// captureAgainIn is the time until an order whose capture was refused is looked after: checkout asks again then, for a time of grace.
const captureAgainIn = time.Minute

// Record is a Payments row.
type Record struct {
	OrderID  string
	State    State
	IntentID string
	// Amount is what was asked for, the order's total with its headroom; Captured and Refunded, what happened to it.
	Amount, Captured, Refunded money.Money
	// Fingerprint is the hash of the checkout request; Request, the frozen checkout as JSON (rule 10).
	Fingerprint []byte
	Request     []byte
	// Receipt is what was picked; nil until the order is packed.
	Receipt    *pricing.Receipt
	CreateTime time.Time
	UpdateTime time.Time
}

// Store is the tables Payments, Refunds and ProviderEvents. Each method is one transaction without side effects.
type Store interface {
	// Read returns an order's payment. Errors: ORDER_NOT_FOUND.
	Read(ctx context.Context, order string) (Record, error)
	// Look returns an order's payment with its refunds and its history, oldest first, and the first 100 events that were taken in. Errors: ORDER_NOT_FOUND.
	Look(ctx context.Context, order string) (Account, error)

	// Capturable returns the payment if its order is packed and not cancelled and it is AUTHORIZED or CAPTURE_FAILED; else its state alone
	// says why not. Errors: ORDER_NOT_FOUND.
	Capturable(ctx context.Context, order string) (record Record, ok bool, err error)
	// Captured moves AUTHORIZED or CAPTURE_FAILED to CAPTURED and leaves any other state (rule 12). It returns the state afterwards.
	// step tells who did it and why.
	Captured(ctx context.Context, order string, step Step, amount money.Money) (State, error)
	// CaptureFailed moves AUTHORIZED to CAPTURE_FAILED, which the reconciler attends to from a time on, and leaves any other state.
	CaptureFailed(ctx context.Context, order string, step Step, attendAfter time.Time) (State, error)
	// Voided moves VOIDING to VOIDED (rule 7c), with all that was captured and refunded, and leaves any other state. It returns the state
	// afterwards.
	Voided(ctx context.Context, order string, captured, refunded money.Money) (State, error)

	// Request records a refund that Account.Request allows, REQUESTED, with the payment that it is of; one that is there is returned as it is.
	// While it is REQUESTED it is attended to from a time on. Errors: ORDER_NOT_FOUND and those of Account.Request.
	Request(ctx context.Context, order string, wanted Refund, attendAfter time.Time) (Record, Refund, error)
	// RefundsToAttend lists orders with refunds that are REQUESTED and due, each once, those that have waited longest first. It reads
	// an index of such refunds alone.
	RefundsToAttend(ctx context.Context, due Due, limit int) ([]string, error)
	// PutOffRefunds moves on the time of an order's refunds that are REQUESTED and due; false: none is.
	PutOffRefunds(ctx context.Context, order string, due Due, until time.Time) (bool, error)
	// Requested returns the payment and its refunds that are REQUESTED. Errors: ORDER_NOT_FOUND.
	Requested(ctx context.Context, order string) (Record, []Refund, error)
	// Finish moves a refund from REQUESTED to DONE, with the payment's state and amount and the event OrderRefunded, or to FAILED; one that
	// is finished stays. It returns the refund afterwards.
	Finish(ctx context.Context, order, refund string, outcome RefundState) (Refund, error)
	// Refunded raises what was refunded of a captured payment to what the provider says, unless a refund is REQUESTED, which may be
	// part of that.
	Refunded(ctx context.Context, order string, refunded money.Money) error

	// Received returns the payment, and whether an event was taken in. Errors: ORDER_NOT_FOUND.
	Received(ctx context.Context, order, event string) (record Record, before bool, err error)
	// TakeIn records an event; false: it was there.
	TakeIn(ctx context.Context, e Event) (bool, error)

	// Unsettled returns a span's payments, without fingerprint, request and receipt, oldest first and by order among equals. It reads an
	// index of unsettled payments alone.
	Unsettled(ctx context.Context, span Span) ([]Record, error)

	// Positions returns what the audit needs to know of orders, by order; one that neither Payments nor Orders has is left out.
	Positions(ctx context.Context, orders []string) (map[string]Position, error)
}

// Service moves money.
type Service struct {
	provider Provider
	store    Store
	now      func() time.Time
}

// NewService makes one.
func NewService(provider Provider, store Store, now func() time.Time) *Service {
	return &Service{provider: measured{provider}, store: store, now: now}
}

// Create makes the intent of an order; the order's id is the idempotency key.
func (s *Service) Create(ctx context.Context, order string, amount money.Money) (Intent, error) {
	key := "create-" + order
	if chaos.Without(chaos.RowsIntent) {
		key = uuid.NewString()
	}
	intent, err := s.provider.Create(ctx, CreateRequest{Order: order, Key: key, Amount: amount})
	chaos.At(chaos.PaymentCreated)
	return intent, err
}

// Confirm asks for the authorisation. The key holds the method, since after a decline another may be tried on the same intent.
// A confirmation that comes second is answered with what the intent has become.
func (s *Service) Confirm(ctx context.Context, id, order, method, returnURL string) (Intent, error) {
	intent, err := s.provider.Confirm(ctx, id, method, returnURL, "confirm-"+order+"-"+method)
	chaos.At(chaos.PaymentAuthorised)
	if errors.Is(err, ErrNotConfirmable) {
		return s.provider.Get(ctx, id)
	}
	return intent, err
}

// Get reads an intent.
func (s *Service) Get(ctx context.Context, id string) (Intent, error) { return s.provider.Get(ctx, id) }

// Cancel ends an intent for good (rule 7b): refused as captured, what is left of it is refunded, once. Errors: ErrProcessing.
func (s *Service) Cancel(ctx context.Context, id, order string) (Intent, error) {
	intent, err := s.provider.Cancel(ctx, id)
	if !errors.Is(err, ErrCaptured) {
		return intent, err
	}
	const attempts = 4 // a refund of an operator's may come between the look and this one: then less is left
	for range attempts {
		if intent, err = s.provider.Get(ctx, id); err != nil {
			return Intent{}, fmt.Errorf("read captured intent: %w", err)
		}
		rest := money.Of(intent.Captured.Minor-intent.Refunded.Minor, intent.Captured.Currency)
		if rest.Minor <= 0 {
			return intent, nil
		}
		// The amount is part of the key: under one key the provider takes no other.
		err = s.provider.Refund(ctx, id, rest, fmt.Sprintf("void-%s-%d", order, rest.Minor))
		switch {
		case err == nil:
			slog.InfoContext(ctx, "payment refunded instead of voided", "order", order, "amount", rest.String())
		case !errors.Is(err, ErrNotRefundable):
			return Intent{}, fmt.Errorf("refund captured intent: %w", err)
		}
	}
	return Intent{}, fmt.Errorf("refund captured intent %s: something is left of it: %w", id, err)
}

// Void ends the payment of an order that is cancelled or abandoned: rule 7b, then 7c. A payment that isn't VOIDING is left as it is: 7b never
// comes before the transaction that makes it so (7a). It returns the state afterwards. Errors: ORDER_NOT_FOUND, ErrProcessing.
func (s *Service) Void(ctx context.Context, order string) (State, error) {
	record, err := s.store.Read(ctx, order)
	if err != nil {
		return "", fmt.Errorf("look at payment of %s: %w", order, err)
	}
	if record.State != Voiding {
		return record.State, nil
	}
	intent, err := s.Cancel(ctx, record.IntentID, order)
	if err != nil {
		return "", fmt.Errorf("void payment of %s: %w", order, err)
	}
	chaos.At(chaos.PaymentCancelled)
	state, err := s.store.Voided(ctx, order, intent.Captured, intent.Refunded)
	chaos.At(chaos.PaymentVoided)
	return state, err
}

// Due is what is to be captured: what was picked costs, or, of an order that a release packed which knew no receipts, what was bought.
func (r Record) Due() (money.Money, error) {
	if r.Receipt != nil {
		return r.Receipt.Totals.Total, nil
	}
	frozen, err := r.Frozen()
	if err != nil || frozen.Totals.Total.Currency == "" {
		return r.Amount, err
	}
	return frozen.Totals.Total, nil
}

// Capture takes the money of a packed order (rule 12): look, capture, record. What is captured is what was picked, never more than was
// authorised; it is fixed once the order is packed, so that a repeated capture asks for the same. The provider decides between a capture and a cancel
// that meet; whichever comes second is told so. Repeated, it changes nothing. Refused for good, it leaves CAPTURE_FAILED: it may be asked
// for again until the order is cancelled. by tells who asks for it: an operator, or the platform. Errors: PAYMENT_NOT_CAPTURABLE.
func (s *Service) Capture(ctx context.Context, order string, by Step) (State, error) {
	record, ok, err := s.store.Capturable(ctx, order)
	if err != nil {
		return "", fmt.Errorf("look at payment of %s: %w", order, err)
	}
	if !ok {
		if record.State == Captured || record.State == PartiallyRefunded || record.State == Refunded {
			return record.State, nil
		}
		return "", fault.PaymentNotCapturable.New("the payment is %s, or the order isn't packed", record.State)
	}
	due, err := record.Due()
	if err != nil {
		return "", err
	}
	if chaos.Without(chaos.FrozenTotal) {
		due.Minor--
	}
	key := "capture-" + order
	if record.State == CaptureFailed { // under the key of the refusal, the provider would only repeat it
		key += "-" + uuid.NewString()
	}
	intent, err := s.provider.Capture(ctx, record.IntentID, due, key)
	if errors.Is(err, ErrNotCapturable) {
		return s.refusedCapture(ctx, record, by)
	}
	if err != nil {
		return "", fmt.Errorf("capture payment of %s: %w", order, err)
	}
	chaos.At(chaos.PaymentCaptured)
	by.Reason = "packed"
	state, err := s.store.Captured(ctx, order, by, intent.Captured)
	chaos.At(chaos.PaymentBooked)
	return state, err
}

// refusedCapture tells an intent that was captured already, its answer lost, from one that is cancelled or expired.
func (s *Service) refusedCapture(ctx context.Context, record Record, by Step) (State, error) {
	intent, err := s.provider.Get(ctx, record.IntentID)
	if err != nil {
		return "", fmt.Errorf("read intent of %s: %w", record.OrderID, err)
	}
	if intent.Status == IntentCaptured {
		by.Reason = "the provider had captured it before"
		return s.store.Captured(ctx, record.OrderID, by, intent.Captured)
	}
	if err := s.captureFailed(ctx, record.OrderID, by); err != nil {
		return "", err
	}
	return "", fault.PaymentNotCapturable.New("the provider's authorisation has ended")
}

// captureFailed records that an authorisation has ended before it was captured. The time of grace begins with the first failure.
func (s *Service) captureFailed(ctx context.Context, order string, by Step) error {
	by.Reason = "the provider refused to capture: the authorisation has ended"
	if _, err := s.store.CaptureFailed(ctx, order, by, s.now().Add(captureAgainIn)); err != nil {
		return fmt.Errorf("record failed capture of %s: %w", order, err)
	}
	return nil
}
