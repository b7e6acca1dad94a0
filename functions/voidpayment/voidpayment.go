// Package voidpayment is the function VoidPayment: an order that is called off has its payment voided.
package voidpayment

import (
	"context"
	"net/http"

	orderpb "larder.dev/api/order/v1"
	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/functions/internal/push"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
)

type config struct {
	function.Config
	// PaymentAddr is the payment service, host:port.
	PaymentAddr string `env:"PAYMENT_ADDR,required"`
}

// New makes the function.
func New(ctx context.Context, app *function.App) (http.Handler, error) {
	var config config
	if err := app.Load(&config); err != nil {
		return nil, err
	}
	conn, err := app.Dial(config.PaymentAddr)
	if err != nil {
		return nil, err
	}
	payments := paymentpb.NewPaymentServiceClient(conn)
	return app.Push(ctx, push.On(event.OrderEvents, func(ctx context.Context, _ event.Event, cancelled *orderpb.OrderCancelled) error {
		_, err := payments.VoidPayment(ctx, &paymentpb.VoidPaymentRequest{OrderId: cancelled.GetOrder().GetOrderId()})
		if fault.Is(err, fault.PaymentProcessing) { // for now
			return push.Again(err)
		}
		return fault.FromRPC(err)
	}))
}
