package payment

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/fault"
)

// State is a payment's place in its life.
type State string

const (
	Initiated         State = "INITIATED"
	RequiresAction    State = "REQUIRES_ACTION"
	Authorized        State = "AUTHORIZED"
	Captured          State = "CAPTURED"
	CaptureFailed     State = "CAPTURE_FAILED"
	Voiding           State = "VOIDING"
	Voided            State = "VOIDED"
	PartiallyRefunded State = "PARTIALLY_REFUNDED"
	Refunded          State = "REFUNDED"
)

// Actor is who moves a payment on, as histories name it. The names are those of orders' histories, and one more.
type Actor string

// Actors.
const (
	// Shopper pays, by a checkout of theirs, or cancels.
	Shopper Actor = "shopper"
	// Operator captures again, refunds, cancels.
	Operator Actor = "operator"
	// System is the platform itself: it gives checkouts up, captures, voids.
	System Actor = "system"
	// Provides is the provider: it has told what became of the money, without our asking for it.
	Provides Actor = "provider"
)

// Step is what somebody makes of a payment.
type Step struct {
	To State
	By Actor
	// OperatorID is the user's id of an operator who takes it; empty of others.
	OperatorID string
	// Reason is kept in the history, at most 200 characters; more are cut off.
	Reason string
}

// HistoryEntry is a state that a payment reached.
type HistoryEntry struct {
	State  State
	Time   time.Time
	Actor  Actor
	Reason string
	// OperatorID is the user's id of an operator who took it, as far as it is kept.
	OperatorID string
}

// Transition is one way from a state to another. Each adds a row to the history.
type Transition struct {
	From, To State
	// By is who may go it.
	By []Actor
	// Tells is the event of the same transaction, a message of api/order/v1; nil: what nobody outside has heard of the payment yet, or what the
	// event before it has announced already. Of a checkout that never became an order nothing is told at all.
	Tells proto.Message
}

var (
	confirmed = &orderpb.OrderConfirmed{}
	cancelled = &orderpb.OrderCancelled{}
	refunded  = &orderpb.OrderRefunded{}

	anybody = []Actor{Shopper, Operator, System} // the table of orders decides who cancels when
	books   = []Actor{Operator, System, Provides}
)

// transitions is every way there is. VOIDING is reached from any state but VOIDED: rule 7b cancels or refunds according to what the provider
// says, not to what we believe. Nothing leads out of VOIDED.
var transitions = []Transition{
	{From: Initiated, To: RequiresAction, By: []Actor{Shopper}},
	{From: Initiated, To: Authorized, By: []Actor{Shopper}, Tells: confirmed},
	{From: RequiresAction, To: Authorized, By: []Actor{Shopper}, Tells: confirmed},
	{From: Authorized, To: Captured, By: books},
	{From: Authorized, To: CaptureFailed, By: books},
	{From: CaptureFailed, To: Captured, By: books},
	{From: Captured, To: PartiallyRefunded, By: []Actor{Operator, Provides}, Tells: refunded},
	{From: Captured, To: Refunded, By: []Actor{Operator, Provides}, Tells: refunded},
	{From: PartiallyRefunded, To: PartiallyRefunded, By: []Actor{Operator, Provides}, Tells: refunded},
	{From: PartiallyRefunded, To: Refunded, By: []Actor{Operator, Provides}, Tells: refunded},
	{From: Initiated, To: Voiding, By: []Actor{System}},
	{From: RequiresAction, To: Voiding, By: []Actor{System}},
	{From: Authorized, To: Voiding, By: anybody, Tells: cancelled},
	{From: CaptureFailed, To: Voiding, By: anybody, Tells: cancelled},
	{From: Captured, To: Voiding, By: anybody, Tells: cancelled},
	{From: PartiallyRefunded, To: Voiding, By: anybody, Tells: cancelled},
	{From: Refunded, To: Voiding, By: anybody, Tells: cancelled},
	{From: Voiding, To: Voided, By: []Actor{System}},
}

// Transitions lists every way there is.
func Transitions() []Transition { return slices.Clone(transitions) }

// States lists every state.
func States() []State {
	return []State{Initiated, RequiresAction, Authorized, Captured, CaptureFailed, Voiding, Voided, PartiallyRefunded, Refunded}
}

// Allowed tells whether a payment may go from one state to another, by whomever.
func Allowed(from, to State) bool {
	return slices.ContainsFunc(transitions, func(t Transition) bool { return t.From == from && t.To == to })
}

// Next tells whether a step may be taken from a state. Errors: PAYMENT_STATE_CONFLICT.
func Next(from State, step Step) error {
	i := slices.IndexFunc(transitions, func(t Transition) bool { return t.From == from && t.To == step.To })
	switch {
	case i < 0:
		return conflict(from, step, "a payment that is %s can't become %s", from, step.To)
	case !slices.Contains(transitions[i].By, step.By):
		return conflict(from, step, "a payment that is %s can't be made %s by a %s", from, step.To, step.By)
	default:
		return nil
	}
}

func conflict(from State, step Step, format string, args ...any) error {
	return fault.PaymentStateConflict.New(format, args...).WithMetadata("from", string(from)).WithMetadata("to", string(step.To))
}

// Due tells when an open payment is to be attended to.
type Due struct {
	Now time.Time
	// Within is the longest wait that anybody sets. A time further ahead was set by a process whose clock was wrong, and counts as past: else
	// the payment would wait until that clock's time has come.
	Within time.Duration
}

// Past tells whether a time that somebody set is to be taken for past.
func (d Due) Past(at time.Time) bool { return !at.After(d.Now) || at.After(d.Now.Add(d.Within)) }

// Open tells whether something is left to do that nobody but the reconciler may be doing.
func (s State) Open() bool {
	return s == Initiated || s == RequiresAction || s == CaptureFailed || s == Voiding
}
