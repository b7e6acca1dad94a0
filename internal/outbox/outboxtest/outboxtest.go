// Package outboxtest gives each test of the relay an outbox, a topic and a subscription of its own, on the emulators.
package outboxtest

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/spanner"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"larder.dev/internal/outbox"
	outboxspanner "larder.dev/internal/outbox/spanner"
	"larder.dev/internal/spannerdb/spannertest"
)

// Project of the topics.
const Project = "larder-test"

// Rig is where one test's events go from and to.
type Rig struct {
	// Database is Spanner's, if the rig has one.
	Database *spanner.Client
	// Pool and URL are PostgreSQL's, if the rig has one.
	Pool   *pgxpool.Pool
	URL    string
	PubSub *pubsub.Client
	// Topic is the name of a topic that nobody else uses.
	Topic string
}

// Open makes a rig with a topic and a Spanner database.
func Open(t *testing.T) *Rig {
	t.Helper()
	r := OpenTopic(t)
	r.Database = spannertest.Open(t)
	return r
}

// OpenTopic makes a rig with a topic and no database.
func OpenTopic(t *testing.T) *Rig {
	t.Helper()
	if os.Getenv("PUBSUB_EMULATOR_HOST") == "" {
		t.Fatal("PUBSUB_EMULATOR_HOST is not set: run the tests by `make test`, which starts the Pub/Sub emulator")
	}
	client, err := pubsub.NewClient(context.Background(), Project)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	r := &Rig{PubSub: client, Topic: "outbox-" + uuid.NewString()}
	r.MakeTopic(t)
	return r
}

// MakeTopic makes the rig's topic, deleted after the test. Open has done it; a copy of the rig with another Topic needs it.
func (r *Rig) MakeTopic(t *testing.T) {
	t.Helper()
	if _, err := r.PubSub.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: r.topic()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.PubSub.TopicAdminClient.DeleteTopic(context.Background(), &pubsubpb.DeleteTopicRequest{Topic: r.topic()})
	})
}

func (r *Rig) topic() string { return "projects/" + Project + "/topics/" + r.Topic }

// Event is one of the rig's topic.
func (r *Rig) Event(id, subject string) outbox.Event {
	return outbox.Event{
		ID: id, Topic: r.Topic, Type: "larder.order.v1.OrderConfirmed", Subject: subject, Data: fmt.Appendf(nil, `{"event":%q}`, id),
	}
}

// Write commits events in one transaction, which reads as checkout's does.
func (r *Rig) Write(ctx context.Context, events ...outbox.Event) (commit time.Time, err error) {
	return r.Database.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		_, err := txn.ReadRow(ctx, "Epochs", spanner.Key{"soho"}, []string{"Epoch"})
		if err != nil && spanner.ErrCode(err) != codes.NotFound {
			return err
		}
		writes := make([]*spanner.Mutation, len(events))
		for i, e := range events {
			writes[i] = outboxspanner.Insert(e)
		}
		return txn.BufferWrite(writes)
	})
}

// Inbox is what a subscription has received.
type Inbox struct {
	mu       sync.Mutex
	messages []Message
	count    map[string]int
}

// Message is one that arrived.
type Message struct {
	*pubsub.Message
	Arrived time.Time
}

// Subscribe receives from now until the test's end, or the deletion of the subscription.
func (r *Rig) Subscribe(t *testing.T) *Inbox {
	t.Helper()
	name := "projects/" + Project + "/subscriptions/" + "outbox-" + uuid.NewString()
	_, err := r.PubSub.SubscriptionAdminClient.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: name, Topic: r.topic(), AckDeadlineSeconds: 60})
	if err != nil {
		t.Fatal(err)
	}
	in := &Inbox{count: map[string]int{}}
	ctx, stop := context.WithCancel(context.Background())
	subscriber := r.PubSub.Subscriber(name)
	subscriber.ReceiveSettings.NumGoroutines = 4 // one stream gives 1,850 messages a second on the emulator
	var receiving sync.WaitGroup
	receiving.Go(func() {
		err := subscriber.Receive(ctx, func(_ context.Context, m *pubsub.Message) {
			in.add(Message{m, time.Now()})
			m.Ack()
		})
		if err != nil && ctx.Err() == nil && status.Code(err) != codes.NotFound {
			t.Errorf("receive: %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		receiving.Wait()
		_ = r.PubSub.SubscriptionAdminClient.DeleteSubscription(context.Background(), &pubsubpb.DeleteSubscriptionRequest{Subscription: name})
	})
	return in
}

func (in *Inbox) add(m Message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.messages = append(in.messages, m)
	in.count[m.Attributes["ce-id"]]++
}

// Messages are what arrived, in the order in which they were published: the emulator numbers messages.
func (in *Inbox) Messages() []Message {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.SortedFunc(slices.Values(in.messages), func(a, b Message) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID))
	})
}

// Missing are those of the event ids that haven't arrived.
func (in *Inbox) Missing(ids []string) []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return in.count[id] > 0 })
}

// Duplicates is how many messages were of an event that had arrived already; Strange are ids that aren't among those written.
func (in *Inbox) Duplicates(written []string) (duplicates int, strange []string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	known := make(map[string]bool, len(written))
	for _, id := range written {
		known[id] = true
	}
	for id, n := range in.count {
		duplicates += n - 1
		if !known[id] {
			strange = append(strange, id)
		}
	}
	return duplicates, strange
}

// Await waits until all event ids have arrived, and fails the test if they haven't in time.
func (in *Inbox) Await(t *testing.T, ids []string, limit time.Duration) {
	t.Helper()
	if missing := in.awaitAll(ids, limit); len(missing) > 0 {
		t.Fatalf("%d of %d events are missing after %v, the first is %s", len(missing), len(ids), limit, missing[0])
	}
}

func (in *Inbox) awaitAll(ids []string, limit time.Duration) []string {
	var missing []string
	Poll(limit, func() bool {
		missing = in.Missing(ids)
		return len(missing) == 0
	})
	return missing
}

// Poll asks until the answer is yes, or the limit is reached.
func Poll(limit time.Duration, yes func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); time.Now().Before(end); <-tick.C {
		if yes() {
			return true
		}
	}
	return yes()
}
