// Package clearcart is the function ClearCart: the cart that became an order is emptied, if it is still as it was then. Checkout has tried it first.
package clearcart

import (
	"context"
	"net/http"

	cartpb "larder.dev/api/cart/v1"
	orderpb "larder.dev/api/order/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/functions/internal/push"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
)

type config struct {
	function.Config
	// CartAddr is the cart service, host:port.
	CartAddr string `env:"CART_ADDR,required"`
}

// New makes the function.
func New(ctx context.Context, app *function.App) (http.Handler, error) {
	var config config
	if err := app.Load(&config); err != nil {
		return nil, err
	}
	conn, err := app.Dial(config.CartAddr)
	if err != nil {
		return nil, err
	}
	carts := cartpb.NewCartServiceClient(conn)
	return app.Push(ctx, push.On(event.OrderEvents, func(ctx context.Context, _ event.Event, confirmed *orderpb.OrderConfirmed) error {
		_, err := carts.ClearCart(ctx, &cartpb.ClearCartRequest{CartId: confirmed.GetCartId(), Etag: confirmed.GetCartEtag()})
		return fault.FromRPC(err)
	}))
}
