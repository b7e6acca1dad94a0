package catalogue

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a product's margin net of tax, in permille of the net price.
const (
	minMargin = 80
	maxMargin = 550
)

const maxStock = 400 // units of one product in one store

var (
	slug    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,62}$`)
	outward = regexp.MustCompile(`^[A-Z]{1,2}[0-9][0-9A-Z]?$`)

	// The closed list catches a misspelt tag, which would be a facet of its own.
	tags = []string{
		"alcohol", "british", "fairtrade", "free-range", "frozen", "gluten-free",
		"new", "organic", "spicy", "vegan", "vegetarian",
	}
	taxRates = []int64{0, 2000}
)

// faults collects everything that is wrong, so that one run shows it all.
type faults []error

func (f *faults) check(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Errorf(format, args...))
	}
}

// id checks the form of an id and that it is the first of its kind.
func (f *faults) id(kind, id string, seen map[string]bool) {
	f.check(slug.MatchString(id), "%s %q: the id is not a slug", kind, id)
	f.check(!seen[id], "%s %q: the id is used twice", kind, id)
	seen[id] = true
}

func (c *Catalogue) validate() error {
	var f faults
	c.validateCategories(&f)
	brands := c.validateBrands(&f)
	c.validateProducts(&f, brands)
	c.validateOffers(&f)
	c.validateStock(&f)
	return errors.Join(f...)
}

func (c *Catalogue) validateCategories(f *faults) {
	type place struct {
		parent   string
		position int32
	}
	seen, places := map[string]bool{}, map[place]bool{}
	parents, filled := map[string]bool{}, map[string]bool{}
	for _, x := range c.Categories {
		parents[x.ParentID] = true
	}
	for _, p := range c.Products {
		filled[p.CategoryID] = true
	}
	for _, x := range c.Categories {
		// A parent stands before its children: rows load in this order under a
		// foreign key, and a cycle can't be written.
		f.check(x.ParentID == "" || seen[x.ParentID], "category %q: parent %q is not above it in the file", x.ID, x.ParentID)
		f.id("category", x.ID, seen)
		f.check(x.Name != "", "category %q: no name", x.ID)
		f.check(x.Position > 0, "category %q: position %d is not positive", x.ID, x.Position)
		at := place{x.ParentID, x.Position}
		f.check(!places[at], "category %q: position %d is taken", x.ID, x.Position)
		places[at] = true
		if parents[x.ID] {
			f.check(!filled[x.ID], "category %q: has children and products", x.ID)
		} else {
			f.check(filled[x.ID], "category %q: a leaf without products", x.ID)
		}
	}
}

func (c *Catalogue) validateBrands(f *faults) map[string]bool {
	seen := map[string]bool{}
	for _, x := range c.Brands {
		f.id("brand", x.ID, seen)
		f.check(x.Name != "", "brand %q: no name", x.ID)
	}
	return seen
}

func (c *Catalogue) validateStores(f *faults) {
	seen := map[string]bool{}
	for _, x := range c.Stores {
		f.id("store", x.ID, seen)
		f.check(x.Name != "" && x.Address.Line1 != "" && x.Address.City != "" && x.Address.Postcode != "",
			"store %q: name or address is incomplete", x.ID)
		f.check(x.Currency == "GBP", "store %q: currency %q, not GBP", x.ID, x.Currency)
		f.check(x.DeliveryFee >= 0 && x.FreeDeliveryFrom >= 0, "store %q: a negative amount", x.ID)
		f.check(len(x.Postcodes) > 0, "store %q: serves no postcode", x.ID)
		codes := map[string]bool{}
		for _, code := range x.Postcodes {
			f.check(outward.MatchString(code), "store %q: %q is not an outward code", x.ID, code)
			f.check(!codes[code], "store %q: postcode %s is named twice", x.ID, code)
			codes[code] = true
		}
		own, _, _ := strings.Cut(x.Address.Postcode, " ")
		f.check(codes[own], "store %q: does not deliver to its own postcode %s", x.ID, own)
	}
}

// validateSpread comes before the ranges are expanded, which needs it sound.
func (c *Catalogue) validateSpread(f *faults) {
	for _, s := range c.Stores {
		x, ok := c.spread[s.ID]
		f.check(ok, "spread: nothing for store %q", s.ID)
		f.check(x.LeftOut <= 250 && x.Repriced <= 1000 && x.SoldOut <= 50, "spread: store %q leaves out, reprices or lacks too much", s.ID)
		f.check(-50 < x.Percent[0] && x.Percent[0] <= x.Percent[1] && x.Percent[1] < 50, "spread: store %q has prices from %d to %d %%", s.ID, x.Percent[0], x.Percent[1])
		f.check(0 < x.Units[0] && x.Units[0] <= x.Units[1] && x.Units[1] <= maxStock, "spread: store %q has %d to %d units", s.ID, x.Units[0], x.Units[1])
		f.check(c.stock.Except[s.ID] != nil, "stock: no exceptions for store %q", s.ID)
	}
	f.check(len(c.spread) == len(c.Stores), "spread: %d stores, there are %d", len(c.spread), len(c.Stores))
	f.check(c.Offers.NotSold != nil, "not_sold: none")
}

func (c *Catalogue) validateProducts(f *faults, brands map[string]bool) {
	ids, names, gtins := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, p := range c.Products {
		f.id("product", p.ID, ids)
		name := strings.ToLower(p.Name + ", " + p.BrandID + ", " + p.Size)
		f.check(!names[name], "product %q: %q is there twice", p.ID, name)
		names[name] = true
		if up := c.Path(p.CategoryID); len(up) > 0 {
			f.check(c.files[p.ID] == up[0].ID, "product %q: is in %s.json, belongs in %s.json", p.ID, c.files[p.ID], up[0].ID)
		}
		f.check(!gtins[p.GTIN], "product %q: GTIN %s is used twice", p.ID, p.GTIN)
		gtins[p.GTIN] = true
		c.validateProduct(f, brands, p)
	}
}

// validateProduct checks what one product is by itself.
func (c *Catalogue) validateProduct(f *faults, brands map[string]bool, p Product) {
	f.check(p.Name != "" && p.Size != "" && p.Description != "", "product %q: no name, size or description", p.ID)
	f.check(utf8.RuneCountInString(p.Description) <= 300, "product %q: the description is longer than 300 characters", p.ID)
	f.check(brands[p.BrandID], "product %q: unknown brand %q", p.ID, p.BrandID)
	f.check(len(c.Path(p.CategoryID)) > 0, "product %q: unknown category %q", p.ID, p.CategoryID)
	f.check(validGTIN(p.GTIN), "product %q: %q is not a restricted-circulation GTIN-13", p.ID, p.GTIN)
	f.check(slices.Contains(taxRates, p.TaxRateBPS), "product %q: tax rate %d", p.ID, p.TaxRateBPS)
	f.check(0 < p.Cost && p.Cost < p.Price, "product %q: cost %d and price %d", p.ID, p.Cost, p.Price)
	m := margin(p.Price, p.Cost, p.TaxRateBPS)
	f.check(minMargin <= m && m <= maxMargin, "product %q: margin %d permille is not in %d to %d", p.ID, m, minMargin, maxMargin)
	f.check(p.Status == "active", "product %q: status %q", p.ID, p.Status)
	f.check(0 <= p.Popularity && p.Popularity <= 1000, "product %q: popularity %d", p.ID, p.Popularity)
	f.check(0 <= p.MaxPerShopper && p.MaxPerShopper <= 99, "product %q: %d for each shopper", p.ID, p.MaxPerShopper)
	for i, tag := range p.Tags {
		f.check(slices.Contains(tags, tag), "product %q: unknown tag %q", p.ID, tag)
		f.check(!slices.Contains(p.Tags[:i], tag), "product %q: tag %q twice", p.ID, tag)
	}
}

// Check tells what is wrong with a product that isn't of the seed, and would
// be among its products.
func (c *Catalogue) Check(p Product) error {
	var f faults
	f.id("product", p.ID, map[string]bool{})
	_, known := c.products[p.ID]
	f.check(!known, "product %q: the seed has this id", p.ID)
	brands := map[string]bool{}
	for _, b := range c.Brands {
		brands[b.ID] = true
	}
	c.validateProduct(&f, brands, p)
	return errors.Join(f...)
}

func (c *Catalogue) validateOffers(f *faults) {
	for store, products := range c.Offers.NotSold {
		c.knowsStore(f, "not_sold", store)
		for i, product := range products {
			c.knowsProduct(f, "not_sold", product)
			f.check(!slices.Contains(products[:i], product), "not_sold: %s names %q twice", store, product)
		}
	}
	overridden := map[offerKey]bool{}
	for _, x := range c.Offers.StorePrices {
		c.knowsStore(f, "store_prices", x.StoreID)
		c.knowsProduct(f, "store_prices", x.ProductID)
		key := offerKey{x.StoreID, x.ProductID}
		f.check(!overridden[key], "store_prices: %s has two prices for %q", x.StoreID, x.ProductID)
		overridden[key] = true
		f.check(c.Sold(x.StoreID, x.ProductID), "store_prices: %s does not sell %q", x.StoreID, x.ProductID)
		f.check(x.Price != c.products[x.ProductID].Price, "store_prices: %q in %s costs what it costs everywhere", x.ProductID, x.StoreID)
		c.aboveCost(f, "store_prices", x.ProductID, x.Price)
	}
	for _, x := range c.Offers.PlannedPrices {
		c.knowsProduct(f, "planned_prices", x.ProductID)
		if x.StoreID != "" {
			c.knowsStore(f, "planned_prices", x.StoreID)
			f.check(c.Sold(x.StoreID, x.ProductID), "planned_prices: %s does not sell %q", x.StoreID, x.ProductID)
		}
		f.check(!x.ValidFrom.IsZero(), "planned_prices: %q has no valid_from", x.ProductID)
		c.aboveCost(f, "planned_prices", x.ProductID, x.Price)
	}
}

func (c *Catalogue) validateStock(f *faults) {
	for _, s := range c.Stores {
		_, ok := c.stock.Default[s.ID]
		f.check(ok, "stock: no default for store %q", s.ID)
	}
	for store, units := range c.stock.Default {
		c.knowsStore(f, "stock default", store)
		f.check(0 <= units && units <= maxStock, "stock: default %d of %s", units, store)
	}
	for store, products := range c.stock.Except {
		c.knowsStore(f, "stock except", store)
		for product, units := range products {
			c.knowsProduct(f, "stock except", product)
			f.check(c.Sold(store, product), "stock: %s does not sell %q", store, product)
			f.check(0 <= units && units <= maxStock, "stock: %d of %q in %s", units, product, store)
		}
	}
}

func (c *Catalogue) knowsStore(f *faults, where, store string) {
	_, ok := c.stores[store]
	f.check(ok, "%s: unknown store %q", where, store)
}

func (c *Catalogue) knowsProduct(f *faults, where, product string) {
	_, ok := c.products[product]
	f.check(ok, "%s: unknown product %q", where, product)
}

func (c *Catalogue) aboveCost(f *faults, where, product string, price int64) {
	p := c.products[product]
	f.check(price > 0 && margin(price, p.Cost, p.TaxRateBPS) > 0, "%s: %q at %d is below cost", where, product, price)
}

// margin is what is left of the price without tax after the cost, in permille
// of the price without tax, rounded towards zero. An unsound price has none.
func margin(price, cost, taxRateBPS int64) int64 {
	if price <= 0 {
		return 0
	}
	// Without tax the price is price * 10000 / (10000 + rate); multiplied out,
	// nothing rounds before the end.
	return (price*10_000 - cost*(10_000+taxRateBPS)) * 1000 / (price * 10_000)
}

// validGTIN says whether s is a GTIN-13 in the range 20 to 29 with a correct
// check digit: the digits, weighted 1 and 3 in turn, add up to a multiple of
// ten (GS1 General Specifications, "Check digit calculations").
func validGTIN(s string) bool {
	if len(s) != 13 || s[0] != '2' {
		return false
	}
	sum := 0
	for i, r := range s {
		if r < '0' || r > '9' {
			return false
		}
		sum += int(r-'0') * (1 + i%2*2)
	}
	return sum%10 == 0
}
