package spanner

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"

	"larder.dev/internal/payment"
)

// Unsettled implements payment.Store. Each shard of the index gives its first rows of the span; the first of all of them are the answer. A
// page costs at most its size a shard, wherever in the list it is.
func (s *Store) Unsettled(ctx context.Context, span payment.Span) ([]payment.Record, error) {
	if !span.Before.IsZero() && !span.Before.After(span.Behind.CreateTime) {
		return nil, nil
	}
	txn := s.client.ReadOnlyTransaction()
	defer txn.Close()
	var found [Shards][]payment.Place // a slice a shard, each in the list's order
	// The transaction begins with the first read: all others see its moment.
	group, reading := errgroup.WithContext(ctx)
	for shard := range int64(Shards) {
		group.Go(func() (err error) {
			found[shard], err = unsettledIn(reading, txn, shard, span)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("list payments: %w", err)
	}
	places := slices.Concat(found[:]...)
	slices.SortFunc(places, func(a, b payment.Place) int {
		return cmp.Or(a.CreateTime.Compare(b.CreateTime), cmp.Compare(a.OrderID, b.OrderID))
	})
	places = places[:min(span.Limit, len(places))]
	if len(places) == 0 {
		return nil, nil
	}
	orders := make([]string, len(places))
	for i, place := range places {
		orders[i] = place.OrderID
	}
	records, err := Standings(ctx, txn, orders)
	if err != nil {
		return nil, err
	}
	listed := make([]payment.Record, len(orders))
	for i, order := range orders {
		listed[i] = records[order]
	}
	return listed, nil
}

// unsettledIn reads a span's rows in a shard.
func unsettledIn(ctx context.Context, txn *spanner.ReadOnlyTransaction, shard int64, span payment.Span) (places []payment.Place, err error) {
	all := spanner.Key{shard, string(span.State)}
	// The zero place is before any row.
	rows := spanner.KeyRange{Start: spanner.Key{shard, string(span.State), span.Behind.CreateTime, span.Behind.OrderID}, End: all, Kind: spanner.OpenClosed}
	if !span.Before.IsZero() {
		rows.End, rows.Kind = spanner.Key{shard, string(span.State), span.Before}, spanner.OpenOpen
	}
	options := &spanner.ReadOptions{Index: "PaymentsUnsettled", Limit: span.Limit}
	err = txn.ReadWithOptions(ctx, "Payments", rows, []string{"OrderId", "CreateTime"}, options).Do(func(row *spanner.Row) error {
		var place payment.Place
		err := row.Columns(&place.OrderID, &place.CreateTime)
		places = append(places, place)
		return err
	})
	return places, err
}
