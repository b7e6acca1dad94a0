package account

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/spanner"

	"larder.dev/load/prove/shop"
)

// Left lists what is still on its way: holds, events, payments and entries that aren't through.
func (a *Account) Left(ctx context.Context, h *shop.History) ([]string, error) {
	return a.unsettled(ctx, h)
}

// unsettled lists what is still on its way.
func (a *Account) unsettled(ctx context.Context, h *shop.History) ([]string, error) {
	var left []string
	note := func(n int, what string) {
		if n > 0 {
			left = append(left, fmt.Sprintf("%d %s", n, what))
		}
	}
	txn := a.spanner.ReadOnlyTransaction()
	defer txn.Close()
	for _, part := range []struct{ sql, what string }{
		{openPaymentsSQL, "open payments"}, {uncapturedSQL, "packed orders without their money"}, {openRefundsSQL, "open refunds"},
		{unpublishedSQL, "events in the outbox"},
	} {
		n, err := count(ctx, txn, part.sql)
		if err != nil {
			return nil, err
		}
		note(n, part.what)
	}
	reached, err := count(ctx, txn, historySQL)
	if err != nil {
		return nil, err
	}
	note(reached-a.ear.count(), "events on their way to us")
	late, err := notDelivered(ctx, txn, h)
	if err != nil {
		return nil, err
	}
	note(late, "deliveries of the warehouse")
	for _, store := range h.Stores {
		seen, err := a.look(ctx, store)
		switch {
		case errors.Is(err, errNotLoaded), errors.Is(err, errMoved):
			left = append(left, store+" isn't loaded")
		case err != nil:
			return nil, err
		default:
			note(seen.holds, "holds in "+store)
			note(seen.pending, "entries on their way to "+store)
		}
	}
	return left, nil
}

// notDelivered counts what the warehouse published and nobody entered yet.
func notDelivered(ctx context.Context, txn *spanner.ReadOnlyTransaction, h *shop.History) (int, error) {
	entered := map[string]bool{}
	err := txn.Query(ctx, spanner.NewStatement(enteredSQL)).Do(func(row *spanner.Row) error {
		var key string
		err := row.Columns(&key)
		entered[key] = true
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read what was entered: %w", err)
	}
	late := 0
	for _, a := range h.Adjustments {
		if a.By == shop.ByWarehouse && a.Certain() && !entered[a.Key] {
			late++
		}
	}
	return late, nil
}
