package checkout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"larder.dev/internal/chaos"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
	"larder.dev/internal/pricing"
	"larder.dev/internal/stock"
)

// Packing is an order as it was picked.
type Packing struct {
	// Step leads to PACKED.
	order.Step
	// For is who is named in the ledger: a user's id.
	For   string
	Picks []order.Pick
	// Receipt and Changes follow from the picks: what it costs, and what the ledger gets back or gives as a substitute, each product once.
	Receipt pricing.Receipt
	Changes []stock.Line
}

// Catalogue is the room product, by its service.
type Catalogue interface {
	// Offers returns those of some products that a store sells now.
	Offers(ctx context.Context, store string, products []string) (map[string]order.Offer, error)
}

// PackingID is the id of the entry that a packed order's exchange makes.
func PackingID(id string) string { return "packing:" + id }

// Pack packs an order with what was picked of it, by one transaction: the order's receipt, what its payment is to be captured for, and the
// ledger's entry under the store's epoch (rule 8). Goods that were missing are on sale again; substitutes are taken like an adjustment, held
// before they are entered, so that none is promised twice. What a process that dies leaves behind is finished by the event OrderPacked, and an
// overdue hold by whoever looks after those of adjustments. Packed already with the same goods, nothing changes. Errors: ORDER_NOT_FOUND,
// ETAG_MISMATCH, ORDER_STATE_CONFLICT, OUT_OF_STOCK, INVALID_ARGUMENT, UNAVAILABLE.
func (s *Service) Pack(ctx context.Context, id string, packing Packing) error {
	bought, frozen, err := s.books.Bought(ctx, id)
	if err != nil {
		return fmt.Errorf("look at order %s: %w", id, err)
	}
	// Whatever can't be is told before anything is held: the transaction decides the same again.
	if _, _, err := bought.Take(packing.Step, s.now()); err != nil {
		return err
	}
	offers, err := s.offers(ctx, bought.StoreID, order.SubstitutesOf(packing.Picks))
	if err != nil {
		return err
	}
	if packing.Receipt, err = bought.Pick(packing.Picks, offers); err != nil {
		return err
	}
	packing.Changes = frozen.exchanged(bought.Exchanged(packing.Receipt))
	enter := func(under stock.Epoch) (entered, current stock.Epoch, err error) {
		return s.books.Pack(ctx, id, packing, under)
	}
	if len(packing.Changes) == 0 || bought.State == order.Packed {
		_, _, err = enter(0)
	} else {
		err = s.stock.Exchange(ctx, bought.StoreID, PackingID(id), packing.Changes, enter)
	}
	var short *stock.InsufficientError
	switch {
	case errors.As(err, &short):
		return fault.OutOfStock.New("only %d of %s may still be promised", short.Shortages[0].Available, short.Shortages[0].ProductID).
			WithMetadata("product_id", short.Shortages[0].ProductID)
	case errors.Is(err, stock.ErrOtherLines):
		return fault.Unavailable.New("the order is being packed with other goods").WithRetryAfter(lookAgain)
	case err != nil:
		return fmt.Errorf("pack order %s: %w", id, err)
	}
	chaos.At(chaos.CheckoutPacked)
	return nil
}

func (s *Service) offers(ctx context.Context, store string, products []string) (map[string]order.Offer, error) {
	if len(products) == 0 {
		return nil, nil
	}
	offers, err := s.catalogue.Offers(ctx, store, products)
	if err != nil {
		return nil, fmt.Errorf("price substitutes: %w", err)
	}
	return offers, nil
}

// exchanged adds to what goods change what the shopper has used up of limits: of what wasn't given, another may be bought today.
func (f Frozen) exchanged(goods map[string]int64) []stock.Line {
	lines := make([]stock.Line, 0, len(goods))
	for product, n := range goods {
		lines = append(lines, stock.Line{ProductID: product, Quantity: n})
	}
	for _, limit := range f.Limits {
		if n := goods[limit.ProductID]; n > 0 {
			line := stock.LimitLine(limit.Day, limit.ProductID, f.UserID, n, limit.Max)
			lines = append(lines, stock.Line{ProductID: line.ProductID, Quantity: n})
		}
	}
	slices.SortFunc(lines, func(a, b stock.Line) int { return strings.Compare(a.ProductID, b.ProductID) })
	return lines
}

// Taken are what an order holds of what stock counts: what it was sold, less what its packing gave back and with what that took. Each once.
func (f Frozen) Taken(o order.Order) []stock.Line {
	sold := f.StockLines()
	if o.Receipt == nil {
		return sold
	}
	left := map[string]int64{}
	for _, line := range sold {
		left[line.ProductID] += line.Quantity
	}
	for _, change := range f.exchanged(o.Exchanged(*o.Receipt)) {
		left[change.ProductID] -= change.Quantity
	}
	lines := make([]stock.Line, 0, len(left))
	for product, n := range left {
		if n != 0 {
			lines = append(lines, stock.Line{ProductID: product, Quantity: n})
		}
	}
	slices.SortFunc(lines, func(a, b stock.Line) int { return strings.Compare(a.ProductID, b.ProductID) })
	return lines
}
