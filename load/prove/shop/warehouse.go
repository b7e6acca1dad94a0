package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// warehouse publishes deliveries on the topic stock-adjustments. It is outside of the platform.
type warehouse struct {
	client *pubsub.Client
	topic  string
}

func openWarehouse(ctx context.Context, place Place) (*warehouse, error) {
	client, err := pubsub.NewClient(ctx, place.Project, option.WithEndpoint(place.PubSubHost), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		return nil, fmt.Errorf("connect the warehouse: %w", err)
	}
	return &warehouse{client: client, topic: fmt.Sprintf("projects/%s/topics/stock-adjustments", place.Project)}, nil
}

func (w *warehouse) close() error {
	if w == nil {
		return nil
	}
	if err := w.client.Close(); err != nil {
		return fmt.Errorf("close the warehouse: %w", err)
	}
	return nil
}

// publish sends a delivery; the same key again is the same delivery.
func (w *warehouse) publish(ctx context.Context, a *Adjustment) error {
	type line struct {
		Product  string `json:"product_id"`
		Quantity int64  `json:"quantity"`
	}
	message := struct {
		Store  string `json:"store_id"`
		Reason string `json:"reason"`
		Lines  []line `json:"adjustments"`
	}{Store: a.Store, Reason: a.Key}
	for _, l := range a.Lines {
		message.Lines = append(message.Lines, line{Product: l.Product, Quantity: l.Quantity})
	}
	data, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode a delivery: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err = w.client.TopicAdminClient.Publish(ctx, &pubsubpb.PublishRequest{
		Topic: w.topic,
		Messages: []*pubsubpb.PubsubMessage{{Data: data, Attributes: map[string]string{
			"ce-id": a.Key, "ce-type": "larder.stock.v1.StockAdjusted", "ce-source": "//warehouse.example/prove", "ce-specversion": "1.0",
			"ce-time": time.Now().UTC().Format(time.RFC3339Nano), "content-type": "application/json",
		}}},
	})
	if err != nil {
		return fmt.Errorf("publish a delivery: %w", err)
	}
	return nil
}

// deliver lets the warehouse publish until ctx ends. What it published must be entered, once, sooner or later.
func (d *Day) deliver(ctx context.Context, random *rand.Rand) {
	for pauseFor(ctx, time.Second+time.Duration(random.Int64N(int64(2*time.Second)))) {
		store := d.shop.stores[random.IntN(len(d.shop.stores))]
		products := d.wanted(store, 6, false)
		if len(products) == 0 {
			products = []string{d.products[random.IntN(len(d.products))]}
		}
		lines := make([]Line, len(products))
		for i, product := range products {
			lines[i] = Line{Product: product, Quantity: 5 + random.Int64N(30)}
		}
		a := d.adjustment(store, ByWarehouse, lines)
		times := 1
		if random.IntN(4) == 0 {
			times = 2
		}
		for range times {
			ask := Ask{Start: time.Now(), Answer: Answer{Kind: Processing}}
			err := d.warehouse.publish(context.WithoutCancel(ctx), a)
			if err != nil {
				ask.Answer.Kind = Unknown
				d.log.WarnContext(ctx, "the warehouse's message may be lost", "key", a.Key, "error", err)
			}
			ask.End = time.Now()
			a.add(ask)
		}
	}
}
