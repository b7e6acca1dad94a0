package spanner

import (
	"context"
	"fmt"

	"cloud.google.com/go/spanner"

	"larder.dev/internal/money"
	"larder.dev/internal/payment"
	"larder.dev/internal/spannerdb"
)

// Standings returns the payments of some orders by order, without fingerprint and request: what an order shows of its
// money. An order without a payment is left out.
func Standings(ctx context.Context, txn spannerdb.Reader, orders []string) (map[string]payment.Record, error) {
	keys := make([]spanner.KeySet, len(orders))
	for i, order := range orders {
		keys[i] = spanner.Key{order}
	}
	records := make(map[string]payment.Record, len(orders))
	columns := []string{"OrderId", "State", "IntentId", "Amount", "Captured", "Refunded", "Currency", "CreateTime", "UpdateTime"}
	err := txn.Read(ctx, "Payments", spanner.KeySets(keys...), columns).Do(func(row *spanner.Row) error {
		var r payment.Record
		var amount, captured, refunded int64
		var currency string
		err := row.Columns(&r.OrderID, (*string)(&r.State), &r.IntentID, &amount, &captured, &refunded, &currency, &r.CreateTime, &r.UpdateTime)
		r.Amount, r.Captured, r.Refunded = money.Of(amount, currency), money.Of(captured, currency), money.Of(refunded, currency)
		records[r.OrderID] = r
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read payments: %w", err)
	}
	return records, nil
}
