package main

import (
	"maps"
	"slices"
	"sync"
)

// journal is what was committed: the catalogue as the workload knows it. It shares nothing with the triggers that make documents.
type journal struct {
	mu         sync.Mutex
	products   map[string]*product
	categories map[string]category
	brands     map[string]string
}

type category struct{ name, parent string }

type product struct {
	id, name, brand, category, description, size, gtin, image, status string
	tags                                                              []string
	cost, everyday                                                    int64 // 0: none
	tax, popularity                                                   int64
	prices                                                            map[string]int64 // by store
	sold, available                                                   map[string]bool  // by store
	deleted                                                           bool
}

func newJournal() *journal {
	return &journal{products: map[string]*product{}, categories: map[string]category{}, brands: map[string]string{}}
}

func (p *product) clone() *product {
	c := *p
	c.tags, c.prices, c.sold, c.available = slices.Clone(p.tags), maps.Clone(p.prices), maps.Clone(p.sold), maps.Clone(p.available)
	return &c
}

func (j *journal) product(id string) *product {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.products[id]
}

// put notes products as they were committed. A product has one writer at a time.
func (j *journal) put(products ...*product) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, p := range products {
		j.products[p.id] = p
	}
}

func (j *journal) putCategory(id string, c category) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.categories[id] = c
}

func (j *journal) putBrand(id, name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.brands[id] = name
}

// documents are all that the index should hold, by product.
func (j *journal) documents() map[string]map[string]any {
	j.mu.Lock()
	defer j.mu.Unlock()
	documents := make(map[string]map[string]any, len(j.products))
	for id, p := range j.products {
		documents[id] = j.document(p)
	}
	return documents
}

// document is a product as search has to know it, in the form that JSON decodes to, but for its revision and the time of its change.
func (j *journal) document(p *product) map[string]any {
	if p.deleted {
		return map[string]any{"product_id": p.id, "deleted": true}
	}
	d := map[string]any{
		"product_id": p.id, "deleted": false, "status": p.status, "name": p.name, "description": p.description, "size": p.size,
		"gtin": p.gtin, "category_id": p.category, "tags": list(p.tags), "image_uri": p.image, "currency": "GBP",
		"tax_rate_bps": float64(p.tax), "popularity": float64(p.popularity), "margin_permille": float64(p.margin()),
	}
	if p.brand != "" {
		d["brand_id"], d["brand"] = p.brand, j.brands[p.brand]
	}
	var path, names []string
	for id := p.category; id != ""; id = j.categories[id].parent {
		path, names = append(path, id), append(names, j.categories[id].name)
	}
	slices.Reverse(path)
	slices.Reverse(names)
	d["category_path"], d["category_names"] = list(path), list(names)
	if p.everyday > 0 {
		d["price"] = float64(p.everyday)
	}
	prices := map[string]any{}
	var available []string
	for _, store := range slices.Sorted(maps.Keys(p.sold)) {
		price := p.prices[store]
		if price == 0 {
			price = p.everyday
		}
		if price > 0 {
			prices[store] = float64(price)
		}
		if p.available[store] {
			available = append(available, store)
		}
	}
	d["prices"], d["available_in"] = prices, list(available)
	return d
}

// margin is what is left of the price without tax after the cost, in permille of the price without tax, rounded down.
func (p *product) margin() int64 {
	if p.everyday == 0 || p.cost == 0 {
		return 0
	}
	withoutTax := p.everyday * 10000
	return max(0, (withoutTax-p.cost*(10000+p.tax))*1000/withoutTax)
}

func list(of []string) []any {
	out := make([]any, len(of))
	for i, s := range of {
		out[i] = s
	}
	return out
}
