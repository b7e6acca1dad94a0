package generator

import (
	"cmp"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"

	"larder.dev/local/seed/catalogue"
)

func load(t *testing.T) (*catalogue.Catalogue, *Generator) {
	t.Helper()
	c, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return c, g
}

// equal compares products field by field.
func equal(a, b catalogue.Product) bool {
	sameTags := slices.Equal(a.Tags, b.Tags)
	a.Tags, b.Tags = nil, nil
	return sameTags && a.ID == b.ID && a.Name == b.Name && a.BrandID == b.BrandID && a.CategoryID == b.CategoryID &&
		a.Description == b.Description && a.Size == b.Size && a.GTIN == b.GTIN && a.Price == b.Price && a.Cost == b.Cost &&
		a.TaxRateBPS == b.TaxRateBPS && a.Status == b.Status && a.Popularity == b.Popularity
}

func TestSameSeedSameProducts(t *testing.T) {
	_, g := load(t)
	_, again := load(t)
	longer := slices.Collect(again.Products(7, 3000))
	if first := slices.Collect(g.Products(7, 2000)); !slices.EqualFunc(first, longer[:2000], equal) {
		t.Error("another generator makes other products of the same seed")
	}
	same := 0
	for i, p := range slices.Collect(g.Products(8, 2000)) {
		if p.Name == longer[i].Name && p.BrandID == longer[i].BrandID {
			same++
		}
		if p.ID == longer[i].ID || p.GTIN == longer[i].GTIN {
			t.Errorf("seeds 7 and 8 both have %s or %s", p.ID, p.GTIN)
		}
	}
	if same > 20 {
		t.Errorf("%d of 2000 products of two seeds are the same", same)
	}
	taken := 0
	for range g.Products(7, Max) {
		if taken++; taken == 10 {
			break
		}
	}
	if taken != 10 {
		t.Errorf("%d taken of an unfinished stream", taken)
	}
}

// Everything that the seed's own products have to be, at the size that loads have.
func TestAHundredThousand(t *testing.T) {
	c, g := load(t)
	const n = 100_000
	ids, gtins, named := map[string]bool{}, map[string]bool{}, map[string]int{}
	categories, brands := map[string]int{}, map[string]int{}
	var prices []int64
	before := ""
	for p := range g.Products(1, n) {
		if err := c.Check(p); err != nil {
			t.Fatal(err)
		}
		if p.ID <= before {
			t.Fatalf("%s comes after %s", p.ID, before)
		}
		before = p.ID
		if !strings.HasPrefix(p.ID, Before(1, len(ids))) {
			t.Fatalf("%s is not the product %d", p.ID, len(ids))
		}
		ids[p.ID], gtins[p.GTIN] = true, true
		named[p.Name+p.BrandID+p.Size]++
		categories[p.CategoryID]++
		brands[p.BrandID]++
		prices = append(prices, p.Price)
	}
	for _, p := range c.Products {
		if gtins[p.GTIN] {
			t.Errorf("%s is %s's GTIN", p.GTIN, p.ID)
		}
	}
	if len(ids) != n || len(gtins) != n {
		t.Errorf("%d ids, %d GTINs of %d products", len(ids), len(gtins), n)
	}
	if len(named) < n*98/100 {
		t.Errorf("%d different names, brands and sizes of %d products", len(named), n)
	}
	zipf(t, "categories", categories, 70, 3)
	zipf(t, "brands", brands, 50, 10)

	slices.Sort(prices)
	for _, x := range []struct {
		permille   int
		from, upTo int64
	}{{0, 30, 60}, {100, 100, 180}, {500, 200, 350}, {900, 500, 1000}, {999, 1500, 6000}} {
		if price := prices[len(prices)*x.permille/1000]; price < x.from || price > x.upTo {
			t.Errorf("%d permille of the prices are below %d, want %d to %d", x.permille, price, x.from, x.upTo)
		}
	}
}

// zipf wants many values, and the most frequent to have times as many as the one in the middle.
func zipf(t *testing.T, what string, counts map[string]int, least, times int) {
	t.Helper()
	var sorted []int
	for _, count := range counts {
		sorted = append(sorted, count)
	}
	slices.SortFunc(sorted, func(a, b int) int { return cmp.Compare(b, a) })
	if len(sorted) < least || sorted[0] < times*sorted[len(sorted)/2] {
		t.Errorf("%d %s, the first with %d products, the middle one with %d", len(sorted), what, sorted[0], sorted[len(sorted)/2])
	}
}

// A stream keeps nothing: after a garbage collection in the middle of many products there is no more than after few.
func TestMemoryStaysFlat(t *testing.T) {
	_, g := load(t)
	next, stop := iter.Pull(g.Products(3, 200_000))
	defer stop()
	after := func(n int) uint64 {
		for range n {
			if _, ok := next(); !ok {
				t.Fatal("the stream has ended")
			}
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	few := after(1000)
	if many := after(150_000); many > few+1<<20 {
		t.Errorf("%d KiB are live after 1,000 products, %d KiB after 151,000", few>>10, many>>10)
	}
	runtime.KeepAlive(g)
}
