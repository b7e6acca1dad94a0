// Package postgres is the outbox in PostgreSQL: the tables users.outbox, users.outbox_cursor and users.outbox_relays.
//
// The relay wants commits numbered so that what commits later has a higher number than a bound that it was told before (outbox.Relay,
// rule 1). PostgreSQL has no commit times to read at, and a sequence's numbers, or transaction ids, don't do by themselves: a
// transaction takes its number when it first writes and commits when it likes, behind many with higher ones. A reader that goes to the
// highest number in sight passes over those that are still under way, for good. So:
//
//  1. A row's number is the id of the transaction that wrote it (xid8, 64 bits, never used twice by a server).
//  2. The bound is xmin - 1, where xmin is the lowest id of all transactions under way in the snapshot of Look
//     (pg_snapshot_xmin). What is below xmin has committed, and every later snapshot sees it, or was rolled back, and none ever will. Ids
//     are given out in ascending order, so whatever begins to write later has a higher one. Rows up to the bound are therefore
//     settled, and Read, in a later snapshot, finds all of them.
//  3. A transaction that writes anything, in whatever database of the server, and takes long holds the bound back: events wait for
//     its end and none is lost. One that only reads has no id, and holds nothing back. Status.LagMillis tells.
//  4. Ids belong to a server, and tables don't: in a copy on another server (restored from a dump, or upgraded) the cursor and the rows
//     have numbers that mean nothing there, and a cursor that is too high would pass over new events. So the cursor names the server
//     whose transactions it counts. When it is another one, Look renumbers: all rows that are there become those of one
//     transaction of this server, the cursor goes to the start, and they are published again. Recovery to a point in time needs
//     nothing of it: the cursor and the count of transactions go back together.
//
// Events are published in the order of transaction ids. That isn't the order of commits: of two transactions that change one thing one
// after the other, the first to commit can have the higher id. Who needs an order puts a version into the event.
//
// There is one shard: what people do with their accounts is little.
package postgres

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"larder.dev/internal/outbox"
)

var (
	//go:embed sql/insert.sql
	insert string
	//go:embed sql/look.sql
	look string
	//go:embed sql/renumber.sql
	renumber string
	//go:embed sql/relays.sql
	relays string
	//go:embed sql/read.sql
	read string
	//go:embed sql/move.sql
	move string
	//go:embed sql/renew.sql
	renew string
	//go:embed sql/own.sql
	own string
	//go:embed sql/leave.sql
	leave string
	//go:embed sql/clear.sql
	clearRows string
	//go:embed sql/clear_relays.sql
	clearRelays string
)

const (
	// maxBytes of data end a batch early: with what is added to each event it stays below Pub/Sub's 10 MB.
	maxBytes = 4 << 20
	// clearBatch rows are deleted at once.
	clearBatch = 1000
	// renumberLimit is for the rows of a week, all in one statement.
	renumberLimit = 5 * time.Minute
)

// Insert adds an event to the transaction that it tells of.
func Insert(ctx context.Context, tx pgx.Tx, e outbox.Event) error {
	if _, err := tx.Exec(ctx, insert, e.ID, e.Topic, e.Type, e.Subject, e.Data, e.TraceParent); err != nil {
		return fmt.Errorf("insert event %s: %w", e.ID, err)
	}
	return nil
}

// Store implements outbox.Store.
type Store struct{ pool *pgxpool.Pool }

var _ outbox.Store = Store{}

// NewStore makes one.
func NewStore(pool *pgxpool.Pool) Store { return Store{pool} }

// Look implements outbox.Store.
func (s Store) Look(ctx context.Context) (outbox.View, error) {
	view, strayed, err := s.look(ctx)
	if err == nil && strayed {
		if err = s.renumber(ctx); err == nil {
			view, _, err = s.look(ctx)
		}
	}
	if err != nil {
		return outbox.View{}, fmt.Errorf("read the cursor: %w", err)
	}
	rows, err := s.pool.Query(ctx, relays)
	if err != nil {
		return outbox.View{}, fmt.Errorf("read the relays: %w", err)
	}
	var id string
	var seen time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &seen}, func() error {
		view.Seen[id] = seen
		return nil
	})
	if err != nil {
		return outbox.View{}, fmt.Errorf("read the relays: %w", err)
	}
	return view, nil
}

func (s Store) look(ctx context.Context) (view outbox.View, strayed bool, err error) {
	view = outbox.View{Seen: map[string]time.Time{}, Leases: make([]outbox.Lease, 1)}
	only := &view.Leases[0]
	var held *time.Time
	err = s.pool.QueryRow(ctx, look).Scan(&view.Time, &view.Bound, &only.Owner, &only.Cursor.Commit, &only.Cursor.EventID, &held, &strayed)
	if held != nil {
		view.Held = *held
	}
	return view, strayed, err
}

// renumber is rule 4. It takes its time, which is longer than a look's.
func (s Store) renumber(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renumberLimit)
	defer cancel()
	done, err := s.pool.Exec(ctx, renumber)
	if err != nil {
		return fmt.Errorf("renumber: %w", err)
	}
	if count := done.RowsAffected(); count > 0 {
		slog.WarnContext(ctx, "outbox: transactions are counted by another server than before, events are published again", "count", count)
	}
	return nil
}

// Waiting implements outbox.Store. Of one shard, Read tells as well.
func (s Store) Waiting(_ context.Context, shards []outbox.Lease, _ int64) ([]outbox.Lease, error) {
	return shards, nil
}

// Read implements outbox.Store.
func (s Store) Read(ctx context.Context, _ int64, above outbox.Position, bound int64, limit int) (outbox.Batch, error) {
	rows, err := s.pool.Query(ctx, read, above.Commit, above.EventID, bound, limit)
	if err != nil {
		return outbox.Batch{}, err
	}
	defer rows.Close()
	var batch outbox.Batch
	for size := 0; len(batch.Events) < limit && size < maxBytes; {
		if !rows.Next() {
			return batch, rows.Err()
		}
		var e outbox.Committed
		if err := rows.Scan(&e.ID, &e.Commit, &e.Time, &e.Topic, &e.Type, &e.Subject, &e.Data, &e.TraceParent); err != nil {
			return outbox.Batch{}, err
		}
		batch.Events = append(batch.Events, e)
		size += len(e.Data)
	}
	batch.Cut = true
	return batch, nil
}

// Move implements outbox.Store.
func (s Store) Move(ctx context.Context, relay string, _ int64, from, to outbox.Position) error {
	done, err := s.pool.Exec(ctx, move, relay, from.Commit, from.EventID, to.Commit, to.EventID)
	if err == nil && done.RowsAffected() == 0 {
		err = outbox.ErrLost
	}
	return err
}

// Renew implements outbox.Store.
func (s Store) Renew(ctx context.Context, relay string) error {
	_, err := s.pool.Exec(ctx, renew, relay)
	return err
}

// Claim implements outbox.Store.
func (s Store) Claim(ctx context.Context, relay string, shards []outbox.Lease) error {
	for _, lease := range shards {
		if _, err := s.pool.Exec(ctx, own, lease.Owner, relay); err != nil {
			return err
		}
	}
	return nil
}

// Release implements outbox.Store.
func (s Store) Release(ctx context.Context, relay string, _ []int64) error {
	_, err := s.pool.Exec(ctx, own, relay, "")
	return err
}

// Leave implements outbox.Store.
func (s Store) Leave(ctx context.Context, relay string) error {
	_, err := s.pool.Exec(ctx, leave, relay)
	return err
}

// Clear deletes what was published and written more than a week ago, and relays that are long dead, every period until ctx ends: what a
// row deletion policy does in Spanner. Any number of relays may do it.
func (s Store) Clear(ctx context.Context, period time.Duration) error {
	due := time.NewTicker(period)
	defer due.Stop()
	for {
		count, err := s.clear(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			slog.WarnContext(ctx, "outbox: clearing failed, is tried again", "error", err)
		case count > 0:
			slog.InfoContext(ctx, "outbox: cleared", "count", count)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-due.C:
		}
	}
}

func (s Store) clear(ctx context.Context) (count int64, err error) {
	if _, err := s.pool.Exec(ctx, clearRelays); err != nil {
		return 0, err
	}
	for {
		done, err := s.pool.Exec(ctx, clearRows, clearBatch)
		if err != nil {
			return count, err
		}
		count += done.RowsAffected()
		if done.RowsAffected() < clearBatch {
			return count, nil
		}
	}
}
