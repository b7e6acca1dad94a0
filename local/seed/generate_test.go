package main

import (
	"fmt"
	"strings"
	"testing"

	"larder.dev/internal/pgdb/pgtest"
	productpg "larder.dev/internal/product/postgres"
	"larder.dev/internal/spannerdb/spannertest"
	"larder.dev/internal/stock/spanner"
	"larder.dev/local/seed/catalogue"
	"larder.dev/local/seed/generator"
)

// Generated products are documents for search and have stock; a run that was broken off is taken up; a second run changes nothing.
func TestGenerate(t *testing.T) {
	content, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &seeder{pool: pgtest.New(t, productpg.Schema()), catalogue: content}
	ledger := spanner.NewLedger(spannertest.Open(t))
	if _, err := s.loadCatalogue(t.Context()); err != nil {
		t.Fatal(err)
	}
	made := map[string]catalogue.Product{}
	g, err := generator.New(content)
	if err != nil {
		t.Fatal(err)
	}
	for p := range g.Products(9, 40) {
		made[p.ID] = p
	}

	for _, step := range []struct {
		n    int
		says string
	}{{25, "25 loaded now"}, {40, "40 loaded now"}, {40, "0 loaded now; stock of 0 entered"}} {
		said, err := s.generateInto(t.Context(), ledger, 9, step.n, 1000)
		if err != nil || !strings.Contains(said, step.says) {
			t.Fatalf("%d: %q, %v; want %q", step.n, said, err, step.says)
		}
	}

	var documents, changed int
	err = s.pool.QueryRow(t.Context(), `select count(*), count(*) filter (where revision > 1) from products.catalog_documents
		where product_id like 'gen-%' and not deleted and document ->> 'status' = 'active'`).Scan(&documents, &changed)
	if err != nil {
		t.Fatal(err)
	}
	if documents != 40 || changed != 0 {
		t.Errorf("%d documents of 40 products, %d of them changed by a later run", documents, changed)
	}
	store := productpg.New(s.pool)
	for _, shop := range content.Stores {
		var ids []string
		for id := range made {
			ids = append(ids, id)
		}
		_, offers, err := store.Offers(t.Context(), shop.ID, ids)
		if err != nil {
			t.Fatal(err)
		}
		epoch, err := ledger.Bump(t.Context(), shop.ID, "test")
		if err != nil {
			t.Fatal(err)
		}
		sums, err := ledger.SumAt(t.Context(), shop.ID, epoch)
		if err != nil {
			t.Fatal(err)
		}
		if len(offers) != len(made) {
			t.Errorf("%d offers of %d products in %s", len(offers), len(made), shop.ID)
		}
		for _, o := range offers {
			terms := content.Terms(shop.ID, made[o.ProductID])
			if o.Sold != terms.Sold || (o.Sold && o.Price.Minor != terms.Price) || sums[o.ProductID] != terms.Stock {
				t.Errorf("%s in %s: sold %v for %v, %d in stock, want %+v", o.ProductID, shop.ID, o.Sold, o.Price, sums[o.ProductID], terms)
			}
		}
	}

	// Of another seed's only the first have stock, and a later run enters it once.
	for _, step := range []struct {
		stocked int
		some    bool
	}{{0, false}, {2, true}, {2, false}} {
		said, err := s.generateInto(t.Context(), ledger, 10, 5, step.stocked)
		var entered int
		if _, found, _ := strings.Cut(said, "stock of "); err == nil {
			_, err = fmt.Sscan(found, &entered)
		}
		if err != nil || entered > 0 != step.some || entered > 2*len(content.Stores) {
			t.Errorf("%d stocked: %q, %v; want some entered: %v, and %d at most", step.stocked, said, err, step.some, 2*len(content.Stores))
		}
	}
}
