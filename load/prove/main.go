// Command prove attacks the platform in rounds and then accounts, from outside, for what it did: make prove. It ends with a line of
// counters, and with 0 only if nothing was found, and every crash point was hit often enough.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"larder.dev/load/prove/world"
)

// options are the command line's.
type options struct {
	duration, round time.Duration
	seed            uint64
	without         string
	dir             string
	intensity       float64
	shoppers, crowd int
	hits            int
	hold            bool
	troubles        string
	holdFor         time.Duration
}

func main() {
	var o options
	flag.DurationVar(&o.duration, "duration", 25*time.Minute, "of the whole run, building not counted")
	flag.DurationVar(&o.round, "round", 5*time.Minute, "of a round at most, settling not counted")
	flag.Uint64Var(&o.seed, "seed", 1, "of everything that is left to chance")
	flag.StringVar(&o.without, "without", "", "a `fence` to build out: then the prover is to find something")
	flag.StringVar(&o.dir, "dir", ".larder/prove", "the `folder` for state and logs")
	flag.Float64Var(&o.intensity, "intensity", 0, "of the faults: with 2, pauses are half as long as with 1; 0: 0.3, or 1 in a run of less than 20 minutes")
	flag.IntVar(&o.shoppers, "shoppers", 0, "how many there are; 0: as many as usual")
	flag.IntVar(&o.crowd, "crowd", 0, "how many want the hot product at once; 0: as many as usual; below 0: none")
	flag.IntVar(&o.hits, "hits", 0, "how often a process is to be killed at each crash point; 0: 20 times, or once in a run of less than 20 minutes; below 0: never, which proves nothing")
	flag.BoolVar(&o.hold, "hold", false, "bring up one round without faults and shoppers, and keep it until it is interrupted")
	flag.StringVar(&o.troubles, "chaos", "", "a `list` of troubles, or all: a round for each instead of storms, of which loss and delay last for -duration")
	flag.Parse()
	if err := run(o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		os.Exit(1)
	}
}

// errFound is what a run ends with that found something. The last line has told what.
var errFound = errors.New("not proved")

func run(o options, out io.Writer) (err error) {
	if flag.NArg() > 0 || o.duration <= 0 || o.round <= 0 || o.intensity < 0 {
		return errors.New("duration and round are above 0, intensity isn't below, and nothing stands behind the flags")
	}
	kinds, err := troubles(o.troubles)
	if err != nil {
		return err
	}
	if len(kinds) > 0 {
		o.holdFor = chaosHold
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log, closeLog, err := openLog(o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	redis.SetLogger(redisLog{log})

	_, _ = fmt.Fprintf(out, "prove: seed %d, log and state in %s\n", o.seed, o.dir)
	w, err := world.New(ctx, world.Config{Seed: o.seed, Without: o.without, HoldFor: o.holdFor, Log: log, Root: ".", Dir: o.dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if o.hold {
		return hold(ctx, w, out)
	}
	if len(kinds) > 0 {
		return newRun(o, w, log, out).chaos(ctx, kinds)
	}
	return newRun(o, w, log, out).rounds(ctx)
}

// openLog opens the file that everything is told in, also each fault.
func openLog(dir string) (*slog.Logger, func() error, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("make the state folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, world.LogFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	return slog.New(slog.NewJSONHandler(file, nil)), file.Close, nil
}

// redisLog takes what the Redis client has to say: it is asked for servers that have just been killed.
type redisLog struct{ log *slog.Logger }

// Printf implements the client's interface.
func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "redis client", "says", fmt.Sprintf(format, args...))
}

// hold keeps a round for somebody to look at.
func hold(ctx context.Context, w *world.World, out io.Writer) error {
	r, err := w.Round(ctx, 1)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "public API       %s\npayment provider %s\nSpanner          %s (%s)\nPub/Sub          %s (%s)\nstock's Redis    %s\n",
		r.Edge, r.Provider, r.SpannerHost, r.Spanner, r.PubSubHost, r.Project, r.StockRedis())
	<-ctx.Done()
	return r.Close()
}
