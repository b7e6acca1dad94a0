//go:build bench

package rooms

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/outbox"
	"larder.dev/internal/outbox/outboxtest"
	outboxpubsub "larder.dev/internal/outbox/pubsub"
	outboxspanner "larder.dev/internal/outbox/spanner"
	"larder.dev/load/bench/figure"
)

// clocked publishes, and knows when the first event was sent and the last of so many acknowledged.
type clocked struct {
	outbox.Publisher
	want  int64
	began sync.Once
	first time.Time
	done  atomic.Int64
	ended chan time.Time
}

func (c *clocked) Publish(ctx context.Context, topic string, events []outbox.Committed) error {
	c.began.Do(func() { c.first = time.Now() })
	if err := c.Publisher.Publish(ctx, topic, events); err != nil {
		return err
	}
	if n := c.done.Add(int64(len(events))); n >= c.want && n-int64(len(events)) < c.want {
		c.ended <- time.Now()
	}
	return nil
}

// TestRelay has a relay publish an outbox that has filled up, against the same events published by as many callers from memory: what cursors,
// leases and reads cost. The events are of an order's size.
func TestRelay(t *testing.T) {
	address(t, "SPANNER_EMULATOR_HOST")
	rig := outboxtest.Open(t)
	publisher := outboxpubsub.New(rig.PubSub, outboxtest.Project)
	const events, each = 10_000, 500
	filler := make([]byte, 2000)
	for i := range filler {
		filler[i] = 'x'
	}
	shards := make([][]outbox.Committed, outbox.Shards)
	for i := range events / each {
		var batch []outbox.Event
		for range each {
			e := rig.Event(uuid.NewString(), "orders/"+uuid.NewString())
			e.Data = fmt.Appendf(nil, `{"event":%q,"filler":%q}`, e.ID, filler)
			batch = append(batch, e)
			shards[e.Shard()] = append(shards[e.Shard()], outbox.Committed{Event: e, Time: time.Now()})
		}
		if _, err := rig.Write(t.Context(), batch...); err != nil {
			t.Fatalf("write commit %d: %v", i, err)
		}
	}

	raw := func() time.Duration {
		began := time.Now()
		failed := make([]error, len(shards))
		var wg sync.WaitGroup
		for i, all := range shards {
			wg.Go(func() {
				for rest := all; len(rest) > 0 && failed[i] == nil; rest = rest[min(each, len(rest)):] {
					failed[i] = publisher.Publish(t.Context(), rig.Topic, rest[:min(each, len(rest))])
				}
			})
		}
		wg.Wait()
		for _, err := range failed {
			if err != nil {
				t.Fatal(err)
			}
		}
		return time.Since(began)
	}
	raw() // warms
	plain, plainCPU := time.Duration(0), cpu(t)
	plain = raw()
	plainCPU = cpu(t) - plainCPU

	watched := &clocked{Publisher: publisher, want: events, ended: make(chan time.Time, 1)}
	relay := outbox.NewRelay("bench", uuid.NewString(), outboxspanner.NewStore(rig.Database), watched,
		outbox.Options{Lease: 10 * time.Second, Batch: each, MinPause: 50 * time.Millisecond, MaxPause: time.Second, Report: time.Minute})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	running := make(chan error, 1)
	spent := cpu(t)
	go func() { running <- relay.Run(ctx) }()
	var took time.Duration
	select {
	case at := <-watched.ended:
		took = at.Sub(watched.first)
	case err := <-running:
		t.Fatalf("the relay ends: %v", err)
	case <-time.After(2 * time.Minute):
		t.Fatalf("%d of %d events are published after 2 minutes", watched.done.Load(), events)
	}
	spent = cpu(t) - spent
	stop()
	if err := <-running; err != nil {
		t.Error(err)
	}
	report("relay events=%d of %d bytes, %.0f/s cpu=%s an event; from memory %.0f/s cpu=%s", events, len(filler)+60,
		events/took.Seconds(), us(spent/events), events/plain.Seconds(), us(plainCPU/events))
	tell(t, figure.Figure{
		Name: "relay events", Seen: fmt.Sprintf("%.0f/s, %s of CPU each", events/took.Seconds(), us(spent/events)),
		Ratio: plain.Seconds() / took.Seconds(), To: "publishing from memory",
	})
}
