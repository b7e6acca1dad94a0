package pgdb

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// Schema is a room's schema and the goose migrations that build it.
type Schema struct {
	// Name of the schema in the database, an SQL identifier.
	Name string
	// Migrations are files like 00001_tables.sql at the top. They only go forward: what is deployed is mended by the next one.
	Migrations fs.FS
}

// migrationLock is the key of the advisory lock that keeps migrations apart.
const migrationLock = 0x6c617264 // "lard"

// Migrate brings schemas up to date, in order, and returns how many migrations it ran. Running it again changes nothing;
// concurrent runs wait for each other. Each schema keeps its versions in a table of its own, <schema>.migrations.
func Migrate(ctx context.Context, url string, schemas ...Schema) (applied int, err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return 0, fmt.Errorf("DATABASE_URL is malformed")
	}
	if byIAM(config) {
		if err := signIn(ctx, config); err != nil {
			return 0, err
		}
	}
	lock, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return 0, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer lock.Close(context.WithoutCancel(ctx)) // ends the session, and with it the lock
	if _, err := lock.Exec(ctx, `select pg_advisory_lock($1)`, migrationLock); err != nil {
		return 0, fmt.Errorf("wait for the migration lock: %w", err)
	}
	for _, schema := range schemas {
		if err := create(ctx, lock, schema.Name); err != nil {
			return applied, fmt.Errorf("create schema %s: %w", schema.Name, err)
		}
		n, err := up(ctx, config, schema)
		if err != nil {
			return applied, fmt.Errorf("migrate schema %s: %w", schema.Name, err)
		}
		applied += n
	}
	return applied, nil
}

// create makes a schema that isn't there. One that is there stays as it is: who may use it needn't have the right to make it.
func create(ctx context.Context, conn *pgx.Conn, name string) error {
	var there bool
	if err := conn.QueryRow(ctx, `select to_regnamespace($1) is not null`, name).Scan(&there); err != nil || there {
		return err
	}
	_, err := conn.Exec(ctx, `create schema `+pgx.Identifier{name}.Sanitize())
	return err
}

func up(ctx context.Context, config *pgx.ConnConfig, schema Schema) (int, error) {
	db := stdlib.OpenDB(*config)
	defer func() { _ = db.Close() }() // only connections that are done with
	provider, err := goose.NewProvider(goose.DialectPostgres, db, schema.Migrations,
		goose.WithTableName(schema.Name+".migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return 0, err
	}
	results, err := provider.Up(ctx)
	return len(results), err
}
