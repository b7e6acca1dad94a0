// Command warehouse tells a shop that goods came or went: an example of a producer of events.
//
//	warehouse -project PROJECT -store STORE -product PRODUCT -quantity QUANTITY -id ID
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"cloud.google.com/go/pubsub/v2"
)

// stockAdjusted is the event's data, docs/events/larder.stock.v1.StockAdjusted.md.
type stockAdjusted struct {
	StoreID     string       `json:"store_id"`
	Adjustments []adjustment `json:"adjustments"`
	Reason      string       `json:"reason"`
	OccurTime   time.Time    `json:"occur_time"`
}

type adjustment struct {
	ProductID string `json:"product_id"`
	// Quantity is negative where goods are gone. 64-bit numbers are strings in protobuf's JSON.
	Quantity int64 `json:"quantity,string"`
}

type delivery struct {
	project, store, product, id string
	quantity                    int64
}

func main() {
	var d delivery
	flag.StringVar(&d.project, "project", "", "the shop's Google Cloud project")
	flag.StringVar(&d.store, "store", "", "the store's id")
	flag.StringVar(&d.product, "product", "", "the product's id")
	flag.Int64Var(&d.quantity, "quantity", 0, "pieces that came; negative: that are gone")
	flag.StringVar(&d.id, "id", "", "what names this delivery for good: the number of its note")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := tell(ctx, d); err != nil {
		fmt.Fprintln(os.Stderr, "warehouse:", err)
		os.Exit(1)
	}
}

// tell publishes a delivery, and returns when Pub/Sub has it: from then on the shop takes care of it. After an error it is told again, with the
// same id: it counts once, whether or not it had arrived.
func tell(ctx context.Context, d delivery) error {
	if d.project == "" || d.store == "" || d.product == "" || d.id == "" || d.quantity == 0 {
		return errors.New("-project, -store, -product, -quantity and -id are needed")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	now := time.Now().UTC()
	data, err := json.Marshal(stockAdjusted{
		StoreID: d.store, Adjustments: []adjustment{{ProductID: d.product, Quantity: d.quantity}}, Reason: d.id, OccurTime: now,
	})
	if err != nil {
		return err
	}
	client, err := pubsub.NewClient(ctx, d.project) // PUBSUB_EMULATOR_HOST leads it to an emulator
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	publisher := client.Publisher("stock-adjustments")
	defer publisher.Stop()
	message := &pubsub.Message{Data: data, Attributes: map[string]string{
		"ce-specversion": "1.0",
		"ce-type":        "larder.stock.v1.StockAdjusted",
		"ce-source":      "//warehouse.example/" + d.store, // who you are; with the id it names the event
		"ce-id":          d.id,
		"ce-subject":     "stores/" + d.store,
		"ce-time":        now.Format(time.RFC3339Nano),
		"content-type":   "application/json",
	}}
	number, err := publisher.Publish(ctx, message).Get(ctx)
	if err != nil {
		return fmt.Errorf("publish %s: %w", d.id, err)
	}
	fmt.Printf("%s was published as message %s\n", d.id, number)
	return nil
}
