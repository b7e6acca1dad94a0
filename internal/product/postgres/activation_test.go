package postgres_test

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"larder.dev/internal/pgdb"
	"larder.dev/internal/pgdb/pgtest"
	"larder.dev/internal/product/postgres"
)

// due waits until the moment of every activation that can be seen has passed.
func due(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		var waiting int
		if err := pool.QueryRow(t.Context(), `select count(*) from products.price_activations where moment > clock_timestamp()`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		if waiting == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d activations are still to come", waiting)
		}
	}
}

func activate(t *testing.T, pool *pgxpool.Pool, limit, products int, more bool) {
	t.Helper()
	gotProducts, gotMore, err := postgres.New(pool).Activate(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	if gotProducts != products || gotMore != more {
		t.Errorf("activated %d products, more %t; want %d, %t", gotProducts, gotMore, products, more)
	}
}

// later is a pool of sessions whose clock is ahead: they find clock_timestamp and statement_timestamp in a schema of the test's
// before PostgreSQL's own.
func later(t *testing.T, pool *pgxpool.Pool, ahead time.Duration) *pgxpool.Pool {
	t.Helper()
	schema := fmt.Sprintf("ahead_%.0f", ahead.Minutes())
	exec(t, pool, fmt.Sprintf(`create schema %[1]s;
		create function %[1]s.clock_timestamp() returns timestamptz language sql volatile as $$ select pg_catalog.clock_timestamp() + %[2]d * interval '1 second' $$;
		create function %[1]s.statement_timestamp() returns timestamptz language sql stable as $$ select pg_catalog.statement_timestamp() + %[2]d * interval '1 second' $$`,
		schema, int(ahead.Seconds())))
	config := pool.Config()
	config.ConnConfig.RuntimeParams["search_path"] = schema + ", pg_catalog"
	sessions, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sessions.Close)
	return sessions
}

// plan is SQL with the hours of a plan in it: h(1) begins an hour and a half from now, at the most.
func plan(sql string) string {
	return regexp.MustCompile(`h\((\d)\)`).ReplaceAllString(sql, `date_trunc('hour', now()) + interval '$1 hours 30 minutes'`)
}

func TestPlannedPricesComeIntoForce(t *testing.T) {
	pool := stocked(t)
	in2, in4 := later(t, pool, 2*time.Hour), later(t, pool, 4*time.Hour)
	// Prices everyday, in soho, in camden; before there are plans 120 everywhere.
	type prices [3]float64
	// What an activation finds, how many products it looks at, and whether the document changes.
	type step struct {
		prices   prices
		products int
		revised  int64
	}
	same := prices{120, 120, 120}
	for _, c := range []struct {
		name, sql string
		now       prices
		in2, in4  step
	}{
		{"begins", `insert into products.prices (product_id, minor_units, valid_from) values ('lemons', 90, h(1))`,
			same, step{prices{90, 90, 90}, 1, 1}, step{prices{90, 90, 90}, 0, 0}},
		{"begins and ends", `insert into products.prices (product_id, minor_units, valid_from, valid_to) values ('lemons', 90, h(1), h(3))`,
			same, step{prices{90, 90, 90}, 1, 1}, step{same, 1, 1}},
		{"has begun and ends", `insert into products.prices (product_id, minor_units, valid_to) values ('lemons', 90, h(1))`,
			prices{90, 90, 90}, step{same, 1, 1}, step{same, 0, 0}},
		{"of two stores at once", `insert into products.prices (product_id, store_id, minor_units, valid_from) values ('lemons', 'soho', 80, h(1)), ('lemons', 'camden', 70, h(1))`,
			same, step{prices{120, 80, 70}, 1, 1}, step{prices{120, 80, 70}, 0, 0}},
		{"of two stores, one after the other", `insert into products.prices (product_id, store_id, minor_units, valid_from) values ('lemons', 'soho', 80, h(1)), ('lemons', 'camden', 70, h(3))`,
			same, step{prices{120, 80, 120}, 1, 1}, step{prices{120, 80, 70}, 1, 1}},
		{"ends in one store", `insert into products.prices (product_id, store_id, minor_units, valid_to) values ('lemons', 'soho', 80, null), ('lemons', 'camden', 70, h(3))`,
			prices{120, 80, 70}, step{prices{120, 80, 70}, 0, 0}, step{prices{120, 80, 120}, 1, 1}},
		{"ends as another begins", `insert into products.prices (product_id, minor_units, valid_from, valid_to) values ('lemons', 90, h(1), h(3)), ('lemons', 80, h(3), null)`,
			same, step{prices{90, 90, 90}, 1, 1}, step{prices{80, 80, 80}, 1, 1}},
		{"put off", `insert into products.prices (product_id, minor_units, valid_from) values ('lemons', 90, h(1)); update products.prices set valid_from = h(3) where minor_units = 90`,
			same, step{same, 1, 0}, step{prices{90, 90, 90}, 1, 1}},
		{"brought forward", `insert into products.prices (product_id, minor_units, valid_from) values ('lemons', 90, h(3)); update products.prices set valid_from = h(1) where minor_units = 90`,
			same, step{prices{90, 90, 90}, 1, 1}, step{prices{90, 90, 90}, 1, 0}},
		{"taken back", `insert into products.prices (product_id, minor_units, valid_from) values ('lemons', 90, h(1)); delete from products.prices where minor_units = 90`,
			same, step{same, 1, 0}, step{same, 0, 0}},
		{"beneath a store's own", `insert into products.prices (product_id, store_id, minor_units) values ('lemons', 'soho', 80); insert into products.prices (product_id, minor_units, valid_from) values ('lemons', 90, h(1))`,
			prices{120, 80, 120}, step{prices{90, 80, 90}, 1, 1}, step{prices{90, 80, 90}, 0, 0}},
		{"nothing planned", `insert into products.prices (product_id, minor_units) values ('lemons', 90)`,
			prices{90, 90, 90}, step{prices{90, 90, 90}, 0, 0}, step{prices{90, 90, 90}, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			restock(t, pool)
			exec(t, pool, `delete from products.price_activations`)
			exec(t, pool, plan(c.sql))
			for i, s := range []step{{c.now, 0, 0}, c.in2, c.in4, {c.in4.prices, 0, 0}} {
				sessions := []*pgxpool.Pool{pool, in2, in4, in4}[i]
				before := read(t, pool, "lemons")
				activate(t, sessions, 100, s.products, false)
				after := read(t, pool, "lemons")
				want := map[string]any{"soho": s.prices[1], "camden": s.prices[2]}
				if after.document["price"] != s.prices[0] || !reflect.DeepEqual(after.document["prices"], want) {
					t.Errorf("step %d: price %v, prices %v; want %v, %v", i, after.document["price"], after.document["prices"], s.prices[0], want)
				}
				if got := after.revision - before.revision; got != s.revised {
					t.Errorf("step %d: %d new revisions, want %d", i, got, s.revised)
				}
				sound(t, sessions)
			}
		})
	}
}

// 25 products' prices begin at once, and nobody has looked for hours: batches of 10.
func TestActivationInBatches(t *testing.T) {
	pool := stocked(t)
	exec(t, pool, plan(`insert into products.products (product_id, name, category_id, status) select 'p-' || n, 'P', 'apples', 'active' from generate_series(1, 24) n;
		insert into products.store_products select 'p-' || n, 'soho' from generate_series(1, 24) n;
		insert into products.prices (product_id, minor_units, valid_from) select product_id, 55, h(1) from products.products`))
	in9 := later(t, pool, 9*time.Hour)
	wrong, err := audit(t.Context(), in9)
	if err != nil || len(wrong) != 25 {
		t.Fatalf("%d documents are late before the activation, want 25; %v", len(wrong), err)
	}
	activate(t, in9, 10, 10, true)
	activate(t, in9, 10, 10, true)
	activate(t, in9, 10, 5, false)
	activate(t, in9, 10, 0, false)
	sound(t, in9)
}

// A price was to come when it was written, and has begun when its transaction commits: a cursor over valid_from would have passed it.
func TestPriceThatCommitsAfterItBegan(t *testing.T) {
	pool := stocked(t)
	exec(t, pool, `insert into products.products (product_id, name, category_id) values ('limes', 'Limes', 'citrus')`)
	in4 := later(t, pool, 4*time.Hour)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), plan(`insert into products.prices (product_id, minor_units, valid_from) values ('lemons', 90, h(1))`)); err != nil {
		t.Fatal(err)
	}
	// Another one begins later, and is activated before.
	exec(t, pool, plan(`insert into products.prices (product_id, minor_units, valid_from) values ('limes', 90, h(3))`))
	activate(t, in4, 100, 1, false)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, pool, "lemons").document["price"]; got != 120.0 {
		t.Fatalf("price %v before the activation, want the old one", got)
	}
	activate(t, in4, 100, 1, false)
	if got := read(t, pool, "lemons").document["price"]; got != 90.0 {
		t.Errorf("price %v, want the one that has begun", got)
	}
	sound(t, in4)
}

// One activation is at work on a product; another does the rest, and doesn't wait.
func TestActivationsAtOnce(t *testing.T) {
	pool := stocked(t)
	exec(t, pool, plan(`insert into products.products (product_id, name, category_id) values ('limes', 'Limes', 'citrus');
		insert into products.prices (product_id, minor_units, valid_from) select product_id, 90, h(1) from products.products`))
	in2 := later(t, pool, 2*time.Hour)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), `delete from products.price_activations where product_id = 'lemons'`); err != nil {
		t.Fatal(err)
	}
	activate(t, in2, 100, 1, false)
	if err := tx.Rollback(t.Context()); err != nil { // it died, and its work is there again
		t.Fatal(err)
	}
	activate(t, in2, 100, 1, false)
	sound(t, in2)
}

// Writers whose prices begin and end around now, to the microsecond, and activations all the while.
func TestActivationAroundNow(t *testing.T) {
	const products, writers, prices = 40, 3, 120
	seed := randomly(t)
	pool := stocked(t)
	exec(t, pool, fmt.Sprintf(`insert into products.products (product_id, name, category_id) select 'p-' || n, 'P', 'apples' from generate_series(0, %d) n`, products-1))
	store := postgres.New(pool)
	ctx, stop := context.WithCancel(t.Context())
	var activators, writing sync.WaitGroup
	var activated atomic.Int64
	for range 2 {
		activators.Go(func() {
			for ctx.Err() == nil {
				n, _, err := store.Activate(context.WithoutCancel(ctx), 7)
				if err != nil {
					t.Error(err)
					return
				}
				activated.Add(int64(n))
			}
		})
	}
	for w := range writers {
		random := rand.New(rand.NewPCG(seed, uint64(w)))
		writing.Go(func() {
			for range prices {
				from := random.IntN(6000) - 3000
				to := from + 1 + random.IntN(3000)
				_, err := pool.Exec(t.Context(), `insert into products.prices (product_id, minor_units, valid_from, valid_to)
					select 'p-' || $1::int, $2, clock_timestamp() + $3 * interval '1 microsecond', clock_timestamp() + $4 * interval '1 microsecond'
					on conflict do nothing`, random.IntN(products), 1+random.IntN(500), from, to)
				if err != nil && !pgdb.Deadlocked(err) {
					t.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
	due(t, pool)
	stop()
	activators.Wait()
	for more := true; more; {
		var err error
		if _, more, err = store.Activate(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
	}
	if activated.Load() == 0 {
		t.Error("nothing was to be activated")
	}
	sound(t, pool)
}

// Prices that were planned before there were activations.
func TestActivationsOfEarlierPlans(t *testing.T) {
	schema := postgres.Schema()
	old := schema
	earlier := fstest.MapFS{}
	for _, name := range []string{"00001_catalogue.sql", "00002_documents.sql", "00003_changes.sql"} {
		text, err := fs.ReadFile(schema.Migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		earlier[name] = &fstest.MapFile{Data: text}
	}
	old.Migrations = earlier
	at := pgtest.URL(t, old)
	pool, err := pgdb.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	restock(t, pool)
	exec(t, pool, `alter table products.prices disable trigger user;
		update products.prices set valid_from = now() - interval '1 day';
		insert into products.prices (product_id, minor_units, valid_from, valid_to) values ('lemons', 90, now() - interval '1 hour', now() + interval '1 day');
		alter table products.prices enable trigger user`)
	if _, err := pgdb.Migrate(t.Context(), at, schema); err != nil {
		t.Fatal(err)
	}
	activate(t, pool, 100, 1, false)
	if got := read(t, pool, "lemons").document["price"]; got != 90.0 {
		t.Errorf("price %v, want the one that has begun", got)
	}
	sound(t, pool)
	var left int
	err = pool.QueryRow(t.Context(), `select count(*) from products.price_activations where product_id = 'lemons' and moment > clock_timestamp() + interval '23 hours'`).Scan(&left)
	if err != nil || left != 1 {
		t.Errorf("%d activations for the price's end, want 1; %v", left, err)
	}
}

// Both searches go by their indexes, however many activations and documents there are.
func TestPlansOfLargeTables(t *testing.T) {
	pool := stocked(t)
	exec(t, pool, `insert into products.products (product_id, name, category_id) select 'p-' || n, 'P', 'apples' from generate_series(1, 2000) n;
		insert into products.prices (product_id, minor_units, valid_from) select product_id, 90, clock_timestamp() + interval '1 day' from products.products`)
	exec(t, pool, `analyze products.products, products.catalog_documents, products.price_activations`)
	for _, sql := range []string{
		`select a.activation_id from products.price_activations a where a.moment <= statement_timestamp() order by a.moment, a.product_id limit 500`,
		`select p.product_id::text from products.products p where p.product_id collate "C" > 'p-5' order by p.product_id collate "C" limit 100`,
		`select d.product_id from products.catalog_documents d where d.product_id collate "C" > 'p-5' order by d.product_id collate "C" limit 100`,
	} {
		rows, err := pool.Query(t.Context(), `explain `+sql)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(plan)
		for _, slow := range []string{"Seq Scan", "Sort"} {
			if strings.Contains(text, slow) {
				t.Errorf("%s has a %s: %s", sql, slow, text)
			}
		}
	}
}
