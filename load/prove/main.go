// Command prove attacks the platform and then accounts, from outside, for what it did: make prove.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"larder.dev/load/prove/world"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		os.Exit(1)
	}
}

func run() error {
	seed := flag.Uint64("seed", 1, "of everything that is left to chance")
	without := flag.String("without", "", "a `fence` to build out: the prover must notice")
	dir := flag.String("dir", ".larder/prove", "the `folder` for state and logs")
	hold := flag.Bool("hold", false, "bring up one round without faults, and keep it until the end is asked for")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))

	w, err := world.New(ctx, world.Config{Seed: *seed, Without: *without, Log: log, Root: ".", Dir: filepath.Clean(*dir)})
	if err != nil {
		return err
	}
	defer w.Close()
	r, err := w.Round(ctx, 1)
	if err != nil {
		return err
	}
	defer r.Close()
	fmt.Println("edge", r.Edge, "provider", r.Provider, "spanner", r.SpannerHost, r.Spanner, "pubsub", r.PubSubHost, "redis", r.StockRedis())
	if *hold {
		<-ctx.Done()
	}
	return nil
}
