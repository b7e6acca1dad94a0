// Command seed fills the local platform: the catalogue, two accounts with roles, and each store's first stock. What is there
// already stays, so it can run at each start:
//
//	seed -catalogue -accounts -stock   (none given: all three)
//
// For load and for tests it makes further products, with their stock, behind the catalogue:
//
//	seed -generate 5000 -seed 1
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
	"larder.dev/internal/user"
	"larder.dev/local/seed/catalogue"
	"larder.dev/local/seed/generator"
)

type config struct {
	Database pgdb.Config
	Spanner  string `env:"SPANNER_DATABASE,required"`
	// Passwords are hashed as the user service does, which else would hash them anew at their first use.
	Passwords user.Parameters
	// Timeout bounds the run, but for -generate, which takes as long as it takes.
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
	count := flag.Int("generate", 0, fmt.Sprintf("make so many `products` beside the catalogue, at most %d", generator.Max))
	stocked := flag.Int("stocked", 5000, "give stock to the first so many `products` of -generate: Spanner's emulator, which has all in memory and sums up by reading all, bears no more")
	from := flag.Uint64("seed", 1, "which products -generate makes: the same number gives the same")
	flag.Parse()
	all := !*goods && !*people && !*shelves && *count == 0
	if *count < 0 || *count > generator.Max || flag.NArg() > 0 {
		return fmt.Errorf("-generate %d: want 0 to %d, and nothing behind the flags", *count, generator.Max)
	}

	var c config
	if err := serve.LoadConfig(&c); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if *count == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}

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
		{"generate", *count > 0, func(ctx context.Context) (string, error) { return s.generate(ctx, *from, *count, *stocked) }},
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
