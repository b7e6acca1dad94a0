// Command relay publishes the outbox to Pub/Sub: a worker pool, always on. Any number of them share the work.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"cloud.google.com/go/pubsub/v2"
	"github.com/google/uuid"

	"larder.dev/internal/event"
	"larder.dev/internal/outbox"
	outboxpubsub "larder.dev/internal/outbox/pubsub"
	outboxspanner "larder.dev/internal/outbox/spanner"
	"larder.dev/internal/serve"
	"larder.dev/internal/spannerdb"
)

// config is read from the environment. PUBSUB_EMULATOR_HOST is read by the Pub/Sub client itself.
type config struct {
	serve.Config
	Relay    outbox.Options
	Database string `env:"SPANNER_DATABASE,required"`
}

func main() {
	var config config
	serve.Main("relay", &config, func(ctx context.Context, app *serve.App) error {
		database, err := spannerdb.Open(ctx, config.Database)
		if err != nil {
			return err
		}
		app.Close(func(context.Context) error { database.Close(); return nil })
		app.Ready("spanner", spannerdb.Ping(database))

		// The client outlives ctx: what is under way at the end is still published.
		client, err := pubsub.NewClient(context.WithoutCancel(ctx), config.Project)
		if err != nil {
			return fmt.Errorf("connect to Pub/Sub: %w", err)
		}
		app.Close(func(context.Context) error { return client.Close() })
		publisher := outboxpubsub.New(client, config.Project)
		app.Ready("pubsub", publisher.Reachable(event.OrderEvents))

		relay := outbox.NewRelay(uuid.NewString(), outboxspanner.NewStore(database), publisher, config.Relay)
		app.Go("relay", relay.Run)
		app.Handle("GET /status", status(relay))
		return nil
	})
}

// status answers what the relay is doing, its lag included.
func status(relay *outbox.Relay) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(relay.Status()) // fails only if the caller is gone
	})
}
