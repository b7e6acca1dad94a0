package payment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"larder.dev/internal/fault"
	"larder.dev/internal/pagetoken"
)

// Sizes of pages of List.
const (
	DefaultPageSize = 20
	MaxPageSize     = 100
)

// Unsettled tells whether money is still to move: to be held, taken or let go. Payments in such states are listed; the others are history.
func (s State) Unsettled() bool { return s == Authorized || s.Open() }

// Place is a payment's place in the list of those that are in its state: by the time of its making, and by its order among equals.
type Place struct {
	CreateTime time.Time `json:"t"`
	OrderID    string    `json:"o"`
}

// Span is a part of the list of the payments that are in an unsettled state, oldest first.
type Span struct {
	State State
	// Behind is where it begins, the place itself not counted; the zero place is the list's start.
	Behind Place
	// Before ends it: what was made then or later is left out. Zero: the list's end.
	Before time.Time
	// Limit is how many payments there are at most.
	Limit int
}

// listToken is what a page token holds.
type listToken struct {
	State  State `json:"s"`
	Behind Place `json:"p"`
}

// List reads a page of the payments that are in an unsettled state, oldest first, and the token of the next page, empty behind the last.
// size is 0 (DefaultPageSize) to MaxPageSize. A payment that changes its state leaves the list, so an order that is dealt with between two
// pages hides none. Errors: INVALID_PAGE_TOKEN, INVALID_ARGUMENT for a state that is settled.
func (s *Service) List(ctx context.Context, state State, size int, token string) (payments []Record, next string, err error) {
	if !state.Unsettled() {
		return nil, "", fault.Invalid("state", "must be a state in which money is still to move")
	}
	size = min(cmp.Or(size, DefaultPageSize), MaxPageSize)
	at := listToken{State: state}
	if err := pagetoken.Decode(token, &at); err != nil {
		return nil, "", err
	}
	if at.State != state {
		return nil, "", pagetoken.Bad(errors.New("token of another state's list"))
	}
	payments, err = s.store.Unsettled(ctx, Span{State: state, Behind: at.Behind, Limit: size + 1})
	if err != nil {
		return nil, "", fmt.Errorf("list payments that are %s: %w", state, err)
	}
	payments, next = pagetoken.Cut(payments, size, func(last Record) string {
		return pagetoken.Encode(listToken{State: state, Behind: last.place()})
	})
	return payments, next, nil
}

func (r Record) place() Place { return Place{CreateTime: r.CreateTime, OrderID: r.OrderID} }
