// Command seed fills the local platform: the catalogue, two accounts with roles, and each store's first stock. What is there
// already stays, so it can run at each start:
//
//	seed -catalogue -accounts -stock   (none given: all three)
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"larder.dev/internal/pgdb"
	"larder.dev/internal/serve"
	"larder.dev/local/seed/catalogue"
)

type config struct {
	Database pgdb.Config
	Spanner  string `env:"SPANNER_DATABASE,required"`
	// Timeout bounds the whole run.
	Timeout time.Duration `env:"SEED_TIMEOUT" envDefault:"2m"`
}

// seeder holds what the steps need.
type seeder struct {
	config    config
	pool      *pgxpool.Pool
	catalogue *catalogue.Catalogue
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "seed:", err)
		os.Exit(1)
	}
}

func run() error {
	goods := flag.Bool("catalogue", false, "load brands, categories, stores, products and prices")
	people := flag.Bool("accounts", false, "make the operator's and the merchandiser's accounts")
	shelves := flag.Bool("stock", false, "enter each store's first stock")
	flag.Parse()
	all := flag.NFlag() == 0

	var c config
	if err := serve.LoadConfig(&c); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()

	content, err := catalogue.Load()
	if err != nil {
		return err
	}
	pool, err := pgdb.Open(ctx, c.Database.URL)
	if err != nil {
		return err
	}
	defer pool.Close()
	s := &seeder{config: c, pool: pool, catalogue: content}

	for _, step := range []struct {
		name string
		on   bool
		run  func(context.Context) (string, error)
	}{
		{"catalogue", all || *goods, s.loadCatalogue},
		{"accounts", all || *people, s.provisionAccounts},
		{"stock", all || *shelves, s.enterStock},
	} {
		if !step.on {
			continue
		}
		start := time.Now()
		said, err := step.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Printf("%s: %s (%d ms)\n", step.name, said, time.Since(start).Milliseconds())
	}
	return nil
}
