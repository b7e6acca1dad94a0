// Package pricing has the one function that computes what an order costs: before it is picked, and, as its receipt, afterwards.
//
//	total = lines + delivery fee - discounts; tax is part of every price, by each product's own rate.
//
// Goods that are sold by weight cost what a piece typically weighs until they are weighed. What they may cost more then is the headroom: an
// order is authorised for total + headroom, and its receipt never costs more (docs/decisions/0260-headroom-of-weighed-goods.md).
package pricing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/money"
)

// Line is a quantity of one product at a price.
type Line struct {
	ProductID string      `json:"product_id"`
	Name      string      `json:"name"`
	Quantity  int64       `json:"quantity"`
	UnitPrice money.Money `json:"unit_price"`
	// TaxRateBPS is in basis points: 2000 is 20 %.
	TaxRateBPS int64 `json:"tax_rate_bps"`
	// PieceGrams, where it isn't zero, makes the product one that is sold by weight: what the unit price is for.
	PieceGrams int64 `json:"piece_grams,omitempty"`
	// Grams is what the pieces together weigh; zero: they aren't weighed yet.
	Grams int64 `json:"grams,omitempty"`
	// Discount is taken off the whole line, minor units, at most what it costs.
	Discount int64 `json:"discount,omitempty"`
	// Substitutable tells that the shopper takes another product in its place.
	Substitutable bool `json:"substitutable,omitempty"`
	// SubstituteFor is, in a receipt, the product that was ordered where this one was given.
	SubstituteFor string `json:"substitute_for,omitempty"`
}

// HeadroomBPS is how much more than ordered goods that are sold by weight may cost, in basis points of their lines.
const HeadroomBPS = 2000

// Cost is the line before its discount. Errors: money.ErrOverflow.
func (l Line) Cost() (money.Money, error) { return l.CostOf(l.Quantity) }

// CostOf is what the first pieces of the line cost before its discount, their share of the weight if they are weighed, so that the costs of parts
// add up to the line's. Errors: money.ErrOverflow.
func (l Line) CostOf(pieces int64) (money.Money, error) {
	if l.PieceGrams == 0 || l.Grams == 0 || l.Quantity == 0 {
		return l.UnitPrice.Times(pieces)
	}
	whole, err := l.UnitPrice.Times(l.Grams)
	if err != nil {
		return money.Money{}, err
	}
	return share(money.Of(money.Round(whole.Minor, l.PieceGrams), l.UnitPrice.Currency), pieces, l.Quantity)
}

// PaidFor is CostOf less the pieces' share of the discount: what was charged for them. Errors: money.ErrOverflow.
func (l Line) PaidFor(pieces int64) (money.Money, error) {
	cost, err := l.CostOf(pieces)
	if err != nil || l.Discount == 0 || l.Quantity == 0 {
		return cost, err
	}
	off, err := share(money.Of(l.Discount, cost.Currency), pieces, l.Quantity)
	return money.Of(cost.Minor-off.Minor, cost.Currency), err
}

func share(of money.Money, pieces, all int64) (money.Money, error) {
	part, err := of.Times(pieces)
	return money.Of(money.Round(part.Minor, all), of.Currency), err
}

// Headroom is what the line may cost more once it is weighed. Errors: money.ErrOverflow.
func (l Line) Headroom() (money.Money, error) {
	if l.PieceGrams == 0 || l.Grams != 0 {
		return money.Of(0, l.UnitPrice.Currency), nil
	}
	most, err := l.UnitPrice.Times(l.Quantity)
	if err == nil {
		most, err = most.Times(HeadroomBPS)
	}
	return money.Of(money.Round(most.Minor, 10000), most.Currency), err
}

// Delivery is a store's rule for the fee.
type Delivery struct {
	Fee money.Money
	// FreeFrom waives the fee for orders whose lines reach it; zero means never.
	FreeFrom money.Money
}

// FeeTaxRateBPS is the tax rate of the delivery fee, the standard rate of VAT.
const FeeTaxRateBPS = 2000

// Tax is the tax of one rate, contained in Gross.
type Tax struct {
	RateBPS int64       `json:"rate_bps"`
	Gross   money.Money `json:"gross"`
	Tax     money.Money `json:"tax"`
}

// Totals says what an order costs and why. Taxes are by ascending rate; Tax is their sum.
type Totals struct {
	Lines       money.Money `json:"lines"`
	Discounts   money.Money `json:"discounts"`
	DeliveryFee money.Money `json:"delivery_fee"`
	Total       money.Money `json:"total"`
	Tax         money.Money `json:"tax"`
	Taxes       []Tax       `json:"taxes"`
	// Headroom is what goods may cost more once they are weighed. It is no part of the total.
	Headroom money.Money `json:"headroom,omitzero"`
}

// Most is what is authorised: nobody is ever charged more.
func (t Totals) Most() money.Money { return money.Of(t.Total.Minor+t.Headroom.Minor, t.Total.Currency) }

// MaxTotal bounds an order with its headroom, minor units: providers take eight digits.
const MaxTotal = 99_999_999

var (
	// ErrTooLarge tells that a total is above MaxTotal.
	ErrTooLarge = errors.New("the order's total is too large")
	// ErrDiscount tells that more is taken off a line than it costs.
	ErrDiscount = errors.New("the discount is more than the line costs")
)

// Total computes an order in a currency. No lines cost nothing, no fee either. Tax is rounded once a rate, over the sum of
// that rate less its discounts. Errors: ErrTooLarge, ErrDiscount, money.ErrOverflow, money.ErrCurrency.
func Total(currency string, lines []Line, delivery Delivery) (Totals, error) {
	none := money.Of(0, currency)
	totals := Totals{Lines: none, Discounts: none, DeliveryFee: none, Total: none, Tax: none}
	grossByRate := map[int64]money.Money{}
	for _, line := range lines {
		net, err := totals.add(line)
		if err != nil {
			return Totals{}, fmt.Errorf("line of %s: %w", line.ProductID, err)
		}
		gross := grossByRate[line.TaxRateBPS]
		grossByRate[line.TaxRateBPS] = money.Of(gross.Minor+net, currency)
	}
	goods := totals.Lines.Minor - totals.Discounts.Minor
	if len(lines) > 0 && (delivery.FreeFrom.Minor == 0 || goods < delivery.FreeFrom.Minor) && delivery.Fee.Minor > 0 {
		if delivery.Fee.Currency != currency {
			return Totals{}, fmt.Errorf("delivery fee: %w", money.ErrCurrency)
		}
		if delivery.Fee.Minor > MaxTotal-goods-totals.Headroom.Minor {
			return Totals{}, ErrTooLarge
		}
		totals.DeliveryFee = delivery.Fee
		gross := grossByRate[FeeTaxRateBPS]
		grossByRate[FeeTaxRateBPS] = money.Of(gross.Minor+delivery.Fee.Minor, currency)
	}
	totals.Total = money.Of(goods+totals.DeliveryFee.Minor, currency)
	for rate, gross := range grossByRate {
		tax, err := money.TaxWithin(gross, rate)
		if err != nil {
			return Totals{}, fmt.Errorf("tax at %d: %w", rate, err)
		}
		totals.Taxes = append(totals.Taxes, Tax{RateBPS: rate, Gross: gross, Tax: tax})
		totals.Tax.Minor += tax.Minor
	}
	slices.SortFunc(totals.Taxes, func(a, b Tax) int { return cmp.Compare(a.RateBPS, b.RateBPS) })
	return totals, nil
}

// add takes a line into the sums of lines, discounts and headroom, and returns what it costs less its discount.
func (t *Totals) add(line Line) (net int64, err error) {
	cost, err := line.Cost()
	if err != nil {
		return 0, err
	}
	if t.Lines, err = t.Lines.Add(cost); err != nil {
		return 0, err
	}
	headroom, err := line.Headroom()
	if err != nil {
		return 0, err
	}
	if headroom.Minor > 0 {
		t.Headroom = money.Of(t.Headroom.Minor+headroom.Minor, cost.Currency)
	}
	if line.Discount < 0 || line.Discount > cost.Minor {
		return 0, ErrDiscount
	}
	t.Discounts.Minor += line.Discount
	if t.Lines.Minor > MaxTotal || t.Lines.Minor+t.Headroom.Minor > MaxTotal {
		return 0, ErrTooLarge
	}
	return cost.Minor - line.Discount, nil
}

// Proto is the wire's form.
func (t Totals) Proto() *typepb.Totals {
	p := &typepb.Totals{
		Lines: t.Lines.Proto(), Discounts: t.Discounts.Proto(), DeliveryFee: t.DeliveryFee.Proto(),
		Total: t.Total.Proto(), Tax: t.Tax.Proto(),
	}
	if t.Headroom.Minor > 0 {
		p.Headroom = t.Headroom.Proto()
	}
	for _, tax := range t.Taxes {
		p.Taxes = append(p.Taxes, &typepb.Tax{RateBps: int32(tax.RateBPS), Gross: tax.Gross.Proto(), Tax: tax.Tax.Proto()})
	}
	return p
}

// Receipt is what was given, at what price, and what it costs in all.
type Receipt struct {
	// Lines as picked, substitutes behind the line that they are for. A line of which nothing was there is left out.
	Lines  []Line `json:"lines"`
	Totals Totals `json:"totals"`
}
