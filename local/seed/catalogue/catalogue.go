// Package catalogue is the seed of the local platform: what one UK grocer
// sells, in which stores, at which prices, and how much of it is on the
// shelves before the first order. The data are JSON files beside this code;
// every brand, store and address in them is invented.
//
// Rules of the data, kept by Load:
//
//   - Ids are slugs, unique within their kind, and every reference resolves.
//   - Categories form a tree. Products belong to leaves, every leaf has
//     products, and siblings have positions of their own.
//   - A product's file is named after its top-level category. data/products has
//     those that were written one by one, data/ranges those that are written as
//     lines of a range (see ranges.go).
//   - A name is used once for a brand and size.
//   - Prices and costs are minor units (pence) and prices include tax. Net of
//     tax, a product's margin is between 8 % and 55 %, and no override or
//     planned price sells below cost.
//   - GTINs are GTIN-13 in the range 20 to 29, which GS1 keeps for numbers
//     that mean nothing outside one company (GS1 General Specifications,
//     "Restricted Circulation Numbers"), so none can be a real product's.
//   - Tax is UK VAT: most food is zero-rated; confectionery, crisps, ice
//     cream, soft drinks, alcohol and household goods are standard-rated (HMRC
//     VAT Notice 701/14).
package catalogue

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

//go:embed data
var data embed.FS

// Catalogue is the whole seed. It is read-only after Load and safe for
// concurrent readers.
type Catalogue struct {
	Categories []Category // parents before their children
	Brands     []Brand
	Stores     []Store
	Products   []Product
	Offers     Offers

	stock      stockFile
	spread     map[string]Spread // by store id
	categories map[string]Category
	products   map[string]Product
	stores     map[string]Store
	notSold    map[offerKey]bool
	overrides  map[offerKey]int64
	files      map[string]string // product id to the name of its file
}

// Category is a node of the tree. ParentID is empty at the top; Position, from
// 1, orders the children of one parent.
type Category struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	ParentID string `json:"parent_id"`
	Position int32  `json:"position"`
}

// Brand is who makes a product.
type Brand struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Store delivers from one address to the outward codes in Postcodes, such as
// "W1D". Two stores may serve the same code. DeliveryFee and FreeDeliveryFrom
// are minor units of Currency (ISO 4217).
type Store struct {
	ID               string   `json:"id"`
	Name             string   `json:"name"`
	Address          Address  `json:"address"`
	Currency         string   `json:"currency"`
	DeliveryFee      int64    `json:"delivery_fee"`
	FreeDeliveryFrom int64    `json:"free_delivery_from"`
	Postcodes        []string `json:"postcodes"`
}

// Address is a postal address in the United Kingdom.
type Address struct {
	Line1    string `json:"line1"`
	City     string `json:"city"`
	Postcode string `json:"postcode"`
}

// Product is one thing to sell. Price (tax included) and Cost (tax excluded)
// are minor units of GBP, TaxRateBPS basis points, Popularity 0 to 1000.
type Product struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	BrandID     string   `json:"brand_id"`
	CategoryID  string   `json:"category_id"`
	Description string   `json:"description"`
	Size        string   `json:"size"`
	GTIN        string   `json:"gtin"`
	Price       int64    `json:"price"`
	Cost        int64    `json:"cost"`
	TaxRateBPS  int64    `json:"tax_rate_bps"`
	Tags        []string `json:"tags"`
	Status      string   `json:"status"`
	Popularity  int64    `json:"popularity"`
	// MaxPerShopper is how many units one shopper may buy in a day; 0: no
	// limit.
	MaxPerShopper int64 `json:"max_per_shopper"`
}

// Offers is what differs by store and by time. A store sells every product
// that NotSold does not name for it, at the product's price unless StorePrices
// has another.
type Offers struct {
	NotSold       map[string][]string `json:"not_sold"` // store id to product ids
	StorePrices   []StorePrice        `json:"store_prices"`
	PlannedPrices []PlannedPrice      `json:"planned_prices"`
}

// StorePrice replaces a product's price in one store, in minor units.
type StorePrice struct {
	StoreID   string `json:"store_id"`
	ProductID string `json:"product_id"`
	Price     int64  `json:"price"`
}

// PlannedPrice is a price in minor units that comes into force at ValidFrom,
// in one store or, if StoreID is empty, in all.
type PlannedPrice struct {
	ProductID string    `json:"product_id"`
	StoreID   string    `json:"store_id,omitempty"`
	Price     int64     `json:"price"`
	ValidFrom time.Time `json:"valid_from"`
}

type stockFile struct {
	Default map[string]int64            `json:"default"` // store id to units
	Except  map[string]map[string]int64 `json:"except"`  // store id, product id to units
}

type offerKey struct{ store, product string }

// Load reads the embedded files and validates all of them. The error names
// every fault found, not only the first.
func Load() (*Catalogue, error) {
	return load(data)
}

func load(files fs.FS) (*Catalogue, error) {
	c := &Catalogue{files: map[string]string{}}
	err := errors.Join(
		read(files, "data/categories.json", &c.Categories),
		read(files, "data/brands.json", &c.Brands),
		read(files, "data/stores.json", &c.Stores),
		read(files, "data/offers.json", &c.Offers),
		read(files, "data/stock.json", &c.stock),
		read(files, "data/spread.json", &c.spread),
		c.readProducts(files),
	)
	if err != nil {
		return nil, fmt.Errorf("seed catalogue: %w", err)
	}
	var f faults
	if c.validateStores(&f); len(f) == 0 {
		c.validateSpread(&f)
	}
	if len(f) > 0 {
		return nil, fmt.Errorf("seed catalogue: %w", errors.Join(f...))
	}
	if err := c.readRanges(files); err != nil {
		return nil, fmt.Errorf("seed catalogue: %w", err)
	}
	c.index()
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("seed catalogue: %w", err)
	}
	return c, nil
}

// readProducts reads one file for each top-level category, so that none of
// them grows past what a reviewer reads.
func (c *Catalogue) readProducts(files fs.FS) error {
	return eachFile(files, "data/products/*.json", func(name, topLevel string) error {
		var products []Product
		if err := read(files, name, &products); err != nil {
			return err
		}
		for _, p := range products {
			c.files[p.ID] = topLevel
		}
		c.Products = append(c.Products, products...)
		return nil
	})
}

func eachFile(files fs.FS, pattern string, visit func(name, topLevel string) error) error {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := visit(name, strings.TrimSuffix(path.Base(name), ".json")); err != nil {
			return err
		}
	}
	return nil
}

func read(files fs.FS, name string, into any) error {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: text after the JSON value", name)
	}
	return nil
}

func (c *Catalogue) index() {
	c.categories = map[string]Category{}
	for _, x := range c.Categories {
		c.categories[x.ID] = x
	}
	c.products = map[string]Product{}
	for _, x := range c.Products {
		c.products[x.ID] = x
	}
	c.stores = map[string]Store{}
	for _, x := range c.Stores {
		c.stores[x.ID] = x
	}
	c.notSold = map[offerKey]bool{}
	for store, products := range c.Offers.NotSold {
		for _, product := range products {
			c.notSold[offerKey{store, product}] = true
		}
	}
	c.overrides = map[offerKey]int64{}
	for _, x := range c.Offers.StorePrices {
		c.overrides[offerKey{x.StoreID, x.ProductID}] = x.Price
	}
}

// Path returns the categories from the top of the tree down to the one with
// this id, or nil if there is no such category.
func (c *Catalogue) Path(categoryID string) []Category {
	var up []Category
	for id := categoryID; id != ""; {
		x, ok := c.categories[id]
		if !ok || len(up) == len(c.Categories) { // the latter: a cycle
			return nil
		}
		up = append(up, x)
		id = x.ParentID
	}
	for i, j := 0, len(up)-1; i < j; i, j = i+1, j-1 {
		up[i], up[j] = up[j], up[i]
	}
	return up
}

// ImageURI is the picture of a product: that of its top-level category.
func (c *Catalogue) ImageURI(p Product) string {
	up := c.Path(p.CategoryID)
	if len(up) == 0 {
		return ""
	}
	return "/images/categories/" + up[0].ID + ".svg"
}

// Sold says whether the store's assortment has the product. An unknown store
// sells nothing, and nobody sells an unknown product.
func (c *Catalogue) Sold(store, product string) bool {
	if _, ok := c.stores[store]; !ok {
		return false
	}
	if _, ok := c.products[product]; !ok {
		return false
	}
	return !c.notSold[offerKey{store, product}]
}

// Price is today's price in the store in minor units, tax included, or 0 if
// the store does not sell the product. Planned prices don't count: all of them
// lie in the future.
func (c *Catalogue) Price(store, product string) int64 {
	if !c.Sold(store, product) {
		return 0
	}
	if price, ok := c.overrides[offerKey{store, product}]; ok {
		return price
	}
	return c.products[product].Price
}

// Stock is the initial stock in units, or 0 if the store does not sell the
// product.
func (c *Catalogue) Stock(store, product string) int64 {
	if !c.Sold(store, product) {
		return 0
	}
	if units, ok := c.stock.Except[store][product]; ok {
		return units
	}
	return c.stock.Default[store]
}
