package order

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"larder.dev/internal/fault"
)

// Step is what somebody wants an order to become.
type Step struct {
	To State
	By Actor
	// OperatorID is the user's id of an operator who takes it; empty of others.
	OperatorID string
	// ETag is the version that was seen, as it is or in quotes (RFC 9110, 8.8.3); empty: whichever it is.
	ETag string
	// Reason is kept in the history, at most 200 characters.
	Reason string
}

// Take returns the order as it is after a step, and whether the step changes it. One that was taken already doesn't: neither this
// request nor its twin does harm, and both are answered alike. Errors: ORDER_NOT_FOUND for a tombstone, ETAG_MISMATCH,
// ORDER_STATE_CONFLICT.
func (o Order) Take(step Step, at time.Time) (after Order, taken bool, err error) {
	if o.State == Abandoned {
		return Order{}, false, ErrNotFound()
	}
	before := o.State == step.To && step.seen(o.Version-1)
	if !before && !step.seen(o.Version) {
		return Order{}, false, fault.EtagMismatch.New("the order has changed, its etag is %d", o.Version).
			WithMetadata("etag", strconv.FormatInt(o.Version, 10))
	}
	if o.State == step.To {
		return o, false, nil
	}
	if err := Next(o.State, step.To, step.By, o.Payment.State); err != nil {
		return Order{}, false, err
	}
	after = o
	after.State, after.Version, after.UpdateTime = step.To, o.Version+1, at
	after.History = append(slices.Clone(o.History), Event{
		State: step.To, Time: at, Actor: step.By, Reason: step.Reason, OperatorID: step.OperatorID,
	})
	return after, true, nil
}

// seen tells whether a version is the one that the step was decided by.
func (s Step) seen(version int64) bool {
	tag := s.ETag
	if len(tag) >= 2 && strings.HasPrefix(tag, `"`) && strings.HasSuffix(tag, `"`) {
		tag = tag[1 : len(tag)-1]
	}
	return s.ETag == "" || tag == strconv.FormatInt(version, 10)
}
