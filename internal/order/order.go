// Package order holds what was bought, and what has become of it.
//
// The rules:
//
//   - An order comes into being in one way: checkout's commit inserts its row, CONFIRMED. The order's id is its checkout's id,
//     so whoever inserts the row first decides: the commit, or the tombstone of a checkout that was given up, ABANDONED.
//   - A tombstone is no order. It is never shown, listed or moved on; it keeps only the refusal that checkout gives again.
//   - An order's lines, prices, totals and address are those that the shopper agreed to, and never change.
//   - Its state moves only along the table of transitions (states.go). Each step raises the version, which is the etag, and adds
//     a row to the history, in one transaction.
//   - A shopper sees the orders of their own, an operator any. An order of another's can't be told from one that isn't there.
//   - Lists are newest first. A page goes on behind the last order of the page before, so orders that come meanwhile neither
//     repeat nor hide others.
package order

import (
	"context"
	"fmt"
	"time"

	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/money"
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
	Lines   []Line
	Totals  pricing.Totals
	Address *typepb.Address
	Payment Payment
	// History has the oldest event first.
	History    []Event
	CreateTime time.Time
	UpdateTime time.Time
}

// Line is a quantity of one product at the price that was agreed to.
type Line = pricing.Line

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

// Store reads orders.
type Store interface {
	// Get reads an order or a tombstone. Errors: ORDER_NOT_FOUND.
	Get(ctx context.Context, id string) (Order, error)
	// List reads a person's orders, without tombstones, newest first and by id among equals, behind a position (nil: from the
	// start), at most limit.
	List(ctx context.Context, userID string, behind *Position, limit int) ([]Order, error)
}

// Service is the room. Its methods are safe for concurrent use.
type Service struct{ store Store }

// New makes the room's service.
func New(store Store) *Service { return &Service{store: store} }

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
	if size == 0 {
		size = DefaultPageSize
	}
	size = min(size, MaxPageSize)
	behind, err := decodePageToken(caller.UserID, token)
	if err != nil {
		return nil, "", err
	}
	orders, err = s.store.List(ctx, caller.UserID, behind, size+1)
	if err != nil {
		return nil, "", fmt.Errorf("list orders: %w", err)
	}
	if len(orders) > size {
		orders = orders[:size]
		last := orders[size-1]
		next = encodePageToken(caller.UserID, Position{CreateTime: last.CreateTime, OrderID: last.ID})
	}
	return orders, next, nil
}

// ErrNotFound is ORDER_NOT_FOUND, the same for no order, a tombstone, and another's order.
func ErrNotFound() error { return fault.OrderNotFound.New("there is no such order") }
