package postgres_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/money"
	"larder.dev/internal/pgdb/pgtest"
	"larder.dev/internal/product"
	"larder.dev/internal/product/postgres"
)

var opening = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at[T any](v T) *T { return &v }

func snapshot(products int) postgres.Snapshot {
	s := postgres.Snapshot{
		Brands:     []postgres.BrandRow{{BrandID: "greenlatch", Name: "Greenlatch"}},
		Categories: []postgres.CategoryRow{{CategoryID: "food", Name: "Food"}, {CategoryID: "fruit", Name: "Fruit", ParentID: at("food"), Position: 1}},
		Stores: []postgres.StoreRow{
			{StoreID: "soho", Name: "Soho", Currency: "GBP", DeliveryFee: 399, Postcodes: []string{"W1D", "NW1"}},
			{StoreID: "camden", Name: "Camden", Currency: "GBP", DeliveryFee: 349, FreeDeliveryFrom: at(int64(4000)), Postcodes: []string{"NW1"}},
		},
	}
	for i := range products {
		s.Products = append(s.Products, postgres.ProductRow{
			ProductID: fmt.Sprintf("p-%06d", i), Name: fmt.Sprintf("Product %d", i), BrandID: at("greenlatch"), CategoryID: "fruit",
			Tags: []string{"vegan"}, Status: "active", Currency: "GBP", TaxRateBPS: 2000, Cost: at(int64(50)), Popularity: 7, MaxPerShopper: int64(i % 3),
			Prices: []postgres.PriceRow{
				{ValidFrom: opening, MinorUnits: 100 + int64(i)}, {StoreID: at("soho"), ValidFrom: opening, MinorUnits: 90 + int64(i)},
				{ValidFrom: opening.AddDate(100, 0, 0), MinorUnits: 1},
			},
			StoreIDs: []string{"soho", "camden"},
		})
	}
	return s
}

func load(t *testing.T, pool *pgxpool.Pool, s postgres.Snapshot) bool {
	t.Helper()
	loaded, err := postgres.New(pool).Load(t.Context(), "test", s)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// state is every document's revision.
func state(t *testing.T, pool *pgxpool.Pool) map[string]int64 {
	t.Helper()
	var text []byte
	if err := pool.QueryRow(t.Context(), `select coalesce(jsonb_object_agg(product_id, revision), '{}') from products.catalog_documents`).Scan(&text); err != nil {
		t.Fatal(err)
	}
	revisions := map[string]int64{}
	if err := json.Unmarshal(text, &revisions); err != nil {
		t.Fatal(err)
	}
	return revisions
}

func TestLoad(t *testing.T) {
	pool := pgtest.New(t, postgres.Schema())
	s := snapshot(3)
	var group sync.WaitGroup
	times := make(chan bool, 3)
	for range 3 {
		group.Go(func() {
			loaded, err := postgres.New(pool).Load(t.Context(), "test", s)
			if err != nil {
				t.Error(err)
			}
			times <- loaded
		})
	}
	group.Wait()
	close(times)
	count := 0
	for loaded := range times {
		if loaded {
			count++
		}
	}
	if count != 1 {
		t.Errorf("three loads at once loaded %d times", count)
	}
	if got, want := state(t, pool), map[string]int64{"p-000000": 1, "p-000001": 1, "p-000002": 1}; !reflect.DeepEqual(got, want) {
		t.Errorf("revisions %v, want %v: each document computed once", got, want)
	}
	if doc := read(t, pool, "p-000001").document; !reflect.DeepEqual(doc["prices"], map[string]any{"soho": 91.0, "camden": 101.0}) || doc["price"] != 101.0 {
		t.Errorf("document %v", doc)
	}

	// What somebody changes in the meantime: a price, a deletion.
	exec(t, pool, `insert into products.prices (product_id, minor_units) values ('p-000000', 555);
		update products.products set delete_time = now() where product_id = 'p-000002'`)
	before := state(t, pool)
	if load(t, pool, s) {
		t.Error("the same catalogue was loaded again")
	}
	s.Products[1].Name = "Another"
	s.Products[1].StoreIDs = []string{"camden"}
	s.Stores[0].Postcodes = []string{"W1D"}
	if !load(t, pool, s) {
		t.Error("a changed catalogue wasn't loaded")
	}
	before["p-000001"]++
	if got := state(t, pool); !reflect.DeepEqual(got, before) {
		t.Errorf("revisions %v, want %v: only the changed product's document", got, before)
	}
	if doc := read(t, pool, "p-000000").document; doc["price"] != 555.0 {
		t.Errorf("the load went over a later price: %v", doc["price"])
	}
	if !read(t, pool, "p-000002").deleted {
		t.Error("the load brought back a deleted product")
	}
	if doc := read(t, pool, "p-000001").document; doc["name"] != "Another" || !reflect.DeepEqual(doc["prices"], map[string]any{"camden": 101.0}) {
		t.Errorf("document %v", doc)
	}
	sound(t, pool)
}

func TestLoadIsAllOrNothing(t *testing.T) {
	pool := pgtest.New(t, postgres.Schema())
	s := snapshot(600) // more than a batch
	s.Products[599].CategoryID = "nowhere"
	if _, err := postgres.New(pool).Load(t.Context(), "test", s); err == nil {
		t.Fatal("a product without a category was loaded")
	}
	var left int
	if err := pool.QueryRow(t.Context(), `select (select count(*) from products.products) + (select count(*) from products.loads)`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows left, %v", left, err)
	}
	s.Products[599].CategoryID = "fruit"
	if !load(t, pool, s) {
		t.Error("the mended catalogue wasn't loaded")
	}
	sound(t, pool)
}

func TestAuditTrail(t *testing.T) {
	pool := pgtest.New(t, postgres.Schema())
	load(t, pool, snapshot(1))
	ctx := identity.WithCaller(t.Context(), identity.Caller{UserID: "u-1", Roles: []string{identity.RoleMerchandiser}})
	_, err := postgres.New(pool).Update(ctx, "p-000000", func(p *product.Product) error {
		p.Name, p.Price.Minor, p.StoreIDs = "Renamed", 250, []string{"camden"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	exec(t, pool, `update products.products set cost = 60; update products.products set name = name`)
	rows, err := pool.Query(t.Context(), `
		select concat_ws(' ', changed_by, table_name, operation, key - 'valid_from', before, after - 'valid_from') from products.changes
		where table_name in ('products', 'prices', 'store_products') and operation <> 'insert' or after ->> 'minor_units' = '250' order by change_id`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{
		`merchandiser:u-1 products update {"product_id": "p-000000"} {"name": "Product 0"} {"name": "Renamed"}`:                                                          true,
		`merchandiser:u-1 prices insert {"store_id": null, "product_id": "p-000000"} {"store_id": null, "valid_to": null, "product_id": "p-000000", "minor_units": 250}`: true,
		`merchandiser:u-1 store_products delete {"store_id": "soho", "product_id": "p-000000"} {"store_id": "soho", "product_id": "p-000000"}`:                           true,
		`larder products update {"product_id": "p-000000"} {"cost": 50} {"cost": 60}`:                                                                                    true,
	}
	seen := map[string]bool{}
	for _, line := range got {
		seen[line] = true
	}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("changes\n %v, want\n %v", seen, want)
	}
}

// Concurrent changes by the API to different fields of one product are all kept, and each is one revision.
func TestConcurrentUpdates(t *testing.T) {
	pool := pgtest.New(t, postgres.Schema())
	load(t, pool, snapshot(1))
	store := postgres.New(pool)
	changes := []func(*product.Product){
		func(p *product.Product) { p.Name = "New" },
		func(p *product.Product) { p.Size = "2 l" },
		func(p *product.Product) { p.Price.Minor = 777 },
		func(p *product.Product) { p.Tags = append(p.Tags, "new") },
		func(p *product.Product) { p.StoreIDs = []string{"camden"} },
		func(p *product.Product) { p.Cost = at(money.Of(1, "GBP")) },
	}
	var group sync.WaitGroup
	for _, change := range changes {
		group.Go(func() {
			if _, err := store.Update(t.Context(), "p-000000", func(p *product.Product) error { change(p); return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	p, err := store.Product(t.Context(), "p-000000")
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "New" || p.Size != "2 l" || p.Price.Minor != 777 || len(p.Tags) != 2 || !reflect.DeepEqual(p.StoreIDs, []string{"camden"}) || p.Cost != nil {
		t.Errorf("after all changes: %+v", p)
	}
	if got := read(t, pool, "p-000000"); got.revision != 1+int64(len(changes)) || got.document["margin_permille"] != 998.0 {
		t.Errorf("revision %d, document %v", got.revision, got.document)
	}
	sound(t, pool)
}

func TestRefusedCreationLeavesNothing(t *testing.T) {
	pool := pgtest.New(t, postgres.Schema())
	load(t, pool, snapshot(1))
	store := postgres.New(pool)
	p := product.Product{ID: "limes", Name: "Limes", CategoryID: "fruit", Status: product.Active, Price: money.Of(1, "GBP")}
	exec(t, pool, `delete from products.products where product_id = 'p-000000'`)
	for want, change := range map[string]func(*product.Product){
		fault.CategoryNotFound.Name: func(p *product.Product) { p.CategoryID = "nowhere" },
		fault.BrandNotFound.Name:    func(p *product.Product) { p.BrandID = "nobody" },
		fault.StoreNotFound.Name:    func(p *product.Product) { p.StoreIDs = []string{"mars"} },
		fault.AlreadyExists.Name:    func(p *product.Product) { p.ID = "p-000000" }, // whose row was removed by hand
	} {
		changed := p
		change(&changed)
		if _, err := store.Create(t.Context(), changed); fault.From(err).Reason().Name != want {
			t.Errorf("want %s, got %v", want, err)
		}
	}
	if got := state(t, pool); len(got) != 1 {
		t.Errorf("documents %v", got)
	}
	if _, err := store.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if got := read(t, pool, "limes"); got.revision != 1 || got.document["price"] != 1.0 {
		t.Errorf("a new product's document is %v, revision %d: computed once, with its price", got.document, got.revision)
	}
	sound(t, pool)
}

// A product that one transaction adds bit by bit has all of it in its document, and one that a statement adds is computed once.
func TestDocumentsOfAdditions(t *testing.T) {
	pool := pgtest.New(t, postgres.Schema())
	load(t, pool, snapshot(1))
	exec(t, pool, `insert into products.products (product_id, name, category_id) values ('bit', 'Bit', 'fruit');
		insert into products.prices (product_id, minor_units) values ('bit', 5), ('p-000000', 7);
		insert into products.store_products values ('bit', 'soho');
		with added as (insert into products.products (product_id, name, category_id) values ('whole', 'Whole', 'fruit') returning product_id),
			priced as (insert into products.prices (product_id, minor_units) select product_id, 9 from added)
		insert into products.store_products select product_id, 'soho' from added;
		begin; savepoint s; insert into products.products (product_id, name, category_id) values ('saved', 'Saved', 'fruit'); release s;
		savepoint s; insert into products.prices (product_id, minor_units) values ('saved', 3); release s; commit`)
	if got, want := state(t, pool), map[string]int64{"bit": 3, "whole": 1, "saved": 2, "p-000000": 2}; !reflect.DeepEqual(got, want) {
		t.Errorf("revisions %v, want %v", got, want)
	}
	if got := read(t, pool, "bit").document; got["price"] != 5.0 || !reflect.DeepEqual(got["prices"], map[string]any{"soho": 5.0}) {
		t.Errorf("document %v", got)
	}
	sound(t, pool)
}

// Offers as carts and checkouts ask for them: 20 products of a catalogue of 100,000.
func BenchmarkOffers(b *testing.B) {
	pool := pgtest.New(b, postgres.Schema())
	store := postgres.New(pool)
	if _, err := store.Load(b.Context(), "bench", snapshot(100_000)); err != nil {
		b.Fatal(err)
	}
	if _, err := pool.Exec(b.Context(), `analyze`); err != nil {
		b.Fatal(err)
	}
	ids := make([]string, 20)
	for n := 0; b.Loop(); n++ {
		for i := range ids {
			ids[i] = fmt.Sprintf("p-%06d", (n*7919+i*5003)%100_000)
		}
		if _, offers, err := store.Offers(b.Context(), "soho", ids); err != nil || len(offers) != len(ids) {
			b.Fatalf("%d offers, %v", len(offers), err)
		}
	}
}
