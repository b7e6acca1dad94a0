package checkout

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	checkoutpb "larder.dev/api/checkout/v1"
	"larder.dev/internal/order"
	"larder.dev/internal/payment"
	"larder.dev/internal/stock"
)

// Step is how far a checkout that holds goods has come.
type Step int

// Steps, as api/checkout/v1 describes them.
const (
	Reserved Step = iota
	Paying
	AwaitsAction
	Settling
	Releasing
)

// StepOf is the step of a checkout by the states of its order and its payment, empty where there is none.
func StepOf(made order.State, paid payment.State) Step {
	switch {
	case made == order.Abandoned, made == order.Cancelled, made == "" && (paid == payment.Voiding || paid == payment.Voided):
		return Releasing
	case made != "":
		return Settling
	case paid == "":
		return Reserved
	case paid == payment.RequiresAction:
		return AwaitsAction
	default:
		return Paying
	}
}

// UnderWay is a checkout that holds goods.
type UnderWay struct {
	ID                 string
	Step               Step
	HoldTime, Deadline time.Time
	Lines              []stock.Line
}

// UnderWay lists a store's checkouts that are under way, those first whose time ends first, at most limit; holds counts all that the store
// has, adjustments' included. Redis and Spanner are read one after the other, so a step may be a moment old.
func (s *Service) UnderWay(ctx context.Context, store string, limit int) (checkouts []UnderWay, holds int64, err error) {
	found, err := s.stock.Holds(ctx, store, s.now(), limit)
	if err != nil {
		return nil, 0, fmt.Errorf("list the holds of %s: %w", store, err)
	}
	var ids []string
	for _, hold := range found.First {
		if hold.Adjusts() {
			continue
		}
		ids = append(ids, hold.ID)
		checkouts = append(checkouts, UnderWay{
			ID: hold.ID, HoldTime: hold.Deadline.Add(-s.config.HoldFor), Deadline: hold.Deadline, Lines: hold.Lines,
		})
	}
	if len(ids) == 0 {
		return nil, found.All, nil
	}
	steps, err := s.books.Steps(ctx, ids)
	if err != nil {
		return nil, 0, fmt.Errorf("read the steps of checkouts: %w", err)
	}
	for i := range checkouts {
		checkouts[i].Step = steps[checkouts[i].ID]
	}
	return checkouts, found.All, nil
}

// ListCheckouts implements the service.
func (s *Server) ListCheckouts(ctx context.Context, r *checkoutpb.ListCheckoutsRequest) (*checkoutpb.ListCheckoutsResponse, error) {
	checkouts, holds, err := s.service.UnderWay(ctx, r.GetStoreId(), cmp.Or(int(r.GetPageSize()), 100))
	if err != nil {
		return nil, err
	}
	answer := &checkoutpb.ListCheckoutsResponse{Holds: holds}
	for _, c := range checkouts {
		shown := &checkoutpb.CheckoutUnderWay{
			CheckoutId: c.ID, Step: checkoutpb.CheckoutUnderWay_Step(c.Step + 1), // in the same order, behind STEP_UNSPECIFIED
			HoldTime: timestamppb.New(c.HoldTime), Deadline: timestamppb.New(c.Deadline),
		}
		for _, line := range c.Lines {
			if _, limit := stock.LimitOf(line.ProductID); !limit { // whose limit it is, is nobody's business
				shown.Goods = append(shown.Goods, &checkoutpb.HeldGoods{ProductId: line.ProductID, Quantity: line.Quantity})
			}
		}
		answer.Checkouts = append(answer.Checkouts, shown)
	}
	return answer, nil
}
