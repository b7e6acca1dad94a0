// Command checkout is the service that sells: checkouts, and the stock that they take from.
package main

import (
	"context"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	cartpb "larder.dev/api/cart/v1"
	checkoutpb "larder.dev/api/checkout/v1"
	paymentpb "larder.dev/api/payment/v1"
	productpb "larder.dev/api/product/v1"
	stockpb "larder.dev/api/stock/v1"
	"larder.dev/internal/chaos"
	"larder.dev/internal/checkout"
	checkoutredis "larder.dev/internal/checkout/redis"
	checkoutrpc "larder.dev/internal/checkout/rpc"
	checkoutspanner "larder.dev/internal/checkout/spanner"
	"larder.dev/internal/serve"
	"larder.dev/internal/spannerdb"
	"larder.dev/internal/stock"
	stockredis "larder.dev/internal/stock/redis"
	stockrpc "larder.dev/internal/stock/rpc"
	stockspanner "larder.dev/internal/stock/spanner"
)

type config struct {
	serve.Config
	Checkout  checkout.Config
	Database  string `env:"SPANNER_DATABASE,required"`
	StockAddr string `env:"STOCK_REDIS_ADDR,required"`
	Product   string `env:"PRODUCT_ADDR,required"`
	Cart      string `env:"CART_ADDR,required"`
	Payment   string `env:"PAYMENT_ADDR,required"`
}

func main() {
	var config config
	serve.Main("checkout", &config, func(ctx context.Context, app *serve.App) error {
		database, err := spannerdb.Open(ctx, config.Database)
		if err != nil {
			return err
		}
		app.Close(func(context.Context) error { database.Close(); return nil })
		app.Ready("spanner", spannerdb.Ping(database))

		virtual, err := stockredis.Open(config.StockAddr)
		if err != nil {
			return err
		}
		app.Close(func(context.Context) error { return virtual.Close() })
		app.Ready("stock redis", virtual.SelfTest)

		products, err := app.Dial(config.Product)
		if err != nil {
			return err
		}
		carts, err := app.Dial(config.Cart)
		if err != nil {
			return err
		}
		payments, err := app.Dial(config.Payment)
		if err != nil {
			return err
		}

		ledger := stockspanner.NewLedger(database)
		catalogue := stockrpc.Catalogue{Client: productpb.NewProductServiceClient(products)}
		stocks := stock.NewService(virtual, ledger)
		books := checkoutspanner.NewBooks(database, chaos.Now)
		checkouts := checkout.NewService(config.Checkout, books, stocks,
			checkoutrpc.Payments{Client: paymentpb.NewPaymentServiceClient(payments)},
			checkoutrpc.Carts{Client: cartpb.NewCartServiceClient(carts)},
			checkoutredis.NewLocks(virtual.Client()),
			checkoutrpc.Catalogue{Client: productpb.NewProductServiceClient(products)}, chaos.Now)

		app.Go("attend", checkouts.Attend)

		reconciler := stock.NewReconciler(stocks, ledger, checkoutspanner.NewSales(database))
		stockServer := stock.NewServer(stocks, reconciler, catalogue, chaos.Now)
		if err := app.Register(ctx, &stockpb.StockService_ServiceDesc, stockServer, stockGateway); err != nil {
			return err
		}
		return app.Register(ctx, &checkoutpb.CheckoutService_ServiceDesc, checkout.NewServer(checkouts, books), checkoutGateway)
	})
}

func checkoutGateway(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
	return checkoutpb.RegisterCheckoutServiceHandlerClient(ctx, mux, checkoutpb.NewCheckoutServiceClient(conn))
}

func stockGateway(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
	return stockpb.RegisterStockServiceHandlerClient(ctx, mux, stockpb.NewStockServiceClient(conn))
}
