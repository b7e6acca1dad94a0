// Package pricing has the one function that computes what an order costs.
//
//	total = lines + delivery fee - discounts; tax is part of every price, by each product's own rate.
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
}

// MaxTotal bounds an order, minor units: providers take eight digits.
const MaxTotal = 99_999_999

// ErrTooLarge tells that a total is above MaxTotal.
var ErrTooLarge = errors.New("the order's total is too large")

// Total computes an order in a currency. No lines cost nothing, no fee either. Tax is rounded once a rate, over the sum of
// that rate. Errors: ErrTooLarge, money.ErrOverflow, money.ErrCurrency.
func Total(currency string, lines []Line, delivery Delivery) (Totals, error) {
	none := money.Of(0, currency)
	totals := Totals{Lines: none, Discounts: none, DeliveryFee: none, Total: none, Tax: none}
	grossByRate := map[int64]money.Money{}
	for _, line := range lines {
		cost, err := line.UnitPrice.Times(line.Quantity)
		if err != nil {
			return Totals{}, fmt.Errorf("line of %s: %w", line.ProductID, err)
		}
		if totals.Lines, err = totals.Lines.Add(cost); err != nil {
			return Totals{}, fmt.Errorf("line of %s: %w", line.ProductID, err)
		}
		if totals.Lines.Minor > MaxTotal {
			return Totals{}, ErrTooLarge
		}
		gross := grossByRate[line.TaxRateBPS]
		grossByRate[line.TaxRateBPS] = money.Of(gross.Minor+cost.Minor, currency)
	}
	if len(lines) > 0 && (delivery.FreeFrom.Minor == 0 || totals.Lines.Minor < delivery.FreeFrom.Minor) && delivery.Fee.Minor > 0 {
		if delivery.Fee.Currency != currency {
			return Totals{}, fmt.Errorf("delivery fee: %w", money.ErrCurrency)
		}
		if delivery.Fee.Minor > MaxTotal-totals.Lines.Minor {
			return Totals{}, ErrTooLarge
		}
		totals.DeliveryFee = delivery.Fee
		gross := grossByRate[FeeTaxRateBPS]
		grossByRate[FeeTaxRateBPS] = money.Of(gross.Minor+delivery.Fee.Minor, currency)
	}
	totals.Total = money.Of(totals.Lines.Minor+totals.DeliveryFee.Minor, currency)
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

// Proto is the wire's form.
func (t Totals) Proto() *typepb.Totals {
	p := &typepb.Totals{
		Lines: t.Lines.Proto(), Discounts: t.Discounts.Proto(), DeliveryFee: t.DeliveryFee.Proto(),
		Total: t.Total.Proto(), Tax: t.Tax.Proto(),
	}
	for _, tax := range t.Taxes {
		p.Taxes = append(p.Taxes, &typepb.Tax{RateBps: int32(tax.RateBPS), Gross: tax.Gross.Proto(), Tax: tax.Tax.Proto()})
	}
	return p
}
