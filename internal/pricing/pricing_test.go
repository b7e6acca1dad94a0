package pricing_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"larder.dev/internal/money"
	"larder.dev/internal/pricing"
)

func gbp(minor int64) money.Money { return money.Of(minor, "GBP") }

func line(price, quantity, rate int64) pricing.Line {
	return pricing.Line{ProductID: fmt.Sprintf("p-%d-%d", price, rate), Quantity: quantity, UnitPrice: gbp(price), TaxRateBPS: rate}
}

var delivery = pricing.Delivery{Fee: gbp(399), FreeFrom: gbp(4000)}

func TestTotal(t *testing.T) {
	for _, c := range []struct {
		name               string
		lines              []pricing.Line
		delivery           pricing.Delivery
		sum, fee, all, tax int64
		taxes              []pricing.Tax
	}{
		{"nothing", nil, delivery, 0, 0, 0, 0, nil},
		{"untaxed food and a taxed fee", []pricing.Line{line(95, 3, 0)}, delivery, 285, 399, 684, 67,
			[]pricing.Tax{{0, gbp(285), gbp(0)}, {2000, gbp(399), gbp(67)}}},
		{"one penny below free delivery", []pricing.Line{line(3999, 1, 0)}, delivery, 3999, 399, 4398, 67,
			[]pricing.Tax{{0, gbp(3999), gbp(0)}, {2000, gbp(399), gbp(67)}}},
		{"free delivery", []pricing.Line{line(2000, 2, 0)}, delivery, 4000, 0, 4000, 0, []pricing.Tax{{0, gbp(4000), gbp(0)}}},
		{"never free", []pricing.Line{line(2000, 2, 0)}, pricing.Delivery{Fee: gbp(100)}, 4000, 100, 4100, 17,
			[]pricing.Tax{{0, gbp(4000), gbp(0)}, {2000, gbp(100), gbp(17)}}},
		{"no fee", []pricing.Line{line(10, 1, 500)}, pricing.Delivery{}, 10, 0, 10, 0, []pricing.Tax{{500, gbp(10), gbp(0)}}},
		// Rounded a line, three times 1 of 3 would be 3: rounded over their sum of 9 it is 2.
		{"tax of the sum", []pricing.Line{line(3, 1, 2000), line(3, 1, 2000), line(3, 1, 2000)}, pricing.Delivery{}, 9, 0, 9, 2,
			[]pricing.Tax{{2000, gbp(9), gbp(2)}}},
		{"the fee counts into its rate", []pricing.Line{line(120, 1, 2000)}, delivery, 120, 399, 519, 87, []pricing.Tax{{2000, gbp(519), gbp(87)}}},
	} {
		got, err := pricing.Total("GBP", c.lines, c.delivery)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.Lines != gbp(c.sum) || got.DeliveryFee != gbp(c.fee) || got.Total != gbp(c.all) || got.Tax != gbp(c.tax) || got.Discounts != gbp(0) || !slices.Equal(got.Taxes, c.taxes) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestTotalRefuses(t *testing.T) {
	euros := line(100, 1, 0)
	euros.UnitPrice = money.Of(100, "EUR")
	for _, c := range []struct {
		name     string
		lines    []pricing.Line
		delivery pricing.Delivery
		want     error
	}{
		{"another currency", []pricing.Line{line(1, 1, 0), euros}, delivery, money.ErrCurrency},
		{"a fee of another currency", []pricing.Line{line(1, 1, 0)}, pricing.Delivery{Fee: money.Of(1, "EUR")}, money.ErrCurrency},
		{"over the largest total", []pricing.Line{line(pricing.MaxTotal+1, 1, 0)}, delivery, pricing.ErrTooLarge},
		{"over it with the fee", []pricing.Line{line(pricing.MaxTotal, 1, 0)}, pricing.Delivery{Fee: gbp(1)}, pricing.ErrTooLarge},
		{"over it in sum", []pricing.Line{line(pricing.MaxTotal, 1, 0), line(1, 1, 0)}, delivery, pricing.ErrTooLarge},
		{"a line out of range", []pricing.Line{line(math.MaxInt64, 2, 0)}, delivery, money.ErrOverflow},
		{"two lines out of range", []pricing.Line{line(math.MaxInt64, 1, 0), line(math.MaxInt64, 1, 0)}, delivery, pricing.ErrTooLarge},
		{"a fee out of range", []pricing.Line{line(1, 1, 0)}, pricing.Delivery{Fee: gbp(math.MaxInt64)}, pricing.ErrTooLarge},
	} {
		if got, err := pricing.Total("GBP", c.lines, c.delivery); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v, want %v", c.name, got, err, c.want)
		}
	}
	if _, err := pricing.Total("GBP", []pricing.Line{line(pricing.MaxTotal, 1, 0)}, pricing.Delivery{}); err != nil {
		t.Errorf("the largest total: %v", err)
	}
}

func TestTotalsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) pricing.Line {
			return line(rapid.Int64Range(0, 20_000).Draw(t, "price"), rapid.Int64Range(1, 99).Draw(t, "quantity"),
				rapid.SampledFrom([]int64{0, 500, 2000}).Draw(t, "rate"))
		}), 0, 30).Draw(t, "lines")
		rule := pricing.Delivery{Fee: gbp(rapid.Int64Range(0, 1000).Draw(t, "fee")), FreeFrom: gbp(rapid.Int64Range(0, 10_000).Draw(t, "free from"))}
		got, err := pricing.Total("GBP", lines, rule)
		if err != nil {
			t.Fatal(err)
		}
		var sum, gross, tax int64
		for _, l := range lines {
			sum += l.UnitPrice.Minor * l.Quantity
		}
		for i, part := range got.Taxes {
			gross, tax = gross+part.Gross.Minor, tax+part.Tax.Minor
			if i > 0 && got.Taxes[i-1].RateBPS >= part.RateBPS {
				t.Fatalf("the rates are not ascending: %+v", got.Taxes)
			}
			if want, err := money.TaxWithin(part.Gross, part.RateBPS); err != nil || part.Tax != want {
				t.Fatalf("the tax at %d is %v, want %v", part.RateBPS, part.Tax, want)
			}
		}
		if got.Lines.Minor != sum || got.Total.Minor != sum+got.DeliveryFee.Minor-got.Discounts.Minor || gross != got.Total.Minor || tax != got.Tax.Minor {
			t.Fatalf("they don't add up: %+v, lines %d, gross %d, tax %d", got, sum, gross, tax)
		}
		free := len(lines) == 0 || (rule.FreeFrom.Minor > 0 && sum >= rule.FreeFrom.Minor)
		if (free && got.DeliveryFee.Minor != 0) || (!free && got.DeliveryFee != rule.Fee) {
			t.Fatalf("the fee is %v for %d under %+v", got.DeliveryFee, sum, rule)
		}
		shuffled := rapid.Permutation(lines).Draw(t, "shuffled")
		if again, err := pricing.Total("GBP", shuffled, rule); err != nil || fmt.Sprint(again) != fmt.Sprint(got) {
			t.Fatalf("in another order it costs %+v, not %+v", again, got)
		}
	})
}

func TestProto(t *testing.T) {
	totals, err := pricing.Total("GBP", []pricing.Line{line(120, 1, 2000), line(95, 2, 0)}, delivery)
	if err != nil {
		t.Fatal(err)
	}
	p := totals.Proto()
	if money.FromProto(p.Total) != totals.Total || money.FromProto(p.DeliveryFee) != totals.DeliveryFee || money.FromProto(p.Tax) != totals.Tax ||
		len(p.Taxes) != 2 || p.Taxes[1].RateBps != 2000 || money.FromProto(p.Taxes[1].Gross) != totals.Taxes[1].Gross {
		t.Errorf("on the wire: %v", p)
	}
}

// Receipts close, whatever was picked, weighed, or taken off: the parts add up to the total, the parts of a line to the line, and what was picked
// of an order costs no more than was authorised for it.
func TestReceiptsClose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fee := gbp(rapid.Int64Range(0, 1000).Draw(t, "fee"))
		ordered := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) pricing.Line {
			l := line(rapid.Int64Range(0, 20_000).Draw(t, "price"), rapid.Int64Range(1, 99).Draw(t, "quantity"),
				rapid.SampledFrom([]int64{0, 500, 2000}).Draw(t, "rate"))
			l.PieceGrams = rapid.SampledFrom([]int64{0, 1, 333, 500, 100_000}).Draw(t, "grams of a piece")
			return l
		}), 1, 10).Draw(t, "ordered")
		totals, err := pricing.Total("GBP", ordered, pricing.Delivery{Fee: fee})
		if err != nil {
			t.Fatal(err)
		}
		var picked []pricing.Line
		for _, l := range ordered {
			l.Quantity = rapid.Int64Range(0, l.Quantity).Draw(t, "picked")
			cost, err := l.Cost()
			if err != nil {
				t.Fatal(err)
			}
			headroom, err := l.Headroom()
			if err != nil {
				t.Fatal(err)
			}
			if l.PieceGrams > 0 {
				l.Grams = rapid.Int64Range(1, l.PieceGrams*(l.Quantity+1)*2).Draw(t, "weight")
			}
			weighed, err := l.Cost()
			if err != nil {
				t.Fatal(err)
			}
			if l.Quantity == 0 || weighed.Minor > cost.Minor+headroom.Minor {
				continue
			}
			l.Discount = rapid.Int64Range(0, weighed.Minor).Draw(t, "discount")
			picked = append(picked, l)
		}
		receipt, err := pricing.Total("GBP", picked, pricing.Delivery{Fee: fee})
		if err != nil {
			t.Fatal(err)
		}
		var net, gross, tax int64
		for _, l := range picked {
			paid, err := l.PaidFor(l.Quantity)
			if err != nil {
				t.Fatal(err)
			}
			net += paid.Minor
			part := rapid.Int64Range(0, l.Quantity).Draw(t, "part")
			first, err := l.PaidFor(part)
			if err != nil || first.Minor < 0 || first.Minor > paid.Minor {
				t.Fatalf("%d of %+v cost %s, %v, all of them %s", part, l, first, err, paid)
			}
		}
		for _, of := range receipt.Taxes {
			gross, tax = gross+of.Gross.Minor, tax+of.Tax.Minor
		}
		if receipt.Total.Minor != net+receipt.DeliveryFee.Minor || receipt.Total.Minor != receipt.Lines.Minor-receipt.Discounts.Minor+receipt.DeliveryFee.Minor ||
			gross != receipt.Total.Minor || tax != receipt.Tax.Minor || receipt.Headroom.Minor != 0 {
			t.Fatalf("they don't add up: %+v of %+v", receipt, picked)
		}
		if receipt.Total.Minor > totals.Most().Minor {
			t.Fatalf("picked for %s, authorised for %s", receipt.Total, totals.Most())
		}
	})
}
