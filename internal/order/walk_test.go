package order_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"larder.dev/internal/checkout"
	checkoutspanner "larder.dev/internal/checkout/spanner"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
)

// walks is how many orders are walked, each by two actors at once.
const walks = 15

// step takes one step of the table, each by the transaction that owns it, on the real database.
func (r *rig) step(ctx context.Context, id string, step order.Step) error {
	books := checkoutspanner.NewBooks(r.client, time.Now)
	switch step.To {
	case order.Cancelled:
		return books.Cancel(ctx, id, checkout.Cancellation{Step: step, For: "somebody"}, time.Now())
	case order.Packed:
		found, _, err := books.Bought(ctx, id)
		if err != nil {
			return err
		}
		receipt, err := found.Pick(nil, nil)
		if err != nil {
			return err
		}
		_, _, err = books.Pack(ctx, id, checkout.Packing{Step: step, For: "somebody", Receipt: receipt}, 0)
		return err
	default:
		_, err := orderspanner.New(r.client).Move(ctx, id, step, time.Now())
		return err
	}
}

// Two actors take random steps at once. Whatever they try: each row of the history is a way of the table, gone by who may, with its time,
// its reason and its event; versions have no gap; and what was refused was refused as the table says.
func TestRandomWalks(t *testing.T) {
	r := open(t)
	walked := 0
	rapid.Check(t, func(rt *rapid.T) {
		if walked++; walked > walks { // each step is a commit: more of them show nothing new
			return
		}
		id := r.sell(t)
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) order.Step {
			return order.Step{
				To: rapid.SampledFrom([]order.State{order.Picking, order.Packed, order.Dispatched, order.Delivered, order.Cancelled}).Draw(rt, "to"),
				By: rapid.SampledFrom([]order.Actor{order.Shopper, order.Operator, order.Operator, order.System}).Draw(rt, "by"),
			}
		}), 4, 12)
		var both sync.WaitGroup
		refusals := make([]error, 2)
		for actor, path := range [][]order.Step{steps.Draw(rt, "one's steps"), steps.Draw(rt, "the other's steps")} {
			both.Go(func() {
				for i, step := range path {
					step.Reason = fmt.Sprintf("%d of actor %d", i, actor)
					if err := r.step(t.Context(), id, step); err != nil && !fault.Is(err, fault.OrderStateConflict) {
						refusals[actor] = errors.Join(refusals[actor], err)
					}
				}
			})
		}
		both.Wait()
		if err := errors.Join(refusals...); err != nil {
			rt.Fatal(err)
		}
		found, err := orderspanner.New(r.client).Get(t.Context(), id)
		if err != nil {
			rt.Fatal(err)
		}
		r.wantWalk(t, rt, found)
	})
}

// wantWalk holds an order's history against the table of transitions, and against what was told.
func (r *rig) wantWalk(t *testing.T, rt *rapid.T, found order.Order) {
	t.Helper()
	if int(found.Version) != len(found.History) || found.History[len(found.History)-1].State != found.State {
		rt.Fatalf("%s with version %d has the history %+v", found.State, found.Version, found.History)
	}
	told := r.events(t, found.ID)
	for i := 1; i < len(found.History); i++ {
		before, after := found.History[i-1], found.History[i]
		way := slices.IndexFunc(order.Transitions(), func(w order.Transition) bool { return w.From == before.State && w.To == after.State })
		if way < 0 || !slices.Contains(order.Transitions()[way].By, after.Actor) {
			rt.Fatalf("%+v follows %+v", after, before)
		}
		if !after.Time.After(before.Time) || after.Reason == "" {
			rt.Errorf("the row has no time or reason of its own: %+v after %+v", after, before)
		}
		if e, there := told[fmt.Sprintf("%s-%d", found.ID, i+1)]; !there || e.Type != event.TypeOf(proto.Clone(order.Transitions()[way].Tells)) {
			rt.Errorf("%+v was told as %q", after, e.Type)
		}
	}
	if (found.Receipt != nil) != slices.ContainsFunc(found.History, func(e order.Event) bool { return e.State == order.Packed }) {
		rt.Errorf("the history is %+v, the receipt %+v", found.History, found.Receipt)
	}
}
