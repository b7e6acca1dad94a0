package checkout

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	checkoutpb "larder.dev/api/checkout/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
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
	slot, refused, err := s.choose(ctx, r)
	if refused != nil || err != nil {
		return Frozen{}, encodeRefusal(refused), err
	}
	return Frozen{
		UserID: r.UserID, StoreID: r.StoreID, CartID: quote.CartID, CartETag: quote.CartETag,
		Lines: quote.Lines, Totals: quote.Totals, Address: r.Address, PaymentMethod: r.PaymentMethod, Slot: slot,
		Limits: limits(quote, s.now()),
	}, nil, nil
}

// limits are those of the quote's lines, on the day that it is in the store: by UTC, since stores have no zone of their own.
func limits(q Quote, now time.Time) []Limit {
	var all []Limit
	for _, line := range q.Lines {
		known := slices.ContainsFunc(all, func(l Limit) bool { return l.ProductID == line.ProductID })
		if limit := q.MaxPerShopper[line.ProductID]; limit > 0 && !known {
			all = append(all, Limit{ProductID: line.ProductID, Day: now.UTC().Format(time.DateOnly), Max: limit})
		}
	}
	return all
}

// choose looks up the delivery slot, nil if none is asked for. Whether it takes another order, its reservation tells.
func (s *Service) choose(ctx context.Context, r Request) (*order.Slot, *fault.Error, error) {
	if r.SlotID == "" {
		return nil, nil, nil
	}
	slot, known, err := s.stock.Slot(ctx, r.StoreID, r.SlotID)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("look up the delivery slot: %w", err)
	case !known:
		return nil, s.slotUnavailable(ctx, r.StoreID, r.SlotID, "store %s has no such delivery slot", r.StoreID), nil
	case !s.now().Before(slot.Start):
		return nil, s.slotUnavailable(ctx, r.StoreID, r.SlotID, "the delivery slot began %s", slot.Start.UTC().Format(time.RFC3339)), nil
	default:
		return &order.Slot{ID: slot.ID, Start: slot.Start, End: slot.End}, nil, nil
	}
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

// tooLittle is the refusal of what is short. Goods come before limits, and these before the delivery slot: a shopper who must change the
// cart anyhow chooses a slot afterwards. Limits that are exceeded are told besides goods, so that the cart need change only once.
func (s *Service) tooLittle(ctx context.Context, frozen Frozen, short *stock.InsufficientError) *fault.Error {
	goods, limits, full := &checkoutpb.OutOfStock{}, &checkoutpb.LimitExceeded{}, ""
	for _, shortage := range short.Shortages {
		if slot, ok := stock.SlotOf(shortage.ProductID); ok {
			full = slot
		} else if product, ok := stock.LimitOf(shortage.ProductID); ok {
			frozen.exceeded(limits, product, shortage)
		} else {
			goods.Shortages = append(goods.Shortages, &checkoutpb.Shortage{
				ProductId: shortage.ProductID, Requested: shortage.Requested, Available: shortage.Available,
			})
		}
	}
	switch {
	case len(goods.GetShortages()) > 0:
		refusal := fault.OutOfStock.New("not enough is left of %d products", len(goods.GetShortages())).WithDetail(goods)
		if len(limits.GetLimits()) > 0 {
			refusal = refusal.WithDetail(limits)
		}
		return refusal
	case len(limits.GetLimits()) > 0:
		return fault.LimitExceeded.New("of %d products you may buy no more today than is left of your limit", len(limits.GetLimits())).WithDetail(limits)
	default:
		return s.slotUnavailable(ctx, frozen.StoreID, full, "the delivery slot is full")
	}
}

// exceeded adds what is short of a product's limit.
func (f Frozen) exceeded(detail *checkoutpb.LimitExceeded, product string, short stock.Shortage) {
	for _, limit := range f.Limits {
		if limit.ProductID != product {
			continue
		}
		detail.Limits = append(detail.Limits, &checkoutpb.ExceededLimit{
			ProductId: product, Requested: short.Requested, MaxPerShopper: limit.Max, Available: short.Available,
		})
		if day, err := time.Parse(time.DateOnly, limit.Day); err == nil {
			detail.RenewTime = timestamppb.New(day.AddDate(0, 0, 1))
		}
	}
}

// alternatives is how many slots a refusal offers at most.
const alternatives = 5

func (s *Service) slotUnavailable(ctx context.Context, store, slot, format string, args ...any) *fault.Error {
	detail := &checkoutpb.SlotUnavailable{SlotId: slot}
	free, err := s.stock.FreeSlots(ctx, store, s.now(), alternatives)
	if err != nil { // the refusal stands all the same
		slog.WarnContext(ctx, "offer no other slots", "store", store, "error", err)
	}
	for _, other := range free {
		detail.Alternatives = append(detail.Alternatives, &typepb.Slot{
			SlotId: other.ID, StartTime: timestamppb.New(other.Start), EndTime: timestamppb.New(other.End),
		})
	}
	return fault.SlotUnavailable.New(format, args...).WithDetail(detail)
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
