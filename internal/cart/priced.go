package cart

import (
	"fmt"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/money"
	"larder.dev/internal/pricing"
)

// Priced is a cart at today's prices.
type Priced struct {
	Cart
	Items []Item
	// Totals are over the items that the store sells; nil if they cost more than an order may (pricing.MaxTotal).
	Totals *pricing.Totals
}

// Item is a line as the store offers it now.
type Item struct {
	Line
	// Size, ImageURI, TaxRateBPS, UnitPrice and LineTotal are today's. Of a product that is no longer in the catalogue they are
	// empty, and Name is that of the line.
	Size       string
	ImageURI   string
	TaxRateBPS int32
	// MaxPerShopper is how many units one shopper may buy in a day; 0: no limit.
	MaxPerShopper int32
	// PieceGrams is what a piece typically weighs; 0: sold by the piece.
	PieceGrams int32
	UnitPrice  *money.Money
	LineTotal  *money.Money
	// PreviousUnitPrice is that of the line where today's differs or is missing, else nil.
	PreviousUnitPrice *money.Money
	// Changes are what is no longer as it was when the line was put in, in the order of the constants.
	Changes []Change
	// Sold is whether the store sells the product. Available is what the catalogue has heard of the stock.
	Sold, Available bool
}

// Change is something about an item that isn't as it was when it was put in.
type Change string

// Changes.
const (
	PriceChanged   Change = "PRICE"
	SoldOut        Change = "SOLD_OUT"
	AvailableAgain Change = "AVAILABLE_AGAIN"
	NotSold        Change = "NOT_SOLD"
)

// catalogue is what product has told of a store and some products.
type catalogue struct {
	store  *productpb.Store
	offers map[string]*productpb.Offer
}

func (c catalogue) currency() string { return c.store.GetCurrency() }

func (c catalogue) delivery() pricing.Delivery {
	return pricing.Delivery{Fee: money.FromProto(c.store.GetDeliveryFee()), FreeFrom: money.FromProto(c.store.GetFreeDeliveryFrom())}
}

// covers tells whether this catalogue can price a cart: it is of the cart's store, and no product was left unasked.
func (c catalogue) covers(cart Cart) bool {
	if c.store.GetStoreId() != cart.StoreID {
		return false
	}
	for _, line := range cart.Lines {
		if _, ok := c.offers[line.ProductID]; !ok {
			return false
		}
	}
	return true
}

// price computes what a cart costs today.
func price(cart Cart, known catalogue) (Priced, error) {
	priced := Priced{Cart: cart, Items: make([]Item, 0, len(cart.Lines))}
	var sold []pricing.Line
	for _, line := range cart.Lines {
		offer := known.offers[line.ProductID]
		item, err := offered(line, offer)
		if err != nil {
			return Priced{}, err
		}
		item.Changes = item.changes()
		priced.Items = append(priced.Items, item)
		if item.Sold {
			sold = append(sold, pricing.Line{
				ProductID: line.ProductID, Name: item.Name, Quantity: line.Quantity,
				UnitPrice: *item.UnitPrice, TaxRateBPS: int64(item.TaxRateBPS), PieceGrams: int64(item.PieceGrams),
			})
		}
	}
	totals, err := pricing.Total(known.currency(), sold, known.delivery())
	switch {
	case err == nil:
		priced.Totals = &totals
	case !tooLarge(err):
		return Priced{}, fmt.Errorf("total of the cart: %w", err)
	}
	return priced, nil
}

// changes compares an item with its line, whose product the store sold when it was put in.
func (i Item) changes() []Change {
	if !i.Sold {
		return []Change{NotSold}
	}
	var changes []Change
	if i.PreviousUnitPrice != nil {
		changes = append(changes, PriceChanged)
	}
	switch {
	case i.Stock == InStock && !i.Available:
		changes = append(changes, SoldOut)
	case i.Stock == OutOfStock && i.Available:
		changes = append(changes, AvailableAgain)
	}
	return changes
}

// offered lays today's offer over a line; a nil offer means that the product is gone.
func offered(line Line, offer *productpb.Offer) (Item, error) {
	item := Item{
		Line: line, Size: offer.GetSize(), ImageURI: offer.GetImageUri(), TaxRateBPS: offer.GetTaxRateBps(),
		MaxPerShopper: offer.GetMaxPerShopper(), PieceGrams: offer.GetPieceGrams(), Sold: offer.GetSold(), Available: offer.GetSold() && offer.GetAvailable(),
	}
	if offer.GetName() != "" {
		item.Name = offer.GetName()
	}
	if offer.GetPrice() == nil {
		if item.Sold {
			return Item{}, fmt.Errorf("offer of %s has no price", line.ProductID)
		}
		item.PreviousUnitPrice = &line.UnitPrice
		return item, nil
	}
	unit := money.FromProto(offer.GetPrice())
	item.UnitPrice = &unit
	if total, err := unit.Times(line.Quantity); err == nil { // else the cart is too large, and has no totals either
		item.LineTotal = &total
	}
	if unit != line.UnitPrice {
		item.PreviousUnitPrice = &line.UnitPrice
	}
	return item, nil
}
