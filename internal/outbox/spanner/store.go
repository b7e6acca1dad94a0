package spanner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"

	"larder.dev/internal/outbox"
)

// maxBytes of data end a batch early: with what is added to each event it stays below Pub/Sub's 10 MB.
const maxBytes = 4 << 20

// Store implements outbox.Store.
type Store struct{ client *spanner.Client }

var _ outbox.Store = Store{}

// NewStore makes one.
func NewStore(client *spanner.Client) Store { return Store{client} }

var shardColumns = []string{"Shard", "PublishedTime", "PublishedEventId", "Owner"}

// number is the number of a commit: its time in nanoseconds since 1970, 0 for what was before.
func number(t time.Time) int64 {
	if t.Before(time.Unix(0, 0)) {
		return 0
	}
	return t.UnixNano()
}

// Look implements outbox.Store. The strong read's own timestamp is the view's time and bound; the relays are read at the same time.
func (s Store) Look(ctx context.Context) (outbox.View, error) {
	view := outbox.View{Seen: map[string]time.Time{}, Leases: make([]outbox.Lease, outbox.Shards)}
	for i := range view.Leases {
		view.Leases[i].Shard = int64(i)
	}
	strong := s.client.Single()
	err := strong.Read(ctx, "OutboxShards", spanner.AllKeys(), shardColumns).Do(func(row *spanner.Row) error {
		lease, err := lease(row)
		if err == nil && lease.Shard >= 0 && lease.Shard < outbox.Shards {
			view.Leases[lease.Shard] = lease
		}
		return err
	})
	if err == nil {
		view.Time, err = strong.Timestamp()
	}
	if err != nil {
		return outbox.View{}, fmt.Errorf("read the shards: %w", err)
	}
	view.Bound = number(view.Time)
	err = s.at(view.Time).Read(ctx, "OutboxRelays", spanner.AllKeys(), []string{"RelayId", "SeenTime"}).Do(func(row *spanner.Row) error {
		var id string
		var seen time.Time
		if err := row.Columns(&id, &seen); err != nil {
			return err
		}
		view.Seen[id] = seen
		return nil
	})
	if err != nil {
		return outbox.View{}, fmt.Errorf("read the relays: %w", err)
	}
	return view, nil
}

// at reads what was committed up to a time, that time included.
func (s Store) at(t time.Time) *spanner.ReadOnlyTransaction {
	return s.client.Single().WithTimestampBound(spanner.ReadTimestamp(t))
}

func lease(row *spanner.Row) (outbox.Lease, error) {
	var found outbox.Lease
	var published time.Time
	var event, owner spanner.NullString
	err := row.Columns(&found.Shard, &published, &event, &owner)
	found.Cursor, found.Owner = outbox.Position{Commit: number(published), EventID: event.StringVal}, owner.StringVal
	return found, err
}

// rowsAbove are a shard's above a position.
func rowsAbove(shard int64, above outbox.Position) spanner.KeyRange {
	// An open start leaves out every row that begins with the key: with a commit time alone, all of that time.
	rows := spanner.KeyRange{Start: spanner.Key{shard, time.Unix(0, above.Commit)}, End: spanner.Key{shard}, Kind: spanner.OpenClosed}
	if above.EventID != "" {
		rows.Start = append(rows.Start, above.EventID)
	}
	return rows
}

// Waiting implements outbox.Store by one call for all shards, as most of them are empty at most times. It goes over so many rows at most;
// where there are more, all shards may have some.
func (s Store) Waiting(ctx context.Context, shards []outbox.Lease, bound int64) ([]outbox.Lease, error) {
	const most = 200
	if len(shards) == 0 {
		return nil, nil
	}
	ranges := make([]spanner.KeySet, len(shards))
	for i, lease := range shards {
		ranges[i] = rowsAbove(lease.Shard, lease.Cursor)
	}
	rows, has := 0, map[int64]bool{}
	found := s.at(time.Unix(0, bound)).ReadWithOptions(ctx, "Outbox", spanner.KeySets(ranges...), []string{"Shard"}, &spanner.ReadOptions{Limit: most})
	err := found.Do(func(row *spanner.Row) error {
		var shard int64
		err := row.Columns(&shard)
		has[shard] = true
		rows++
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read which shards have events: %w", err)
	}
	if rows == most {
		return shards, nil
	}
	return slices.DeleteFunc(slices.Clone(shards), func(lease outbox.Lease) bool { return !has[lease.Shard] }), nil
}

// Read implements outbox.Store. It reads at the bound's time: what it finds is all that was committed up to then.
func (s Store) Read(ctx context.Context, shard int64, above outbox.Position, bound int64, limit int) (outbox.Batch, error) {
	rows := rowsAbove(shard, above)
	columns := []string{"CommitTime", "EventId", "Topic", "Type", "Subject", "Data", "TraceParent"}
	found := s.at(time.Unix(0, bound)).ReadWithOptions(ctx, "Outbox", rows, columns, &spanner.ReadOptions{Limit: limit})
	defer found.Stop()
	var batch outbox.Batch
	for size := 0; len(batch.Events) < limit && size < maxBytes; {
		row, err := found.Next()
		if errors.Is(err, iterator.Done) {
			return batch, nil
		}
		var e outbox.Committed
		if err == nil {
			err = row.Columns(&e.Time, &e.ID, &e.Topic, &e.Type, &e.Subject, &e.Data, &e.TraceParent)
		}
		if err != nil {
			return outbox.Batch{}, fmt.Errorf("read shard %d: %w", shard, err)
		}
		e.Commit = number(e.Time)
		batch.Events = append(batch.Events, e)
		size += len(e.Data)
	}
	batch.Cut = true
	return batch, nil
}

// Move implements outbox.Store. A move that was done already, by an attempt whose answer was lost, is done.
func (s Store) Move(ctx context.Context, relay string, shard int64, from, to outbox.Position) error {
	_, err := s.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		now, err := read(ctx, txn, shard)
		switch {
		case err != nil:
			return err
		case now.Owner != relay:
			return outbox.ErrLost
		case now.Cursor == to:
			return nil
		case now.Cursor != from:
			return outbox.ErrLost
		}
		now.Cursor = to
		return txn.BufferWrite([]*spanner.Mutation{put(now)})
	})
	return err
}

// Renew implements outbox.Store.
func (s Store) Renew(ctx context.Context, relay string) error {
	_, err := s.client.Apply(ctx, []*spanner.Mutation{spanner.InsertOrUpdate("OutboxRelays",
		[]string{"RelayId", "SeenTime"}, []any{relay, spanner.CommitTimestamp})})
	return err
}

// Claim implements outbox.Store.
func (s Store) Claim(ctx context.Context, relay string, shards []outbox.Lease) error {
	_, err := s.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		return s.give(ctx, txn, shards, relay)
	})
	return err
}

// Release implements outbox.Store.
func (s Store) Release(ctx context.Context, relay string, shards []int64) error {
	leases := make([]outbox.Lease, len(shards))
	for i, shard := range shards {
		leases[i] = outbox.Lease{Shard: shard, Owner: relay}
	}
	_, err := s.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		return s.give(ctx, txn, leases, "")
	})
	return err
}

// Leave implements outbox.Store.
func (s Store) Leave(ctx context.Context, relay string) error {
	all := make([]outbox.Lease, outbox.Shards)
	for i := range all {
		all[i] = outbox.Lease{Shard: int64(i), Owner: relay}
	}
	_, err := s.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		if err := s.give(ctx, txn, all, ""); err != nil {
			return err
		}
		return txn.BufferWrite([]*spanner.Mutation{spanner.Delete("OutboxRelays", spanner.Key{relay})})
	})
	return err
}

// give changes the owner of those shards whose owner is the expected one.
func (s Store) give(ctx context.Context, txn *spanner.ReadWriteTransaction, expected []outbox.Lease, to string) error {
	var group errgroup.Group
	changes := make([]*spanner.Mutation, len(expected))
	for i, lease := range expected {
		group.Go(func() error {
			now, err := read(ctx, txn, lease.Shard)
			if err == nil && now.Owner == lease.Owner {
				now.Owner = to
				changes[i] = put(now)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, change := range changes {
		if change == nil {
			continue
		}
		if err := txn.BufferWrite([]*spanner.Mutation{change}); err != nil {
			return err
		}
	}
	return nil
}

// read locks a shard's row, or its absence, which means that nobody owns it and nothing of it is published.
func read(ctx context.Context, txn *spanner.ReadWriteTransaction, shard int64) (outbox.Lease, error) {
	row, err := txn.ReadRow(ctx, "OutboxShards", spanner.Key{shard}, shardColumns)
	if spanner.ErrCode(err) == codes.NotFound {
		return outbox.Lease{Shard: shard}, nil
	}
	if err != nil {
		return outbox.Lease{}, err
	}
	return lease(row)
}

func put(l outbox.Lease) *spanner.Mutation {
	text := func(s string) spanner.NullString { return spanner.NullString{StringVal: s, Valid: s != ""} }
	return spanner.InsertOrUpdate("OutboxShards", shardColumns, []any{l.Shard, time.Unix(0, l.Cursor.Commit), text(l.Cursor.EventID), text(l.Owner)})
}
