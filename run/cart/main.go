// Command cart serves shoppers' carts.
package main

import (
	"context"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	cartpb "larder.dev/api/cart/v1"
	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/cart"
	cartredis "larder.dev/internal/cart/redis"
	"larder.dev/internal/serve"
)

type config struct {
	serve.Config
	// RedisAddr is the Redis server of carts, host:port.
	RedisAddr string `env:"CART_REDIS_ADDR,required"`
	// ProductAddr is the product service, host:port.
	ProductAddr string `env:"PRODUCT_ADDR,required"`
}

func main() {
	var config config
	serve.Main("cart", &config, func(ctx context.Context, app *serve.App) error {
		client, err := cartredis.Open(config.RedisAddr)
		if err != nil {
			return err
		}
		app.Close(func(context.Context) error { return client.Close() })
		store := cartredis.New(client, time.Now)
		app.Ready("redis", store.Ping)

		product, err := app.Dial(config.ProductAddr)
		if err != nil {
			return err
		}
		service := cart.New(store, productpb.NewProductServiceClient(product))
		return app.Register(ctx, &cartpb.CartService_ServiceDesc, cart.NewServer(service),
			func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
				return cartpb.RegisterCartServiceHandlerClient(ctx, mux, cartpb.NewCartServiceClient(conn))
			})
	})
}
