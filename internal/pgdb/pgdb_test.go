package pgdb_test

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/trace"

	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/pgdb/pgtest"
)

func schema(name string, files ...string) pgdb.Schema {
	migrations := fstest.MapFS{}
	for i, sql := range files {
		migrations["0000"+string(rune('1'+i))+"_step.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql + ";\n")}
	}
	return pgdb.Schema{Name: name, Migrations: migrations}
}

func TestMigrate(t *testing.T) {
	at := pgtest.URL(t)
	one, other := schema("one", "create table one.things (id int)"), schema("other", "create table other.things (id int)")

	// Several releases start at once.
	var group sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range 4 {
		group.Go(func() {
			n, err := pgdb.Migrate(t.Context(), at, one, other)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			total += n
		})
	}
	group.Wait()
	if total != 2 {
		t.Errorf("%d migrations applied, want each of 2 once", total)
	}

	longer := schema("one", "create table one.things (id int)", "alter table one.things add name text")
	if n, err := pgdb.Migrate(t.Context(), at, longer, other); n != 1 || err != nil {
		t.Errorf("%d applied, %v; want the new one", n, err)
	}
	broken := schema("broken", "create table broken.things (id int)", "create nonsense")
	if _, err := pgdb.Migrate(t.Context(), at, broken); err == nil {
		t.Error("a broken migration went through")
	}
	mended := schema("broken", "create table broken.things (id int)", "create table broken.more (id int)")
	if n, err := pgdb.Migrate(t.Context(), at, mended); n != 1 || err != nil {
		t.Errorf("%d applied, %v; want the mended one", n, err)
	}
}

func TestInTxNamesCallerAndTrace(t *testing.T) {
	pool := pgtest.New(t)
	ids := trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled}
	traced := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(ids))
	for _, c := range []struct {
		name          string
		ctx           context.Context
		caller, trace string
	}{
		{"nobody", t.Context(), "system", ""},
		{"a service", identity.WithCaller(t.Context(), identity.Caller{Service: "checkout"}), "checkout", ""},
		{"a person in a trace", identity.WithCaller(traced, identity.Caller{UserID: "u-1", Roles: []string{identity.RoleMerchandiser}}),
			"merchandiser:u-1", "00-01000000000000000000000000000000-0200000000000000-01"},
	} {
		var caller, trace string
		err := pgdb.InTx(c.ctx, pool, func(tx pgx.Tx) error {
			return tx.QueryRow(c.ctx, `select current_setting('larder.changed_by'), current_setting('larder.traceparent')`).Scan(&caller, &trace)
		})
		if err != nil || caller != c.caller || trace != c.trace {
			t.Errorf("%s: %q, %q, %v; want %q, %q", c.name, caller, trace, err, c.caller, c.trace)
		}
	}
	var left string
	if err := pool.QueryRow(t.Context(), `select coalesce(current_setting('larder.changed_by', true), '')`).Scan(&left); err != nil || left != "" {
		t.Errorf("after the transaction the session's caller is %q, %v", left, err)
	}
}

func TestInTxRollsBack(t *testing.T) {
	pool := pgtest.New(t, schema("one", "create table one.things (id int)"))
	refusal := errors.New("no")
	err := pgdb.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `insert into one.things values (1)`); err != nil {
			return err
		}
		return refusal
	})
	var count int
	if scan := pool.QueryRow(t.Context(), `select count(*) from one.things`).Scan(&count); scan != nil || count != 0 || !errors.Is(err, refusal) {
		t.Errorf("%d rows, %v, %v", count, err, scan)
	}
}

// Two transactions take two rows in opposite orders, and meet in the middle.
func TestInTxOutlivesDeadlocks(t *testing.T) {
	pool := pgtest.New(t, schema("one", "create table one.things (id int primary key, n int); insert into one.things values (1, 0), (2, 0)"))
	var met sync.WaitGroup
	met.Add(2)
	var group sync.WaitGroup
	for _, order := range [][2]int{{1, 2}, {2, 1}} {
		group.Go(func() {
			var first sync.Once
			err := pgdb.InTx(t.Context(), pool, func(tx pgx.Tx) error {
				for i, id := range order {
					if i == 1 {
						first.Do(func() { met.Done(); met.Wait() })
					}
					if _, err := tx.Exec(t.Context(), `update one.things set n = n + 1 where id = $1`, id); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	var sum int
	if err := pool.QueryRow(t.Context(), `select sum(n) from one.things`).Scan(&sum); err != nil || sum != 4 {
		t.Errorf("%d changes, %v; want each of 4 once", sum, err)
	}
}

func TestAwayIsUnavailable(t *testing.T) {
	at, err := url.Parse(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	at.Host = "127.0.0.1:1"
	pool, err := pgdb.Open(t.Context(), at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	err = pgdb.InTx(t.Context(), pool, func(pgx.Tx) error { return nil })
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("no server: %v", err)
	}
	if _, err := pgdb.Open(t.Context(), "postgres://larder:secret@:bad/"); err == nil || err.Error() != "DATABASE_URL is malformed" {
		t.Errorf("a malformed URL: %v", err)
	}
	refusal := fault.ProductNotFound.New("no")
	if got := pgdb.Error(refusal); !errors.Is(got, refusal) || fault.Is(got, fault.Unavailable) {
		t.Errorf("a coded error became %v", got)
	}
}
