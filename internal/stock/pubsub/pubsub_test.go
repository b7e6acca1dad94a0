package pubsub_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	pubsubclient "cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/uuid"

	stockpb "larder.dev/api/stock/v1"
	"larder.dev/internal/event"
	"larder.dev/internal/stock"
	"larder.dev/internal/stock/pubsub"
)

const project = "larder-test"

// rig is a topic with a subscription.
type rig struct {
	client              *pubsubclient.Client
	topic, subscription string
}

func open(t *testing.T) rig {
	t.Helper()
	if os.Getenv("PUBSUB_EMULATOR_HOST") == "" {
		t.Fatal("PUBSUB_EMULATOR_HOST is not set: run the tests by `make test`, which starts the Pub/Sub emulator")
	}
	client, err := pubsubclient.NewClient(context.Background(), project)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	r := rig{client: client, topic: "stock-" + uuid.NewString()}
	r.subscription = "projects/" + project + "/subscriptions/" + r.topic
	topic := "projects/" + project + "/topics/" + r.topic
	if _, err := client.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.TopicAdminClient.DeleteTopic(context.Background(), &pubsubpb.DeleteTopicRequest{Topic: topic})
	})
	if _, err := client.SubscriptionAdminClient.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: r.subscription, Topic: topic}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.SubscriptionAdminClient.DeleteSubscription(context.Background(), &pubsubpb.DeleteSubscriptionRequest{Subscription: r.subscription})
	})
	return r
}

// receive waits for some events.
func (r rig) receive(t *testing.T, n int) []event.Event {
	t.Helper()
	var events []event.Event
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(events) < n {
		answer, err := r.client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: r.subscription, MaxMessages: int32(n)})
		if err != nil {
			t.Fatalf("%d of %d events arrived: %v", len(events), n, err)
		}
		var acks []string
		for _, m := range answer.GetReceivedMessages() {
			acks = append(acks, m.GetAckId())
			e, err := event.FromMessage(m.GetMessage().GetAttributes(), m.GetMessage().GetData())
			if err != nil {
				t.Error(err)
			}
			events = append(events, e)
		}
		if len(acks) == 0 {
			continue
		}
		if err := r.client.SubscriptionAdminClient.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: r.subscription, AckIds: acks}); err != nil {
			t.Fatal(err)
		}
	}
	return events
}

func TestAnnounce(t *testing.T) {
	r := open(t)
	announcer := pubsub.New(r.client, project, r.topic)
	at := time.Now().UTC().Truncate(time.Millisecond)
	const epoch = stock.Epoch(1795698851570709000)
	flips := make([]stock.Flip, 2300)
	for i := range flips {
		flips[i] = stock.Flip{ProductID: fmt.Sprintf("p-%d", i), Available: i%3 == 0, Sequence: int64(i), Time: at.Add(-time.Duration(i) * time.Second)}
	}
	for range 2 { // the same again
		if err := announcer.Announce(t.Context(), "soho", epoch, flips); err != nil {
			t.Fatal(err)
		}
	}
	events := r.receive(t, 6)
	known := map[string]bool{}
	changes := map[string]*stockpb.ProductAvailability{}
	var sizes []int
	for _, e := range events {
		var message stockpb.AvailabilityChanged
		if err := e.Decode(&message); err != nil {
			t.Fatal(err)
		}
		if err := protovalidate.Validate(&message); err != nil {
			t.Error(err)
		}
		if e.Source != pubsub.Source || e.Subject != "stores/soho" || message.GetStoreId() != "soho" || message.GetEpoch() != int64(epoch) {
			t.Errorf("event %+v of store %s, epoch %d", e, message.GetStoreId(), message.GetEpoch())
		}
		for _, change := range message.GetChanges() {
			changes[change.GetProductId()] = change
		}
		if !known[e.ID] {
			sizes = append(sizes, len(message.GetChanges()))
		}
		known[e.ID] = true
		if latest := at.Add(-time.Duration(message.GetChanges()[0].GetSequence()) * time.Second); !e.Time.Equal(latest) {
			t.Errorf("the event is of %s, its latest flip of %s", e.Time, latest)
		}
	}
	slices.Sort(sizes)
	if !slices.Equal(sizes, []int{300, 1000, 1000}) {
		t.Errorf("events of %v changes; the same flips are the same events", sizes)
	}
	for _, flip := range flips {
		got := changes[flip.ProductID]
		if got.GetAvailable() != flip.Available || got.GetSequence() != flip.Sequence || got == nil {
			t.Fatalf("%s was announced as %v, want %v", flip.ProductID, got, flip)
		}
	}
	if err := announcer.Announce(t.Context(), "soho", epoch+1, flips[:1]); err != nil {
		t.Fatal(err)
	}
	if other := r.receive(t, 1)[0]; known[other.ID] {
		t.Error("a flip of another epoch is the same event")
	}
}

// What isn't acknowledged is an error, so that it is announced again.
func TestAnnounceFails(t *testing.T) {
	r := open(t)
	err := pubsub.New(r.client, project, r.topic+"-missing").Announce(t.Context(), "soho", 1, []stock.Flip{{ProductID: "apples", Available: true}})
	if err == nil {
		t.Error("announced on a topic that isn't there")
	}
}
