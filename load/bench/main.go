// Command bench measures what the platform costs, on real components, and fails where a bound is missed.
//
//	bench redis      reserve against simpler scripts, its latency, and how long a large store holds up the stock's Redis (STOCK_REDIS_ADDR)
//	bench checkout   checkouts of a running platform by its public API: latency over the provider's, and CPU an order (make up first)
//	bench telemetry  what traces, metrics and logs cost a search and a checkout, by the CPU of the service, against none (make up first)
//	bench table      all that is quick, as one table: redis, and the tests of load/bench/rooms (needs the components)
//	bench check      the same, and fails where a ratio is more than 30 % worse than in ratios.json, twice
//	bench keep       the same, and keeps the ratios in ratios.json
//	bench growth     what a search, a rebuild and a reservation cost while products and stores grow; draws docs/growth.svg of all that was kept
//	bench chart      draws it anew
//
// Without an argument, redis and checkout. Each figure is a line "bench: ...". Bounds are ratios of one run where they can be, so that they hold on any machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"larder.dev/load/bench/figure"
)

// parts are what can be measured, by the command's argument.
var parts = map[string]func(context.Context) error{
	"redis":     benchRedis,
	"checkout":  benchCheckout,
	"telemetry": benchTelemetry,
	"table":     table(false, false),
	"check":     table(false, true),
	"keep":      table(true, false),
	"growth":    growth,
	"chart":     func(context.Context) error { return chart() },
	"echo":      echo, // benchBare's other end
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 0:
		return errors.Join(benchRedis(ctx), benchCheckout(ctx))
	case len(args) > 1 || parts[args[0]] == nil:
		return errors.New("say what to measure: redis, checkout, telemetry, table, check, keep, growth, chart, or nothing for the first two")
	}
	return parts[args[0]](ctx)
}

// told are the figures of the part that is being measured.
var told []figure.Figure

// tell keeps a figure for the table.
func tell(f figure.Figure) { told = append(told, f) }

// report prints a line of figures.
func report(format string, args ...any) { fmt.Printf("bench: "+format+"\n", args...) }

// missed is the error of a bound; nil where it is kept.
func missed(kept bool, format string, args ...any) error {
	if kept {
		return nil
	}
	return fmt.Errorf("missed: "+format, args...)
}
