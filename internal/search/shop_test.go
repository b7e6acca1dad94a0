package search_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/google/uuid"

	"larder.dev/internal/search"
	"larder.dev/internal/search/elastic"
	"larder.dev/internal/search/index"
	"larder.dev/local/seed/catalogue"
	"larder.dev/local/seed/generator"
)

// document is a catalogue document, in the form that the product room projects.
type document map[string]any

// product makes a document that two stores sell and one has in stock; changes go over its fields.
func product(id, name string, changes document) document {
	d := document{
		"product_id": id, "revision": 1, "deleted": false, "status": "active",
		"name": name, "brand": "Larder Market", "brand_id": "larder-market", "description": "", "size": "1 each", "gtin": "",
		"category_id": "fruit", "category_path": []string{"fruit-and-veg", "fruit"}, "category_names": []string{"Fruit & Veg", "Fruit"},
		"tags": []string{}, "image_uri": "/images/fruit.svg", "currency": "GBP", "tax_rate_bps": 0,
		"price": 100, "prices": map[string]int64{"camden": 100, "soho": 110}, "available_in": []string{"camden"},
		"margin_permille": 300, "popularity": 0, "update_time": "2026-11-23T10:00:00.000000Z",
	}
	for field, value := range changes {
		d[field] = value
	}
	return d
}

// seed makes the documents of the seed catalogue, and of so many generated products.
func seed(t *testing.T, generated ...int) []document {
	t.Helper()
	c, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	products := c.Products
	for _, n := range generated {
		g, err := generator.New(c)
		if err != nil {
			t.Fatal(err)
		}
		products = slices.AppendSeq(products, g.Products(1, n))
	}
	brands := map[string]string{}
	for _, b := range c.Brands {
		brands[b.ID] = b.Name
	}
	var docs []document
	for i, p := range products {
		path, names := []string{}, []string{}
		for _, category := range c.Path(p.CategoryID) {
			path, names = append(path, category.ID), append(names, category.Name)
		}
		prices, available := map[string]int64{}, []string{}
		for _, s := range c.Stores {
			terms := catalogue.Terms{Sold: c.Sold(s.ID, p.ID), Price: c.Price(s.ID, p.ID), Stock: c.Stock(s.ID, p.ID)}
			if i >= len(c.Products) {
				terms = c.Terms(s.ID, p)
			}
			if terms.Sold {
				prices[s.ID] = terms.Price
			}
			if terms.Stock > 0 {
				available = append(available, s.ID)
			}
		}
		net := p.Price * 10_000 / (10_000 + p.TaxRateBPS)
		docs = append(docs, product(p.ID, p.Name, document{
			"brand": brands[p.BrandID], "brand_id": p.BrandID, "description": p.Description, "size": p.Size, "gtin": p.GTIN,
			"category_id": p.CategoryID, "category_path": path, "category_names": names, "tags": p.Tags,
			"image_uri": c.ImageURI(p), "tax_rate_bps": p.TaxRateBPS, "price": p.Price, "prices": prices,
			"available_in": available, "margin_permille": max(0, (net-p.Cost)*1000/net), "popularity": p.Popularity, "status": p.Status,
		}))
	}
	return docs
}

func address(t *testing.T) string {
	t.Helper()
	url := os.Getenv("ELASTICSEARCH_URL")
	if url == "" {
		t.Fatal("ELASTICSEARCH_URL is not set; `make test` starts Elasticsearch and sets it")
	}
	return url
}

var weights = search.Weights{Available: 10, Margin: 1, Popularity: 0.1} // the defaults

// shop is a search service over an index of its own.
type shop struct {
	*search.Service
	t           *testing.T
	es          *elasticsearch.Client
	alias, name string
}

// open indexes the documents, searchable at once, and deletes the index in the end.
func open(t *testing.T, docs ...document) shop {
	t.Helper()
	s := fill(t, docs)
	t.Cleanup(func() {
		if err := s.drop(); err != nil {
			t.Error(err)
		}
	})
	s.Service = search.New(s.index(t))
	return s
}

// full is the shop of the seed catalogue that all tests share which change nothing in it; each has a service of its own.
var full struct {
	once sync.Once
	shop *shop
}

func openFull(t *testing.T) shop {
	t.Helper()
	full.once.Do(func() {
		s := fill(t, seed(t))
		full.shop = &s
	})
	if full.shop == nil {
		t.Fatal("the seed's index couldn't be made, see the first test that needs it")
	}
	s := *full.shop
	s.t = t
	s.Service = search.New(s.index(t))
	return s
}

func TestMain(m *testing.M) {
	code := m.Run()
	if full.shop != nil {
		if err := full.shop.drop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// fill makes an index of the documents.
func fill(t *testing.T, docs []document) shop {
	t.Helper()
	es, err := elasticsearch.NewClient(elasticsearch.Config{Addresses: []string{address(t)}})
	if err != nil {
		t.Fatal(err)
	}
	id := "test-search-" + uuid.NewString()
	s := shop{t: t, es: es, alias: id, name: id + "-1"}
	if err := index.EnsureIndex(t.Context(), es, s.name, index.Options{Alias: id}); err != nil {
		t.Fatal(err)
	}
	s.put(docs...)
	return s
}

func (s shop) drop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	res, err := s.es.Indices.Delete([]string{s.name}, s.es.Indices.Delete.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("delete index %s: %w", s.name, err)
	}
	return res.Body.Close()
}

// index is a new adapter to the shop's index.
func (s shop) index(t *testing.T) *elastic.Index {
	t.Helper()
	x, err := elastic.New(elastic.Config{URL: address(t), Index: s.alias, Timeout: 10 * time.Second, Pause: time.Second, Weights: weights})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

// put writes documents, searchable at once.
func (s shop) put(docs ...document) {
	s.t.Helper()
	if len(docs) == 0 {
		return
	}
	var body strings.Builder
	for _, d := range docs {
		line, err := json.Marshal(d)
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(&body, `{"index":{"_id":%q,"version":%v,"version_type":"external"}}`+"\n%s\n", d["product_id"], d["revision"], line)
	}
	res, err := s.es.Bulk(strings.NewReader(body.String()), s.es.Bulk.WithIndex(s.name), s.es.Bulk.WithRefresh("true"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.IsError() || strings.Contains(string(answer), `"errors":true`) {
		s.t.Fatalf("bulk: %v %.500s", err, answer)
	}
}

// ask fails the test if the query is refused.
func (s shop) ask(q search.Query) search.Result {
	s.t.Helper()
	r, err := s.Search(s.t.Context(), q)
	if err != nil {
		s.t.Fatalf("search %q: %v", q.Text, err)
	}
	return r
}

// all pages through a query.
func (s shop) all(q search.Query) []string {
	s.t.Helper()
	var got []string
	for pages := 0; ; pages++ {
		r := s.ask(q)
		got = append(got, ids(r)...)
		if q.PageToken = r.NextPageToken; q.PageToken == "" {
			return got
		}
		if len(r.Hits) == 0 || pages > 1000 {
			s.t.Fatalf("paging of %q doesn't end", q.Text)
		}
	}
}

func ids(r search.Result) []string {
	out := []string{}
	for _, h := range r.Hits {
		out = append(out, h.ProductID)
	}
	return out
}

// equal holds ids against what is wanted, in order.
func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
