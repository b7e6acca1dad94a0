// Package checkout turns a cart into an order: reserve, pay, commit, settle.
//
// Stock is reserved as a hold in Redis. The payment is authorised. One Spanner transaction commits the order, its lines, the ledger
// entries, the payment's state and the event. Then the hold is settled. On failure the order's id gets a tombstone, the hold is
// released and the payment cancelled.
//
// The protocol is docs/protocol.md, model-checked; its rules are named by number where they are kept. It needs no lock and no clock.
// Three fences make it right: the epoch, which a commit compares (rules 4, 5, 9); the primary key of the order, which
// either the commit or the tombstone inserts first (rules 5, 6, 7); and the payment row with the one intent that may be confirmed,
// written before any money moves (rule 10). Any process may die or sleep at any line: the same request, a webhook, the
// reaper or the reconciler comes after it, by the same steps.
package checkout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/chaos"
	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/order"
	"larder.dev/internal/payment"
	"larder.dev/internal/pricing"
	"larder.dev/internal/stock"
)

// Request is what a shopper asks for.
type Request struct {
	// ID is the checkout's, the order's and the payment's id (see ID).
	ID string
	// Fingerprint is the hash of the request's bytes: the same id with another is refused.
	Fingerprint []byte
	UserID      string
	CartID      string
	StoreID     string
	// Address is a larder.type.v1.Address as JSON.
	Address       json.RawMessage
	PaymentMethod string
	// ExpectedTotal is what the shopper has seen; another total is never charged.
	ExpectedTotal money.Money
	// SlotID is the delivery slot; empty: as soon as it can be.
	SlotID string
}

// Frozen is a checkout as it was when its payment was initiated. Whatever goes on later, goes on with this (rule 10).
type Frozen struct {
	UserID        string          `json:"user_id"`
	StoreID       string          `json:"store_id"`
	CartID        string          `json:"cart_id"`
	CartETag      string          `json:"cart_etag"`
	Lines         []pricing.Line  `json:"lines"`
	Totals        pricing.Totals  `json:"totals"`
	Address       json.RawMessage `json:"address"`
	PaymentMethod string          `json:"payment_method"`
	// Slot is the delivery slot as it was then; nil for none.
	Slot *order.Slot `json:"slot,omitempty"`
	// Limits are those of the lines' products that have one, in the order of the lines.
	Limits []Limit `json:"limits,omitempty"`
}

// Limit is how many units of a product one shopper may buy in a store on a day.
type Limit struct {
	ProductID string `json:"product_id"`
	// Day is the store's, as time.DateOnly has it.
	Day string `json:"day"`
	// Max is from 1.
	Max int64 `json:"max"`
}

// StockLines are what a checkout takes of what stock counts: its products, its place in the delivery slot, if it has one, and what the
// shopper uses up of limits. All of it is held, sold, rebuilt and given back together, so two carts at once can't get round a limit.
func (f Frozen) StockLines() []stock.Line {
	taken := make([]stock.Line, 0, len(f.Lines)+1+len(f.Limits))
	units := map[string]int64{}
	for _, line := range f.Lines {
		taken = append(taken, stock.Line{ProductID: line.ProductID, Quantity: line.Quantity})
		units[line.ProductID] += line.Quantity
	}
	if f.Slot != nil {
		taken = append(taken, stock.SlotLine(f.Slot.ID))
	}
	for _, limit := range f.Limits {
		taken = append(taken, stock.LimitLine(limit.Day, limit.ProductID, f.UserID, units[limit.ProductID], limit.Max))
	}
	return taken
}

// Outcome is what a checkout has come to, other than a refusal, which is an error. Confirmed is final, the others are not.
type Outcome struct {
	State Progress
	// ActionURL is where the shopper confirms the payment, in state RequiresAction.
	ActionURL string
	// Order is the order in state Confirmed, if it was made just now; nil: it has to be read.
	Order *orderpb.Order
}

// Progress of a checkout.
type Progress int

const (
	// Processing: the outcome isn't known yet; the same request may be sent again.
	Processing Progress = iota
	// RequiresAction: the shopper has something to do.
	RequiresAction
	// Confirmed: there is an order.
	Confirmed
)

// Standing is what Spanner knows of a checkout. All nil: nothing.
type Standing struct {
	Order   *Order
	Payment *payment.Record
}

// Order is an order's row, or a tombstone's.
type Order struct {
	UserID, StoreID string
	State           order.State
	// Sold is the hold that the order was sold under.
	Sold        stock.Hold
	Fingerprint []byte
	// Refusal is a tombstone's answer, as google.rpc.Status; empty if no request wrote it.
	Refusal []byte
	// Made is the order as a commit has just made it; nil for one that was read.
	Made *orderpb.Order
}

// Sold tells that the order was committed, whatever became of it.
func (s Standing) Sold() bool { return s.Order != nil && s.Order.State != order.Abandoned }

// dead tells that the order never will be.
func (s Standing) dead() bool {
	if s.Order != nil {
		return s.Order.State == order.Abandoned
	}
	return s.Payment != nil && (s.Payment.State == payment.Voiding || s.Payment.State == payment.Voided)
}

// ofAnother tells that a request with another fingerprint has used the same id.
func (s Standing) ofAnother(fingerprint []byte) bool {
	switch {
	case s.Order != nil && len(s.Order.Fingerprint) > 0:
		return !slices.Equal(s.Order.Fingerprint, fingerprint)
	case s.Payment != nil:
		return !slices.Equal(s.Payment.Fingerprint, fingerprint)
	default:
		return false
	}
}

// Books is Spanner: each method but Look is one transaction without side effects. An order that is made takes four calls in a row and two
// commits, which are the fewest: the look, both rows at once (rule 10, re-entry); the payment's row before money moves (rule 10); the epoch,
// and the commit that it fences (rule 5).
type Books interface {
	// Look reads order and payment.
	Look(ctx context.Context, id string) (Standing, error)
	// Initiate inserts the payment row, unless there is one; it returns what stands then (rule 10).
	Initiate(ctx context.Context, id string, frozen Frozen, intent string, fingerprint []byte, attendAfter time.Time) (Standing, error)
	// AwaitAction moves the payment to REQUIRES_ACTION.
	AwaitAction(ctx context.Context, id string, attendAfter time.Time) error
	// Commit makes the order, unless there is one or a tombstone, or the hold's epoch is not the store's: then epoch is the store's
	// (rule 5).
	Commit(ctx context.Context, id string, frozen Frozen, fingerprint []byte, hold stock.Hold) (standing Standing, epoch stock.Epoch, err error)
	// Abandon inserts the tombstone, unless the order is sold, and moves the payment to VOIDING (rule 7a). It returns what stands then.
	Abandon(ctx context.Context, id string, tombstone Order, attendAfter time.Time) (Standing, error)
	// Cancel moves an order to CANCELLED and its payment to VOIDING, gives its lines back to the ledger and tells the event
	// (rule 8). Errors: those of order.Order.Take, UNAVAILABLE for a store without an epoch.
	Cancel(ctx context.Context, id string, cancellation Cancellation, attendAfter time.Time) error
	// Bought reads an order, and the frozen checkout that it was sold by. Errors: ORDER_NOT_FOUND.
	Bought(ctx context.Context, id string) (order.Order, Frozen, error)
	// Pack moves an order to PACKED with its receipt, tells its payment what is to be captured, enters what stock changes, and tells the event
	// (rule 8). It returns the epoch that the changes were entered under: zero, and nothing is done, while the store's is another than under
	// (zero: any will do), or it has none. Errors: those of order.Order.Take.
	Pack(ctx context.Context, id string, packing Packing, under stock.Epoch) (entered, current stock.Epoch, err error)
	// ToAttend lists checkouts whose payments are open and due, those that have waited longest first.
	ToAttend(ctx context.Context, due payment.Due, limit int) ([]string, error)
	// Steps tells how far those of the checkouts are that Spanner knows of.
	Steps(ctx context.Context, ids []string) (map[string]Step, error)
	// PutOff moves on the time of an open payment that is due; false: it isn't, or no more.
	PutOff(ctx context.Context, id string, due payment.Due, until time.Time) (bool, error)
}

// Stock is the room stock, as far as a checkout needs it.
type Stock interface {
	Reserve(ctx context.Context, store, order string, lines []stock.Line, deadline time.Time, minimum stock.Epoch) (stock.Hold, error)
	Settle(ctx context.Context, store, order string, sold stock.Hold) error
	Release(ctx context.Context, store, order string) error
	// Exchange enters what a packed order gives back and takes; see stock.Service.
	Exchange(ctx context.Context, store, entry string, lines []stock.Line, enter func(under stock.Epoch) (entered, current stock.Epoch, err error)) error
	Overdue(ctx context.Context, store string, now time.Time, limit int) ([]string, error)
	Stores(ctx context.Context) ([]string, error)
	// Holds lists a store's holds; see stock.Virtual.
	Holds(ctx context.Context, store string, now time.Time, limit int) (stock.Holds, error)
	Check(ctx context.Context, store string) error
	// Slot returns a delivery slot; ok is false where there is none.
	Slot(ctx context.Context, store, id string) (slot stock.Slot, ok bool, err error)
	// FreeSlots returns slots that haven't begun and take another order, by time.
	FreeSlots(ctx context.Context, store string, now time.Time, limit int) ([]stock.Slot, error)
}

// Payments is the room payment, by its service. An error means that the outcome is unknown.
type Payments interface {
	Create(ctx context.Context, id string, amount money.Money) (payment.Intent, error)
	Confirm(ctx context.Context, intent, id, method string) (payment.Intent, error)
	Get(ctx context.Context, intent string) (payment.Intent, error)
	// Void ends a payment that is VOIDING for good, and records it (rules 7b and 7c). An error also if the provider is still at work.
	Void(ctx context.Context, id string) error
	// CaptureAgain asks for a capture that was refused. Errors: PAYMENT_NOT_CAPTURABLE.
	CaptureAgain(ctx context.Context, id string) error
}

// Quote is a cart at today's prices.
type Quote struct {
	CartID, CartETag, StoreID string
	Lines                     []pricing.Line
	// NotSold lists products that the store doesn't sell.
	NotSold []string
	// MaxPerShopper is how many units one shopper may buy in a day, by product, of those that have such a limit.
	MaxPerShopper map[string]int64
	Totals        pricing.Totals
}

// Carts is the room cart, by its service.
type Carts interface {
	// Quote prices a cart that the shopper of the context may open. Errors: CART_NOT_FOUND.
	Quote(ctx context.Context, cart string) (Quote, error)
	// Clear empties a cart if it is still as it was, for nobody in particular.
	Clear(ctx context.Context, cart, etag string) error
}

// Locks spare shoppers from racing themselves. It is a courtesy: nothing depends on it.
type Locks interface {
	// Lock waits briefly for others of the same name. unlock is never nil and may be called once.
	Lock(ctx context.Context, name string) (unlock func())
}

// Config has the durations that decide when others look after a checkout; nothing depends on them but speed.
type Config struct {
	// HoldFor is how long a checkout may take before the reaper looks at its hold; shoppers confirm payments in that time.
	HoldFor time.Duration `env:"HOLD_FOR" envDefault:"10m"`
	// VoidRetry is the time between tries to cancel a payment at first, or to capture one that was refused; it grows with the time that the
	// payment has been so, up to VoidRetryMax.
	VoidRetry    time.Duration `env:"VOID_RETRY" envDefault:"15s"`
	VoidRetryMax time.Duration `env:"VOID_RETRY_MAX" envDefault:"10m"`
	// CaptureGrace is how long an order whose capture was refused is tried again, and left to the operator, who may have it captured or cancel
	// it. Then the platform cancels it (rule 12).
	CaptureGrace time.Duration `env:"CAPTURE_GRACE" envDefault:"24h"`
}

// Service is the saga. It keeps nothing in memory.
type Service struct {
	config   Config
	books    Books
	stock    Stock
	payments Payments
	carts    Carts
	locks    Locks
	// catalogue prices substitutes.
	catalogue Catalogue
	now       func() time.Time
}

// NewService makes one.
func NewService(
	config Config, books Books, stock Stock, payments Payments, carts Carts, locks Locks, catalogue Catalogue, now func() time.Time,
) *Service {
	return &Service{
		config: config, books: measuredBooks{books}, stock: measuredStock{stock}, payments: measuredPayments{payments}, carts: measuredCarts{carts},
		locks: locks, catalogue: catalogue, now: now,
	}
}

// Checkout buys a cart. The same request again goes on where the first one stopped, or answers as it did.
// Errors: the refusals of CreateCheckout, IDEMPOTENCY_KEY_REUSED, UNAVAILABLE.
func (s *Service) Checkout(ctx context.Context, r Request) (Outcome, error) {
	defer s.locks.Lock(ctx, lockName(r.UserID, r.CartID))()
	standing, err := s.books.Look(ctx, r.ID)
	switch {
	case err != nil:
		return Outcome{}, fmt.Errorf("look at checkout %s: %w", r.ID, err)
	case standing.ofAnother(r.Fingerprint):
		return Outcome{}, reused()
	case standing.Order != nil || standing.Payment != nil:
		return s.resume(ctx, r.ID, standing)
	}

	frozen, refusal, err := s.quote(ctx, r)
	if err != nil {
		return Outcome{}, err
	}
	if refusal != nil {
		return s.abandon(ctx, r.ID, r.tombstone(refusal))
	}
	hold, err := s.reserve(ctx, r.ID, frozen, 0)
	if err != nil {
		return s.notReserved(ctx, r.ID, frozen, r.tombstone(nil), err)
	}
	intent, err := s.payments.Create(ctx, r.ID, frozen.Totals.Most())
	if err != nil {
		return s.tryAgain(ctx, r.ID, "create the payment's intent", err)
	}
	chaos.At(chaos.CheckoutIntended)
	standing, err = s.books.Initiate(ctx, r.ID, frozen, intent.ID, r.Fingerprint, s.now().Add(s.config.HoldFor))
	switch {
	case err != nil:
		return s.tryAgain(ctx, r.ID, "initiate the payment", err)
	case standing.ofAnother(r.Fingerprint):
		return Outcome{}, reused()
	case standing.Order != nil || standing.dead():
		return s.resume(ctx, r.ID, standing)
	}
	adopted, err := Thaw(standing.Payment)
	if err != nil {
		return Outcome{}, err
	}
	if !slices.Equal(adopted.StockLines(), frozen.StockLines()) { // rule 10: the row's lines are not the hold's
		return s.abandon(ctx, r.ID, r.tombstone(nil))
	}
	return s.pay(ctx, r.ID, adopted, standing.Payment, hold)
}

// resume goes on with a checkout that Spanner knows (rule 10, re-entry): a repeated request, a poll, a webhook. It acts for nobody:
// nothing in it needs the shopper's token.
func (s *Service) resume(ctx context.Context, id string, standing Standing) (Outcome, error) {
	switch {
	case standing.Sold():
		return s.sold(ctx, id, standing.Order)
	case standing.dead():
		return s.abandon(ctx, id, tombstoneOf(standing))
	}
	frozen, err := Thaw(standing.Payment)
	if err != nil {
		return Outcome{}, err
	}
	hold, err := s.reserve(ctx, id, frozen, 0)
	if err != nil {
		return s.notReserved(ctx, id, frozen, tombstoneOf(standing), err)
	}
	if chaos.Without(chaos.RowsIntent) {
		if own, err := s.payments.Create(ctx, id, frozen.Totals.Most()); err == nil {
			standing.Payment.IntentID = own.ID
		}
	}
	intent, err := s.payments.Get(ctx, standing.Payment.IntentID) // the row's, never another
	if err != nil {
		return s.tryAgain(ctx, id, "read the payment's intent", err)
	}
	switch intent.Status {
	case payment.IntentRequiresConfirmation, payment.IntentFailed:
		return s.pay(ctx, id, frozen, standing.Payment, hold)
	default:
		return s.paid(ctx, id, frozen, standing.Payment, hold, intent)
	}
}

// pay confirms the row's intent, which nobody may do before the row stands.
func (s *Service) pay(ctx context.Context, id string, frozen Frozen, row *payment.Record, hold stock.Hold) (Outcome, error) {
	chaos.At(chaos.CheckoutInitiated)
	intent, err := s.payments.Confirm(ctx, row.IntentID, id, frozen.PaymentMethod)
	if err != nil {
		return s.tryAgain(ctx, id, "confirm the payment", err)
	}
	chaos.At(chaos.CheckoutConfirmed)
	return s.paid(ctx, id, frozen, row, hold, intent)
}

// paid goes on by what the provider says of the intent.
func (s *Service) paid(ctx context.Context, id string, frozen Frozen, row *payment.Record, hold stock.Hold, intent payment.Intent) (Outcome, error) {
	switch intent.Status {
	case payment.IntentAuthorized, payment.IntentCaptured:
		return s.commit(ctx, id, frozen, row, hold)
	case payment.IntentRequiresAction:
		if err := s.books.AwaitAction(ctx, id, s.now().Add(s.config.HoldFor)); err != nil {
			return s.tryAgain(ctx, id, "await the shopper's action", err)
		}
		return Outcome{State: RequiresAction, ActionURL: intent.ActionURL}, nil
	case payment.IntentProcessing:
		return Outcome{State: Processing}, nil
	case payment.IntentFailed:
		return s.abandon(ctx, id, frozen.tombstone(row, declined(intent)))
	default: // cancelled at the provider, or not confirmed after all
		return s.abandon(ctx, id, frozen.tombstone(row, nil))
	}
}

// commit makes the order. A hold of another epoch than the store's is reserved again (rule 4).
func (s *Service) commit(ctx context.Context, id string, frozen Frozen, row *payment.Record, hold stock.Hold) (Outcome, error) {
	const attempts = 5
	for range attempts {
		standing, epoch, err := s.books.Commit(ctx, id, frozen, row.Fingerprint, hold)
		switch {
		case err != nil:
			return s.tryAgain(ctx, id, "commit the order", err)
		case standing.Sold():
			chaos.At(chaos.CheckoutCommitted)
			s.clearCart(ctx, frozen)
			return s.sold(ctx, id, standing.Order)
		case standing.dead():
			return s.abandon(ctx, id, tombstoneOf(standing))
		}
		// Rule 4: at least the store's epoch, or, where the hold's is newer, which only a restored Spanner explains, anything newer still.
		minimum := epoch
		if minimum <= hold.Epoch {
			minimum = hold.Epoch + 1
		}
		if hold, err = s.reserve(ctx, id, frozen, minimum); err != nil {
			return s.notReserved(ctx, id, frozen, frozen.tombstone(row, nil), err)
		}
	}
	return s.tryAgain(ctx, id, "commit the order", errors.New("the store's epoch keeps changing"))
}

// sold ends the hold with epoch and token of the order's row (rule 5). It is only for speed: the reaper does it as well.
func (s *Service) sold(ctx context.Context, id string, row *Order) (Outcome, error) {
	if chaos.Without(chaos.SettleToken) {
		row.Sold = stock.Hold{}
	}
	if err := s.stock.Settle(ctx, row.StoreID, id, row.Sold); err != nil {
		slog.WarnContext(ctx, "settle later", "checkout", id, "error", err)
	}
	chaos.At(chaos.CheckoutSettled)
	return Outcome{State: Confirmed, Order: row.Made}, nil
}

func (s *Service) reserve(ctx context.Context, id string, frozen Frozen, minimum stock.Epoch) (stock.Hold, error) {
	hold, err := s.stock.Reserve(ctx, frozen.StoreID, id, frozen.StockLines(), s.now().Add(s.config.HoldFor), minimum)
	if err == nil {
		chaos.At(chaos.CheckoutReserved)
	}
	return hold, err
}

// notReserved tells what is short after the tombstone; a hold of other lines is somebody's who is on the way (rule 3).
func (s *Service) notReserved(ctx context.Context, id string, frozen Frozen, tombstone Order, err error) (Outcome, error) {
	var short *stock.InsufficientError
	switch {
	case errors.As(err, &short):
		tombstone.Refusal = encodeRefusal(s.tooLittle(ctx, frozen, short))
		return s.abandon(ctx, id, tombstone)
	case errors.Is(err, stock.ErrOtherLines):
		return Outcome{State: Processing}, nil
	default:
		return Outcome{}, fmt.Errorf("reserve for checkout %s: %w", id, err)
	}
}

// tryAgain ends a try whose outcome is unknown: the hold stays, and the same request, the reaper or the reconciler goes on.
func (s *Service) tryAgain(ctx context.Context, id, doing string, err error) (Outcome, error) {
	slog.WarnContext(ctx, "checkout stays open", "checkout", id, "while", doing, "error", err)
	return Outcome{State: Processing}, nil
}

func (s *Service) clearCart(ctx context.Context, frozen Frozen) {
	if err := s.carts.Clear(ctx, frozen.CartID, frozen.CartETag); err != nil {
		slog.WarnContext(ctx, "the cart keeps what was bought", "error", err)
	}
}

// Poll tells what a checkout of the shopper's has come to and goes on with it where it can. Errors: CHECKOUT_NOT_FOUND, and the
// refusal of a checkout that failed.
func (s *Service) Poll(ctx context.Context, id, user string) (Outcome, error) {
	standing, err := s.books.Look(ctx, id)
	if err != nil {
		return Outcome{}, fmt.Errorf("look at checkout %s: %w", id, err)
	}
	if owner(standing) != user {
		return Outcome{}, fault.CheckoutNotFound.New("you have no such checkout")
	}
	return s.inTurn(ctx, id, standing)
}

// inTurn goes on with a checkout after whoever is at work on it. To go on beside them is harmless, but holds the lines a second time until
// that is noticed, and another shopper may be told meanwhile that nothing is left.
func (s *Service) inTurn(ctx context.Context, id string, standing Standing) (Outcome, error) {
	if standing.Order != nil || standing.Payment == nil {
		return s.resume(ctx, id, standing)
	}
	frozen, err := Thaw(standing.Payment)
	if err != nil {
		return Outcome{}, err
	}
	defer s.locks.Lock(ctx, lockName(frozen.UserID, frozen.CartID))()
	if standing, err = s.books.Look(ctx, id); err != nil {
		return Outcome{}, fmt.Errorf("look at checkout %s: %w", id, err)
	}
	return s.resume(ctx, id, standing)
}

// lockName names a shopper's cart; "me" is the cart that has the shopper's own id.
func lockName(user, cart string) string {
	if cart == "me" {
		cart = user
	}
	return user + "/" + cart
}

// Resume goes on with a checkout, for nobody in particular: the provider has news of its payment. known is false, and nothing is done,
// where Spanner knows nothing of it: its own request is on its way, or never came. Errors: as Poll's, without CHECKOUT_NOT_FOUND.
func (s *Service) Resume(ctx context.Context, id string) (outcome Outcome, known bool, err error) {
	standing, err := s.books.Look(ctx, id)
	switch {
	case err != nil:
		return Outcome{}, false, fmt.Errorf("look at checkout %s: %w", id, err)
	case standing.Order == nil && standing.Payment == nil:
		return Outcome{}, false, nil
	}
	outcome, err = s.inTurn(ctx, id, standing)
	return outcome, true, err
}

func owner(s Standing) string {
	if s.Order != nil {
		return s.Order.UserID
	}
	if s.Payment != nil {
		if frozen, err := Thaw(s.Payment); err == nil {
			return frozen.UserID
		}
	}
	return ""
}

// Thaw reads the frozen checkout of a payment row.
func Thaw(row *payment.Record) (Frozen, error) {
	var frozen Frozen
	if err := json.Unmarshal(row.Request, &frozen); err != nil {
		return Frozen{}, fmt.Errorf("read the frozen checkout %s: %w", row.OrderID, err)
	}
	return frozen, nil
}
