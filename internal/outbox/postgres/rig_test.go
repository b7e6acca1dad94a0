package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/outbox"
	"larder.dev/internal/outbox/outboxtest"
	"larder.dev/internal/outbox/postgres"
	outboxpubsub "larder.dev/internal/outbox/pubsub"
	userpg "larder.dev/internal/user/postgres"
)

const limit = 15 * time.Second // for whatever takes well under a second when nobody else works on the machine

func open(t *testing.T) *outboxtest.Rig {
	t.Helper()
	return outboxtest.OpenTopic(t).InPostgres(t, userpg.Schema())
}

// run runs a relay until the test's end, or until stop is called, which waits for it.
func run(t *testing.T, rig *outboxtest.Rig, store outbox.Store, batch int) (relay *outbox.Relay, stop func()) {
	t.Helper()
	options := outbox.Options{Lease: 2 * time.Second, Batch: batch, MinPause: 5 * time.Millisecond, MaxPause: 50 * time.Millisecond, Report: time.Minute}
	relay = outbox.NewRelay("test", uuid.NewString(), store, outboxpubsub.New(rig.PubSub, outboxtest.Project), options)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := relay.Run(ctx); err != nil {
			t.Errorf("the relay ends: %v", err)
		}
	})
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return relay, stop
}

// write commits events in one transaction.
func write(t *testing.T, rig *outboxtest.Rig, events ...outbox.Event) {
	t.Helper()
	if err := rig.WritePostgres(t.Context(), 0, true, events...); err != nil {
		t.Fatal(err)
	}
}

func look(t *testing.T, rig *outboxtest.Rig) outbox.View {
	t.Helper()
	view, err := postgres.NewStore(rig.Pool).Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// exec runs a statement and returns how many rows it changed.
func exec(t *testing.T, rig *outboxtest.Rig, sql string, arguments ...any) int64 {
	t.Helper()
	done, err := rig.Pool.Exec(t.Context(), sql, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return done.RowsAffected()
}

// passed waits until the cursor is behind an event's row.
func passed(t *testing.T, rig *outboxtest.Rig, id string) {
	t.Helper()
	behind := func() (yes bool) {
		err := rig.Pool.QueryRow(t.Context(), `select c.xact >= o.xact from users.outbox o, users.outbox_cursor c where o.event_id = $1`, id).Scan(&yes)
		if err != nil {
			t.Fatal(err)
		}
		return yes
	}
	if !outboxtest.Poll(2*limit, behind) {
		t.Fatalf("the cursor doesn't get behind %s", id)
	}
}
