// Package rpc lets order use the rooms checkout and payment by their services.
package rpc

import (
	"context"

	checkoutpb "larder.dev/api/checkout/v1"
	orderpb "larder.dev/api/order/v1"
	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
)

// Checkouts implements order.Checkouts.
type Checkouts struct {
	Client checkoutpb.CheckoutServiceClient
}

var _ order.Checkouts = Checkouts{}

// Cancel implements order.Checkouts.
func (c Checkouts) Cancel(ctx context.Context, id string, step order.Step) error {
	_, err := c.Client.CancelOrder(ctx, &checkoutpb.CancelOrderRequest{
		OrderId: id, Etag: step.ETag, Reason: step.Reason, Actor: string(step.By),
	})
	return fault.FromRPC(err)
}

// Pack implements order.Checkouts.
func (c Checkouts) Pack(ctx context.Context, id, etag, reason string, picks []order.Pick) error {
	packing := &orderpb.PackOrderRequest{OrderId: id, Etag: etag, Reason: reason}
	for _, pick := range picks {
		line := &orderpb.PickedLine{ProductId: pick.ProductID, Quantity: int32(pick.Quantity), Grams: int32(pick.Grams)}
		for _, s := range pick.Substitutes {
			line.Substitutes = append(line.Substitutes, &orderpb.Substitute{ProductId: s.ProductID, Quantity: int32(s.Quantity)})
		}
		packing.Lines = append(packing.Lines, line)
	}
	_, err := c.Client.PackOrder(ctx, &checkoutpb.PackOrderRequest{Packing: packing})
	return fault.FromRPC(err)
}

// Payments implements order.Payments.
type Payments struct {
	Client paymentpb.PaymentServiceClient
}

var _ order.Payments = Payments{}

// Refund implements order.Payments.
func (p Payments) Refund(ctx context.Context, refund order.Refund) error {
	request := &paymentpb.RefundPaymentRequest{OrderId: refund.OrderID, RefundId: refund.ID, Reason: refund.Reason, Actor: refund.Actor}
	for _, line := range refund.Lines {
		request.Lines = append(request.Lines, &orderpb.RefundLine{ProductId: line.ProductID, Quantity: int32(line.Quantity)})
	}
	_, err := p.Client.RefundPayment(ctx, request)
	return fault.FromRPC(err)
}
