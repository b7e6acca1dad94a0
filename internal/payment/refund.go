package payment

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"larder.dev/internal/chaos"
	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/pricing"
)

// RefundState is a refund's place in its life.
type RefundState string

// States of a refund.
const (
	// RefundRequested: recorded; the provider may or may not have it yet.
	RefundRequested RefundState = "REQUESTED"
	RefundDone      RefundState = "DONE"
	// RefundFailed: refused by the provider for good.
	RefundFailed RefundState = "FAILED"
)

// Refund is money that is given back.
type Refund struct {
	// ID is a UUID that the caller has made of its idempotency key.
	ID     string
	State  RefundState
	Amount money.Money
	// Lines, one a product; none: everything that was left, the delivery fee included.
	Lines []RefundLine
	// Reason, 1 to 200 characters, and Actor, who asked for it, are for the records.
	Reason, Actor string
	// Fingerprint is the hash of the request.
	Fingerprint []byte
	CreateTime  time.Time
}

// RefundLine is some units of a product.
type RefundLine struct {
	ProductID string `json:"product_id"`
	Quantity  int64  `json:"quantity"`
}

// Account is a payment with all that belongs to it.
type Account struct {
	Record
	// Refunds, oldest first.
	Refunds []Refund
	// Events that were taken in, in the order in which they came.
	Events []ReceivedEvent
	// History has the states that the payment reached, oldest first.
	History []HistoryEntry
}

// Frozen is what payment reads of the checkout that was frozen in the row; checkout writes it (rule 10).
type Frozen struct {
	UserID string         `json:"user_id"`
	Lines  []pricing.Line `json:"lines"`
	Totals pricing.Totals `json:"totals"`
}

// Frozen reads the row's request.
func (r Record) Frozen() (Frozen, error) {
	var frozen Frozen
	if err := json.Unmarshal(r.Request, &frozen); err != nil {
		return Frozen{}, fmt.Errorf("read the frozen checkout %s: %w", r.OrderID, err)
	}
	return frozen, nil
}

// WithoutPerson is the row's request without what it says about a person: of the address, the country stays. Nothing goes on with it any
// more: it is for a payment that was voided, or whose order has ended.
func (r Record) WithoutPerson() ([]byte, error) {
	var frozen map[string]json.RawMessage
	if err := json.Unmarshal(r.Request, &frozen); err != nil {
		return nil, fmt.Errorf("read the frozen checkout %s: %w", r.OrderID, err)
	}
	var address struct {
		Country string `json:"country,omitempty"`
	}
	if kept, ok := frozen["address"]; ok {
		if err := json.Unmarshal(kept, &address); err != nil {
			return nil, fmt.Errorf("read the frozen address of %s: %w", r.OrderID, err)
		}
		text, err := json.Marshal(address)
		if err != nil {
			return nil, fmt.Errorf("write the frozen address of %s: %w", r.OrderID, err)
		}
		frozen["address"] = text
	}
	return json.Marshal(frozen)
}

// Account returns an order's payment with all that belongs to it. Errors: ORDER_NOT_FOUND.
func (s *Service) Account(ctx context.Context, order string) (Account, error) {
	account, err := s.store.Look(ctx, order)
	if err != nil {
		return Account{}, fmt.Errorf("look at payment of %s: %w", order, err)
	}
	return account, nil
}

// Refund gives money back: record, refund, record. The same refund again goes on where it stopped, and so does any other of the same
// order, so that nothing stays requested because its key was lost. Errors: ORDER_NOT_FOUND,
// NOTHING_TO_REFUND, REFUND_TOO_LARGE, REFUND_REFUSED, IDEMPOTENCY_KEY_REUSED, INVALID_ARGUMENT for a product that wasn't bought.
func (s *Service) Refund(ctx context.Context, order string, wanted Refund) (Refund, error) {
	wanted.Lines = merge(wanted.Lines)
	wanted.Fingerprint = fingerprint(wanted)
	// What was requested before can't be given back again, so it is brought to its end first.
	if _, err := s.FinishRefunds(ctx, order); err != nil {
		return Refund{}, err
	}
	record, refund, err := s.store.Request(ctx, order, wanted, s.now().Add(attendRefundIn))
	if err != nil {
		return Refund{}, fmt.Errorf("request refund of %s: %w", order, err)
	}
	if refund, err = s.finish(ctx, record, refund); err != nil {
		return Refund{}, err
	}
	if refund.State == RefundFailed {
		return Refund{}, fault.RefundRefused.New("the provider refused to give back %s", refund.Amount)
	}
	return refund, nil
}

const (
	// attendRefundIn is how long a refund is left to whoever asked for it, and the time between tries to finish it.
	attendRefundIn = time.Minute
	// attendRefundFor bounds a try: a provider that doesn't answer keeps no other refund waiting for long.
	attendRefundFor = 10 * time.Second
	// attendRefundsAtOnce is how many orders are looked after at once.
	attendRefundsAtOnce = 4
)

// AttendRefunds goes on with refunds that were left behind, REQUESTED, of at most limit orders, and returns how many orders it looked at. Each is
// put off first: one that can't be finished stands behind all others then. Any number may do so at once.
func (s *Service) AttendRefunds(ctx context.Context, limit int) (int, error) {
	due := Due{Now: s.now(), Within: 2 * attendRefundIn}
	orders, err := s.store.RefundsToAttend(ctx, due, limit)
	if err != nil {
		return 0, fmt.Errorf("list refunds to finish: %w", err)
	}
	failed := make([]error, len(orders))
	var group errgroup.Group
	group.SetLimit(attendRefundsAtOnce)
	for i, order := range orders {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, attendRefundFor)
			defer cancel()
			failed[i] = s.attendRefunds(ctx, order, due)
			return nil
		})
	}
	_ = group.Wait() // what failed is kept apart: one stops no other
	return len(orders), errors.Join(failed...)
}

func (s *Service) attendRefunds(ctx context.Context, order string, due Due) error {
	mine, err := s.store.PutOffRefunds(ctx, order, due, due.Now.Add(attendRefundIn))
	if err != nil || !mine {
		return err
	}
	if _, err := s.FinishRefunds(ctx, order); err != nil { // it is tried again: the provider may be away
		slog.WarnContext(ctx, "refund later", "order", order, "error", err)
	}
	return nil
}

// FinishRefunds goes on with those refunds of an order that are REQUESTED: whoever asked for them may have died. It returns their
// number.
func (s *Service) FinishRefunds(ctx context.Context, order string) (int, error) {
	record, open, err := s.store.Requested(ctx, order)
	if err != nil {
		return 0, fmt.Errorf("list open refunds of %s: %w", order, err)
	}
	for _, refund := range open {
		if _, err := s.finish(ctx, record, refund); err != nil {
			return 0, err
		}
	}
	return len(open), nil
}

// finish asks the provider for a refund that is REQUESTED and records the answer. An unknown outcome leaves it REQUESTED: the same key
// finds out.
func (s *Service) finish(ctx context.Context, record Record, refund Refund) (Refund, error) {
	if refund.State != RefundRequested {
		return refund, nil
	}
	outcome := RefundDone
	err := s.provider.Refund(ctx, record.IntentID, refund.Amount, "refund-"+record.OrderID+"-"+refund.ID)
	switch {
	case errors.Is(err, ErrNotRefundable):
		outcome = RefundFailed
		slog.WarnContext(ctx, "refund refused", "order", record.OrderID, "refund", refund.ID, "error", err)
	case err != nil:
		return Refund{}, fmt.Errorf("refund %s of %s: %w", refund.ID, record.OrderID, err)
	}
	chaos.At(chaos.PaymentRefunded)
	refund, err = s.store.Finish(ctx, record.OrderID, refund.ID, outcome)
	if err != nil {
		return Refund{}, fmt.Errorf("record refund of %s: %w", record.OrderID, err)
	}
	return refund, nil
}

// Request decides about a refund: the one that is to be recorded, REQUESTED, with its amount, or the one that is there under its id
// already. It changes nothing. Errors: those of Service.Refund.
func (a Account) Request(wanted Refund) (refund Refund, before bool, err error) {
	for _, r := range a.Refunds {
		if r.ID != wanted.ID {
			continue
		}
		if !slices.Equal(r.Fingerprint, wanted.Fingerprint) {
			return Refund{}, false, fault.IdempotencyKeyReused.New("the key was used for another refund of this order")
		}
		return r, true, nil
	}
	if a.State != Captured && a.State != PartiallyRefunded {
		return Refund{}, false, fault.NothingToRefund.New("the payment is %s", a.State)
	}
	left := a.Captured.Minor - a.Refunded.Minor
	for _, r := range a.Refunds {
		if r.State == RefundRequested {
			left -= r.Amount.Minor
		}
	}
	amount := left
	if len(wanted.Lines) > 0 {
		if amount, err = a.cost(wanted.Lines); err != nil {
			return Refund{}, false, err
		}
	}
	wanted.State, wanted.Amount = RefundRequested, money.Of(amount, a.Captured.Currency)
	switch {
	case amount <= 0:
		return Refund{}, false, fault.NothingToRefund.New("nothing is left to be refunded")
	case amount > left:
		return Refund{}, false, fault.RefundTooLarge.New("%s would go back, %s are left", wanted.Amount, money.Of(left, a.Captured.Currency))
	}
	return wanted, false, nil
}

// cost is what was charged for some units, minor units: those that were picked, by their weight and less their discount. Of a product that stands
// in several lines, the first ones are given back first.
func (a Account) cost(lines []RefundLine) (int64, error) {
	frozen, err := a.Frozen()
	if err != nil {
		return 0, err
	}
	charged := frozen.Lines
	if a.Receipt != nil {
		charged = a.Receipt.Lines
	}
	given := map[string]int64{} // back already, or about to be
	for _, r := range a.Refunds {
		if r.State == RefundFailed {
			continue
		}
		for _, line := range r.Lines {
			given[line.ProductID] += line.Quantity
		}
	}
	var total int64
	for _, line := range lines {
		bought, skip, take := int64(0), given[line.ProductID], line.Quantity
		for _, l := range charged {
			if l.ProductID != line.ProductID {
				continue
			}
			bought += l.Quantity
			free := l.Quantity - min(skip, l.Quantity)
			skip -= l.Quantity - free
			used := min(take, free)
			take -= used
			// At most the order's total, which fits. The parts of a line add up to the line, whatever is rounded.
			before, err := l.PaidFor(l.Quantity - free)
			if err != nil {
				return 0, err
			}
			after, err := l.PaidFor(l.Quantity - free + used)
			if err != nil {
				return 0, err
			}
			total += after.Minor - before.Minor
		}
		switch {
		case bought == 0:
			return 0, fault.Invalid("lines", "nothing was charged for product %s", line.ProductID)
		case take > 0:
			return 0, fault.RefundTooLarge.New("of %s %d were bought, and %d are refunded", line.ProductID, bought, given[line.ProductID]).
				WithMetadata("product_id", line.ProductID)
		}
	}
	return total, nil
}

// AfterRefund is the state of a captured payment of which so much in all was given back.
func (r Record) AfterRefund(refunded money.Money) State {
	if refunded.Minor >= r.Captured.Minor {
		return Refunded
	}
	return PartiallyRefunded
}

// merge makes one line of each product, by product.
func merge(lines []RefundLine) []RefundLine {
	units := map[string]int64{}
	for _, line := range lines {
		units[line.ProductID] += line.Quantity
	}
	merged := make([]RefundLine, 0, len(units))
	for product, quantity := range units {
		merged = append(merged, RefundLine{ProductID: product, Quantity: quantity})
	}
	slices.SortFunc(merged, func(a, b RefundLine) int { return cmp.Compare(a.ProductID, b.ProductID) })
	return merged
}

// fingerprint is the hash of what a refund asks for; by whom doesn't matter.
func fingerprint(r Refund) []byte {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%q", r.Reason) // never fails
	for _, line := range r.Lines {
		_, _ = fmt.Fprintf(h, " %q %d", line.ProductID, line.Quantity)
	}
	return h.Sum(nil)
}
