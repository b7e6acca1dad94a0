// Command order serves orders and their history.
package main

import (
	"context"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/serve"
	"larder.dev/internal/spannerdb"
)

type config struct {
	serve.Config
	// Database is projects/p/instances/i/databases/d.
	Database string `env:"SPANNER_DATABASE,required"`
}

func main() {
	var config config
	serve.Main("order", &config, func(ctx context.Context, app *serve.App) error {
		database, err := spannerdb.Open(ctx, config.Database)
		if err != nil {
			return err
		}
		app.Close(func(context.Context) error { database.Close(); return nil })
		app.Ready("spanner", spannerdb.Ping(database))

		service := order.New(orderspanner.New(database))
		return app.Register(ctx, &orderpb.OrderService_ServiceDesc, order.NewServer(service),
			func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
				return orderpb.RegisterOrderServiceHandlerClient(ctx, mux, orderpb.NewOrderServiceClient(conn))
			})
	})
}
