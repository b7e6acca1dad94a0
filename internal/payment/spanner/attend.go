package spanner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"

	"larder.dev/internal/payment"
)

// ToAttend lists payments that are open and past their time, those that have waited longest first, at most limit.
func ToAttend(ctx context.Context, client *spanner.Client, at payment.Due, limit int) ([]string, error) {
	all, err := due(ctx, client, "Payments", "PaymentsToAttend", at, limit)
	if err != nil {
		return nil, fmt.Errorf("list payments to attend to: %w", err)
	}
	orders := make([]string, 0, min(limit, len(all)))
	for _, payment := range all[:min(limit, len(all))] {
		orders = append(orders, payment.order)
	}
	return orders, nil
}

// waiting is a payment that is to be attended to since a time.
type waiting struct {
	order string
	since time.Time
}

// due reads what is due of an index by shard and time, at most limit of each shard, those that have waited longest first.
func due(ctx context.Context, client *spanner.Client, table, index string, at payment.Due, limit int) ([]waiting, error) {
	var found [Shards][]waiting // a slice a shard, each by time
	group, reading := errgroup.WithContext(ctx)
	for shard := range int64(Shards) {
		group.Go(func() (err error) {
			found[shard], err = dueIn(reading, client, table, index, shard, at, limit)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all := slices.Concat(found[:]...)
	slices.SortFunc(all, func(a, b waiting) int { return a.since.Compare(b.since) })
	return all, nil
}

// dueIn reads a shard of an index by time: what is past, then what is further ahead than anybody sets.
func dueIn(ctx context.Context, client *spanner.Client, table, index string, shard int64, at payment.Due, limit int) (due []waiting, err error) {
	rows := spanner.KeySets(
		spanner.KeyRange{Start: spanner.Key{shard}, End: spanner.Key{shard, at.Now}, Kind: spanner.ClosedClosed},
		spanner.KeyRange{Start: spanner.Key{shard, at.Now.Add(at.Within)}, End: spanner.Key{shard}, Kind: spanner.OpenClosed},
	)
	options := &spanner.ReadOptions{Index: index, Limit: limit}
	err = client.Single().ReadWithOptions(ctx, table, rows, []string{"OrderId", "AttendAfter"}, options).Do(func(row *spanner.Row) error {
		var payment waiting
		err := row.Columns(&payment.order, &payment.since)
		due = append(due, payment)
		return err
	})
	return due, err
}

// PutOff moves the time on at which an open payment is attended to, if it is due; false: it isn't, or no more.
func PutOff(ctx context.Context, client *spanner.Client, order string, at payment.Due, until time.Time) (bool, error) {
	var moved bool
	_, err := client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		moved = false
		row, err := txn.ReadRow(ctx, "Payments", spanner.Key{order}, []string{"State", "AttendAfter"})
		if err != nil {
			return err
		}
		var state payment.State
		var after spanner.NullTime
		if err := row.Columns((*string)(&state), &after); err != nil {
			return err
		}
		if !state.Open() || !after.Valid || !at.Past(after.Time) {
			return nil
		}
		moved = true
		return txn.BufferWrite([]*spanner.Mutation{
			spanner.Update("Payments", []string{"OrderId", "AttendAfter"}, []any{order, until}),
		})
	})
	if err != nil {
		return false, fmt.Errorf("put off the payment of %s: %w", order, err)
	}
	return moved, nil
}
