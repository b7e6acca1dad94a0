package spanner

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"

	"larder.dev/internal/order"
)

// Sale names the hold that an order was sold under (rule 5).
type Sale struct {
	Epoch     time.Time
	HoldToken int64
}

// Sold returns the sales of those of the orders that were confirmed, whatever became of them since.
func Sold(ctx context.Context, txn *spanner.ReadOnlyTransaction, ids []string) (map[string]Sale, error) {
	keys := make([]spanner.Key, len(ids))
	for i, id := range ids {
		keys[i] = spanner.Key{id}
	}
	sales := make(map[string]Sale, len(ids))
	columns := []string{"OrderId", "State", "Epoch", "HoldToken"}
	err := txn.Read(ctx, "Orders", spanner.KeySetFromKeys(keys...), columns).Do(func(row *spanner.Row) error {
		var id string
		var state order.State
		var epoch spanner.NullTime
		var token spanner.NullInt64
		if err := row.Columns(&id, (*string)(&state), &epoch, &token); err != nil {
			return err
		}
		if state != order.Abandoned {
			sales[id] = Sale{Epoch: epoch.Time, HoldToken: token.Int64}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read which orders are sold: %w", err)
	}
	return sales, nil
}
