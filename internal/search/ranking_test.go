package search_test

import (
	"math"
	"slices"
	"testing"

	"larder.dev/internal/search"
	"larder.dev/internal/search/elastic"
)

func TestRankingWithinAClass(t *testing.T) {
	away := document{"available_in": []string{"soho"}}
	with := func(field string, value any) document { return document{field: value} }
	for _, c := range []struct {
		what string
		docs []document
		want []string
	}{
		{"in stock first", []document{product("a-away", "Rhubarb", away), product("b-here", "Rhubarb", nil)}, []string{"b-here", "a-away"}},
		{"higher margin first", []document{
			product("a-low", "Rhubarb", with("margin_permille", 100)), product("b-high", "Rhubarb", with("margin_permille", 101)),
		}, []string{"b-high", "a-low"}},
		{"more popular first", []document{
			product("a-few", "Rhubarb", with("popularity", 10)), product("b-many", "Rhubarb", with("popularity", 400)),
		}, []string{"b-many", "a-few"}},
		{"in stock weighs more than margin and popularity", []document{
			product("a-away", "Rhubarb", document{"available_in": []string{}, "margin_permille": 900, "popularity": 1_000_000}),
			product("b-here", "Rhubarb", document{"margin_permille": 0}),
		}, []string{"b-here", "a-away"}},
		{"in stock weighs more than what the name names", []document{
			product("a-away", "Young Rhubarb", away), product("b-here", "Rhubarb Crumble", nil),
		}, []string{"b-here", "a-away"}},
		{"what the name names weighs more than margin", []document{
			product("a-crumble", "Rhubarb Crumble", with("margin_permille", 900)), product("b-rhubarb", "Young Rhubarb", with("margin_permille", 10)),
		}, []string{"b-rhubarb", "a-crumble"}},
		{"equals by id", []document{product("b", "Rhubarb", nil), product("a", "Rhubarb", nil)}, []string{"a", "b"}},
		{"a document without figures is found", []document{
			product("a", "Rhubarb", document{"margin_permille": nil, "popularity": nil}), product("b", "Rhubarb", nil),
		}, []string{"b", "a"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := open(t, c.docs...)
			equal(t, "rhubarb", ids(s.ask(search.Query{Text: "rhubarb", Store: "camden"})), c.want...)
		})
	}
}

// Relevance comes in classes that nothing a shop wants can cross.
func TestClassesOfRelevance(t *testing.T) {
	worst := document{"available_in": []string{}, "margin_permille": 0, "popularity": 0}
	best := document{"margin_permille": 1000, "popularity": int64(math.MaxInt64)}
	s := open(t,
		product("exact", "Orange Tarts", worst),
		product("whole", "Tart Orange", best),
		product("name", "Blood Orange Almond Tarts", worst),
		product("words", "Almond Tarts", document{
			"brand": "Orange Grove", "margin_permille": 1000, "popularity": int64(math.MaxInt64),
		}),
		product("prefix", "Oranges Tartelette", worst),
		product("nothing", "Bananas", best),
	)
	q := search.Query{Text: "orange tarts", Store: "camden"}
	equal(t, "best figures below", ids(s.ask(q)), "exact", "whole", "name", "words")
	q.Text = "orange tart"
	if got := ids(s.ask(q)); got[len(got)-1] != "prefix" || slices.Contains(got, "nothing") {
		t.Errorf("%q: %v, want a beginning last", q.Text, got)
	}
}

// What is out of stock, earns nothing and is bought by nobody still comes first when it is asked for by its name; only its like, of the
// same name in another size or of another maker, may stand before it.
func TestExactNameComesFirstWhenOutOfStock(t *testing.T) {
	docs := seed(t)
	s := open(t, docs...)
	var out []document
	for i, d := range docs {
		if _, sold := d["prices"].(map[string]int64)["camden"]; sold && i%6 == 0 {
			d["available_in"], d["margin_permille"], d["popularity"], d["revision"] = []string{}, 0, 0, 2
			out = append(out, d)
		}
	}
	s.put(out...)
	missed := 0
	for _, d := range out {
		r := s.ask(search.Query{Text: d["name"].(string), Store: "camden"})
		at := slices.IndexFunc(r.Hits, func(h search.Hit) bool { return h.ProductID == d["product_id"] })
		if at < 0 || r.Hits[at].Available || slices.ContainsFunc(r.Hits[:at], func(h search.Hit) bool { return h.Name != d["name"] }) {
			t.Errorf("%q: %v", d["name"], ids(r))
			missed++
		}
	}
	t.Logf("%d of %d products out of stock come first by their exact name", len(out)-missed, len(out))
}

// In a shop of some size, with every third product out of stock: the first ten of a one-word query are in stock.
func TestGenericQueriesShowWhatIsInStock(t *testing.T) {
	docs := seed(t, 3000)
	for i, d := range docs {
		if i%3 == 0 {
			d["available_in"] = []string{}
		}
	}
	s := open(t, docs...)
	shown, inStock := 0, 0
	for _, word := range []string{
		"milk", "bread", "cheese", "butter", "yoghurt", "apples", "onions", "potatoes", "chicken", "sausages", "rice", "pasta", "beans",
		"soup", "tea", "coffee", "juice", "beer", "wine", "chocolate", "biscuits", "crisps", "cake", "pizza", "cereal", "jam", "salad", "shampoo",
	} {
		for _, h := range s.ask(search.Query{Text: word, Store: "camden", PageSize: 10}).Hits {
			shown++
			if h.Available {
				inStock++
			} else {
				t.Logf("%q shows %s, which is out of stock, among the first ten", word, h.Name)
			}
		}
	}
	t.Logf("%d of %d hits among the first ten are in stock", inStock, shown)
	if shown < 280 || 100*inStock < 95*shown {
		t.Errorf("%d of %d hits in stock, want 95 %% of 280", inStock, shown)
	}
}

func TestBrowsing(t *testing.T) {
	s := open(t,
		product("a-dear", "Plums", document{"popularity": 1, "margin_permille": 1000}),
		product("b-popular", "Pears", document{"popularity": 900, "margin_permille": 0}),
		product("c-away", "Figs", document{"popularity": 1_000_000, "available_in": []string{"soho"}}),
	)
	equal(t, "by popularity, what is in stock first", ids(s.ask(search.Query{Store: "camden"})), "b-popular", "a-dear", "c-away")
	equal(t, "spaces are no words", ids(s.ask(search.Query{Text: " \t\u00a0\x00 ", Store: "camden"})), "b-popular", "a-dear", "c-away")
}

func TestWhatIsNotSoldIsNotFound(t *testing.T) {
	s := open(t,
		product("sold", "Quince", nil),
		product("draft", "Quince", document{"status": "draft"}),
		product("retired", "Quince", document{"status": "retired"}),
		product("deleted", "Quince", document{"deleted": true}),
		product("elsewhere", "Quince", document{"prices": map[string]int64{"soho": 100}, "available_in": []string{"soho"}}),
		document{"product_id": "bare", "revision": 3, "deleted": true},
	)
	for _, text := range []string{"quince", "quinces", "qince", ""} {
		r := s.ask(search.Query{Text: text, Store: "camden"})
		equal(t, text, ids(r), "sold")
		if r.Total != 1 {
			t.Errorf("%q: total %d, want 1", text, r.Total)
		}
	}
	equal(t, "in a store that isn't", ids(s.ask(search.Query{Text: "quince", Store: "atlantis"})))
	equal(t, "browsing a store that isn't", ids(s.ask(search.Query{Store: "atlantis", Sort: search.ByPriceAscending})))
}

func TestHitsShowTheStoresOffer(t *testing.T) {
	s := open(t, product("plums", "Plums", document{"tags": []string{"gluten-free", "vegan"}}))
	camden := s.ask(search.Query{Text: "plums", Store: "camden"}).Hits[0]
	soho := s.ask(search.Query{Text: "plums", Store: "soho"}).Hits[0]
	if camden.Price != 100 || !camden.Available || soho.Price != 110 || soho.Available || soho.Currency != "GBP" {
		t.Errorf("camden %+v, soho %+v", camden, soho)
	}
	if soho.Name != "Plums" || soho.Brand != "Larder Market" || soho.Size != "1 each" || soho.CategoryID != "fruit" ||
		soho.ImageURI != "/images/fruit.svg" || !slices.Equal(soho.Tags, []string{"gluten-free", "vegan"}) {
		t.Errorf("%+v", soho)
	}
}

func TestWeightsThatCrossClassesAreRefused(t *testing.T) {
	for _, w := range []search.Weights{
		{Available: 95}, {Available: 10, Popularity: 5}, {Margin: -1}, {Margin: math.NaN()}, {Available: math.Inf(1)},
	} {
		if _, err := elastic.New(elastic.Config{URL: "http://127.0.0.1:1", Weights: w}); err == nil {
			t.Errorf("weights %+v: no error", w)
		}
	}
}
