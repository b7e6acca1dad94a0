// Command relay publishes both outboxes, Spanner's and PostgreSQL's, and the stock's flips of availability, to Pub/Sub: a worker pool,
// always on. Any number of them share the work. What is wrong with one database holds the others' events up for no time.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"github.com/google/uuid"

	"larder.dev/internal/event"
	"larder.dev/internal/outbox"
	outboxpg "larder.dev/internal/outbox/postgres"
	outboxpubsub "larder.dev/internal/outbox/pubsub"
	outboxspanner "larder.dev/internal/outbox/spanner"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/serve"
	"larder.dev/internal/spannerdb"
	"larder.dev/internal/stock"
	stockpubsub "larder.dev/internal/stock/pubsub"
	stockredis "larder.dev/internal/stock/redis"
	stockspanner "larder.dev/internal/stock/spanner"
)

// config is read from the environment. PUBSUB_EMULATOR_HOST is read by the Pub/Sub client itself.
type config struct {
	serve.Config
	Relay    outbox.Options
	Spanner  string `env:"SPANNER_DATABASE,required"`
	Postgres pgdb.Config
	Stock    string `env:"STOCK_REDIS_ADDR,required"`
}

// clearing is how often old rows are looked for in PostgreSQL.
const clearing = time.Minute

func main() {
	var config config
	serve.Main("relay", &config, func(ctx context.Context, app *serve.App) error {
		database, err := spannerdb.Open(ctx, config.Spanner)
		if err != nil {
			return err
		}
		app.Close(func(context.Context) error { database.Close(); return nil })
		app.Ready("spanner", spannerdb.Ping(database))

		pool, err := pgdb.Open(ctx, config.Postgres.URL)
		if err != nil {
			return err
		}
		app.Close(func(context.Context) error { pool.Close(); return nil })
		app.Ready("PostgreSQL", pool.Ping)

		// The client outlives ctx: what is under way at the end is still published.
		client, err := pubsub.NewClient(context.WithoutCancel(ctx), config.Project)
		if err != nil {
			return fmt.Errorf("connect to Pub/Sub: %w", err)
		}
		app.Close(func(context.Context) error { return client.Close() })
		publisher := outboxpubsub.New(client, config.Project)
		app.Ready("pubsub", publisher.Reachable(event.OrderEvents))

		virtual, err := stockredis.Open(config.Stock)
		if err != nil {
			return err
		}
		app.Close(func(context.Context) error { return virtual.Close() })
		app.Ready("stock redis", virtual.Ping)
		announcer := stockpubsub.New(client, config.Project, event.StockEvents)
		app.Go("herald", stock.NewHerald(virtual, stockspanner.NewLedger(database), announcer).Run)

		id := uuid.NewString()
		inPostgres := outboxpg.NewStore(pool)
		relays := map[string]*outbox.Relay{
			"spanner":    outbox.NewRelay("spanner", id, outboxspanner.NewStore(database), publisher, config.Relay),
			"postgresql": outbox.NewRelay("postgresql", id, inPostgres, publisher, config.Relay),
		}
		for name, relay := range relays {
			app.Go("relay of "+name, relay.Run)
		}
		app.Go("clearing", func(ctx context.Context) error { return inPostgres.Clear(ctx, clearing) })
		app.Handle("GET /status", status(relays))
		return nil
	})
}

// status answers what each relay is doing, its lag included.
func status(relays map[string]*outbox.Relay) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		now := make(map[string]outbox.Status, len(relays))
		for name, relay := range relays {
			now[name] = relay.Status()
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(now) // fails only if the caller is gone
	})
}
