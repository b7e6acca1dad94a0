// Package forgetuser is the function ForgetUser: when a person has deleted their account, their cart and their orders forget them too. An
// order that is still on its way keeps the person until it has ended, for somebody has to find the door; its own end sets that off then. So
// every order that ends is looked at, and of most people nothing is to be forgotten.
package forgetuser

import (
	"context"
	"errors"
	"net/http"

	cartpb "larder.dev/api/cart/v1"
	orderpb "larder.dev/api/order/v1"
	userpb "larder.dev/api/user/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/functions/internal/push"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
)

type config struct {
	function.Config
	// CartAddr and OrderAddr are those services, host:port.
	CartAddr  string `env:"CART_ADDR,required"`
	OrderAddr string `env:"ORDER_ADDR,required"`
}

// New makes the function.
func New(ctx context.Context, app *function.App) (http.Handler, error) {
	var config config
	if err := app.Load(&config); err != nil {
		return nil, err
	}
	cartConn, err := app.Dial(config.CartAddr)
	if err != nil {
		return nil, err
	}
	orderConn, err := app.Dial(config.OrderAddr)
	if err != nil {
		return nil, err
	}
	carts, orders := cartpb.NewCartServiceClient(cartConn), orderpb.NewOrderServiceClient(orderConn)

	ended := func(ctx context.Context, order *orderpb.Order) error {
		_, err := orders.ForgetOrder(ctx, &orderpb.ForgetOrderRequest{OrderId: order.GetOrderId()})
		return fault.FromRPC(err)
	}
	return app.Push(ctx,
		push.On(event.UserEvents, func(ctx context.Context, _ event.Event, m *userpb.UserDeleted) error {
			_, ofCart := carts.ForgetCart(ctx, &cartpb.ForgetCartRequest{UserId: m.GetUserId()})
			_, ofOrders := orders.ForgetUser(ctx, &orderpb.ForgetUserRequest{UserId: m.GetUserId()})
			return errors.Join(fault.FromRPC(ofCart), fault.FromRPC(ofOrders)) // one that is away doesn't keep the other waiting
		}),
		push.On(event.OrderEvents, func(ctx context.Context, _ event.Event, m *orderpb.OrderDelivered) error {
			return ended(ctx, m.GetOrder())
		}),
		push.On(event.OrderEvents, func(ctx context.Context, _ event.Event, m *orderpb.OrderCancelled) error {
			return ended(ctx, m.GetOrder())
		}),
	)
}
