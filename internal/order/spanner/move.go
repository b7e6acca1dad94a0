package spanner

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/protobuf/proto"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/order"
	outboxspanner "larder.dev/internal/outbox/spanner"
)

// Move implements order.Store. Its reads lock the order and its payment, so of two steps that meet, the second one sees the first.
// The event's times are the caller's: the commit's own is known only afterwards.
func (s *Store) Move(ctx context.Context, id string, step order.Step, at time.Time) (order.Order, error) {
	var after order.Order
	var taken bool
	committed, err := s.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		found, err := Whole(ctx, txn, id)
		if err != nil {
			return err
		}
		if after, taken, err = found.Take(step, at); err != nil || !taken {
			return err
		}
		message, err := reached(after)
		if err != nil {
			return err
		}
		told, err := Told(ctx, after, message)
		if err != nil {
			return err
		}
		return txn.BufferWrite(append(UpdateState(after, step), outboxspanner.Insert(told)))
	})
	if err != nil {
		return order.Order{}, err
	}
	if taken {
		after.UpdateTime, after.History[len(after.History)-1].Time = committed, committed
	}
	return after, nil
}

// reached is what is told of an order that an operator has moved to its state. Packing and cancelling are checkout's transactions.
func reached(o order.Order) (proto.Message, error) {
	p, version := o.Proto(), o.Version
	switch o.State {
	case order.Picking:
		return &orderpb.OrderPicking{Order: p, Version: version}, nil
	case order.Dispatched:
		return &orderpb.OrderDispatched{Order: p, Version: version}, nil
	case order.Delivered:
		return &orderpb.OrderDelivered{Order: p, Version: version}, nil
	default: // a fault of ours: those are other transactions'
		return nil, fmt.Errorf("move order %s: nobody is told that it is %s", o.ID, o.State)
	}
}
