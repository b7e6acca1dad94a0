package postgres_test

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/pgdb/pgtest"
	"larder.dev/internal/product"
	"larder.dev/internal/product/postgres"
)

// part is lines of an import, one product each.
func part(after int64, last bool, ids ...string) product.ImportPart {
	p := product.ImportPart{ID: product.ImportID{UserID: "ada", Key: "an-import"}, Format: product.NDJSON, After: after, Until: after + int64(len(ids)), Last: last}
	for n, id := range ids {
		p.Products = append(p.Products, product.ImportLine{Line: after + int64(n) + 1, Product: product.Product{
			ID: id, Name: "Name of " + id, CategoryID: "fruit", Status: product.Active, Price: money.Of(120, "GBP"),
		}})
	}
	digest := sha256.Sum256(fmt.Append(nil, after, ids))
	p.Digest = digest[:]
	return p
}

func counts(i product.Import) string {
	return fmt.Sprintf("%d lines, done %t, %d created, %d changed, %d unchanged, %d failed", i.Lines, i.Done, i.Created, i.Changed, i.Unchanged, i.Failed)
}

// waiting returns when so many sessions of the database wait for a lock.
func waiting(t *testing.T, pool *pgxpool.Pool, sessions int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		var n int
		err := pool.QueryRow(t.Context(), `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if n >= sessions {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions wait for a lock, want %d", n, sessions)
		}
	}
}

func TestTakeIn(t *testing.T) {
	pool := pgtest.New(t, postgres.Schema())
	load(t, pool, snapshot(1))
	store := postgres.New(pool)
	csv := part(2, false, "a-9")
	csv.Format = product.CSV
	unknown := part(2, false, "a-9")
	unknown.ID.Key = "unknown-import"
	other := part(0, false, "a-1", "a-2")
	other.Digest = part(0, false, "a-1", "a-3").Digest
	for _, step := range []struct {
		name string
		part product.ImportPart
		want string // an error's reason, or counts
	}{
		{"the first part", part(0, false, "a-1", "a-2"), "2 lines, done false, 2 created, 0 changed, 0 unchanged, 0 failed"},
		{"the same again", part(0, false, "a-1", "a-2"), "2 lines, done false, 2 created, 0 changed, 0 unchanged, 0 failed"},
		{"another one in its place", other, "IMPORT_CONFLICT"},
		{"one with a gap before it", part(3, false, "a-9"), "IMPORT_CONFLICT"},
		{"one that laps over", part(1, false, "a-9"), "IMPORT_CONFLICT"},
		{"one of another format", csv, "IDEMPOTENCY_KEY_REUSED"},
		{"one of an unknown import", unknown, "IMPORT_NOT_FOUND"},
		{"one that names a product again", part(2, false, "a-2", "a-3", "a-3"), "5 lines, done false, 3 created, 0 changed, 0 unchanged, 2 failed"},
		{"the last, empty", part(5, true), "5 lines, done true, 3 created, 0 changed, 0 unchanged, 2 failed"},
		{"the last again", part(5, true), "5 lines, done true, 3 created, 0 changed, 0 unchanged, 2 failed"},
		{"one behind the last", part(5, false, "a-9"), "IMPORT_CONFLICT"},
	} {
		i, err := store.TakeIn(t.Context(), step.part)
		got := counts(i)
		if err != nil {
			got = fault.From(err).Reason().Name
		}
		if got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
	i, err := store.Import(t.Context(), product.ImportID{UserID: "ada", Key: "an-import"})
	want := []product.LineError{
		{Line: 3, Field: "product_id", Reason: "INVALID_ARGUMENT", Description: "is in line 2 too"},
		{Line: 5, Field: "product_id", Reason: "INVALID_ARGUMENT", Description: "is in line 4 too"},
	}
	if err != nil || !reflect.DeepEqual(i.Errors, want) {
		t.Errorf("errors %v, want %v: %v", i.Errors, want, err)
	}
	var left int
	if err := pool.QueryRow(t.Context(), `select count(*) from products.import_lines`).Scan(&left); err != nil || left > 0 {
		t.Errorf("a finished import left %d lines, %v", left, err)
	}
	if got := state(t, pool); !reflect.DeepEqual(got, map[string]int64{"p-000000": 1, "a-1": 1, "a-2": 1, "a-3": 1}) {
		t.Errorf("revisions %v: each document computed once", got)
	}
	sound(t, pool)
}

// However many errors there are, so many are kept, and all are counted.
func TestKeptErrorsAreBounded(t *testing.T) {
	pool := pgtest.New(t, postgres.Schema())
	store := postgres.New(pool)
	for n := range int64(3) {
		p := part(n*400, n == 2)
		p.Until = p.After + 400
		for line := p.After + 1; line <= p.Until; line++ {
			p.Errors = append(p.Errors, product.LineError{Line: line, Field: "body", Reason: "INVALID_ARGUMENT", Description: "no"})
		}
		if _, err := store.TakeIn(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	i, err := store.Import(t.Context(), product.ImportID{UserID: "ada", Key: "an-import"})
	if err != nil || len(i.Errors) != 1000 || i.Errors[999].Line != 1000 || i.Failed != 1200 {
		t.Errorf("%d errors kept, %d failed, %v", len(i.Errors), i.Failed, err)
	}
}

func TestOldImportsAreForgotten(t *testing.T) {
	pool := pgtest.New(t, postgres.Schema())
	load(t, pool, snapshot(1))
	store := postgres.New(pool)
	if _, err := store.TakeIn(t.Context(), part(0, false, "a-1")); err != nil {
		t.Fatal(err)
	}
	exec(t, pool, `update products.imports set update_time = now() - interval '31 days'`)
	later := part(0, false, "a-2")
	later.ID.Key = "a-later-one"
	if _, err := store.TakeIn(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	var left string
	err := pool.QueryRow(t.Context(), `select concat((select string_agg(import_id, ' ') from products.imports), ': ', (select string_agg(product_id, ' ') from products.import_lines))`).Scan(&left)
	if err != nil || left != "ada/a-later-one: a-2" {
		t.Errorf("left are %q, %v", left, err)
	}
}

// Between an import's check and its write somebody creates the same product, or removes a category.
func TestImportMeetsOthers(t *testing.T) {
	for _, c := range []struct{ name, other, want string }{
		{"creates the product", `insert into products.products (product_id, name, category_id) values ('a-1', 'Another', 'fruit')`,
			"1 lines, done true, 0 created, 1 changed, 0 unchanged, 0 failed"},
		{"deletes the product", `update products.products set delete_time = now() where product_id = 'p-000000'`,
			"2 lines, done true, 1 created, 0 changed, 0 unchanged, 1 failed"},
		{"removes the category", `delete from products.products; delete from products.categories where category_id = 'fruit'`,
			"1 lines, done true, 0 created, 0 changed, 0 unchanged, 1 failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := pgtest.New(t, postgres.Schema())
			load(t, pool, snapshot(1))
			tx, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, sql := range []string{`set local larder.changed_by = 'somebody'`, c.other} {
				if _, err := tx.Conn().PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
					t.Fatal(err)
				}
			}
			ids := []string{"a-1"}
			if c.name == "deletes the product" {
				ids = append(ids, "p-000000")
			}
			taken := make(chan string)
			go func() {
				i, err := postgres.New(pool).TakeIn(t.Context(), part(0, true, ids...))
				taken <- fmt.Sprintf("%s, %v", counts(i), err)
			}()
			waiting(t, pool, 1)
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := <-taken; got != c.want+", <nil>" {
				t.Errorf("%s, want %s", got, c.want)
			}
			sound(t, pool)
		})
	}
}
