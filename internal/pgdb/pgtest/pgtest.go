// Package pgtest gives each test a PostgreSQL database of its own.
package pgtest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"larder.dev/internal/pgdb"
)

// New makes a database with these schemas on the server that DATABASE_URL names, and drops it at the end of the test.
func New(t testing.TB, schemas ...pgdb.Schema) *pgxpool.Pool {
	t.Helper()
	pool, err := pgdb.Open(t.Context(), URL(t, schemas...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// URL is like New and returns the database's connection string.
func URL(t testing.TB, schemas ...pgdb.Schema) string {
	t.Helper()
	server := os.Getenv("DATABASE_URL")
	if server == "" {
		t.Fatal("DATABASE_URL names no PostgreSQL server: run the tests with `make test`")
	}
	at, err := url.Parse(server)
	if err != nil {
		t.Fatal("DATABASE_URL is no URL")
	}
	name := "test_" + strings.ToLower(rand.Text()[:16])
	run(t, t.Context(), server, `create database `+name)
	// Not "with (force)": autovacuum may be at work there, and only a superuser may end it so. Connections have five seconds to end.
	t.Cleanup(func() { run(t, context.WithoutCancel(t.Context()), server, `drop database `+name) })
	at.Path = "/" + name
	if _, err := pgdb.Migrate(t.Context(), at.String(), schemas...); err != nil {
		t.Fatal(err)
	}
	return at.String()
}

func run(t testing.TB, ctx context.Context, server, sql string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("PostgreSQL can't be reached, start it with `make up`, or run the tests with `make test`: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
