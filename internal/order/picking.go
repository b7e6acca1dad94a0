package order

import (
	"fmt"
	"slices"

	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/pricing"
)

// Pick is a line as it was picked.
type Pick struct {
	ProductID string
	// Quantity is how many pieces were there, 0 to those ordered; Grams, what they together weigh, of goods that are sold by weight.
	Quantity, Grams int64
	Substitutes     []Substitute
}

// Substitute is what was given in the place of pieces that weren't there, from 1 piece.
type Substitute struct {
	ProductID string
	Quantity  int64
}

// Offer is a product as the order's store sells it now.
type Offer struct {
	Name       string
	Price      money.Money
	TaxRateBPS int64
}

// SubstitutesOf lists the products that stand in for others, each once.
func SubstitutesOf(picks []Pick) []string {
	var products []string
	for _, pick := range picks {
		for _, s := range pick.Substitutes {
			products = append(products, s.ProductID)
		}
	}
	slices.Sort(products)
	return slices.Compact(products)
}

// Pick makes the receipt of what was picked; lines that picks don't name were picked in full. Each line costs at most what was ordered of
// it with its headroom, and the delivery what was agreed to, so the whole is never above what was authorised. offers has the substitutes that
// the store sells. Errors: INVALID_ARGUMENT, ORDER_STATE_CONFLICT where nothing at all was there: such an order is cancelled.
func (o Order) Pick(picks []Pick, offers map[string]Offer) (pricing.Receipt, error) {
	var receipt pricing.Receipt
	used := 0
	for _, line := range o.Lines {
		pick := Pick{ProductID: line.ProductID, Quantity: line.Quantity}
		field := "lines"
		if i := slices.IndexFunc(picks, func(p Pick) bool { return p.ProductID == line.ProductID }); i >= 0 {
			pick, field = picks[i], fmt.Sprintf("lines[%d]", i)
			used++
		}
		lines, err := picked(line, pick, offers, field)
		if err != nil {
			return pricing.Receipt{}, err
		}
		receipt.Lines = append(receipt.Lines, lines...)
	}
	if used < len(picks) {
		return pricing.Receipt{}, fault.Invalid("lines", "each names another product of the order")
	}
	if len(receipt.Lines) == 0 {
		return pricing.Receipt{}, conflict(o.State, Packed, "nothing was picked: cancel the order")
	}
	total, err := pricing.Total(o.Totals.Total.Currency, receipt.Lines, pricing.Delivery{Fee: o.Totals.DeliveryFee})
	if err != nil {
		return pricing.Receipt{}, fmt.Errorf("total of what was picked of %s: %w", o.ID, err)
	}
	if total.Total.Minor > o.Totals.Most().Minor {
		return pricing.Receipt{}, fmt.Errorf("order %s is authorised for %s, and what was picked costs %s", o.ID, o.Totals.Most(), total.Total)
	}
	receipt.Totals = total
	return receipt, nil
}

// picked is what the receipt has of a line: the goods themselves, and their substitutes.
func picked(line Line, pick Pick, offers map[string]Offer, field string) ([]Line, error) {
	missing := line.Quantity - pick.Quantity
	switch {
	case missing < 0:
		return nil, fault.Invalid(field+".quantity", "only %d were ordered", line.Quantity)
	case line.PieceGrams > 0 && pick.Quantity > 0 && pick.Grams == 0:
		return nil, fault.Invalid(field+".grams", "%s is sold by weight: weigh it", line.ProductID)
	case pick.Grams > 0 && (line.PieceGrams == 0 || pick.Quantity == 0):
		return nil, fault.Invalid(field+".grams", "%s isn't sold by weight, or none was there", line.ProductID)
	case len(pick.Substitutes) > 0 && !line.Substitutable:
		return nil, fault.Invalid(field+".substitutes", "the shopper wants nothing in the place of %s", line.ProductID)
	}
	var lines []Line
	if pick.Quantity > 0 {
		given := line
		given.Quantity, given.Substitutable = pick.Quantity, false
		most, err := mostFor(given)
		if err != nil {
			return nil, err
		}
		given.Grams = pick.Grams
		cost, err := given.Cost()
		if err != nil {
			return nil, err
		}
		if cost.Minor > most {
			return nil, fault.Invalid(field+".grams", "that costs %s, and at most %s are authorised: give less", cost, money.Of(most, cost.Currency))
		}
		lines = append(lines, given)
	}
	for i, s := range pick.Substitutes {
		field := fmt.Sprintf("%s.substitutes[%d]", field, i)
		given, err := substitute(line, s, offers, field)
		if err != nil {
			return nil, err
		}
		if missing -= s.Quantity; missing < 0 {
			return nil, fault.Invalid(field+".quantity", "no more pieces than were missing")
		}
		lines = append(lines, given)
	}
	return lines, nil
}

// mostFor is what pieces that aren't weighed yet may cost.
func mostFor(line Line) (int64, error) {
	cost, err := line.Cost()
	if err != nil {
		return 0, err
	}
	headroom, err := line.Headroom()
	return cost.Minor + headroom.Minor, err
}

// substitute is priced as today, less what it costs more than what was ordered.
func substitute(line Line, s Substitute, offers map[string]Offer, field string) (Line, error) {
	offer, sold := offers[s.ProductID]
	switch {
	case s.ProductID == line.ProductID:
		return Line{}, fault.Invalid(field+".product_id", "is what was ordered")
	case !sold || offer.Price.Currency != line.UnitPrice.Currency:
		return Line{}, fault.Invalid(field+".product_id", "the store doesn't sell it")
	}
	given := Line{
		ProductID: s.ProductID, Name: offer.Name, Quantity: s.Quantity, UnitPrice: offer.Price, TaxRateBPS: offer.TaxRateBPS,
		SubstituteFor: line.ProductID,
	}
	if dearer := offer.Price.Minor - line.UnitPrice.Minor; dearer > 0 {
		given.Discount = dearer * s.Quantity
	}
	return given, nil
}

// Exchanged is what a receipt has otherwise than the order, by product: positive what wasn't given of it, negative what was given as a substitute.
func (o Order) Exchanged(receipt pricing.Receipt) map[string]int64 {
	changes := map[string]int64{}
	for _, line := range o.Lines {
		changes[line.ProductID] += line.Quantity
	}
	for _, line := range receipt.Lines {
		changes[line.ProductID] -= line.Quantity
	}
	for product, n := range changes {
		if n == 0 {
			delete(changes, product)
		}
	}
	return changes
}

// SameGoods tells whether two receipts have the same goods. Prices of substitutes may differ: those that the first one was packed at stand.
func SameGoods(a, b pricing.Receipt) bool {
	return slices.EqualFunc(a.Lines, b.Lines, func(x, y Line) bool {
		return x.ProductID == y.ProductID && x.Quantity == y.Quantity && x.Grams == y.Grams && x.SubstituteFor == y.SubstituteFor
	})
}
