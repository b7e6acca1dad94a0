package spanner

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"

	"larder.dev/internal/payment"
)

// RefundsToAttend implements payment.Store by the index RefundsToAttend, which has only refunds that are REQUESTED.
func (s *Store) RefundsToAttend(ctx context.Context, at payment.Due, limit int) ([]string, error) {
	all, err := due(ctx, s.client, "Refunds", "RefundsToAttend", at, limit)
	if err != nil {
		return nil, fmt.Errorf("list refunds to attend to: %w", err)
	}
	var orders []string
	seen := map[string]bool{}
	for _, refund := range all {
		if !seen[refund.order] && len(orders) < limit {
			seen[refund.order] = true
			orders = append(orders, refund.order)
		}
	}
	return orders, nil
}

// PutOffRefunds implements payment.Store.
func (s *Store) PutOffRefunds(ctx context.Context, order string, at payment.Due, until time.Time) (bool, error) {
	var moved bool
	_, err := s.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		moved = false
		var mutations []*spanner.Mutation
		err := txn.Read(ctx, "Refunds", spanner.Key{order}.AsPrefix(), []string{"RefundId", "State", "AttendAfter"}).Do(func(row *spanner.Row) error {
			var id string
			var state payment.RefundState
			var after spanner.NullTime
			if err := row.Columns(&id, (*string)(&state), &after); err != nil {
				return err
			}
			if state == payment.RefundRequested && after.Valid && at.Past(after.Time) {
				moved = true
				mutations = append(mutations, spanner.Update("Refunds", []string{"OrderId", "RefundId", "AttendAfter"}, []any{order, id, until}))
			}
			return nil
		})
		if err != nil {
			return err
		}
		return txn.BufferWrite(mutations)
	})
	if err != nil {
		return false, fmt.Errorf("put off the refunds of %s: %w", order, err)
	}
	return moved, nil
}
