// Package rpc lets checkout use the rooms cart and payment by their services.
package rpc

import (
	"context"
	"fmt"

	cartpb "larder.dev/api/cart/v1"
	paymentpb "larder.dev/api/payment/v1"
	productpb "larder.dev/api/product/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/checkout"
	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/order"
	"larder.dev/internal/payment"
	"larder.dev/internal/pricing"
)

// Carts implements checkout.Carts.
type Carts struct{ Client cartpb.CartServiceClient }

// Quote implements checkout.Carts.
func (c Carts) Quote(ctx context.Context, id string) (checkout.Quote, error) {
	cart, err := c.Client.GetCart(ctx, &cartpb.GetCartRequest{CartId: id})
	if err != nil {
		return checkout.Quote{}, fault.FromRPC(err)
	}
	if cart.GetTotals() == nil {
		return checkout.Quote{}, fault.CartTooLarge.New("the cart costs more than one order may")
	}
	quote := checkout.Quote{CartID: cart.GetCartId(), CartETag: cart.GetEtag(), StoreID: cart.GetStoreId(), Totals: totals(cart.GetTotals())}
	for _, item := range cart.GetItems() {
		if !item.GetSold() {
			quote.NotSold = append(quote.NotSold, item.GetProductId())
			continue
		}
		if limit := item.GetMaxPerShopper(); limit > 0 {
			if quote.MaxPerShopper == nil {
				quote.MaxPerShopper = map[string]int64{}
			}
			quote.MaxPerShopper[item.GetProductId()] = int64(limit)
		}
		quote.Lines = append(quote.Lines, pricing.Line{
			ProductID: item.GetProductId(), Name: item.GetName(), Quantity: int64(item.GetQuantity()),
			UnitPrice: money.FromProto(item.GetUnitPrice()), TaxRateBPS: int64(item.GetTaxRateBps()), PieceGrams: int64(item.GetPieceGrams()),
			Substitutable: item.GetSubstitutable(),
		})
	}
	return quote, nil
}

// Clear implements checkout.Carts.
func (c Carts) Clear(ctx context.Context, id, etag string) error {
	if _, err := c.Client.ClearCart(ctx, &cartpb.ClearCartRequest{CartId: id, Etag: etag}); err != nil {
		return fmt.Errorf("clear cart: %w", err)
	}
	return nil
}

func totals(p *typepb.Totals) pricing.Totals {
	t := pricing.Totals{
		Lines: money.FromProto(p.GetLines()), Discounts: money.FromProto(p.GetDiscounts()), DeliveryFee: money.FromProto(p.GetDeliveryFee()),
		Total: money.FromProto(p.GetTotal()), Tax: money.FromProto(p.GetTax()),
	}
	if p.GetHeadroom() != nil {
		t.Headroom = money.FromProto(p.GetHeadroom())
	}
	for _, tax := range p.GetTaxes() {
		t.Taxes = append(t.Taxes, pricing.Tax{RateBPS: int64(tax.GetRateBps()), Gross: money.FromProto(tax.GetGross()), Tax: money.FromProto(tax.GetTax())})
	}
	return t
}

// Catalogue implements checkout.Catalogue.
type Catalogue struct {
	Client productpb.ProductServiceClient
}

// Offers implements checkout.Catalogue.
func (c Catalogue) Offers(ctx context.Context, store string, products []string) (map[string]order.Offer, error) {
	answer, err := c.Client.BatchGetOffers(ctx, &productpb.BatchGetOffersRequest{StoreId: store, ProductIds: products})
	if err != nil {
		return nil, fault.FromRPC(err)
	}
	offers := make(map[string]order.Offer, len(answer.GetOffers()))
	for _, o := range answer.GetOffers() {
		if o.GetSold() {
			offers[o.GetProductId()] = order.Offer{Name: o.GetName(), Price: money.FromProto(o.GetPrice()), TaxRateBPS: int64(o.GetTaxRateBps())}
		}
	}
	return offers, nil
}

// Payments implements checkout.Payments.
type Payments struct {
	Client paymentpb.PaymentServiceClient
}

// Create implements checkout.Payments.
func (p Payments) Create(ctx context.Context, id string, amount money.Money) (payment.Intent, error) {
	return intent(p.Client.CreateIntent(ctx, &paymentpb.CreateIntentRequest{OrderId: id, Amount: amount.Proto()}))
}

// Confirm implements checkout.Payments.
func (p Payments) Confirm(ctx context.Context, intentID, id, method string) (payment.Intent, error) {
	return intent(p.Client.ConfirmIntent(ctx, &paymentpb.ConfirmIntentRequest{IntentId: intentID, OrderId: id, PaymentMethod: method}))
}

// Get implements checkout.Payments.
func (p Payments) Get(ctx context.Context, intentID string) (payment.Intent, error) {
	return intent(p.Client.GetIntent(ctx, &paymentpb.GetIntentRequest{IntentId: intentID}))
}

// Void implements checkout.Payments.
func (p Payments) Void(ctx context.Context, id string) error {
	if _, err := p.Client.VoidPayment(ctx, &paymentpb.VoidPaymentRequest{OrderId: id}); err != nil {
		return fmt.Errorf("ask the payment service: %w", err)
	}
	return nil
}

// CaptureAgain implements checkout.Payments.
func (p Payments) CaptureAgain(ctx context.Context, id string) error {
	if _, err := p.Client.CapturePayment(ctx, &paymentpb.CapturePaymentRequest{OrderId: id}); err != nil {
		return fmt.Errorf("ask the payment service: %w", fault.FromRPC(err))
	}
	return nil
}

func intent(p *paymentpb.Intent, err error) (payment.Intent, error) {
	if err != nil {
		return payment.Intent{}, fmt.Errorf("ask the payment service: %w", err)
	}
	return payment.IntentFromProto(p), nil
}
