// Command payment is the service between the platform and the payment provider.
package main

import (
	"context"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/internal/chaos"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/payment"
	paymentspanner "larder.dev/internal/payment/spanner"
	"larder.dev/internal/payment/stripe"
	"larder.dev/internal/serve"
	"larder.dev/internal/spannerdb"
)

type config struct {
	serve.Config
	Stripe   stripe.Config
	Database string `env:"SPANNER_DATABASE,required"`
	// ReturnURL is where shoppers come back to from the provider's pages; the order's id is appended.
	ReturnURL string `env:"PAYMENT_RETURN_URL" envDefault:"https://larder.dev/checkouts/"`
}

func main() {
	var config config
	serve.Main("payment", &config, func(ctx context.Context, app *serve.App) error {
		database, err := spannerdb.Open(ctx, config.Database)
		if err != nil {
			return err
		}
		app.Close(func(context.Context) error { database.Close(); return nil })
		app.Ready("spanner", spannerdb.Ping(database))

		store := paymentspanner.NewStore(database, orderspanner.OpenAmong)
		provider := stripe.New(config.Stripe)
		service := payment.NewService(provider, store, chaos.Now)
		return app.Register(ctx, &paymentpb.PaymentService_ServiceDesc, payment.NewServer(service, config.ReturnURL, provider),
			func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
				return paymentpb.RegisterPaymentServiceHandlerClient(ctx, mux, paymentpb.NewPaymentServiceClient(conn))
			})
	})
}
