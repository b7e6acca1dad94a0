package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"larder.dev/internal/outbox"
	"larder.dev/internal/outbox/outboxtest"
)

// These relays break a rule each, and the check that the real one passes, here and with kills in run/relay, has to notice.

// liar acknowledges some events without publishing them: rule 3.
type liar struct{ outbox.Publisher }

func (l liar) Publish(ctx context.Context, topic string, events []outbox.Committed) error {
	if len(events) > 1 {
		events = events[:len(events)-1]
	}
	return l.Publisher.Publish(ctx, topic, events)
}

// late takes its time after it has read: rule 1. Between the two it waits for commits.
type late struct {
	outbox.Store
	mu     sync.Mutex
	readAt map[int64]int64
}

func (l *late) Look(ctx context.Context) (outbox.View, error) {
	before, err := l.Store.Look(ctx)
	if err != nil {
		return before, err
	}
	after, err := l.Store.Look(ctx)
	for deadline := time.Now().Add(50 * time.Millisecond); err == nil && time.Now().Before(deadline); {
		after, err = l.Store.Look(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readAt[after.Bound] = before.Bound
	return after, err
}

func (l *late) Read(ctx context.Context, shard int64, above outbox.Position, bound int64, limit int) (outbox.Batch, error) {
	l.mu.Lock()
	earlier := l.readAt[bound]
	l.mu.Unlock()
	return l.Store.Read(ctx, shard, above, earlier, limit)
}

// byTime forgets which event of its time a cut batch ended with: rule 2.
type byTime struct{ outbox.Store }

func (b byTime) Read(ctx context.Context, shard int64, above outbox.Position, bound int64, limit int) (outbox.Batch, error) {
	above.EventID = ""
	return b.Store.Read(ctx, shard, above, bound, limit)
}

func asItIs(s outbox.Store, p outbox.Publisher) (outbox.Store, outbox.Publisher) { return s, p }

func TestTheCheckNotices(t *testing.T) {
	for _, relay := range []struct {
		name   string
		broken bool
		batch  int
		change func(outbox.Store, outbox.Publisher) (outbox.Store, outbox.Publisher)
	}{
		{"the real relay", false, 500, asItIs},
		{"the real relay, cut often", false, 3, asItIs},
		{"acknowledged without being published", true, 3, func(s outbox.Store, p outbox.Publisher) (outbox.Store, outbox.Publisher) { return s, liar{p} }},
		{"the time taken after the read", true, 500, func(s outbox.Store, p outbox.Publisher) (outbox.Store, outbox.Publisher) {
			return &late{Store: s, readAt: map[int64]int64{}}, p
		}},
		{"cut by time alone", true, 3, func(s outbox.Store, p outbox.Publisher) (outbox.Store, outbox.Publisher) { return byTime{s}, p }},
	} {
		t.Run(relay.name, func(t *testing.T) {
			rig := outboxtest.Open(t)
			inbox := rig.Subscribe(t)
			s, p := relay.change(store(rig), publisher(rig))
			o := options()
			o.Batch = relay.batch
			running, _ := run(t, s, p, o)
			// Writing goes on until the relay has looked many times: what it misses, it misses between two commits.
			written := writeAll(t, rig, 4, 40, func() bool { return running.Status().Published >= 1000 })
			// A last event of each shard: when the cursor is past it, all before it was published or passed over.
			ends := map[int64]time.Time{}
			for shard := range int64(outbox.Shards) {
				ends[shard] = write(t, rig, rig.Event(fmt.Sprintf("end-%d", shard), subjectIn(rig, shard)))
			}
			passed := func() bool {
				view, err := store(rig).Look(t.Context())
				return err == nil && !slices.ContainsFunc(view.Leases, func(l outbox.Lease) bool { return l.Cursor.Commit < ends[l.Shard].UnixNano() })
			}
			if !outboxtest.Poll(2*limit, passed) {
				t.Fatal("the cursors don't reach the end")
			}
			outboxtest.Poll(time.Second, func() bool { return len(inbox.Missing(written)) == 0 }) // what is published, but still on its way
			switch missing := inbox.Missing(written); {
			case relay.broken && len(missing) == 0:
				t.Errorf("all %d events arrived from a relay that breaks a rule", len(written))
			case !relay.broken && len(missing) > 0:
				t.Errorf("%d of %d events are missing", len(missing), len(written))
			default:
				t.Logf("%d of %d events are missing", len(missing), len(written))
			}
		})
	}
}

// writeAll writes from several writers, each at least so many transactions, until it is enough. Each is of four events of one subject.
func writeAll(t *testing.T, rig *outboxtest.Rig, writers, transactions int, enough func() bool) []string {
	t.Helper()
	var all []string
	var mu sync.Mutex
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := 0; i < transactions || !enough() && i < 20*transactions; i++ {
				var events []outbox.Event
				for j := range 4 {
					events = append(events, rig.Event(fmt.Sprintf("%d-%d-%d", w, i, j), fmt.Sprintf("orders/%d", i%8)))
				}
				if _, err := rig.Write(t.Context(), events...); err != nil {
					t.Errorf("write: %v", err)
					return
				}
				mu.Lock()
				for _, e := range events {
					all = append(all, e.ID)
				}
				mu.Unlock()
			}
		})
	}
	writing.Wait()
	return all
}

func subjectIn(rig *outboxtest.Rig, shard int64) string {
	for i := 0; ; i++ {
		if subject := fmt.Sprintf("ends/%d", i); rig.Event("", subject).Shard() == shard {
			return subject
		}
	}
}
