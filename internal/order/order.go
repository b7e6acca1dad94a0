// Package order holds what was bought, and what has become of it.
//
// The rules:
//
//   - An order comes into being in one way: checkout's commit inserts its row, CONFIRMED. The order's id is its checkout's id,
//     so whoever inserts the row first decides: the commit, or the tombstone of a checkout that was given up, ABANDONED.
//   - A tombstone is no order. It is never shown, listed or moved on; it keeps only the refusal that checkout gives again.
//   - An order's lines, prices, totals and address are those that the shopper agreed to, and never change. What was picked of them, and
//     what that costs, is its receipt (picking.go), written once, by the step to PACKED, and never above what was authorised.
//   - Its state moves only along the table of transitions (states.go). Each step raises the version, which is the etag, adds
//     a row to the history, and tells an event, in one transaction. A step that was taken already is answered as it is.
//   - Cancelling and packing move goods and money, so they are checkout's transactions (rule 8 of docs/protocol.md); refunding is the room
//     payment's. This room decides who may ask for them.
//   - A shopper sees the orders of their own, an operator any. An order of another's can't be told from one that isn't there.
//   - Which operator took a step is kept, and told to operators only, by a message of its own: an order as shoppers and events have it has no
//     field for it.
//   - An order outlives its shopper's account, but not the person: once the shopper is forgotten and the order has ended, of its address
//     the country is left, for the tax, and it is in nobody's list (forget.go).
//   - Lists are newest first. A page goes on behind the last order of the page before, so orders that come meanwhile neither
//     repeat nor hide others.
package order

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/chaos"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/money"
	"larder.dev/internal/pagetoken"
	"larder.dev/internal/pricing"
)

// Order is an order with all that belongs to it.
type Order struct {
	ID      string
	UserID  string
	StoreID string
	State   State
	// Version counts the states that the order has reached, from 1.
	Version int64
	// Lines in the order in which they were in the cart.
	Lines  []Line
	Totals pricing.Totals
	// Receipt is what was picked; nil until the order is packed.
	Receipt *pricing.Receipt
	Address *typepb.Address
	// Slot is the time that was chosen for the delivery; nil: as soon as it can be.
	Slot    *Slot
	Payment Payment
	// History has the oldest event first.
	History    []Event
	CreateTime time.Time
	UpdateTime time.Time
}

// Line is a quantity of one product at the price that was agreed to.
type Line = pricing.Line

// Slot is a time in which a van of the store delivers, as it was when it was chosen.
type Slot struct {
	ID    string    `json:"id"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Payment is what happened to the order's money.
type Payment struct {
	State                          PaymentState
	Authorized, Captured, Refunded money.Money
}

// Event is one step of an order's life.
type Event struct {
	State  State
	Time   time.Time
	Actor  Actor
	Reason string
	// OperatorID is the user's id of an operator who took it, as far as it is kept. Shoppers never see it: Proto leaves it out.
	OperatorID string
}

// Position is a place in a shopper's list.
type Position struct {
	CreateTime time.Time
	OrderID    string
}

// Sizes of pages.
const (
	DefaultPageSize = 20
	MaxPageSize     = 100
)

// Store keeps orders.
type Store interface {
	// Get reads an order or a tombstone. Errors: ORDER_NOT_FOUND.
	Get(ctx context.Context, id string) (Order, error)
	// List reads a person's orders, without tombstones, newest first and by id among equals, behind a position (nil: from the
	// start), at most limit.
	List(ctx context.Context, userID string, behind *Position, limit int) ([]Order, error)
	// ListInStore reads a store's orders in a state: those that have ended newest first, others oldest first, and by id among equals,
	// behind a position (nil: from the start), at most limit.
	ListInStore(ctx context.Context, store string, state State, behind *Position, limit int) ([]Order, error)
	// ConfirmedSince returns when each of a store's orders since a moment was confirmed, in no order.
	ConfirmedSince(ctx context.Context, store string, since time.Time) ([]time.Time, error)
	// Versions returns the versions of those of the orders that are there, by id; tombstones too.
	Versions(ctx context.Context, ids []string) (map[string]int64, error)
	// Move takes a step and tells its event, in one transaction, and returns the order as it is then. at is the event's time.
	// Errors: those of Order.Take.
	Move(ctx context.Context, id string, step Step, at time.Time) (Order, error)
	// NoteForgotten keeps that a person is to be forgotten.
	NoteForgotten(ctx context.Context, userID string) error
	// Forget takes the person out of an order that has ended, if they are to be forgotten; any other stays as it is.
	Forget(ctx context.Context, id string) error
}

// Checkouts is the room checkout, by its service: what was sold is taken back by whoever sold it.
type Checkouts interface {
	// Cancel calls an order off. Errors: ORDER_NOT_FOUND, ETAG_MISMATCH, ORDER_STATE_CONFLICT.
	Cancel(ctx context.Context, id string, step Step) error
	// Pack packs an order with what was picked. Errors: ORDER_NOT_FOUND, ETAG_MISMATCH, ORDER_STATE_CONFLICT, OUT_OF_STOCK for a substitute that
	// isn't there, INVALID_ARGUMENT for what can't be picked so.
	Pack(ctx context.Context, id, etag, reason string, picks []Pick) error
}

// Payments is the room payment, by its service.
type Payments interface {
	// Refund gives money back, once for each id of a refund. Errors: NOTHING_TO_REFUND, REFUND_TOO_LARGE, REFUND_REFUSED,
	// IDEMPOTENCY_KEY_REUSED, INVALID_ARGUMENT for a product that wasn't bought.
	Refund(ctx context.Context, refund Refund) error
}

// Refund is money of an order to be given back.
type Refund struct {
	// ID is a UUID; the same one refunds once.
	ID      string
	OrderID string
	// Lines of the order; none: everything that isn't refunded yet.
	Lines []RefundLine
	// Reason is kept with the refund, at most 200 characters.
	Reason string
	// Actor is the user's id who asks for it.
	Actor string
}

// RefundLine is a quantity of one product, from 1.
type RefundLine struct {
	ProductID string
	Quantity  int64
}

// Service is the room. Its methods are safe for concurrent use.
type Service struct {
	store     Store
	checkouts Checkouts
	payments  Payments
	now       func() time.Time
}

// New makes the room's service.
func New(store Store, checkouts Checkouts, payments Payments, now func() time.Time) *Service {
	return &Service{store: store, checkouts: checkouts, payments: payments, now: now}
}

// Get reads an order that the caller may see. Errors: ORDER_NOT_FOUND.
func (s *Service) Get(ctx context.Context, caller identity.Caller, id string) (Order, error) {
	found, err := s.store.Get(ctx, id)
	if err != nil {
		return Order{}, fmt.Errorf("read order: %w", err)
	}
	own := caller.UserID != "" && found.UserID == caller.UserID
	if found.State == Abandoned || (!own && !caller.HasRole(identity.RoleOperator)) {
		return Order{}, ErrNotFound()
	}
	return found, nil
}

// List reads a page of the caller's orders, and the token of the next page, empty behind the last. size is 0 (DefaultPageSize) to
// MaxPageSize. Errors: INVALID_PAGE_TOKEN.
func (s *Service) List(ctx context.Context, caller identity.Caller, size int, token string) (orders []Order, next string, err error) {
	size = min(cmp.Or(size, DefaultPageSize), MaxPageSize)
	behind, err := decodePageToken(caller.UserID, token)
	if err != nil {
		return nil, "", err
	}
	orders, err = s.store.List(ctx, caller.UserID, behind, size+1)
	if err != nil {
		return nil, "", fmt.Errorf("list orders: %w", err)
	}
	orders, next = pagetoken.Cut(orders, size, func(last Order) string {
		return encodePageToken(caller.UserID, Position{CreateTime: last.CreateTime, OrderID: last.ID})
	})
	return orders, next, nil
}

// Move takes an operator's step: pick, dispatch, deliver. Errors: ORDER_NOT_FOUND, ETAG_MISMATCH, ORDER_STATE_CONFLICT.
func (s *Service) Move(ctx context.Context, id string, step Step) (Order, error) {
	moved, err := s.store.Move(ctx, id, step, s.now())
	if err != nil {
		return Order{}, fmt.Errorf("move order to %s: %w", step.To, err)
	}
	chaos.At(chaos.OrderMoved)
	return moved, nil
}

// Pack packs an order with what was picked; lines that picks don't name were picked in full. Errors: those of Checkouts.Pack.
func (s *Service) Pack(ctx context.Context, caller identity.Caller, id, etag, reason string, picks []Pick) (Order, error) {
	if err := s.checkouts.Pack(ctx, id, etag, reason, picks); err != nil {
		return Order{}, fmt.Errorf("pack order: %w", err)
	}
	chaos.At(chaos.OrderMoved)
	return s.Get(ctx, caller, id)
}

// Cancel calls off an order that the caller may see; an operator's own counts as an operator's. Money and goods come back soon
// afterwards, not by it. Errors: ORDER_NOT_FOUND, ETAG_MISMATCH, ORDER_STATE_CONFLICT.
func (s *Service) Cancel(ctx context.Context, caller identity.Caller, id, etag, reason string) (Order, error) {
	if _, err := s.Get(ctx, caller, id); err != nil {
		return Order{}, err
	}
	by := Shopper
	if caller.HasRole(identity.RoleOperator) {
		by = Operator
	}
	// Who the operator is, checkout takes from the token that goes with the call.
	if err := s.checkouts.Cancel(ctx, id, Step{To: Cancelled, By: by, ETag: etag, Reason: reason}); err != nil {
		return Order{}, fmt.Errorf("cancel order: %w", err)
	}
	chaos.At(chaos.OrderCancelled)
	return s.Get(ctx, caller, id)
}

// Refund gives money of an order back, once for each key. Errors: ORDER_NOT_FOUND, INVALID_ARGUMENT for a product that is named
// twice, and those of Payments.Refund.
func (s *Service) Refund(ctx context.Context, caller identity.Caller, key string, refund Refund) (Order, error) {
	named := map[string]bool{}
	for i, line := range refund.Lines {
		if named[line.ProductID] {
			return Order{}, fault.Invalid(fmt.Sprintf("lines[%d].product_id", i), "is in another line already")
		}
		named[line.ProductID] = true
	}
	if _, err := s.Get(ctx, caller, refund.OrderID); err != nil {
		return Order{}, err
	}
	refund.ID, refund.Actor = refundID(refund.OrderID, key), caller.UserID
	if err := s.payments.Refund(ctx, refund); err != nil {
		return Order{}, fmt.Errorf("refund order: %w", err)
	}
	return s.Get(ctx, caller, refund.OrderID)
}

// refundSpace separates the ids of refunds from other uses of UUIDv5.
var refundSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://larder.dev/refunds"))

// refundID is the id of an order's refund with an Idempotency-Key (derived, never chosen).
func refundID(order, key string) string {
	return uuid.NewSHA1(refundSpace, []byte(order+"\x00"+key)).String()
}

// ErrNotFound is ORDER_NOT_FOUND, the same for no order, a tombstone, and another's order.
func ErrNotFound() error { return fault.OrderNotFound.New("there is no such order") }
