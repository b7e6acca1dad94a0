package payment_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"larder.dev/internal/fault"
	"larder.dev/internal/order"
	"larder.dev/internal/payment"
	paymentspanner "larder.dev/internal/payment/spanner"
)

// walks is how many payments are walked, each by two actors at once: each step is a commit, so more of them show nothing new.
const walks = 15

func words(text string) []string { return strings.Fields(text) }

// act does one of the things that may happen to the money of an order, each by the code that does it on the platform.
func (b *till) act(id, intent, what string) error {
	ctx := b.t.Context()
	switch what {
	case "capture", "capture by an operator":
		by := payment.System
		if what != "capture" {
			by = payment.Operator
		}
		_, err := b.Capture(ctx, id, payment.Step{By: by})
		return err
	case "refund a pear":
		_, err := b.Refund(ctx, id, back(uuid.NewString(), units("pears", 1)))
		return err
	case "refund all":
		_, err := b.Refund(ctx, id, back(uuid.NewString()))
		return err
	case "the provider tells":
		_, _, err := b.Apply(ctx, payment.Event{ID: uuid.NewString(), Type: "charge.updated", IntentID: intent, OrderID: id, Time: b.now})
		return err
	case "expire":
		_, err := b.provider.Cancel(ctx, intent)
		return err
	case "cancel":
		return b.callOff(id)
	default:
		_, err := b.Void(ctx, id)
		return err
	}
}

// callOff moves a payment to VOIDING and its order to CANCELLED by one transaction, from whatever state it is in, as checkout does.
func (b *till) callOff(id string) error {
	_, err := b.database.ReadWriteTransaction(b.t.Context(), func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		record, err := paymentspanner.Read(ctx, txn, id)
		if err != nil {
			return err
		}
		step := payment.Step{To: payment.Voiding, By: payment.Operator, Reason: "cancelled"}
		mutations, err := paymentspanner.UpdateState(id, record.State, step, b.now)
		if err != nil {
			return err
		}
		return txn.BufferWrite(append(mutations, spanner.UpdateMap("Orders", map[string]any{
			"OrderId": id, "State": string(order.Cancelled), "UpdateTime": spanner.CommitTimestamp,
		})))
	})
	return err
}

// Two actors do random things to one payment at once. Whatever they try: each row of the history is a way of the table, gone by who may, with
// its time and reason; a refund has its event; the books hold no more than the provider took, and what was refused has a reason.
func TestRandomWalks(t *testing.T) {
	b := open(t, nil)
	walked := 0
	rapid.Check(t, func(rt *rapid.T) {
		if walked++; walked > walks {
			return
		}
		id, intent := b.sell()
		acts := rapid.SliceOfN(rapid.SampledFrom([]string{
			"capture", "capture", "capture by an operator", "refund a pear", "refund all", "the provider tells", "expire", "cancel", "void",
		}), 3, 8)
		var both sync.WaitGroup
		odd := make([]error, 2)
		for actor, path := range [][]string{acts.Draw(rt, "one's acts"), acts.Draw(rt, "the other's acts")} {
			both.Go(func() {
				for _, what := range path {
					if err := b.act(id, intent, what); err != nil && !refused(err) {
						odd[actor] = errors.Join(odd[actor], errors.New(what), err)
					}
				}
			})
		}
		both.Wait()
		if err := errors.Join(odd...); err != nil {
			rt.Fatal(err)
		}
		b.wantWalk(rt, id, intent)
	})
}

// refused tells what the table, the amounts or the provider refuse.
func refused(err error) bool {
	for _, reason := range []fault.Reason{
		fault.PaymentStateConflict, fault.PaymentNotCapturable, fault.NothingToRefund, fault.RefundTooLarge, fault.RefundRefused,
	} {
		if fault.Is(err, reason) {
			return true
		}
	}
	return errors.Is(err, payment.ErrCaptured) || errors.Is(err, payment.ErrProcessing)
}

// wantWalk holds a payment's history against the table, and its amounts against the provider's.
func (b *till) wantWalk(rt *rapid.T, id, intent string) {
	account, err := b.Account(b.t.Context(), id)
	if err != nil {
		rt.Fatal(err)
	}
	history := account.History
	if len(history) < 2 || history[0].State != payment.Initiated || history[len(history)-1].State != account.State {
		rt.Fatalf("%s with the history %+v", account.State, history)
	}
	for i := 1; i < len(history); i++ {
		before, after := history[i-1], history[i]
		if err := payment.Next(before.State, payment.Step{To: after.State, By: after.Actor}); err != nil {
			rt.Fatalf("%+v follows %+v: %v", after, before, err)
		}
		if !after.Time.After(before.Time) || after.State != payment.Authorized && after.Reason == "" {
			rt.Errorf("the row has no time or reason of its own: %+v after %+v", after, before)
		}
	}
	done := 0
	for _, refund := range account.Refunds {
		if refund.State == payment.RefundDone {
			done++
		}
	}
	if told := len(b.told(id)); told != done {
		rt.Errorf("%d refunds are done, %d were told", done, told)
	}
	now, err := b.Get(b.t.Context(), intent)
	if err != nil {
		rt.Fatal(err)
	}
	taken := slices.ContainsFunc(history, func(e payment.HistoryEntry) bool { return e.State == payment.Captured })
	if taken && (account.Captured != now.Captured || account.Refunded.Minor > now.Refunded.Minor || now.Captured.Minor > whole) {
		rt.Errorf("the books have %s captured, %s refunded; the provider %s, %s", account.Captured, account.Refunded, now.Captured, now.Refunded)
	}
}
