package spanner

import (
	"context"
	"fmt"

	"cloud.google.com/go/spanner"

	"larder.dev/internal/order"
)

// OpenAmong tells which of some orders are sold and not cancelled: only their payments are captured (rule 12), and only they may hold
// money.
func OpenAmong(ctx context.Context, txn *spanner.ReadOnlyTransaction, ids []string) (map[string]bool, error) {
	open := make(map[string]bool, len(ids))
	err := txn.Read(ctx, "Orders", prefixes(ids), []string{"OrderId", "State"}).Do(func(row *spanner.Row) error {
		var id string
		var state order.State
		err := row.Columns(&id, (*string)(&state))
		open[id] = state != order.Abandoned && state != order.Cancelled
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read which orders are open: %w", err)
	}
	return open, nil
}
