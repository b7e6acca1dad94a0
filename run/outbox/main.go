// Command outbox is the service by which operators see what becomes of events: how far behind they are published, and the dead letters. It
// alone, besides whoever runs deadletters by hand, may read dead letters and publish them again.
package main

import (
	"context"
	"fmt"

	"cloud.google.com/go/pubsub/v2"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	outboxpb "larder.dev/api/outbox/v1"
	"larder.dev/internal/deadletter"
	"larder.dev/internal/outbox"
	outboxpg "larder.dev/internal/outbox/postgres"
	outboxspanner "larder.dev/internal/outbox/spanner"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/serve"
	"larder.dev/internal/spannerdb"
)

// config is read from the environment. PUBSUB_EMULATOR_HOST is read by the Pub/Sub client itself.
type config struct {
	serve.Config
	Spanner  string `env:"SPANNER_DATABASE,required"`
	Postgres pgdb.Config
}

func main() {
	var config config
	serve.Main("outbox", &config, func(ctx context.Context, app *serve.App) error {
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
		client, err := pubsub.NewClient(context.WithoutCancel(ctx), config.Project) // leases are given back at the end
		if err != nil {
			return fmt.Errorf("connect to Pub/Sub: %w", err)
		}
		app.Close(func(context.Context) error { return client.Close() })

		stores := map[string]outbox.Store{"spanner": outboxspanner.NewStore(database), "postgresql": outboxpg.NewStore(pool)}
		boxes := map[string]outbox.Box{}
		for _, topic := range deadletter.Topics {
			boxes[topic] = deadletter.NewBox(client, config.Project, topic)
		}
		server := outbox.NewServer(stores, boxes, outboxspanner.NewReplays(database))
		return app.Register(ctx, &outboxpb.OutboxService_ServiceDesc, server,
			func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
				return outboxpb.RegisterOutboxServiceHandlerClient(ctx, mux, outboxpb.NewOutboxServiceClient(conn))
			})
	})
}
