package main

import (
	"context"
	"os"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/uuid"

	stockpb "larder.dev/api/stock/v1"
	"larder.dev/internal/event"
	"larder.dev/internal/stock"
	stockredis "larder.dev/internal/stock/redis"
	stockspanner "larder.dev/internal/stock/spanner"
)

// The relay announces what turns available or unavailable, also what it left unfinished when it was killed.
func TestFlipsOfAvailability(t *testing.T) {
	rig := open(t)
	project := "larder-" + uuid.NewString()[:8] // the topic's name is fixed
	client, err := pubsub.NewClient(context.Background(), project)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	topic, subscription := "projects/"+project+"/topics/"+event.StockEvents, "projects/"+project+"/subscriptions/test"
	if _, err := client.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.TopicAdminClient.DeleteTopic(context.Background(), &pubsubpb.DeleteTopicRequest{Topic: topic})
	})
	if _, err := client.SubscriptionAdminClient.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: subscription, Topic: topic}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.SubscriptionAdminClient.DeleteSubscription(context.Background(), &pubsubpb.DeleteSubscriptionRequest{Subscription: subscription})
	})

	virtual, err := stockredis.Open(os.Getenv("STOCK_REDIS_ADDR"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = virtual.Close() })
	store := "t-" + uuid.NewString()[:8]
	key := "stock:{" + store + "}"
	t.Cleanup(func() { _ = virtual.Client().Del(context.Background(), key, key+":deadlines", key+":flips").Err() })
	stocks := stock.NewService(virtual, stockspanner.NewLedger(rig.Database))
	if err := stocks.Adjust(t.Context(), stock.Adjustment{
		ID: "a1", StoreID: store, Lines: []stock.Line{{ProductID: "apples", Quantity: 1}}, Actor: "test", Reason: "test", Fingerprint: make([]byte, 32),
	}); err != nil {
		t.Fatal(err)
	}

	p := start(t, rig, "GOOGLE_CLOUD_PROJECT="+project)
	await(t, client, subscription, store, true)
	p.kill()
	if _, err := stocks.Reserve(t.Context(), store, "o1", []stock.Line{{ProductID: "apples", Quantity: 1}}, time.Now().Add(time.Minute), 0); err != nil {
		t.Fatal(err)
	}
	start(t, rig, "GOOGLE_CLOUD_PROJECT="+project)
	await(t, client, subscription, store, false)
}

// await waits for the news that the store's apples are available, or aren't.
func await(t *testing.T, client *pubsub.Client, subscription, store string, available bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		answer, err := client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: subscription, MaxMessages: 10})
		if err != nil {
			t.Fatalf("nobody told that apples turned available=%t: %v", available, err)
		}
		told := false
		var acks []string
		for _, m := range answer.GetReceivedMessages() {
			acks = append(acks, m.GetAckId())
			e, err := event.FromMessage(m.GetMessage().GetAttributes(), m.GetMessage().GetData())
			var message stockpb.AvailabilityChanged
			if err == nil {
				err = e.Decode(&message)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, change := range message.GetChanges() {
				told = told || message.GetStoreId() == store && change.GetProductId() == "apples" && change.GetAvailable() == available
			}
		}
		if len(acks) > 0 {
			if err := client.SubscriptionAdminClient.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: subscription, AckIds: acks}); err != nil {
				t.Fatal(err)
			}
		}
		if told {
			return
		}
	}
}
