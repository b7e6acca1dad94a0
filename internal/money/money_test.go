package money_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"larder.dev/internal/money"
)

func big64(n int64) *big.Int { return big.NewInt(n) }

func TestAddIsExactOrRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		exact := new(big.Int).Add(big64(a), big64(b))
		sum, err := money.Of(a, "GBP").Add(money.Of(b, "GBP"))
		if exact.IsInt64() != (err == nil) || (err == nil && sum != money.Of(exact.Int64(), "GBP")) {
			t.Fatalf("%d + %d = %v, %v, want %v", a, b, sum, err, exact)
		}
		if err != nil && !errors.Is(err, money.ErrOverflow) {
			t.Fatalf("the refusal is %v", err)
		}
		if _, err := money.Of(a, "GBP").Add(money.Of(b, "EUR")); !errors.Is(err, money.ErrCurrency) {
			t.Fatalf("pounds and euros: %v", err)
		}
	})
}

// edges are where products overflow in ways of their own.
var edges = []int64{math.MinInt64, math.MinInt64 + 1, math.MinInt64 / 2, -2, -1, 0, 1, 2, math.MaxInt64 / 2, math.MaxInt64 - 1, math.MaxInt64}

func anyInt64() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Int64(), rapid.SampledFrom(edges))
}

func TestTimesIsExactOrRefused(t *testing.T) {
	check := func(fatal func(string, ...any), a, n int64) {
		exact := new(big.Int).Mul(big64(a), big64(n))
		product, err := money.Of(a, "GBP").Times(n)
		if exact.IsInt64() != (err == nil) || (err == nil && product != money.Of(exact.Int64(), "GBP")) {
			fatal("%d * %d = %v, %v, want %v", a, n, product, err, exact)
		}
	}
	for _, a := range edges {
		for _, n := range edges {
			check(t.Errorf, a, n)
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(t.Fatalf, anyInt64().Draw(t, "a"), anyInt64().Draw(t, "n")) })
}

func TestRoundIsNearestAndHalvesGoAwayFromZero(t *testing.T) {
	for _, c := range []struct{ numerator, divisor, want int64 }{
		{5, 10, 1}, {-5, 10, -1}, {4, 10, 0}, {-4, 10, 0}, {15, 10, 2}, {25, 10, 3}, {-15, 10, -2}, {1, 3, 0}, {2, 3, 1}, {0, 7, 0}, {7, 1, 7},
		{math.MaxInt64, 1, math.MaxInt64}, {math.MinInt64, 1, math.MinInt64}, {math.MaxInt64, 2, 1 << 62}, {math.MinInt64, 2, -1 << 62},
		{math.MaxInt64, math.MaxInt64, 1}, {math.MinInt64, math.MaxInt64, -1}, {1, math.MaxInt64, 0},
	} {
		if got := money.Round(c.numerator, c.divisor); got != c.want {
			t.Errorf("%d / %d rounds to %d, want %d", c.numerator, c.divisor, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n, d := anyInt64().Draw(t, "numerator"), rapid.Int64Min(1).Draw(t, "divisor")
		got := money.Round(n, d)
		// |2 * (n - got*d)| <= d, and on a tie got is the one further from zero.
		rest := new(big.Int).Sub(big64(n), new(big.Int).Mul(big64(got), big64(d)))
		twice := new(big.Int).Abs(new(big.Int).Lsh(rest, 1))
		tie := twice.Cmp(big64(d)) == 0
		if twice.Cmp(big64(d)) > 0 || (tie && rest.Sign() == big64(n).Sign()) {
			t.Fatalf("%d / %d rounds to %d", n, d, got)
		}
		if n != math.MinInt64 && money.Round(-n, d) != -got {
			t.Fatalf("%d / %d rounds to %d, %d / %d to %d: not symmetric", n, d, got, -n, d, money.Round(-n, d))
		}
	})
}

func TestTaxWithin(t *testing.T) {
	for _, c := range []struct{ gross, rate, want int64 }{
		{120, 2000, 20}, {100, 2000, 17}, {100, 0, 0}, {105, 500, 5}, {0, 2000, 0}, {-120, 2000, -20}, {3, 2000, 1}, {2, 2000, 0},
	} {
		got, err := money.TaxWithin(money.Of(c.gross, "GBP"), c.rate)
		if err != nil || got != money.Of(c.want, "GBP") {
			t.Errorf("the tax in %d at %d is %v, %v, want %d", c.gross, c.rate, got, err, c.want)
		}
	}
	if _, err := money.TaxWithin(money.Of(math.MaxInt64, "GBP"), 2000); !errors.Is(err, money.ErrOverflow) {
		t.Errorf("the tax in too much: %v", err)
	}
	rapid.Check(t, func(t *rapid.T) {
		gross, rate := rapid.Int64Range(0, 1e12).Draw(t, "gross"), rapid.Int64Range(0, 10000).Draw(t, "rate")
		tax, err := money.TaxWithin(money.Of(gross, "GBP"), rate)
		if err != nil || tax.Minor < 0 || tax.Minor > gross {
			t.Fatalf("the tax in %d at %d is %v, %v", gross, rate, tax, err)
		}
		// What is left, taxed anew, is the gross again, to the rounding of one unit.
		net := gross - tax.Minor
		if back := net + money.Round(net*rate, 10000); back < gross-1 || back > gross+1 {
			t.Fatalf("%d net of %v at %d is %d again", net, tax, rate, back)
		}
	})
}

func TestString(t *testing.T) {
	for minor, want := range map[int64]string{
		0: "0.00 GBP", 5: "0.05 GBP", 1234: "12.34 GBP", -5: "-0.05 GBP", -1234: "-12.34 GBP",
		math.MaxInt64: "92233720368547758.07 GBP", math.MinInt64: "-92233720368547758.08 GBP",
	} {
		if got := money.Of(minor, "GBP").String(); got != want {
			t.Errorf("%d is written %q, want %q", minor, got, want)
		}
	}
}

func TestProto(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := money.Of(rapid.Int64().Draw(t, "minor"), rapid.SampledFrom([]string{"GBP", "EUR", ""}).Draw(t, "currency"))
		if back := money.FromProto(m.Proto()); back != m {
			t.Fatalf("%v came back as %v", m, back)
		}
	})
	if money.FromProto(nil) != (money.Money{}) {
		t.Error("nothing is some money")
	}
}
