// Command order serves orders, their life from the picking to the door, and their history.
package main

import (
	"context"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	checkoutpb "larder.dev/api/checkout/v1"
	orderpb "larder.dev/api/order/v1"
	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/internal/chaos"
	"larder.dev/internal/order"
	orderrpc "larder.dev/internal/order/rpc"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/serve"
	"larder.dev/internal/spannerdb"
)

type config struct {
	serve.Config
	// Database is projects/p/instances/i/databases/d.
	Database string `env:"SPANNER_DATABASE,required"`
	Checkout string `env:"CHECKOUT_ADDR,required"`
	Payment  string `env:"PAYMENT_ADDR,required"`
	Watch    order.WatchConfig
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

		checkouts, err := app.Dial(config.Checkout)
		if err != nil {
			return err
		}
		payments, err := app.Dial(config.Payment)
		if err != nil {
			return err
		}

		store := orderspanner.New(database)
		watchers := order.NewWatchers(ctx, config.Watch, app.Local(), store, app.REST())
		app.Handle(order.WatchPattern, watchers)
		app.Go("watch", watchers.Run)

		service := order.New(store,
			orderrpc.Checkouts{Client: checkoutpb.NewCheckoutServiceClient(checkouts)},
			orderrpc.Payments{Client: paymentpb.NewPaymentServiceClient(payments)}, chaos.Now)
		return app.Register(ctx, &orderpb.OrderService_ServiceDesc, order.NewServer(service),
			func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
				return orderpb.RegisterOrderServiceHandlerClient(ctx, mux, orderpb.NewOrderServiceClient(conn))
			})
	})
}
