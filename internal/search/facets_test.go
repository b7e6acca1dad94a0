package search_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"larder.dev/internal/search"
)

// dairy has two brands, two categories and two tags.
func dairy() []document {
	in := func(category, name, brand string, tags ...string) document {
		return document{
			"category_id": category, "category_path": []string{"dairy", category}, "category_names": []string{"Dairy & Eggs", name},
			"brand_id": brand, "brand": strings.ToUpper(brand), "tags": tags,
		}
	}
	at := func(d document, price int64) document {
		d["prices"] = map[string]int64{"camden": price, "soho": 1}
		return d
	}
	return []document{
		product("a", "Oat Milk", at(in("milk", "Milk & Cream", "hollin", "vegan", "gluten-free"), 100)),
		product("b", "Goat Milk", at(in("milk", "Milk & Cream", "hollin", "gluten-free"), 200)),
		product("c", "Milk Cheese", at(in("cheese", "Cheese", "curd", "gluten-free"), 300)),
		product("d", "Milk Curds", at(in("cheese", "Cheese", "hollin"), 400)),
		product("e", "Bananas", nil),
	}
}

func counts(t *testing.T, r search.Result) string {
	t.Helper()
	var out []string
	for _, f := range r.Facets {
		values := []string{}
		for _, v := range f.Values {
			values = append(values, fmt.Sprintf("%s=%d", v.Value, v.Count))
		}
		out = append(out, f.Field+": "+strings.Join(values, " "))
	}
	return strings.Join(out, "; ")
}

func TestFacets(t *testing.T) {
	s := open(t, dairy()...)
	milk := search.Query{Text: "milk", Store: "camden"}
	for _, c := range []struct {
		what   string
		change func(*search.Query)
		hits   []string
		facets string
	}{
		{"without filters", func(*search.Query) {}, []string{"a", "b", "c", "d"},
			"category: dairy=4 cheese=2 milk=2; brand: hollin=3 curd=1; tag: gluten-free=3 vegan=1"},
		{"a selection doesn't narrow its own facet", func(q *search.Query) { q.Brands = []string{"curd"} }, []string{"c"},
			"category: cheese=1 dairy=1; brand: hollin=3 curd=1; tag: gluten-free=1"},
		{"several values of one facet are any of them", func(q *search.Query) { q.Brands = []string{"curd", "hollin"} }, []string{"a", "b", "c", "d"},
			"category: dairy=4 cheese=2 milk=2; brand: hollin=3 curd=1; tag: gluten-free=3 vegan=1"},
		{"values of two facets are both", func(q *search.Query) { q.Brands = []string{"hollin"}; q.Categories = []string{"cheese"} }, []string{"d"},
			"category: dairy=3 milk=2 cheese=1; brand: curd=1 hollin=1; tag: "},
		{"a category includes those below", func(q *search.Query) { q.Categories = []string{"dairy"} }, []string{"a", "b", "c", "d"},
			"category: dairy=4 cheese=2 milk=2; brand: hollin=3 curd=1; tag: gluten-free=3 vegan=1"},
		{"a tag", func(q *search.Query) { q.Tags = []string{"gluten-free"} }, []string{"a", "b", "c"},
			"category: dairy=3 milk=2 cheese=1; brand: hollin=2 curd=1; tag: gluten-free=3 vegan=1"},
		{"prices are inclusive, and narrow every facet", func(q *search.Query) { q.MinPrice, q.MaxPrice = 200, 300 }, []string{"b", "c"},
			"category: dairy=2 cheese=1 milk=1; brand: curd=1 hollin=1; tag: gluten-free=2"},
		{"only some products", func(q *search.Query) { q.Products = []string{"b", "c", "e"} }, []string{"b", "c"},
			"category: dairy=2 cheese=1 milk=1; brand: curd=1 hollin=1; tag: gluten-free=2"},
		{"a lowest price alone", func(q *search.Query) { q.MinPrice = 400 }, []string{"d"},
			"category: cheese=1 dairy=1; brand: hollin=1; tag: "},
		{"a highest price alone", func(q *search.Query) { q.MaxPrice = 100 }, []string{"a"},
			"category: dairy=1 milk=1; brand: hollin=1; tag: gluten-free=1 vegan=1"},
		{"a value that isn't there", func(q *search.Query) { q.Brands = []string{"*"} }, nil,
			"category: ; brand: hollin=3 curd=1; tag: "},
		{"of a did-you-mean", func(q *search.Query) { q.Text = "mulk"; q.Brands = []string{"curd"} }, []string{"c"},
			"category: cheese=1 dairy=1; brand: hollin=3 curd=1; tag: gluten-free=1"},
		{"browsing", func(q *search.Query) { q.Text = "" }, []string{"a", "b", "c", "d", "e"},
			"category: dairy=4 cheese=2 milk=2 fruit=1 fruit-and-veg=1; brand: hollin=3 curd=1 larder-market=1; tag: gluten-free=3 vegan=1"},
	} {
		t.Run(c.what, func(t *testing.T) {
			q := milk
			c.change(&q)
			r := s.ask(q)
			if got := slices.Sorted(slices.Values(ids(r))); !slices.Equal(got, c.hits) {
				t.Errorf("finds %v, want %v", got, c.hits)
			}
			if int(r.Total) != len(c.hits) {
				t.Errorf("total %d, want %d", r.Total, len(c.hits))
			}
			if got := counts(t, r); got != c.facets {
				t.Errorf("facets\n %s, want\n %s", got, c.facets)
			}
		})
	}
}

func TestFacetLabels(t *testing.T) {
	s := open(t, dairy()...)
	labels := map[string]string{}
	for _, f := range s.ask(search.Query{Text: "milk", Store: "camden"}).Facets {
		for _, v := range f.Values {
			labels[f.Field+" "+v.Value] = v.Label
		}
	}
	want := map[string]string{
		"category dairy": "Dairy & Eggs", "category milk": "Milk & Cream", "category cheese": "Cheese",
		"brand hollin": "HOLLIN", "brand curd": "CURD", "tag vegan": "vegan", "tag gluten-free": "gluten-free",
	}
	if !maps.Equal(labels, want) {
		t.Errorf("labels %v, want %v", labels, want)
	}
}
