package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"larder.dev/internal/outbox"
	"larder.dev/internal/outbox/outboxtest"
	"larder.dev/internal/outbox/postgres"
)

func TestMoveNeedsTheLease(t *testing.T) {
	outboxtest.TestMoveNeedsTheLease(t, postgres.NewStore(open(t).Pool), 0)
}

// An event arrives as the CloudEvent that it is, its data to the letter.
func TestAttributes(t *testing.T) {
	rig := open(t)
	inbox := rig.Subscribe(t)
	full := rig.Event("e1", "users/1")
	full.Data = []byte(`{"b": 1,  "a":"é", "b": 2}`)
	full.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	write(t, rig, full)
	var at time.Time
	if err := rig.Pool.QueryRow(t.Context(), `select write_time from users.outbox`).Scan(&at); err != nil {
		t.Fatal(err)
	}
	run(t, rig, postgres.NewStore(rig.Pool), 500)
	inbox.Await(t, []string{"e1"}, limit)
	got := inbox.Messages()[0]
	want := map[string]string{
		"ce-id": "e1", "ce-type": full.Type, "ce-source": "//larder.dev/outbox", "ce-specversion": "1.0", "ce-subject": "users/1",
		"content-type": "application/json", "ce-time": at.UTC().Format(time.RFC3339Nano), "traceparent": full.TraceParent,
	}
	if !maps.Equal(got.Attributes, want) || !bytes.Equal(got.Data, full.Data) {
		t.Errorf("published %v %s, want %v %s", got.Attributes, got.Data, want, full.Data)
	}
}

// Batches that are cut within a transaction lose none and repeat none, and a batch ends before Pub/Sub's largest request.
func TestCut(t *testing.T) {
	rig := open(t)
	var written []string
	for i := range 4 { // transactions of 25 events each
		var events []outbox.Event
		for j := range 25 {
			events = append(events, rig.Event(fmt.Sprintf("%d-%02d", i, 99-j), "users/1"))
		}
		write(t, rig, events...)
		for _, e := range slices.Backward(events) { // within a transaction by id, whatever the order of writing
			written = append(written, e.ID)
		}
	}
	large := rig.Event("large", "users/1")
	large.Data = fmt.Appendf(nil, `"%01000000d"`, 0)
	for i := range 6 {
		large.ID = fmt.Sprintf("large-%d", i)
		write(t, rig, large)
		written = append(written, large.ID)
	}
	store := postgres.NewStore(rig.Pool)
	view := look(t, rig)
	var read []string
	for above, cut := view.Leases[0].Cursor, true; cut; {
		batch, err := store.Read(t.Context(), 0, above, view.Bound, 10)
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, e := range batch.Events {
			read = append(read, e.ID)
			above = e.Position()
			size += len(e.Data)
		}
		if len(batch.Events) > 10 || size > 6_000_000 {
			t.Errorf("a batch has %d events of %d bytes", len(batch.Events), size)
		}
		cut = batch.Cut
	}
	if !slices.Equal(read, written) {
		t.Errorf("read %v, want %v", read, written)
	}
	rest, err := store.Read(t.Context(), 0, outbox.Position{Commit: view.Bound}, view.Bound, 10)
	if err != nil || len(rest.Events) > 0 || rest.Cut {
		t.Errorf("behind the bound there is %+v, %v", rest, err)
	}
}

// A transaction that writes, even elsewhere, holds events up, and the lag tells; one that reads doesn't.
func TestALongTransactionDelays(t *testing.T) {
	rig := open(t)
	inbox := rig.Subscribe(t)
	exec(t, rig, `create table elsewhere (n int)`)
	relay, _ := run(t, rig, postgres.NewStore(rig.Pool), 500)
	begin := func(sql string) (end func()) {
		tx, err := rig.Pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	endReading := begin(`select count(*) from users.outbox`)
	write(t, rig, rig.Event("beside a reader", "users/1"))
	inbox.Await(t, []string{"beside a reader"}, limit)
	endReading()

	endWriting := begin(`insert into elsewhere values (1)`)
	write(t, rig, rig.Event("beside a writer", "users/1"))
	if !outboxtest.Poll(limit, func() bool { return relay.Status().LagMillis > 300 }) {
		t.Errorf("the lag is %d ms beside a long transaction", relay.Status().LagMillis)
	}
	if len(inbox.Missing([]string{"beside a writer"})) == 0 {
		t.Error("an event was published while a lower transaction was under way")
	}
	endWriting()
	inbox.Await(t, []string{"beside a writer"}, limit)
}

// A copy of the database on another server counts transactions anew, below the cursor or above it: what is kept is published again, and
// what is written from then on as well.
func TestAnotherServer(t *testing.T) {
	for _, copied := range []struct{ name, change string }{
		{"far behind", `update users.outbox_cursor set system = 1, xact = xact + 1000000000`},
		{"ahead", `update users.outbox_cursor set system = 1`},
		{"the same server, counting anew", `update users.outbox_cursor set xact = xact + 1000000000`},
	} {
		t.Run(copied.name, func(t *testing.T) {
			rig := open(t)
			inbox := rig.Subscribe(t)
			_, stop := run(t, rig, postgres.NewStore(rig.Pool), 500)
			write(t, rig, rig.Event("published", "users/1"))
			inbox.Await(t, []string{"published"}, limit)
			passed(t, rig, "published")
			stop()

			write(t, rig, rig.Event("unpublished", "users/1"))
			exec(t, rig, `update users.outbox set xact = xact + 1000000000`)
			exec(t, rig, copied.change)
			write(t, rig, rig.Event("written there", "users/1"))
			all := []string{"published", "unpublished", "written there"}
			both := make([]outbox.View, 2) // of two that find it, one renumbers
			var looking sync.WaitGroup
			for i := range both {
				looking.Go(func() {
					var err error
					if both[i], err = postgres.NewStore(rig.Pool).Look(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			looking.Wait()
			var numbers int
			if err := rig.Pool.QueryRow(t.Context(), `select count(distinct xact) from users.outbox`).Scan(&numbers); err != nil || numbers != 1 {
				t.Errorf("events have %d numbers, %v", numbers, err)
			}
			run(t, rig, postgres.NewStore(rig.Pool), 500)
			inbox.Await(t, all, limit)
			passed(t, rig, "written there")
			write(t, rig, rig.Event("later", "users/1"))
			all = append(all, "later")
			inbox.Await(t, all, limit)
			if n, _ := inbox.Duplicates(all); n == 0 {
				t.Error("what had been published before wasn't published again")
			}
		})
	}
}

// Rows go when they are published and a week old; relays, a day after their last sign of life.
func TestClear(t *testing.T) {
	rig := open(t)
	inbox := rig.Subscribe(t)
	const old = 2500
	exec(t, rig, `insert into users.outbox (event_id, topic, type, subject, data, traceparent, write_time)
		select 'old-' || n, $1, 't', 'users/1', '{}', '', now() - interval '8 days' from generate_series(1, $2::int) n`, rig.Topic, old)
	write(t, rig, rig.Event("young", "users/1"))
	_, stop := run(t, rig, postgres.NewStore(rig.Pool), 500)
	inbox.Await(t, []string{"young"}, limit)
	passed(t, rig, "young")
	stop()
	exec(t, rig, `insert into users.outbox (event_id, topic, type, subject, data, traceparent, write_time)
		values ('unpublished', $1, 't', 'users/1', '{}', '', now() - interval '8 days')`, rig.Topic)
	exec(t, rig, `insert into users.outbox_relays values ('dead', now() - interval '2 days'), ('alive', now())`)

	ctx, cancel := context.WithCancel(t.Context())
	var clearing sync.WaitGroup
	for range 2 {
		clearing.Go(func() {
			if err := postgres.NewStore(rig.Pool).Clear(ctx, 20*time.Millisecond); err != nil {
				t.Errorf("clearing ends: %v", err)
			}
		})
	}
	left := func() (ids []string) {
		rows, err := rig.Pool.Query(t.Context(), `select event_id from users.outbox union all select relay_id from users.outbox_relays order by 1`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		return ids
	}
	want := []string{"alive", "unpublished", "young"}
	outboxtest.Poll(limit, func() bool { return slices.Equal(left(), want) })
	cancel()
	clearing.Wait()
	if got := left(); !slices.Equal(got, want) {
		t.Errorf("after clearing there are %d rows: %.200v, want %v", len(got), got, want)
	}
}
