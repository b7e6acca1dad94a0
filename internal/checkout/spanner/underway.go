package spanner

import (
	"context"

	"larder.dev/internal/checkout"
	orderspanner "larder.dev/internal/order/spanner"
	paymentspanner "larder.dev/internal/payment/spanner"
)

// Steps implements checkout.Books. Orders and payments are read at one moment.
func (b *Books) Steps(ctx context.Context, ids []string) (map[string]checkout.Step, error) {
	txn := b.client.ReadOnlyTransaction()
	defer txn.Close()
	orders, err := orderspanner.States(ctx, txn, ids)
	if err != nil {
		return nil, err
	}
	payments, err := paymentspanner.Standings(ctx, txn, ids)
	if err != nil {
		return nil, err
	}
	steps := make(map[string]checkout.Step, len(ids))
	for _, id := range ids {
		steps[id] = checkout.StepOf(orders[id], payments[id].State) // none of either is the zero value
	}
	return steps, nil
}
