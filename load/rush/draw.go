package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"

	"larder.dev/load/prove/shop"
	"larder.dev/load/queries"
)

// Searches, as shoppers' are: few are most of what is asked, and some are misspelt.
const (
	distinctQueries = 20_000
	typoShare       = 0.2
	// tries bounds how often a query is made until there are enough that differ.
	tries = 60
)

// item is a product as the public list tells of it.
type item struct {
	ID     string   `json:"product_id"`
	Name   string   `json:"name"`
	Brand  string   `json:"brand_id"`
	Stores []string `json:"store_ids"`
	Limit  int64    `json:"max_per_shopper"`
}

// vocabulary are so many different queries of products, those first that are asked most. Error: the products have no so many.
func vocabulary(random *rand.Rand, items []item, brands map[string]string, distinct int) ([]string, error) {
	if len(items) == 0 {
		return nil, fmt.Errorf("%d different queries of no products", distinct)
	}
	known := make(map[string]bool, distinct)
	words := make([]string, 0, distinct)
	for range tries * distinct {
		p := items[random.IntN(len(items))]
		if q := queries.Of(random, p.Name, brands[p.Brand]); q != "" && !known[q] {
			known[q] = true
			if words = append(words, q); len(words) == distinct {
				return words, nil
			}
		}
	}
	return nil, fmt.Errorf("%d products have %d different queries, want %d", len(items), len(words), distinct)
}

// drawQueries draws n queries by Zipf's law with the exponent 1, the k-th 1/k as often as the first, and every fifth with a letter wrong.
func drawQueries(random *rand.Rand, words []string, n int) []string {
	upTo := make([]float64, len(words)) // how many of all ask for this one or one before
	sum := 0.0
	for i := range words {
		sum += 1 / float64(i+1)
		upTo[i] = sum
	}
	drawn := make([]string, n)
	owed := 0.0
	for i := range drawn {
		q := words[sort.SearchFloat64s(upTo, random.Float64()*sum)]
		if owed += typoShare; owed >= 1 {
			if wrong := queries.Misspelt(random, q); wrong != q { // else the next one is
				q, owed = wrong, owed-1
			}
		}
		drawn[i] = q
	}
	return drawn
}

// good is a product of a store's that may be bought.
type good struct {
	Store   string `json:"store"`
	Product string `json:"product"`
}

// drawGoods puts what is there, and isn't limited for each shopper, in an order of chance.
func drawGoods(random *rand.Rand, opening []*shop.Adjustment, items []item, atLeast int64) []good {
	sold := make(map[good]bool, len(items))
	for _, p := range items {
		for _, store := range p.Stores {
			sold[good{store, p.ID}] = p.Limit == 0
		}
	}
	var goods []good
	for _, a := range opening {
		for _, line := range a.Lines {
			if g := (good{a.Store, line.Product}); line.Quantity >= atLeast && sold[g] {
				goods = append(goods, g)
			}
		}
	}
	slices.SortFunc(goods, func(x, y good) int { return cmp.Or(cmp.Compare(x.Store, y.Store), cmp.Compare(x.Product, y.Product)) })
	random.Shuffle(len(goods), func(i, j int) { goods[i], goods[j] = goods[j], goods[i] })
	return goods
}
