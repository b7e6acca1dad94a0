package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"larder.dev/internal/pgdb"
	"larder.dev/internal/pgdb/pgtest"
	"larder.dev/internal/product/postgres"
)

// shelf sets every test's table anew.
const shelf = `
delete from products.products;
delete from products.catalog_documents;
delete from products.stores;
delete from products.brands;
delete from products.categories;
insert into products.brands values ('greenlatch', 'Greenlatch'), ('hollinbeck', 'Hollinbeck');
insert into products.categories values ('food', 'Food', null, 1);
insert into products.categories values ('fruit', 'Fruit', 'food', 1), ('dairy', 'Dairy', 'food', 2);
insert into products.categories values ('citrus', 'Citrus', 'fruit', 1), ('apples', 'Apples', 'fruit', 2);
insert into products.stores (store_id, name, currency, delivery_fee) values ('soho', 'Soho', 'GBP', 300), ('camden', 'Camden', 'GBP', 300);
insert into products.products (product_id, name, brand_id, category_id, status, tags, tax_rate_bps, cost, size, gtin, update_time)
	values ('lemons', 'Lemons', 'greenlatch', 'citrus', 'active', '{vegan}', 2000, 50, '4 pack', '2000023000016', '2026-01-01T00:00:00Z');
insert into products.prices (product_id, minor_units) values ('lemons', 120);
insert into products.store_products values ('lemons', 'soho'), ('lemons', 'camden');
`

func stocked(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.New(t, postgres.Schema())
	restock(t, pool)
	return pool
}

func restock(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	exec(t, pool, shelf)
}

func exec(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

type row struct {
	document map[string]any
	revision int64
	deleted  bool
	trace    string
}

func read(t *testing.T, pool *pgxpool.Pool, id string) row {
	t.Helper()
	var text []byte
	var r row
	err := pool.QueryRow(t.Context(), `select document, revision, deleted, traceparent from products.catalog_documents where product_id = $1`, id).
		Scan(&text, &r.revision, &r.deleted, &r.trace)
	if err != nil {
		t.Fatalf("read the document of %s: %v", id, err)
	}
	if err := json.Unmarshal(text, &r.document); err != nil {
		t.Fatal(err)
	}
	return r
}

// audit recomputes every document from the base tables and returns what differs from what the triggers kept.
func audit(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	rows, err := pool.Query(ctx, `
		select coalesce(p.product_id, d.product_id) from products.products p full join products.catalog_documents d using (product_id)
		where d.product_id is null
			or d.document - 'revision' <> products.compute_document(d.product_id)
			or d.checksum <> products.checksum(products.compute_document(d.product_id))
			or (d.document ->> 'revision')::bigint <> d.revision
			or (d.document ->> 'deleted')::bool <> d.deleted`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func sound(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	wrong, err := audit(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	if len(wrong) > 0 {
		t.Errorf("documents that the base tables don't give: %v", wrong)
	}
}

func TestDocument(t *testing.T) {
	pool := stocked(t)
	exec(t, pool, `insert into products.availability values ('lemons', 'soho', true, 1, 1), ('lemons', 'camden', false, 1, 1);
		insert into products.prices (product_id, store_id, minor_units) values ('lemons', 'camden', 99)`)
	got := read(t, pool, "lemons")
	want := map[string]any{
		"product_id": "lemons", "revision": float64(got.revision), "deleted": false, "status": "active",
		"name": "Lemons", "brand": "Greenlatch", "brand_id": "greenlatch", "description": "", "size": "4 pack", "gtin": "2000023000016",
		"category_id": "citrus", "category_path": []any{"food", "fruit", "citrus"}, "category_names": []any{"Food", "Fruit", "Citrus"},
		"tags": []any{"vegan"}, "image_uri": "", "currency": "GBP", "tax_rate_bps": 2000.0,
		"price": 120.0, "prices": map[string]any{"soho": 120.0, "camden": 99.0}, "available_in": []any{"soho"},
		"margin_permille": 500.0, "popularity": 0.0, "update_time": "2026-01-01T00:00:00.000000Z",
	}
	if !reflect.DeepEqual(got.document, want) {
		t.Errorf("document\n %v, want\n %v", got.document, want)
	}
	sound(t, pool)
}

// Each change by plain SQL, and what of the document it changes. Every case starts from the same shelf.
func TestChangesBySQL(t *testing.T) {
	pool := stocked(t)
	for _, c := range []struct {
		name, sql string
		want      map[string]any // fields after the change; nil: the field is gone
		revisions int64
	}{
		{"name", `update products.products set name = 'Unwaxed Lemons'`, map[string]any{"name": "Unwaxed Lemons"}, 1},
		{"touch", `update products.products set name = name`, nil, 1},
		{"price", `insert into products.prices (product_id, minor_units) values ('lemons', 135)`,
			map[string]any{"price": 135.0, "prices": map[string]any{"soho": 135.0, "camden": 135.0}, "margin_permille": 555.0}, 1},
		{"price in place", `update products.prices set minor_units = 60`, map[string]any{"price": 60.0, "margin_permille": 0.0}, 1},
		{"planned price", `insert into products.prices (product_id, minor_units, valid_from) values ('lemons', 1, now() + interval '1 day')`, nil, 0},
		{"price that has ended", `insert into products.prices (product_id, minor_units, valid_from, valid_to) values ('lemons', 1, now() - interval '2 day', now() - interval '1 day')`, nil, 0},
		{"later price that has ended", `update products.prices set valid_from = now() - interval '9 day';
			insert into products.prices (product_id, minor_units, valid_from, valid_to) values ('lemons', 1, now() - interval '2 day', now() - interval '1 day')`, nil, 0},
		{"price of a store", `insert into products.prices (product_id, store_id, minor_units) values ('lemons', 'soho', 130)`,
			map[string]any{"price": 120.0, "prices": map[string]any{"soho": 130.0, "camden": 120.0}}, 1},
		{"store's price before a later everyday price", `insert into products.prices (product_id, store_id, minor_units) values ('lemons', 'soho', 130);
			insert into products.prices (product_id, minor_units) values ('lemons', 140)`,
			map[string]any{"price": 140.0, "prices": map[string]any{"soho": 130.0, "camden": 140.0}}, 2},
		{"no price", `delete from products.prices`, map[string]any{"price": nil, "prices": map[string]any{}, "margin_permille": 0.0}, 1},
		{"cost unknown", `update products.products set cost = null`, map[string]any{"margin_permille": 0.0}, 1},
		{"cost above price", `update products.products set cost = 5000`, map[string]any{"margin_permille": 0.0}, 1},
		{"assortment", `delete from products.store_products where store_id = 'camden'`, map[string]any{"prices": map[string]any{"soho": 120.0}}, 1},
		{"in stock", `insert into products.availability values ('lemons', 'soho', true, 1, 1)`, map[string]any{"available_in": []any{"soho"}}, 1},
		{"in stock, in one store's word more", `insert into products.availability values ('lemons', 'soho', true, 1, 1);
			update products.availability set sequence = 2`, map[string]any{"available_in": []any{"soho"}}, 1},
		{"sold out", `insert into products.availability values ('lemons', 'soho', true, 1, 1);
			update products.availability set available = false`, map[string]any{"available_in": []any{}}, 2},
		{"in stock where it isn't sold", `delete from products.store_products where store_id = 'soho';
			insert into products.availability values ('lemons', 'soho', true, 1, 1)`, map[string]any{"available_in": []any{}}, 1},
		{"category's name", `update products.categories set name = 'Citrus Fruit' where category_id = 'citrus'`,
			map[string]any{"category_names": []any{"Food", "Fruit", "Citrus Fruit"}}, 1},
		{"name of a category above", `update products.categories set name = 'Groceries' where category_id = 'food'`,
			map[string]any{"category_names": []any{"Groceries", "Fruit", "Citrus"}}, 1},
		{"category moves", `update products.categories set parent_id = 'dairy' where category_id = 'citrus'`,
			map[string]any{"category_path": []any{"food", "dairy", "citrus"}, "category_names": []any{"Food", "Dairy", "Citrus"}}, 1},
		{"another category", `update products.products set category_id = 'apples'`, map[string]any{"category_path": []any{"food", "fruit", "apples"}}, 1},
		{"category's position", `update products.categories set position = 9`, nil, 0},
		{"brand's name", `update products.brands set name = 'Green Latch' where brand_id = 'greenlatch'`, map[string]any{"brand": "Green Latch"}, 1},
		{"no brand", `update products.products set brand_id = null`, map[string]any{"brand": nil, "brand_id": nil}, 1},
		{"store's name", `update products.stores set name = 'Old Compton Street'`, nil, 0},
		{"store goes", `delete from products.stores where store_id = 'soho'`, map[string]any{"prices": map[string]any{"camden": 120.0}}, 1},
		{"retired", `update products.products set status = 'retired'`, map[string]any{"status": "retired", "deleted": false}, 1},
		{"marked deleted", `update products.products set delete_time = now()`, map[string]any{"deleted": true, "name": nil, "status": nil}, 1},
		{"row deleted", `delete from products.products`, map[string]any{"deleted": true, "name": nil}, 1},
		{"row deleted and made anew", `delete from products.products;
			insert into products.products (product_id, name, category_id) values ('lemons', 'Sicilian Lemons', 'citrus')`,
			map[string]any{"deleted": false, "name": "Sicilian Lemons"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			restock(t, pool)
			before := read(t, pool, "lemons")
			exec(t, pool, c.sql)
			after := read(t, pool, "lemons")
			if got := after.revision - before.revision; got != c.revisions {
				t.Errorf("%d new revisions, want %d", got, c.revisions)
			}
			for field, want := range c.want {
				if got := after.document[field]; !reflect.DeepEqual(got, want) {
					t.Errorf("%s is %v, want %v", field, got, want)
				}
			}
			sound(t, pool)
		})
	}
}

func TestRefusedBySQL(t *testing.T) {
	pool := stocked(t)
	for name, sql := range map[string]string{
		"category below itself":     `update products.categories set parent_id = 'citrus' where category_id = 'food'`,
		"category its own parent":   `update products.categories set parent_id = 'food' where category_id = 'food'`,
		"another id":                `update products.products set product_id = 'limes'`,
		"truncated":                 `truncate products.prices`,
		"truncated with dependants": `truncate products.products cascade`,
		"no price at all":           `insert into products.prices (product_id, minor_units) values ('lemons', 0)`,
		"price too great":           `insert into products.prices (product_id, minor_units) values ('lemons', 100000000)`,
		"id that is no slug":        `insert into products.brands values ('Green Latch', 'x')`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s: %s was accepted", name, sql)
		}
	}
	sound(t, pool)
}

func TestDocumentCarriesTrace(t *testing.T) {
	pool := stocked(t)
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `select set_config('larder.traceparent', $1, true)`, trace)
		if err == nil {
			_, err = tx.Exec(t.Context(), `update products.products set name = 'Limes'`)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, pool, "lemons").trace; got != trace {
		t.Errorf("traceparent %q, want %q", got, trace)
	}
	exec(t, pool, `update products.products set name = 'Lemons'`)
	if got := read(t, pool, "lemons").trace; got != "" {
		t.Errorf("traceparent %q of a change without a trace", got)
	}
}

// interleave runs first and second in two transactions, so that second starts while first is uncommitted, and may have to wait for
// it; then commits both.
func interleave(t *testing.T, pool *pgxpool.Pool, first, second string) {
	t.Helper()
	ctx := t.Context()
	a, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Rollback(ctx)
	b, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Rollback(ctx)
	if _, err := a.Exec(ctx, first); err != nil {
		t.Fatalf("%s: %v", first, err)
	}
	done := make(chan error, 1)
	pid := b.Conn().PgConn().PID()
	go func() {
		_, err := b.Exec(ctx, second)
		done <- err
	}()
	finished := false
	for deadline := time.Now().Add(10 * time.Second); !finished && !waits(t, pool, pid); {
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("%s: %v", second, err)
			}
			finished = true
		default:
			if time.Now().After(deadline) {
				t.Fatal("the second transaction neither ends nor waits")
			}
		}
	}
	if err := a.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if !finished {
		if err := <-done; err != nil {
			t.Fatalf("%s: %v", second, err)
		}
	}
	if err := b.Commit(ctx); err != nil {
		t.Fatal(err)
	}
}

func waits(t *testing.T, pool *pgxpool.Pool, pid uint32) (waiting bool) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), `select cardinality(pg_blocking_pids($1)) > 0`, int32(pid)).Scan(&waiting); err != nil {
		t.Fatal(err)
	}
	return waiting
}

// Pairs of changes that each would lose the other's if the trigger computed from what it saw before it locked, in both orders.
var concurrent = []struct{ name, one, other string }{
	{"name and price", `update products.products set name = 'Limes'`, `insert into products.prices (product_id, minor_units) values ('lemons', 77)`},
	{"price and category's name", `update products.prices set minor_units = 77`, `update products.categories set name = 'Zest' where category_id = 'citrus'`},
	{"name and name of a category above", `update products.products set name = 'Limes'`, `update products.categories set name = 'Zest' where category_id = 'food'`},
	{"brand's and category's name", `update products.brands set name = 'Latch'`, `update products.categories set name = 'Zest' where category_id = 'fruit'`},
	{"product enters a category that is renamed", `update products.products set category_id = 'apples'`, `update products.categories set name = 'Orchard' where category_id = 'apples'`},
	{"product enters below a category that is renamed", `update products.products set category_id = 'dairy'; update products.products set category_id = 'apples'`,
		`update products.categories set name = 'Plants' where category_id = 'fruit'`},
	{"product enters a category that moves", `update products.products set category_id = 'apples'`, `update products.categories set parent_id = 'dairy' where category_id = 'apples'`},
	{"product enters a brand that is renamed", `update products.products set brand_id = 'hollinbeck'`, `update products.brands set name = 'Beck' where brand_id = 'hollinbeck'`},
	{"new product and category's name", `insert into products.products (product_id, name, category_id) values ('oranges', 'Oranges', 'citrus')`,
		`update products.categories set name = 'Zest' where category_id = 'citrus'`},
	{"category moves below one that is renamed", `update products.categories set parent_id = 'dairy' where category_id = 'citrus'`,
		`update products.categories set name = 'Milk' where category_id = 'dairy'`},
	{"two stores tell of stock", `insert into products.availability values ('lemons', 'soho', true, 1, 1)`, `insert into products.availability values ('lemons', 'camden', true, 1, 1)`},
	{"two stores' prices", `insert into products.prices (product_id, store_id, minor_units) values ('lemons', 'soho', 1)`,
		`insert into products.prices (product_id, store_id, minor_units) values ('lemons', 'camden', 2)`},
}

func TestConcurrentChangesKeepBoth(t *testing.T) {
	pool := stocked(t)
	for _, c := range concurrent {
		for _, order := range [][2]string{{c.one, c.other}, {c.other, c.one}} {
			t.Run(c.name, func(t *testing.T) {
				restock(t, pool)
				interleave(t, pool, order[0], order[1])
				sound(t, pool)
			})
		}
	}
}

// The test above can fail: with a trigger that computes first and locks then, it loses a change.
func TestComputingBeforeLockingLosesChanges(t *testing.T) {
	pool := stocked(t)
	wrong, err := os.ReadFile("testdata/compute_first.sql")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, pool, string(wrong))
	c := concurrent[0]
	interleave(t, pool, c.one, c.other)
	lost, err := audit(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(lost, []string{"lemons"}) {
		t.Errorf("the audit found %v, want the document that lost a change", lost)
	}
}

// randomly returns a random seed, which is printed; LARDER_SEED repeats a run.
func randomly(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("LARDER_SEED"); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("LARDER_SEED: %v", err)
		}
		seed = given
	}
	t.Logf("LARDER_SEED=%d", seed)
	return seed
}

// Many writers at random.
func TestManyWriters(t *testing.T) {
	seed := randomly(t)
	const products, writers, changes = 12, 4, 60
	pool := stocked(t)
	for i := range products {
		exec(t, pool, fmt.Sprintf(`insert into products.products (product_id, name, category_id, brand_id) values ('p-%d', 'P', 'apples', 'greenlatch');
			insert into products.prices (product_id, minor_units) values ('p-%[1]d', 100);
			insert into products.store_products values ('p-%[1]d', 'soho')`, i))
	}
	var group sync.WaitGroup
	refused := make([]error, writers)
	for w := range writers {
		random := rand.New(rand.NewPCG(seed, uint64(w)))
		group.Go(func() {
			for n := range changes {
				change := randomChange(random, products, n)
				_, err := pool.Exec(t.Context(), change)
				// Statements that update many rows in no order can deadlock with each other: PostgreSQL ends one of them.
				for pgdb.Deadlocked(err) {
					_, err = pool.Exec(t.Context(), change)
				}
				if err != nil {
					refused[w] = err
					return
				}
			}
		})
	}
	group.Wait()
	for _, err := range refused {
		if err != nil {
			t.Error(err)
		}
	}
	sound(t, pool)
}

func randomChange(random *rand.Rand, products, n int) string {
	id := fmt.Sprintf("p-%d", random.IntN(products))
	leaf := []string{"citrus", "apples", "dairy"}[random.IntN(3)]
	brand := []string{"greenlatch", "hollinbeck"}[random.IntN(2)]
	changes := map[string]string{
		"name":     fmt.Sprintf(`update products.products set name = 'N%d' where product_id = '%s'`, n, id),
		"all":      fmt.Sprintf(`update products.products set size = '%d' where product_id >= '%s'`, n, id),
		"price":    fmt.Sprintf(`insert into products.prices (product_id, minor_units) values ('%s', %d)`, id, 1+random.IntN(500)),
		"move":     fmt.Sprintf(`update products.products set category_id = '%s' where product_id = '%s'`, leaf, id),
		"rename":   fmt.Sprintf(`update products.categories set name = 'C%d' where category_id = '%s'`, n, leaf),
		"above":    fmt.Sprintf(`update products.categories set name = 'F%d' where category_id = 'fruit'`, n),
		"brand":    fmt.Sprintf(`update products.brands set name = 'B%d' where brand_id = '%s'`, n, brand),
		"rebrand":  fmt.Sprintf(`update products.products set brand_id = '%s' where product_id = '%s'`, brand, id),
		"sell":     fmt.Sprintf(`insert into products.store_products values ('%s', 'camden') on conflict do nothing`, id),
		"withdraw": fmt.Sprintf(`delete from products.store_products where product_id = '%s' and store_id = 'camden'`, id),
		"stock": fmt.Sprintf(`insert into products.availability values ('%s', 'soho', true, 1, %d)
			on conflict (product_id, store_id) do update set available = not availability.available, sequence = excluded.sequence`, id, n),
	}
	kinds := slices.Sorted(maps.Keys(changes))
	return changes[kinds[random.IntN(len(kinds))]]
}
