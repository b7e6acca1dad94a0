// Package applypaymentevent is the function ApplyPaymentEvent: what the provider told is taken in, and a checkout that waits for it goes on (rule
// 10, re-entry). An order's row is there before its payment is confirmed, so an event of an unknown order is none of ours.
package applypaymentevent

import (
	"context"
	"net/http"

	checkoutpb "larder.dev/api/checkout/v1"
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
	// CheckoutAddr is the checkout service, host:port.
	CheckoutAddr string `env:"CHECKOUT_ADDR,required"`
}

// New makes the function.
func New(ctx context.Context, app *function.App) (http.Handler, error) {
	var config config
	if err := app.Load(&config); err != nil {
		return nil, err
	}
	paymentConn, err := app.Dial(config.PaymentAddr)
	if err != nil {
		return nil, err
	}
	checkoutConn, err := app.Dial(config.CheckoutAddr)
	if err != nil {
		return nil, err
	}
	payments, checkouts := paymentpb.NewPaymentServiceClient(paymentConn), checkoutpb.NewCheckoutServiceClient(checkoutConn)
	return app.Push(ctx, push.On(event.PaymentEvents, func(ctx context.Context, _ event.Event, told *paymentpb.ProviderEvent) error {
		answer, err := payments.ApplyProviderEvent(ctx, &paymentpb.ApplyProviderEventRequest{Event: told})
		if err != nil {
			return fault.FromRPC(err)
		}
		// Also when the event had been taken in before: the call that did it may have ended here.
		if answer.GetResumeCheckout() {
			_, err = checkouts.ResumeCheckout(ctx, &checkoutpb.ResumeCheckoutRequest{CheckoutId: told.GetOrderId()})
		}
		return fault.FromRPC(err)
	}))
}
