package spanner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"

	"larder.dev/internal/order"
)

// shards are those of the indexes of a store's orders: the first digit of an order's id.
const shards = "0123456789abcdef"

// ListInStore implements order.Store. Each shard of the index gives its first rows; the first of all of them are the page. So a page costs at
// most its size a shard, wherever in the list it is.
func (s *Store) ListInStore(ctx context.Context, store string, state order.State, behind *order.Position, limit int) ([]order.Order, error) {
	txn := s.client.ReadOnlyTransaction()
	defer txn.Close()
	var found [len(shards)][]order.Position
	group, reading := errgroup.WithContext(ctx)
	for i, shard := range shards {
		group.Go(func() (err error) {
			all := spanner.Key{string(shard), store, string(state)}
			keys := all.AsPrefix()
			if behind != nil { // in the index's own order, whichever way its times go
				keys = spanner.KeyRange{Start: spanner.Key{string(shard), store, string(state), behind.CreateTime, behind.OrderID}, End: all, Kind: spanner.OpenClosed}
			}
			found[i], err = positions(reading, txn, keys, indexOf(state), limit)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read the list of %s: %w", store, err)
	}
	places := slices.Concat(found[:]...)
	slices.SortFunc(places, func(a, b order.Position) int {
		byTime := a.CreateTime.Compare(b.CreateTime)
		if state.Ended() {
			byTime = -byTime
		}
		return cmp.Or(byTime, cmp.Compare(a.OrderID, b.OrderID))
	})
	ids := make([]string, 0, limit)
	for _, place := range places[:min(limit, len(places))] {
		ids = append(ids, place.OrderID)
	}
	return load(ctx, txn, ids)
}

// indexOf is the index that an order in a state is in.
func indexOf(state order.State) string {
	if state.Ended() {
		return "OrdersEnded"
	}
	return "OrdersUnderWay"
}

func positions(ctx context.Context, txn *spanner.ReadOnlyTransaction, keys spanner.KeySet, index string, limit int) (places []order.Position, err error) {
	rows := txn.ReadWithOptions(ctx, "Orders", keys, []string{"OrderId", "CreateTime"}, &spanner.ReadOptions{Index: index, Limit: limit})
	err = rows.Do(func(row *spanner.Row) error {
		var place order.Position
		err := row.Columns(&place.OrderID, &place.CreateTime)
		places = append(places, place)
		return err
	})
	return places, err
}

// ConfirmedSince implements order.Store, by the ends of the indexes that are younger than the moment.
func (s *Store) ConfirmedSince(ctx context.Context, store string, since time.Time) ([]time.Time, error) {
	txn := s.client.ReadOnlyTransaction()
	defer txn.Close()
	var times []time.Time
	for _, part := range []struct {
		index  string
		states []order.State
	}{
		{"OrdersUnderWay", []order.State{order.Confirmed, order.Picking, order.Packed, order.Dispatched}},
		{"OrdersEnded", []order.State{order.Delivered, order.Cancelled}},
	} {
		var young []spanner.KeySet
		for _, shard := range shards {
			for _, state := range part.states {
				all := spanner.Key{string(shard), store, string(state)}
				moment := spanner.Key{string(shard), store, string(state), since}
				keys := spanner.KeyRange{Start: moment, End: all, Kind: spanner.ClosedClosed}
				if state.Ended() { // times descend
					keys = spanner.KeyRange{Start: all, End: moment, Kind: spanner.ClosedClosed}
				}
				young = append(young, keys)
			}
		}
		places, err := positions(ctx, txn, spanner.KeySets(young...), part.index, 0)
		if err != nil {
			return nil, fmt.Errorf("read the young orders of %s: %w", store, err)
		}
		for _, place := range places {
			times = append(times, place.CreateTime)
		}
	}
	return times, nil
}
