// Package money holds amounts of money and the platform's one rounding rule.
package money

import (
	"errors"
	"fmt"
	"math"

	typepb "larder.dev/api/type/v1"
)

// Money is an amount in minor units (pence) of an ISO 4217 currency. The zero value is no money of no currency.
type Money struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"`
}

// ErrOverflow tells that an amount doesn't fit; ErrCurrency, that two currencies met.
var (
	ErrOverflow = errors.New("amount of money out of range")
	ErrCurrency = errors.New("amounts of different currencies")
)

// Of is a short hand.
func Of(minor int64, currency string) Money { return Money{Minor: minor, Currency: currency} }

// Add returns m + o. Errors: ErrOverflow, ErrCurrency.
func (m Money) Add(o Money) (Money, error) {
	if m.Currency != o.Currency {
		return Money{}, fmt.Errorf("%w: %s and %s", ErrCurrency, m.Currency, o.Currency)
	}
	if (o.Minor > 0 && m.Minor > math.MaxInt64-o.Minor) || (o.Minor < 0 && m.Minor < math.MinInt64-o.Minor) {
		return Money{}, ErrOverflow
	}
	return Money{Minor: m.Minor + o.Minor, Currency: m.Currency}, nil
}

// Times returns m taken n times. Errors: ErrOverflow.
func (m Money) Times(n int64) (Money, error) {
	product := m.Minor * n
	if n != 0 && (product/n != m.Minor || (n == -1 && m.Minor == math.MinInt64)) {
		return Money{}, ErrOverflow
	}
	return Money{Minor: product, Currency: m.Currency}, nil
}

// TaxWithin returns the tax contained in a gross amount at a rate in basis points (2000 is 20 %): gross * rate / (10000 + rate), rounded
// by Round. Errors: ErrOverflow.
func TaxWithin(gross Money, rateBPS int64) (Money, error) {
	numerator, err := gross.Times(rateBPS)
	if err != nil {
		return Money{}, err
	}
	return Money{Minor: Round(numerator.Minor, 10000+rateBPS), Currency: gross.Currency}, nil
}

// Round divides, to the nearest whole minor unit, halves away from zero: the rule of every amount that Larder computes.
// The divisor is positive.
func Round(numerator, divisor int64) int64 {
	quotient, rest := numerator/divisor, numerator%divisor
	if rest < 0 {
		rest = -rest
	}
	if rest >= divisor-rest {
		if numerator < 0 {
			return quotient - 1
		}
		return quotient + 1
	}
	return quotient
}

// String is for logs and people: "12.34 GBP".
func (m Money) String() string {
	sign, minor := "", uint64(m.Minor)
	if m.Minor < 0 {
		sign, minor = "-", -minor // also right for the smallest int64, which has no positive
	}
	return fmt.Sprintf("%s%d.%02d %s", sign, minor/100, minor%100, m.Currency)
}

// Proto is the wire's form.
func (m Money) Proto() *typepb.Money {
	return &typepb.Money{Currency: m.Currency, MinorUnits: m.Minor}
}

// FromProto reads the wire's form; nil is no money.
func FromProto(p *typepb.Money) Money {
	return Money{Minor: p.GetMinorUnits(), Currency: p.GetCurrency()}
}
