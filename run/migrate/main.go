// Command migrate brings every schema up to date: PostgreSQL's of the rooms user and product, and Spanner's. It is run before a
// release, and again at will: what is up to date stays as it is, and concurrent runs wait for each other.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"larder.dev/internal/pgdb"
	productpg "larder.dev/internal/product/postgres"
	"larder.dev/internal/serve"
	"larder.dev/internal/spannerdb"
	userpg "larder.dev/internal/user/postgres"
)

type config struct {
	Database pgdb.Config
	Spanner  string `env:"SPANNER_DATABASE,required"`
	Grants   pgdb.Grants
	// Timeout bounds the whole run.
	Timeout time.Duration `env:"MIGRATE_TIMEOUT" envDefault:"5m"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "migrate:", err)
		os.Exit(1)
	}
}

func run() error {
	var c config
	if err := serve.LoadConfig(&c); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()

	start := time.Now()
	applied, err := pgdb.Migrate(ctx, c.Database.URL, userpg.Schema(), productpg.Schema())
	if err != nil {
		return err
	}
	fmt.Printf("postgresql: %d migrations applied in %d ms\n", applied, time.Since(start).Milliseconds())

	if err := pgdb.Grant(ctx, c.Database.URL, c.Grants); err != nil {
		return err
	}

	start = time.Now()
	if err := spannerdb.Migrate(ctx, c.Spanner); err != nil {
		return err
	}
	fmt.Printf("spanner: up to date in %d ms\n", time.Since(start).Milliseconds())
	return nil
}
