// Command fidelity shows whether search holds what the catalogue holds: make fidelity. It changes a catalogue for minutes, by SQL and by
// imports, while what stands between the catalogue and the index is killed, refuses, repeats and is fed rubbish, and while the index is
// built anew; then it holds the index against its own journal of what it changed. Nothing is repaired before that is counted.
//
// It ends with a line of counters, and with 0 only if each of them is zero:
//
//	missing      a product isn't in the index
//	stale        its document isn't what the journal says
//	extra        the index has a document of a product that never was
//	resurrected  a deleted product is in the index as a living one
//
// At first all is undisturbed, at 50 changes a second, for a minute, or a quarter of a run shorter than four: so long it is measured how long a
// change takes from commit to searchable, after half as long for the virtual machines to have compiled what they run.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are the command line's.
type options struct {
	duration time.Duration
	seed     uint64
	without  string
	rate     float64
	keep     bool
	bench    bool
	reindex  int
}

// What can be built out, for the run to find something.
const (
	withoutLocks  = "locks"  // triggers compute a document before they have its lock
	withoutEvents = "events" // some of what the index is told gets lost
)

const (
	quietMost = time.Minute // the undisturbed part of a run, at most
	quietRate = 50          // changes a second in it
	settleFor = 2 * time.Minute
	// restFor is how long nothing may have changed in the index for it to be at rest, in a run that is to find something.
	restFor = 20 * time.Second
)

func main() {
	var o options
	flag.DurationVar(&o.duration, "duration", 5*time.Minute, "of the changes, 1m at least; starting and counting come on top")
	flag.Uint64Var(&o.seed, "seed", 1, "of everything that is left to chance")
	flag.StringVar(&o.without, "without", "", "what to build out, `locks` or events: then the run is to find something")
	flag.Float64Var(&o.rate, "rate", 200, "changes a second in the storm")
	flag.BoolVar(&o.keep, "keep", false, "leave the platform running afterwards")
	flag.BoolVar(&o.bench, "throughput", false, "measure what the road carries a second, instead of all else")
	flag.IntVar(&o.reindex, "reindex", 0, "measure the copy of so many `products` to a new generation, instead of all else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fidelity:", err)
		os.Exit(1)
	}
}

// errUnfaithful is what a run ends with that found something. The last line has told what.
var errUnfaithful = errors.New("the index isn't what the catalogue is")

func run(ctx context.Context, o options) (err error) {
	if flag.NArg() > 0 || o.duration < time.Minute || o.rate <= 0 || (o.without != "" && o.without != withoutLocks && o.without != withoutEvents) {
		return fmt.Errorf("duration is 1m at least, rate above 0, without is %s or %s, and nothing stands behind the flags", withoutLocks, withoutEvents)
	}
	root, err := filepath.Abs(".")
	if err != nil {
		return err
	}
	gate, err := openGate(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gate.close()) }()
	p, err := bringUp(ctx, root, gate, o.reindex)
	if err != nil {
		return err
	}
	if !o.keep {
		defer func() { err = errors.Join(err, p.down(context.WithoutCancel(ctx))) }()
	}
	w, err := openWorld(ctx, p, o)
	if err != nil {
		return err
	}
	defer w.close()
	return w.run(ctx)
}

// world is a run: the catalogue that is changed, and what breaks the road to the index.
type world struct {
	options  options
	platform *platform
	rng      *rand.Rand
	journal  *journal
	shelf    *shelf
	index    *index
	echo     *echo
	log      *slog.Logger
}

func openWorld(ctx context.Context, p *platform, o options) (*world, error) {
	w := &world{
		options: o, platform: p, rng: rand.New(rand.NewPCG(o.seed, o.seed)), journal: newJournal(),
		index: &index{url: p.env["ELASTICSEARCH_URL"]}, log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	var err error
	if w.shelf, err = openShelf(ctx, p, w.journal, o.without == withoutLocks); err != nil {
		return nil, err
	}
	if w.echo, err = openEcho(ctx, p); err != nil {
		w.shelf.close()
		return nil, err
	}
	return w, nil
}

func (w *world) close() {
	w.echo.close()
	w.shelf.close()
}

// run is the whole test, in the order of what happens.
func (w *world) run(ctx context.Context) error {
	fmt.Printf("fidelity: seed %d, logs and state in %s\n", w.options.seed, w.platform.state)
	if found, err := w.settle(ctx); err != nil || found.any() {
		return fmt.Errorf("before anything is disturbed: %w: %+v", errors.Join(err, errUnfaithful), found)
	}
	if w.options.bench {
		return w.throughput(ctx)
	}
	if w.options.reindex > 0 {
		return w.reindexed(ctx, w.options.reindex)
	}
	quiet := min(quietMost, w.options.duration/4)
	warm := quiet / 2
	lags, err := w.quiet(ctx, warm, quiet)
	if err != nil {
		return err
	}
	faults, err := w.storm(ctx, w.options.duration-warm-quiet)
	if err != nil {
		return err
	}
	found, err := w.settle(ctx)
	if err != nil {
		return err
	}
	if err := w.shelf.slotFollows(ctx); err != nil {
		return err
	}
	letters, err := w.echo.letters(ctx)
	if err != nil {
		return err
	}
	for _, detail := range found.details {
		fmt.Println("fidelity:", detail)
	}
	fmt.Printf("fidelity: %d products, %d of them deleted; %d renames, %d imports; searched %d times; dead letters %d of %d\n",
		found.products, found.deleted, w.shelf.renames.Load(), w.shelf.imports.Load(), lags.count(), letters, w.echo.poisoned)
	fmt.Printf("fidelity: changes=%d faults=%d missing=%d stale=%d extra=%d resurrected=%d lag_p50=%dms lag_p99=%dms\n",
		w.shelf.changes.Load(), faults, found.missing, found.stale, found.extra, found.resurrected,
		lags.quantile(0.50).Milliseconds(), lags.quantile(0.99).Milliseconds())
	if found.any() || letters < w.echo.poisoned {
		return errUnfaithful
	}
	return nil
}

// quiet changes single products, after a while of warming up, and waits to find each of them.
func (w *world) quiet(ctx context.Context, warm, lasts time.Duration) (*lags, error) {
	warming, stop := context.WithTimeout(ctx, warm)
	err := w.shelf.work(warming, quietRate, w.rng.Uint64(), func(*product) {})
	stop()
	if err != nil {
		return nil, err
	}
	ctx, stop = context.WithTimeout(ctx, lasts)
	defer stop()
	watch := w.index.watch(ctx)
	err = w.shelf.work(ctx, quietRate, w.rng.Uint64(), watch.expect)
	return watch.wait(), err
}

// storm changes everything while everything breaks.
func (w *world) storm(ctx context.Context, lasts time.Duration) (faults int, err error) {
	storming, stop := context.WithTimeout(ctx, lasts)
	defer stop()
	weather := w.weather(lasts) // drawn before anything runs, so that the same seed draws the same
	done := make(chan error, 1)
	go func() { done <- w.shelf.work(storming, w.options.rate, w.rng.Uint64(), nil) }()
	faults, err = weather.blow(storming)
	return faults, errors.Join(err, <-done)
}

// settle waits until the index is what the journal says, or the time is up, and tells what differs then. A run that is to find something ends
// with the index at rest: what is still on its way is no finding.
func (w *world) settle(ctx context.Context) (*found, error) {
	deadline, since := time.Now().Add(settleFor), time.Now()
	last := &found{}
	for {
		now, err := w.compare(ctx)
		if err != nil || !now.same(last) {
			last, since = cmp.Or(now, &found{}), time.Now()
		}
		resting := w.options.without != "" && time.Since(since) > restFor
		if err == nil && (!now.any() || resting) || time.Now().After(deadline) {
			return now, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
}
