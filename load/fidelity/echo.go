package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	topic       = "product-cdc"
	deadLetters = "product-cdc-dead-letters" // topic, and its subscription
	kept        = 5000
)

// echo keeps what the topic carried, to publish it again, late and out of order; and publishes what is no change at all.
type echo struct {
	client    *pubsub.Client
	project   string
	publisher *pubsub.Publisher
	stop      context.CancelFunc
	heard     sync.WaitGroup

	mu       sync.Mutex
	messages [][]byte
	poisoned int
}

func openEcho(ctx context.Context, p *platform) (*echo, error) {
	client, err := pubsub.NewClient(ctx, p.env["GOOGLE_CLOUD_PROJECT"], option.WithEndpoint(p.env["PUBSUB_EMULATOR_HOST"]),
		option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		return nil, err
	}
	e := &echo{client: client, project: "projects/" + p.env["GOOGLE_CLOUD_PROJECT"]}
	name := e.project + "/subscriptions/fidelity"
	_, err = client.SubscriptionAdminClient.CreateSubscription(ctx, &pubsubpb.Subscription{Name: name, Topic: e.project + "/topics/" + topic})
	if err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("listen to %s: %w", topic, err)
	}
	e.publisher = client.Publisher(topic)
	listening, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	e.heard.Go(func() {
		_ = client.Subscriber(name).Receive(listening, func(_ context.Context, m *pubsub.Message) {
			e.keep(m.Data)
			m.Ack()
		})
	})
	return e, nil
}

func (e *echo) close() {
	e.stop()
	e.heard.Wait()
	e.publisher.Stop()
	_ = e.client.Close()
}

// keep keeps a sample of the workload's changes, of all times alike.
func (e *echo) keep(data []byte) {
	if !strings.Contains(string(data), `"`+prefix) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.messages) < kept {
		e.messages = append(e.messages, data)
	} else if rand.IntN(4) == 0 {
		e.messages[rand.IntN(kept)] = data
	}
}

// again publishes some of what was heard, in any order.
func (e *echo) again(ctx context.Context, rng *rand.Rand, count int) error {
	e.mu.Lock()
	var messages [][]byte
	for range min(count, len(e.messages)) {
		messages = append(messages, e.messages[rng.IntN(len(e.messages))])
	}
	e.mu.Unlock()
	return e.publish(ctx, messages)
}

// poison publishes messages that can never be indexed. Each of them has to become a dead letter.
func (e *echo) poison(ctx context.Context, rng *rand.Rand) error {
	var messages [][]byte
	for range 5 {
		e.poisoned++
		text := []string{
			`{"op": `,
			`{"hello": "world"}`,
			`{"op":"u","after":{"product_id":"","document":"{}","revision":1,"deleted":false},"source":{"schema":"products","table":"catalog_documents"}}`,
			`{"op":"u","after":{"product_id":"` + prefix + `dear","document":"{\"product_id\":\"` + prefix + `dear\",\"revision\":1,\"deleted\":false,\"prices\":{\"soho\":\"dear\"}}","revision":1,"deleted":false},"source":{"schema":"products","table":"catalog_documents"}}`,
		}[rng.IntN(4)]
		messages = append(messages, []byte(text))
	}
	return e.publish(ctx, messages)
}

func (e *echo) publish(ctx context.Context, messages [][]byte) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var results []*pubsub.PublishResult
	for _, data := range messages {
		results = append(results, e.publisher.Publish(ctx, &pubsub.Message{Data: data}))
	}
	for _, r := range results {
		if _, err := r.Get(ctx); err != nil {
			return fmt.Errorf("publish again: %w", err)
		}
	}
	return nil
}

// letters counts the messages that were put aside, each once.
func (e *echo) letters(ctx context.Context) (int, error) {
	ids := map[string]bool{}
	for quiet := 0; quiet < 3; {
		pulling, cancel := context.WithTimeout(ctx, 2*time.Second)
		got, err := e.client.SubscriptionAdminClient.Pull(pulling, &pubsubpb.PullRequest{
			Subscription: e.project + "/subscriptions/" + deadLetters, MaxMessages: 1000,
		})
		cancel()
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if err != nil || len(got.GetReceivedMessages()) == 0 {
			quiet++
			continue
		}
		for _, m := range got.GetReceivedMessages() {
			ids[m.GetMessage().GetAttributes()["message_id"]] = true
		}
		quiet = 0
		if len(ids) >= e.poisoned {
			return len(ids), nil
		}
	}
	return len(ids), nil
}
