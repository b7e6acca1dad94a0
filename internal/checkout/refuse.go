package checkout

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"

	checkoutpb "larder.dev/api/checkout/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/payment"
	"larder.dev/internal/pricing"
	"larder.dev/internal/stock"
)

// idSpace separates our ids from other uses of UUIDv5.
var idSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://larder.dev/checkouts"))

// ID is the id of a shopper's checkout with an Idempotency-Key (derived, never chosen). It is a UUID
// whose bits are a hash's, so that orders spread evenly over Spanner.
func ID(user, key string) string {
	sum := sha256.Sum256([]byte(user + "\x00" + key))
	return uuid.NewSHA1(idSpace, sum[:]).String()
}

// quote prices the cart and freezes the checkout, or refuses it. A refusal depends on more than the request's bytes, so it
// is told only after a tombstone (rule 6).
func (s *Service) quote(ctx context.Context, r Request) (frozen Frozen, refusal []byte, err error) {
	quote, err := s.carts.Quote(ctx, r.CartID)
	if err != nil {
		// Of a cart's own answers only these two are final; an overloaded cart, or a token at its end, may be asked again.
		var coded *fault.Error
		if errors.As(err, &coded) && (fault.Is(err, fault.CartNotFound) || fault.Is(err, fault.CartTooLarge)) {
			return Frozen{}, encodeRefusal(coded), nil
		}
		return Frozen{}, nil, fmt.Errorf("quote the cart: %w", err)
	}
	if refused := refuse(quote, r); refused != nil {
		return Frozen{}, encodeRefusal(refused), nil
	}
	return Frozen{
		UserID: r.UserID, StoreID: r.StoreID, CartID: quote.CartID, CartETag: quote.CartETag,
		Lines: quote.Lines, Totals: quote.Totals, Address: r.Address, PaymentMethod: r.PaymentMethod,
	}, nil, nil
}

func refuse(q Quote, r Request) *fault.Error {
	switch {
	case q.StoreID != r.StoreID:
		return fault.StoreMismatch.New("the cart is for store %s", q.StoreID).WithMetadata("store_id", q.StoreID)
	case len(q.NotSold) > 0:
		refusal := fault.ProductNotSold.New("the store doesn't sell everything in the cart")
		for _, product := range q.NotSold {
			refusal.WithViolation("items["+product+"]", "not sold by the store")
		}
		return refusal
	case len(q.Lines) == 0:
		return fault.CartEmpty.New("the cart is empty")
	case q.Totals.Total != r.ExpectedTotal:
		return priceChanged(r, q.Totals)
	default:
		return nil
	}
}

func priceChanged(r Request, totals pricing.Totals) *fault.Error {
	return fault.PriceChanged.New("the total is %s today", totals.Total).
		WithDetail(&checkoutpb.PriceChanged{ExpectedTotal: r.ExpectedTotal.Proto(), Totals: totals.Proto()})
}

func outOfStock(short *stock.InsufficientError) *fault.Error {
	detail := &checkoutpb.OutOfStock{}
	for _, shortage := range short.Shortages {
		detail.Shortages = append(detail.Shortages, &checkoutpb.Shortage{
			ProductId: shortage.ProductID, Requested: shortage.Requested, Available: shortage.Available,
		})
	}
	return fault.OutOfStock.New("not enough is left of %d products", len(short.Shortages)).WithDetail(detail)
}

func declined(intent payment.Intent) []byte {
	class := "GENERIC"
	if intent.Decline != nil && intent.Decline.Class != "" {
		class = intent.Decline.Class
	}
	return encodeRefusal(fault.PaymentDeclined.New("the payment was declined").
		WithMetadata("class", class).WithDetail(&checkoutpb.PaymentDeclined{Class: class}))
}

func reused() error {
	return fault.IdempotencyKeyReused.New("the Idempotency-Key was used for another checkout")
}
