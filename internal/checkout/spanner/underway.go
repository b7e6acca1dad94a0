package spanner

import (
	"context"

	"larder.dev/internal/checkout"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/payment"
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
		var made order.State
		var paid payment.State
		if state, ok := orders[id]; ok {
			made = state
		}
		if record, ok := payments[id]; ok {
			paid = record.State
		}
		steps[id] = checkout.StepOf(made, paid)
	}
	return steps, nil
}
