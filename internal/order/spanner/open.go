package spanner

import (
	"context"
	"fmt"

	"cloud.google.com/go/spanner"

	"larder.dev/internal/order"
	paymentspanner "larder.dev/internal/payment/spanner"
)

// States returns the states of those of the orders that are there, by id; tombstones too.
func States(ctx context.Context, txn *spanner.ReadOnlyTransaction, ids []string) (map[string]order.State, error) {
	states := make(map[string]order.State, len(ids))
	err := txn.Read(ctx, "Orders", prefixes(ids), []string{"OrderId", "State"}).Do(func(row *spanner.Row) error {
		var id string
		var state order.State
		err := row.Columns(&id, (*string)(&state))
		states[id] = state
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the states of orders: %w", err)
	}
	return states, nil
}

// OpenAmong tells which of some orders are sold and not cancelled: only they may hold money; and which of those are packed, so that what they cost
// is known: only their payments are captured (rule 12).
func OpenAmong(ctx context.Context, txn *spanner.ReadOnlyTransaction, ids []string) (map[string]paymentspanner.Order, error) {
	open := make(map[string]paymentspanner.Order, len(ids))
	err := txn.Read(ctx, "Orders", prefixes(ids), []string{"OrderId", "State"}).Do(func(row *spanner.Row) error {
		var id string
		var state order.State
		err := row.Columns(&id, (*string)(&state))
		open[id] = paymentspanner.Order{
			Open:   state != order.Abandoned && state != order.Cancelled,
			Packed: state == order.Packed || state == order.Dispatched || state == order.Delivered,
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read which orders are open: %w", err)
	}
	return open, nil
}
