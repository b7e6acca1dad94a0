// Package capturepayment is the function CapturePayment: an order that is packed has its payment captured (rule 12).
package capturepayment

import (
	"context"
	"log/slog"
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
	return app.Push(ctx, push.On(event.OrderEvents, func(ctx context.Context, _ event.Event, packed *orderpb.OrderPacked) error {
		order := packed.GetOrder().GetOrderId()
		_, err := payments.CapturePayment(ctx, &paymentpb.CapturePaymentRequest{OrderId: order})
		if fault.Is(err, fault.PaymentNotCapturable) { // an outcome, which the payment shows: the operator decides, or the order is cancelled already
			slog.ErrorContext(ctx, "payment can't be captured", "order", order, "error", err.Error())
			return nil
		}
		return fault.FromRPC(err)
	}))
}
