// Package generator makes any number of further products, for load and for tests that need a full catalogue.
//
// Rules:
//
//   - The same seed gives the same products in the same order; more of them begin with the fewer. A product depends on the
//     seed and its place only, and nothing is kept of those before.
//   - A product is a variation of one of the seed catalogue: another maker, where it is from, what it is praised for, another
//     size, and a price, a cost and a popularity of its own. So the category, the tags and the tax are right, and the names are
//     what shoppers look for.
//   - As in a shop, few categories and few makers have most of the products (Zipf's law).
//   - Ids begin with "gen-", the seed and the place in six digits, so that they sort in the order in which they are made, and
//     none is a product's of the seed catalogue. GTINs are of the ranges 22 to 29, which the seed catalogue doesn't use.
package generator

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"larder.dev/local/seed/catalogue"
)

// Max is how many products one seed has.
const Max = 1_000_000

// How steeply the share falls from one rank to the next: of categories, of the products in one, of the makers.
const (
	categorySlope = 0.6
	productSlope  = 0.3
	brandSlope    = 0.9
)

// maxID is the length of a product's id.
const maxID = 63

//go:embed words.json
var words []byte

type vocabulary struct {
	Adjectives []string `json:"adjectives"`
	Origins    []string `json:"origins"`
	British    []string `json:"british"` // origins of what is tagged so
}

// Generator is safe for concurrent use.
type Generator struct {
	categories []category
	ranks      ranks // of categories
}

// category is a leaf of the seed's tree, and what its products are made of.
type category struct {
	models      []catalogue.Product
	modelRanks  ranks
	brands      []catalogue.Brand // of the top-level category, those with most products first
	brandRanks  ranks
	vocabulary  vocabulary
	sizesByUnit map[string][]amount
}

// amount is a size read: 500 of "500 g".
type amount struct {
	number float64
	size   string
}

// New prepares the words. The catalogue is the seed's.
func New(c *catalogue.Catalogue) (*Generator, error) {
	var read struct {
		Food            vocabulary `json:"food"`
		Goods           vocabulary `json:"goods"`
		GoodsCategories []string   `json:"goods_categories"` // with all below them
	}
	if err := json.Unmarshal(words, &read); err != nil {
		return nil, fmt.Errorf("words.json: %w", err)
	}
	models := map[string][]catalogue.Product{}
	for _, p := range c.Products {
		models[p.CategoryID] = append(models[p.CategoryID], p)
	}
	makers := makersOf(c)
	var g Generator
	for _, leaf := range c.Categories {
		x := category{models: models[leaf.ID], vocabulary: read.Food, sizesByUnit: map[string][]amount{}}
		if len(x.models) == 0 {
			continue // a parent
		}
		path := c.Path(leaf.ID)
		if slices.ContainsFunc(path, func(up catalogue.Category) bool { return slices.Contains(read.GoodsCategories, up.ID) }) {
			x.vocabulary = read.Goods
		}
		x.brands = makers[path[0].ID]
		x.modelRanks, x.brandRanks = ranked(len(x.models), productSlope), ranked(len(x.brands), brandSlope)
		for _, p := range x.models {
			if number, unit, ok := readSize(p.Size); ok && !slices.Contains(x.sizesByUnit[unit], amount{number, p.Size}) {
				x.sizesByUnit[unit] = append(x.sizesByUnit[unit], amount{number, p.Size})
			}
		}
		g.categories = append(g.categories, x)
	}
	g.ranks = ranked(len(g.categories), categorySlope)
	return &g, nil
}

// makersOf lists the brands of each top-level category, those with most products first.
func makersOf(c *catalogue.Catalogue) map[string][]catalogue.Brand {
	counts := map[string]map[string]int{}
	for _, p := range c.Products {
		top := c.Path(p.CategoryID)[0].ID
		if counts[top] == nil {
			counts[top] = map[string]int{}
		}
		counts[top][p.BrandID]++
	}
	makers := map[string][]catalogue.Brand{}
	for top, count := range counts {
		for _, b := range c.Brands {
			if count[b.ID] > 0 {
				makers[top] = append(makers[top], b)
			}
		}
		slices.SortStableFunc(makers[top], func(a, b catalogue.Brand) int { return count[b.ID] - count[a.ID] })
	}
	return makers
}

// Products are the first n of a seed; n beyond Max is Max.
func (g *Generator) Products(seed uint64, n int) iter.Seq[catalogue.Product] {
	return func(yield func(catalogue.Product) bool) {
		for i := range min(n, Max) {
			if !yield(g.product(seed, i)) {
				return
			}
		}
	}
}

// Before is an id that sorts before a seed's i-th product, counted from 0, and behind those before it.
func Before(seed uint64, i int) string { return fmt.Sprintf("gen-%d-%06d", seed, i) }

func (g *Generator) product(seed uint64, i int) catalogue.Product {
	r := rand.New(rand.NewPCG(seed, uint64(i)))
	c := g.categories[g.ranks.pick(r)]
	model := c.models[c.modelRanks.pick(r)]
	brand := c.brands[c.brandRanks.pick(r)]
	size, scale := c.size(r, model)

	p := model
	p.Name = c.vocabulary.name(r, model)
	p.BrandID = brand.ID
	p.Size = size
	p.ID = cut(Before(seed, i) + "-" + catalogue.Slug(p.Name))
	p.GTIN = catalogue.GTIN(fmt.Sprintf("%d%04d%06d", 22+seed%8, seed/8%10_000, i))
	p.Description = fmt.Sprintf("%s by %s.", p.Name, brand.Name)
	// Prices spread about their model's as prices do: by factors, most of them small. The cost keeps the model's margin.
	factor := scale * math.Exp(min(0.6, max(-0.6, 0.2*r.NormFloat64())))
	p.Price = max(30, int64(float64(model.Price)*factor/5+0.5)*5)
	p.Cost = max(1, p.Price*model.Cost/model.Price)
	p.Popularity = int64(200 * math.Pow(r.Float64(), 4))
	return p
}

// size is the model's or, half of the time, another of the category in the same unit, and how its price is to the model's.
// Twice as much isn't twice as dear, and nobody sells a tenfold pack of everything.
func (c category) size(r *rand.Rand, model catalogue.Product) (string, float64) {
	number, unit, ok := readSize(model.Size)
	if !ok || r.IntN(2) == 0 {
		return model.Size, 1
	}
	other := c.sizesByUnit[unit][r.IntN(len(c.sizesByUnit[unit]))]
	if ratio := other.number / number; ratio >= 1.0/3 && ratio <= 3 {
		return other.size, math.Pow(ratio, 0.85)
	}
	return model.Size, 1
}

// readSize reads "500 g"; a multipack ("4 x 330 ml") has no other sizes.
func readSize(size string) (number float64, unit string, ok bool) {
	first, unit, ok := strings.Cut(size, " ")
	number, err := strconv.ParseFloat(first, 64)
	return number, unit, ok && err == nil && !strings.Contains(unit, " ")
}

// name puts an origin and an adjective before what the model is, leaving out what that says already.
func (v vocabulary) name(r *rand.Rand, model catalogue.Product) string {
	origins := v.Origins
	if v.British != nil && slices.Contains(model.Tags, "british") {
		origins = v.British
	}
	var parts []string
	for _, list := range [][]string{origins, v.Adjectives} {
		if word := list[r.IntN(len(list))]; !strings.Contains(model.Name, word) {
			parts = append(parts, word)
		}
	}
	return strings.Join(append(parts, model.Name), " ")
}

// cut shortens an id to its greatest length, at a hyphen.
func cut(id string) string {
	if len(id) <= maxID {
		return id
	}
	return id[:strings.LastIndexByte(id[:maxID+1], '-')]
}

// ranks picks a rank from 0, each less often than the one before it: the sums of the shares.
type ranks []float64

func ranked(n int, slope float64) ranks {
	sums, sum := make(ranks, n), 0.0
	for i := range sums {
		sum += math.Pow(float64(i+1), -slope)
		sums[i] = sum
	}
	return sums
}

func (s ranks) pick(r *rand.Rand) int {
	at, _ := slices.BinarySearch(s, r.Float64()*s[len(s)-1])
	return min(at, len(s)-1)
}
