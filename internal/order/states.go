package order

import (
	"slices"

	"google.golang.org/protobuf/proto"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/fault"
)

// State is an order's place in its life.
type State string

// States of an order.
const (
	Confirmed  State = "CONFIRMED"
	Picking    State = "PICKING"
	Packed     State = "PACKED"
	Dispatched State = "DISPATCHED"
	Delivered  State = "DELIVERED"
	Cancelled  State = "CANCELLED"
	// Abandoned is the tombstone of a checkout that never became an order, and never will.
	Abandoned State = "ABANDONED"
)

// Ended tells that nothing more is done with an order's goods.
func (s State) Ended() bool { return s == Delivered || s == Cancelled }

// Actor is who moves an order on, as histories name it.
type Actor string

// Actors.
const (
	Shopper  Actor = "shopper"
	Operator Actor = "operator"
	// System is the platform itself.
	System Actor = "system"
)

// PaymentState is the state of an order's payment, as room payment names it.
type PaymentState string

// States that a payment must be in before the van leaves: the money was taken. Of some of it given back the rest still stands.
const (
	PaymentCaptured          PaymentState = "CAPTURED"
	PaymentPartiallyRefunded PaymentState = "PARTIALLY_REFUNDED"
)

// Transition is one way from a state to another.
type Transition struct {
	From, To State
	// By is who may go it.
	By []Actor
	// Needs are the states that the payment may be in; none means any.
	Needs []PaymentState
	// Tells is the event, a message of api/order/v1. Every transition has one, and adds a row to the history.
	Tells proto.Message
}

// transitions is every way there is. A shopper cancels until picking begins, an operator until the van leaves, and so does the
// system, when the payment can no longer be captured (rule 12 of the checkout protocol). From DISPATCHED on nobody cancels, least of all the
// system: the goods are on the van, the money was taken, and an operator gives it back by a refund. Nothing leads to or from ABANDONED.
var transitions = []Transition{
	{From: Confirmed, To: Picking, By: []Actor{Operator}, Tells: &orderpb.OrderPicking{}},
	{From: Picking, To: Packed, By: []Actor{Operator}, Tells: &orderpb.OrderPacked{}},
	{
		From: Packed, To: Dispatched, By: []Actor{Operator}, Needs: []PaymentState{PaymentCaptured, PaymentPartiallyRefunded},
		Tells: &orderpb.OrderDispatched{},
	},
	{From: Dispatched, To: Delivered, By: []Actor{Operator}, Tells: &orderpb.OrderDelivered{}},
	{From: Confirmed, To: Cancelled, By: []Actor{Shopper, Operator, System}, Tells: &orderpb.OrderCancelled{}},
	{From: Picking, To: Cancelled, By: []Actor{Operator, System}, Tells: &orderpb.OrderCancelled{}},
	{From: Packed, To: Cancelled, By: []Actor{Operator, System}, Tells: &orderpb.OrderCancelled{}},
}

// Transitions lists every way there is.
func Transitions() []Transition { return slices.Clone(transitions) }

// Final tells that an order in the state stays in it.
func (s State) Final() bool {
	return !slices.ContainsFunc(transitions, func(t Transition) bool { return t.From == s })
}

// States lists every state.
func States() []State {
	return []State{Confirmed, Picking, Packed, Dispatched, Delivered, Cancelled, Abandoned}
}

// Next tells whether an actor may move an order, whose payment is in a state, from one state to another. Errors:
// ORDER_STATE_CONFLICT.
func Next(from, to State, by Actor, payment PaymentState) error {
	i := slices.IndexFunc(transitions, func(t Transition) bool { return t.From == from && t.To == to })
	switch {
	case i < 0:
		return conflict(from, to, "an order that is %s can't become %s", from, to)
	case !slices.Contains(transitions[i].By, by):
		return conflict(from, to, "an order that is %s can't be made %s by a %s", from, to, by)
	case len(transitions[i].Needs) > 0 && !slices.Contains(transitions[i].Needs, payment):
		return conflict(from, to, "an order becomes %s only when its payment is %s; it is %s", to, transitions[i].Needs[0], payment)
	default:
		return nil
	}
}

func conflict(from, to State, format string, args ...any) error {
	return fault.OrderStateConflict.New(format, args...).WithMetadata("from", string(from)).WithMetadata("to", string(to))
}
