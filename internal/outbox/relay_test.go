package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/outbox"
	"larder.dev/internal/outbox/outboxtest"
	outboxpubsub "larder.dev/internal/outbox/pubsub"
	outboxspanner "larder.dev/internal/outbox/spanner"
	"larder.dev/internal/spannerdb"
)

const limit = 15 * time.Second // for whatever takes well under a second when nobody else works on the machine

func options() outbox.Options {
	return outbox.Options{Lease: 2 * time.Second, Batch: 500, MinPause: 10 * time.Millisecond, MaxPause: 100 * time.Millisecond, Report: time.Minute}
}

// run runs a relay until the test's end, or until stop is called, which waits for it.
func run(t *testing.T, store outbox.Store, publisher outbox.Publisher, o outbox.Options) (relay *outbox.Relay, stop func()) {
	t.Helper()
	relay = outbox.NewRelay("test", uuid.NewString(), store, publisher, o)
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

func write(t *testing.T, rig *outboxtest.Rig, events ...outbox.Event) time.Time {
	t.Helper()
	commit, err := rig.Write(t.Context(), events...)
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func store(rig *outboxtest.Rig) outbox.Store { return outboxspanner.NewStore(rig.Database) }

func publisher(rig *outboxtest.Rig) outbox.Publisher {
	return outboxpubsub.New(rig.PubSub, outboxtest.Project)
}

// An event arrives as the CloudEvent that it is.
func TestAttributes(t *testing.T) {
	rig := outboxtest.Open(t)
	inbox := rig.Subscribe(t)
	full, bare := rig.Event("confirmed-1", "orders/1"), rig.Event("confirmed-2", "orders/2")
	full.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	commit := write(t, rig, full, bare)
	run(t, store(rig), publisher(rig), options())
	inbox.Await(t, []string{full.ID, bare.ID}, limit)

	for _, m := range inbox.Messages() {
		want := map[string]string{
			"ce-id": full.ID, "ce-type": "larder.order.v1.OrderConfirmed", "ce-source": "//larder.dev/outbox", "ce-specversion": "1.0",
			"ce-subject": "orders/1", "content-type": "application/json", "ce-time": commit.UTC().Format(time.RFC3339Nano), "traceparent": full.TraceParent,
		}
		if m.Attributes["ce-id"] == bare.ID {
			want["ce-id"], want["ce-subject"] = bare.ID, "orders/2"
			delete(want, "traceparent")
		}
		if !maps.Equal(m.Attributes, want) {
			t.Errorf("attributes are %v, want %v", m.Attributes, want)
		}
		if got, want := string(m.Data), fmt.Sprintf(`{"event":%q}`, want["ce-id"]); got != want {
			t.Errorf("data is %s, want %s", got, want)
		}
	}
}

// Events of one subject are published in the order of their commits, whatever the size of the batches that they fall into.
func TestOrderOfOneSubject(t *testing.T) {
	rig := outboxtest.Open(t)
	inbox := rig.Subscribe(t)
	o := options()
	o.Batch = 7
	run(t, store(rig), publisher(rig), o)
	var written []string
	for i := range 100 {
		e := rig.Event(fmt.Sprintf("%x-%03d", 999-i, i), "orders/1") // ids in another order than commits
		write(t, rig, e)
		written = append(written, e.ID)
	}
	inbox.Await(t, written, limit)
	if got := ids(inbox.Messages()); !slices.Equal(got, written) {
		t.Errorf("published %v, want %v", got, written)
	}
}

func ids(messages []outboxtest.Message) (ids []string) {
	for _, m := range messages {
		ids = append(ids, m.Attributes["ce-id"])
	}
	return ids
}

// Batches that are cut between events of one commit time lose none and repeat none.
func TestCutBetweenEqualCommitTimes(t *testing.T) {
	rig := outboxtest.Open(t)
	inbox := rig.Subscribe(t)
	var written []string
	for i := range 4 { // commits of 25 events each, of one time and one shard
		var events []outbox.Event
		for j := range 25 {
			events = append(events, rig.Event(fmt.Sprintf("%d-%02d", i, j), "orders/1"))
			written = append(written, events[j].ID)
		}
		write(t, rig, events...)
	}
	o := options()
	o.Batch = 10 // so 2 of 3 cuts are between equal times
	run(t, store(rig), publisher(rig), o)
	inbox.Await(t, written, limit)
	last := rig.Event("last", "orders/1") // when this arrives, all batches before have been published, and moved past
	write(t, rig, last)
	inbox.Await(t, []string{"last"}, limit)
	written = append(written, "last")
	if got := ids(inbox.Messages()); !slices.Equal(got, written) {
		t.Errorf("published %v, want %v", got, written)
	}
}

// flaky fails while it is told to.
type flaky struct {
	outbox.Publisher
	fails  atomic.Bool
	failed atomic.Int64
}

func (f *flaky) Publish(ctx context.Context, topic string, events []outbox.Committed) error {
	if f.fails.Load() {
		f.failed.Add(1)
		return errors.New("no Pub/Sub today")
	}
	return f.Publisher.Publish(ctx, topic, events)
}

// While publishing fails nothing is lost or passed over; when it works again everything arrives, once.
func TestPublisherFailsAndRecovers(t *testing.T) {
	rig := outboxtest.Open(t)
	inbox := rig.Subscribe(t)
	publisher := &flaky{Publisher: publisher(rig)}
	publisher.fails.Store(true)
	relay, _ := run(t, store(rig), publisher, options())
	var written []string
	for i := range 50 {
		e := rig.Event(fmt.Sprintf("e%d", i), fmt.Sprintf("orders/%d", i))
		write(t, rig, e)
		written = append(written, e.ID)
	}
	if !outboxtest.Poll(limit, func() bool { return publisher.failed.Load() >= 30 }) {
		t.Fatalf("publishing was tried %d times", publisher.failed.Load())
	}
	if relay.Status().LagMillis == 0 || relay.Status().Retries == 0 {
		t.Errorf("status %+v doesn't tell that publishing fails", relay.Status())
	}
	publisher.fails.Store(false)
	inbox.Await(t, written, limit)
	if n, _ := inbox.Duplicates(written); n > 0 {
		t.Errorf("%d duplicates", n)
	}
	if !outboxtest.Poll(limit, func() bool { return relay.Status().LagMillis == 0 }) {
		t.Errorf("everything is published, and the lag is %d ms", relay.Status().LagMillis)
	}
}

// A topic that is missing holds its events up, and no other shard's; they arrive when it is made.
func TestMissingTopic(t *testing.T) {
	rig := outboxtest.Open(t)
	inbox := rig.Subscribe(t)
	missing := *rig
	missing.Topic = "outbox-" + uuid.NewString()
	relay, _ := run(t, store(rig), publisher(rig), options())
	write(t, rig, missing.Event("waits", "orders/1"))
	if !outboxtest.Poll(limit, func() bool { return relay.Status().Retries > 0 }) {
		t.Fatal("nothing was tried")
	}
	other := rig.Event("other", "orders/2")
	if missing.Event("waits", "orders/1").Shard() == other.Shard() {
		t.Fatal("the subjects share a shard: choose others")
	}
	write(t, rig, other)
	inbox.Await(t, []string{"other"}, limit)

	missing.MakeTopic(t)
	late := missing.Subscribe(t)
	late.Await(t, []string{"waits"}, 2*limit)
}

// A database that is gone, as after a restart of the emulator, is awaited; its successor begins with nothing published.
func TestDatabaseIsLost(t *testing.T) {
	rig := outboxtest.Open(t)
	inbox := rig.Subscribe(t)
	relay, _ := run(t, store(rig), publisher(rig), options())
	write(t, rig, rig.Event("before", "orders/1"))
	inbox.Await(t, []string{"before"}, limit)

	name := rig.Database.DatabaseName()
	if err := spannerdb.Drop(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := spannerdb.CreateOnEmulator(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	fresh, err := spannerdb.Open(t.Context(), name) // the relay keeps its client, whose sessions are all lost
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fresh.Close)
	rig.Database = fresh
	write(t, rig, rig.Event("after", "orders/1"))
	inbox.Await(t, []string{"after"}, 2*limit)
	if got := relay.Status(); got.Shards != outbox.Shards {
		t.Errorf("status is %+v", got)
	}
}

// Relays share the shards evenly; those of one that ends in order are free at once, those of one that dies after the lease.
func TestShareAndTakeOver(t *testing.T) {
	rig := outboxtest.Open(t)
	inbox := rig.Subscribe(t)
	owners := func() map[string]int {
		view, err := store(rig).Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, l := range view.Leases {
			count[l.Owner]++
		}
		return count
	}
	first, stopFirst := run(t, store(rig), publisher(rig), options())
	if !outboxtest.Poll(limit, func() bool { return len(owners()) == 1 && owners()[""] == 0 }) {
		t.Fatalf("the only relay doesn't have all shards: %v", owners())
	}
	mortal := &deadStore{Store: store(rig)}
	run(t, mortal, publisher(rig), options())
	even := func() bool { return slices.Equal(slices.Collect(maps.Values(owners())), []int{8, 8}) }
	if !outboxtest.Poll(limit, even) {
		t.Fatalf("two relays don't share evenly: %v", owners())
	}
	mortal.dead.Store(true)
	if !outboxtest.Poll(limit, func() bool { return len(owners()) == 1 }) {
		t.Fatalf("a dead relay's shards are not taken over: %v", owners())
	}
	mortal.dead.Store(false) // it comes back, as one that was only slow
	if !outboxtest.Poll(limit, even) {
		t.Fatalf("two relays don't share evenly: %v", owners())
	}
	stopFirst()
	if got := owners(); got[first.Status().Relay] > 0 {
		t.Errorf("a relay that ended in order gave nothing back: %v", got)
	}
	var written []string
	for i := range 100 {
		e := rig.Event(fmt.Sprintf("e%d", i), fmt.Sprintf("orders/%d", i))
		write(t, rig, e)
		written = append(written, e.ID)
	}
	inbox.Await(t, written, limit)
}

// deadStore is unreachable while dead.
type deadStore struct {
	outbox.Store
	dead atomic.Bool
}

func (d *deadStore) Look(ctx context.Context) (outbox.View, error) {
	if d.dead.Load() {
		return outbox.View{}, errors.New("unreachable")
	}
	return d.Store.Look(ctx)
}

func TestMoveNeedsTheLease(t *testing.T) {
	outboxtest.TestMoveNeedsTheLease(t, store(outboxtest.Open(t)), 3)
}
