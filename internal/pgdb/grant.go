package pgdb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Grants say which roles use what, beside the one that migrates and owns it all. Roles that aren't there are an error.
type Grants struct {
	// Users and Products are roles that read and write all tables of that schema, and run its functions.
	Users    []string `env:"GRANT_USERS"`
	Products []string `env:"GRANT_PRODUCTS"`
	// Outbox are roles that look at the outbox of the schema users, and change nothing.
	Outbox []string `env:"GRANT_OUTBOX"`
	// Replication is Debezium's role: it reads the documents, and keeps its offsets in the schema debezium. That it may replicate is said by
	// who administers the server.
	Replication string `env:"GRANT_REPLICATION"`
}

// Grant gives the roles their rights. Running it again changes nothing.
func Grant(ctx context.Context, url string, grants Grants) error {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("DATABASE_URL is malformed")
	}
	if byIAM(config) {
		if err := signIn(ctx, config); err != nil {
			return err
		}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, statement := range grants.statements() {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// statements are what is run, in order. Names can't be parameters of these.
func (g Grants) statements() []string {
	var all []string
	for schema, roles := range map[string][]string{"users": g.Users, "products": g.Products} {
		for _, role := range roles {
			to := pgx.Identifier{role}.Sanitize()
			all = append(all,
				"grant usage on schema "+schema+" to "+to,
				"grant select, insert, update, delete on all tables in schema "+schema+" to "+to,
				"grant usage, select on all sequences in schema "+schema+" to "+to,
				"grant execute on all functions in schema "+schema+" to "+to)
		}
	}
	for _, role := range g.Outbox {
		to := pgx.Identifier{role}.Sanitize()
		all = append(all,
			"grant usage on schema users to "+to,
			"grant select on users.outbox, users.outbox_cursor, users.outbox_relays to "+to)
	}
	if g.Replication != "" {
		role := pgx.Identifier{g.Replication}.Sanitize()
		all = append(all,
			"create schema if not exists debezium",
			"grant usage, create on schema debezium to "+role,
			"grant usage on schema products to "+role,
			"grant select on products.catalog_documents to "+role,
			// The migrating role owns the table, so the publication is its to make; Debezium finds it.
			`do $$ begin
			if not exists (select from pg_publication where pubname = 'productindex') then
				create publication productindex for table products.catalog_documents;
			end if;
			end $$`)
	}
	return all
}
