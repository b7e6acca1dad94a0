package catalogue

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Most of the seed is written as ranges: products that differ in name, size,
// brand and price, and share everything else. The line
//
//	"Gala Apples: 6 pack 200, 4 pack 150"
//
// is two products of each brand of its range. What nobody writes down is drawn
// from the product's id, so it is the same in every run and stays when lines
// are added around it: the cost, about the range's margin; the popularity; the
// GTIN; and each store's terms, within the store's spread.
type productRange struct {
	CategoryID     string           `json:"category_id"`
	Brands         map[string]int64 `json:"brands"` // brand id to its prices, in percent of those in Products
	Tags           []string         `json:"tags"`
	TaxRateBPS     int64            `json:"tax_rate_bps"`
	MarginPermille int64            `json:"margin_permille"` // of the price without tax, give or take a tenth
	Description    string           `json:"description"`     // {} stands for the name
	NotSold        []string         `json:"not_sold"`        // stores that have none of it
	Products       []string         `json:"products"`        // "name: size price, size price"
}

// Spread is how one store departs from the others with the products of ranges.
// LeftOut, Repriced and SoldOut are permille of the products.
type Spread struct {
	LeftOut  uint64    `json:"left_out"`
	Repriced uint64    `json:"repriced"`
	Percent  [2]int64  `json:"percent"` // by which a price of its own differs: from, to
	SoldOut  uint64    `json:"sold_out"`
	Units    [2]uint64 `json:"units"` // on the shelf, of what isn't sold out: from, to
}

// Terms are how a store sells a product. Price is minor units, tax included.
type Terms struct {
	Sold         bool
	Price, Stock int64
}

// sizePrice is "6 pack 200" read.
type sizePrice struct {
	size  string
	price int64
}

// readRanges reads one file for each top-level category and expands it.
func (c *Catalogue) readRanges(files fs.FS) error {
	return eachFile(files, "data/ranges/*.json", func(name, topLevel string) error {
		var ranges []productRange
		if err := read(files, name, &ranges); err != nil {
			return err
		}
		for _, r := range ranges {
			products, err := r.expand()
			for _, store := range r.NotSold {
				if _, ok := c.spread[store]; !ok {
					err = errors.Join(err, fmt.Errorf("not_sold: unknown store %q", store))
				}
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			for _, p := range products {
				c.files[p.ID] = topLevel
				c.offer(p, r.NotSold)
			}
			c.Products = append(c.Products, products...)
		}
		return nil
	})
}

// expand makes the range's products: line by line, brand by brand, size by size.
func (r productRange) expand() ([]Product, error) {
	var products []Product
	var faults []error
	for _, line := range r.Products {
		name, sizes, err := readLine(line)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for _, brand := range slices.Sorted(maps.Keys(r.Brands)) {
			for _, s := range sizes {
				price := s.price
				if percent := r.Brands[brand]; percent != 100 {
					price = toFive(price * percent / 100)
				}
				id := Slug(brand + " " + name + " " + s.size)
				products = append(products, Product{
					ID: id, Name: name, BrandID: brand, CategoryID: r.CategoryID, Description: strings.ReplaceAll(r.Description, "{}", name),
					Size: s.size, GTIN: GTIN(fmt.Sprintf("21%010d", draw(id, "gtin")%10_000_000_000)),
					Price: price, Cost: r.cost(id, price), TaxRateBPS: r.TaxRateBPS, Tags: r.Tags, Status: "active",
					Popularity: popularity(id),
				})
			}
		}
	}
	return products, errors.Join(faults...)
}

func readLine(line string) (name string, sizes []sizePrice, err error) {
	name, rest, ok := strings.Cut(line, ": ")
	if !ok {
		return "", nil, fmt.Errorf("%q: no sizes", line)
	}
	for part := range strings.SplitSeq(rest, ", ") {
		at := strings.LastIndexByte(part, ' ')
		if at < 0 {
			return "", nil, fmt.Errorf("%q: %q is not a size and a price", line, part)
		}
		price, err := strconv.ParseInt(part[at+1:], 10, 64)
		if err != nil {
			return "", nil, fmt.Errorf("%q: %q is not a price", line, part[at+1:])
		}
		sizes = append(sizes, sizePrice{part[:at], price})
	}
	return name, sizes, nil
}

func (r productRange) cost(id string, price int64) int64 {
	margin := r.MarginPermille + r.MarginPermille*between(id, "cost", -10, 10)/100
	return price * 10_000 / (10_000 + r.TaxRateBPS) * (1000 - margin) / 1000
}

// popularity is low for most and stays below what the showpieces have.
func popularity(id string) int64 {
	x := int64(draw(id, "popularity") % 1000)
	return 5 + x*x*x*350/1_000_000_000
}

// offer enters the terms that stores have for a range's product.
func (c *Catalogue) offer(p Product, notSold []string) {
	for _, s := range c.Stores {
		terms := c.Terms(s.ID, p)
		if !terms.Sold || slices.Contains(notSold, s.ID) {
			c.Offers.NotSold[s.ID] = append(c.Offers.NotSold[s.ID], p.ID)
			continue
		}
		if terms.Price != p.Price {
			c.Offers.StorePrices = append(c.Offers.StorePrices, StorePrice{StoreID: s.ID, ProductID: p.ID, Price: terms.Price})
		}
		c.stock.Except[s.ID][p.ID] = terms.Stock
	}
}

// Terms draws how a store would sell a product that the data say nothing about:
// one of a range, or one that was generated. An unknown store doesn't sell it.
func (c *Catalogue) Terms(store string, p Product) Terms {
	s, ok := c.spread[store]
	if !ok || draw(store+"/"+p.ID, "left out")%1000 < s.LeftOut {
		return Terms{}
	}
	terms := Terms{Sold: true, Price: p.Price}
	if draw(store+"/"+p.ID, "repriced")%1000 < s.Repriced {
		own := toFive(p.Price + p.Price*between(store+"/"+p.ID, "price", s.Percent[0], s.Percent[1])/100)
		if margin(own, p.Cost, p.TaxRateBPS) > 0 {
			terms.Price = own
		}
	}
	if draw(store+"/"+p.ID, "sold out")%1000 >= s.SoldOut {
		terms.Stock = between(store+"/"+p.ID, "units", int64(s.Units[0]), int64(s.Units[1]))
	}
	return terms
}

// draw is a number that depends on id and purpose only.
func draw(id, purpose string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose + " " + id)) // never fails
	x := h.Sum64()
	// FNV's low bits differ little between ids that differ in their last letters; a round of mixing spreads that.
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	return x ^ x>>33
}

func between(id, purpose string, from, to int64) int64 {
	return from + int64(draw(id, purpose)%uint64(to-from+1))
}

// toFive rounds an amount in pence to the nearest five.
func toFive(amount int64) int64 { return (amount + 2) / 5 * 5 }

var plainLetters = strings.NewReplacer("à", "a", "â", "a", "ã", "a", "ç", "c", "è", "e", "é", "e", "ê", "e", "î", "i", "ï", "i",
	"ñ", "n", "ó", "o", "ô", "o", "û", "u", "ü", "u", "'", "", "’", "", "%", "pc", "&", "and")

// Slug makes an id of words: lower case, without accents, hyphens between.
func Slug(words string) string {
	fields := strings.FieldsFunc(plainLetters.Replace(strings.ToLower(words)), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	return strings.Join(fields, "-")
}

// GTIN completes a GTIN-13's first twelve digits with the check digit.
func GTIN(first string) string {
	sum := 0
	for i, r := range first {
		sum += int(r-'0') * (1 + i%2*2)
	}
	return first + strconv.Itoa((10-sum%10)%10)
}
