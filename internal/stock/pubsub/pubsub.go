// Package pubsub announces flips of availability on the topic stock-events.
package pubsub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"google.golang.org/protobuf/proto"

	stockpb "larder.dev/api/stock/v1"
	"larder.dev/internal/event"
	"larder.dev/internal/stock"
)

// Source is the ce-source of every event.
const Source = "//larder.dev/stock"

// maxChanges is what the contract allows an event.
const maxChanges = 1000

// deadline bounds a publishing, over which the client sends again by itself.
const deadline = 30 * time.Second

// Announcer implements stock.Announcer.
type Announcer struct {
	client         *pubsub.Client
	project, topic string
}

var _ stock.Announcer = Announcer{}

// New makes one; the topic is event.StockEvents everywhere but in tests.
func New(client *pubsub.Client, project, topic string) Announcer {
	return Announcer{client: client, project: project, topic: topic}
}

// Announce implements stock.Announcer.
func (a Announcer) Announce(ctx context.Context, store string, epoch stock.Epoch, flips []stock.Flip) error {
	var events []event.Event
	for part := range slices.Chunk(flips, maxChanges) {
		e, err := changed(store, epoch, part)
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	return event.Publish(ctx, a.client, a.project, a.topic, events...)
}

// changed makes the event of some flips. Its id is made of its content, so that flips that are announced again are the same event.
func changed(store string, epoch stock.Epoch, flips []stock.Flip) (event.Event, error) {
	message := &stockpb.AvailabilityChanged{StoreId: store, Epoch: int64(epoch)}
	var at time.Time
	for _, flip := range flips {
		message.Changes = append(message.Changes, &stockpb.ProductAvailability{
			ProductId: flip.ProductID, Available: flip.Available, Sequence: flip.Sequence,
		})
		if flip.Time.After(at) {
			at = flip.Time
		}
	}
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		return event.Event{}, fmt.Errorf("encode flips of %s: %w", store, err)
	}
	sum := sha256.Sum256(content)
	return event.New(hex.EncodeToString(sum[:16]), Source, "stores/"+store, at, message)
}
