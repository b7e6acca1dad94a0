package catalogue

import (
	"slices"
	"testing"
)

func TestARangeIsExpanded(t *testing.T) {
	r := productRange{
		CategoryID: "fruit", Brands: map[string]int64{"pipwell": 115, "larder-market": 100}, TaxRateBPS: 2000, MarginPermille: 300,
		Description: "{}, ripe. {} keep.", Products: []string{"Purée d'été: 4 x 100 g 200, 1 kg 450", "Pears: 2 pack 99"},
	}
	products, err := r.expand()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range products {
		got = append(got, p.ID)
		if m := margin(p.Price, p.Cost, p.TaxRateBPS); m < 265 || m > 335 {
			t.Errorf("%s: margin %d, want 300 give or take a tenth", p.ID, m)
		}
		if !validGTIN(p.GTIN) || p.GTIN[:2] != "21" {
			t.Errorf("%s: GTIN %s", p.ID, p.GTIN)
		}
	}
	want := []string{
		"larder-market-puree-dete-4-x-100-g", "larder-market-puree-dete-1-kg", "pipwell-puree-dete-4-x-100-g", "pipwell-puree-dete-1-kg",
		"larder-market-pears-2-pack", "pipwell-pears-2-pack",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for i, price := range []int64{200, 450, 230, 515, 99, 115} { // another maker's are rounded to five
		if products[i].Price != price {
			t.Errorf("%s costs %d, want %d", products[i].ID, products[i].Price, price)
		}
	}
	if p := products[3]; p.Name != "Purée d'été" || p.Size != "1 kg" || p.BrandID != "pipwell" || p.Description != "Purée d'été, ripe. Purée d'été keep." {
		t.Errorf("%+v", p)
	}
	// What is drawn comes from the id alone: a line added above changes nothing.
	r.Products = append([]string{"Figs: 2 pack 150"}, r.Products...)
	again, err := r.expand()
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range products {
		if q := again[i+2]; q.GTIN != p.GTIN || q.Cost != p.Cost || q.Popularity != p.Popularity {
			t.Errorf("%+v has become %+v", p, q)
		}
	}
}

func TestSlug(t *testing.T) {
	for words, want := range map[string]string{
		"Jalapeños": "jalapenos", "Greek Yoghurt 0% Fat": "greek-yoghurt-0pc-fat", "Salt & Vinegar": "salt-and-vinegar",
		"Côtes de Provence Rosé": "cotes-de-provence-rose", "Lamb's Liver": "lambs-liver", " 4 x 330 ml ": "4-x-330-ml", "": "",
	} {
		if got := Slug(words); got != want {
			t.Errorf("Slug(%q) = %q, want %q", words, got, want)
		}
	}
}

// The terms of all stores stay within their spread, and use it.
func TestTermsFollowTheSpread(t *testing.T) {
	c := mustLoad(t)
	for _, s := range c.Stores {
		x := c.spread[s.ID]
		var out, own, none, dearest, cheapest int
		for _, p := range c.Products {
			terms := c.Terms(s.ID, p)
			if again := c.Terms(s.ID, p); again != terms {
				t.Fatalf("%s in %s: %+v, then %+v", p.ID, s.ID, terms, again)
			}
			switch {
			case !terms.Sold:
				out++
				continue
			case terms.Stock == 0:
				none++
			case terms.Stock < int64(x.Units[0]) || terms.Stock > int64(x.Units[1]):
				t.Errorf("%s has %d of %s", s.ID, terms.Stock, p.ID)
			}
			if terms.Price != p.Price {
				own++
				percent := int((terms.Price - p.Price) * 100 / p.Price)
				dearest, cheapest = max(dearest, percent), min(cheapest, percent)
			}
		}
		n := len(c.Products)
		near := func(what string, got int, permille uint64) {
			if want := int(permille) * n / 1000; got < want/2-2 || got > want*3/2+2 {
				t.Errorf("%s: %d of %d products %s, want about %d", s.ID, got, n, what, want)
			}
		}
		near("left out", out, x.LeftOut)
		near("with a price of their own", own, x.Repriced)
		near("sold out", none, x.SoldOut)
		// Rounding to five pence moves small prices further than the percentage.
		if dearest < int(x.Percent[1])-1 || cheapest > max(0, int(x.Percent[0])+1) {
			t.Errorf("%s: prices of their own are from %d to %d %%, want about %v", s.ID, cheapest, dearest, x.Percent)
		}
	}
	if terms := c.Terms("nowhere", c.Products[0]); terms.Sold {
		t.Error("an unknown store sells")
	}
}

func TestCheck(t *testing.T) {
	c := mustLoad(t)
	p := c.Products[0]
	if err := c.Check(p); err == nil {
		t.Error("a product of the seed passes as another one")
	}
	p.ID = "another"
	if err := c.Check(p); err != nil {
		t.Error(err)
	}
	p.Cost, p.CategoryID = p.Price+1, "nowhere"
	if err := c.Check(p); err == nil {
		t.Error("a product below cost in an unknown category passes")
	}
}
