// Command rush asks the whole platform of a profile by its public API, as many shoppers at once do, and accounts afterwards for what they
// bought: make load, make capacity, make overload, make soak, make drop (docs/rush.md). It ends with 0 only if all that it is to keep was kept.
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
	"strings"
	"syscall"
	"time"

	"github.com/caarlos0/env/v11"

	"larder.dev/load/prove/account"
)

// options are the command line's.
type options struct {
	what               string
	rate               int
	duration, warm     time.Duration
	mix                mix
	seed               uint64
	products, shoppers int
	crowd              int
	atLeast            int64
	provider           time.Duration
	dir, k6, script    string
	log                *slog.Logger
}

// modes are what there is to do, by the word behind the flags.
var modes = map[string]func(p *platform, ctx context.Context) error{
	"load": (*platform).load, "capacity": (*platform).capacity, "overload": (*platform).overload, "soak": (*platform).soak, "drop": (*platform).drop,
}

func main() {
	o := options{}
	var mixed string
	flag.IntVar(&o.rate, "rate", 500, "requests a second of all kinds; of capacity, the first that is tried")
	flag.DurationVar(&o.duration, "duration", 5*time.Minute, "of what is measured; of capacity, of each rate that is tried")
	flag.DurationVar(&o.warm, "warm", 30*time.Second, "before that, with a rate that rises")
	flag.StringVar(&mixed, "mix", "80:15:5", "searches, carts and checkouts of a hundred requests")
	flag.Uint64Var(&o.seed, "seed", 1, "of everything that is left to chance")
	flag.IntVar(&o.products, "products", 50_000, "the catalogue has at least")
	flag.IntVar(&o.shoppers, "shoppers", 200, "who buy")
	flag.IntVar(&o.crowd, "crowd", 10_000, "who want the same in a drop")
	flag.Int64Var(&o.atLeast, "at-least", 5, "`units` are there of what is bought")
	flag.DurationVar(&o.provider, "provider", 10*time.Millisecond, "what each of the payment provider's calls takes; a checkout has two")
	flag.StringVar(&o.dir, "dir", ".larder/rush/run", "the `folder` for logs and the report")
	flag.StringVar(&o.k6, "k6", "k6", "k6's program")
	flag.StringVar(&o.script, "script", "load/rush/rush.js", "what k6 runs")
	flag.Parse()
	if err := run(o, mixed, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "rush:", err)
		os.Exit(1)
	}
}

// errMissed is what a run ends with that didn't keep what it is to keep. What that was has been told.
var errMissed = errors.New("not kept")

func run(o options, mixed string, out io.Writer) (err error) {
	if _, err := fmt.Sscanf(mixed, "%d:%d:%d", &o.mix.search, &o.mix.cart, &o.mix.checkout); err != nil {
		return fmt.Errorf("-mix %q: want three numbers as 80:15:5", mixed)
	}
	if err := o.mix.check(); err != nil {
		return err
	}
	mode := modes[flag.Arg(0)]
	if mode == nil || flag.NArg() != 1 || o.rate < 1 || o.duration < time.Second || o.warm < 0 || o.shoppers < 1 {
		return errors.New("want load, capacity, overload, soak or drop behind the flags, a rate, shoppers and a duration above 0")
	}
	o.what = flag.Arg(0)
	var s settings
	if err := env.Parse(&s); err != nil {
		return fmt.Errorf("%w (make %s sets the environment)", err, o.what)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	log, err := os.Create(filepath.Join(o.dir, "rush.log"))
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	o.log = slog.New(slog.NewJSONHandler(log, nil))

	began := time.Now()
	p, err := openPlatform(ctx, s, o, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close(ctx)) }()
	p.say("seed %d, %d products, %d different queries, %d shoppers, the provider's calls take %s; prepared in %s; logs in %s", o.seed, len(p.items),
		len(p.words), o.shoppers, o.provider, time.Since(began).Round(time.Second), o.dir)
	return mode(p, ctx)
}

func (p *platform) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, p.what+": "+format+"\n", args...)
}

// load is one burst, with its table, its report and the accounts.
func (p *platform) load(ctx context.Context) error {
	if err := p.awaken(ctx); err != nil {
		return err
	}
	b := burst{rate: p.rate, warm: p.warm, lasts: p.duration, mix: p.mix}
	p.say("%d requests a second, %d:%d:%d of searches, carts and checkouts, for %s after %s", b.rate, b.mix.search, b.mix.cart, b.mix.checkout, b.lasts, b.warm)
	o, err := p.burst(ctx, b)
	if err != nil {
		return err
	}
	if err := p.tell(o); err != nil {
		return err
	}
	broken := limits(o.scores)
	result, err := p.tellAccount(ctx)
	if err != nil {
		return err
	}
	report := filepath.Join(p.dir, "report.html")
	if err := writeReport(report, p.what, []*outcome{o}, &result); err != nil {
		return err
	}
	p.say("report %s", report)
	return p.verdict(broken, result)
}

// tell prints what came of a burst.
func (p *platform) tell(o *outcome) error {
	if err := printScores(p.out, o.scores); err != nil {
		return fmt.Errorf("tell: %w", err)
	}
	if err := printShares(p.out, o.shares, o.busy, total(o.scores).count, o.lasts); err != nil {
		return fmt.Errorf("tell: %w", err)
	}
	p.say("%d different searches asked; answers: %s", o.distinct, hits(o.answers))
	return nil
}

// hits tells of the cache: which part of the answers asked nothing of the index for themselves, and where they came from.
func hits(answers map[string]float64) string {
	sum := 0.0
	for _, n := range answers {
		sum += n
	}
	if sum == 0 {
		return "none were told of"
	}
	parts := []string{fmt.Sprintf("%.1f %% hits", 100*(sum-answers["index"])/sum)}
	for _, source := range []string{"kept", "stale", "shared", "covered", "index"} {
		parts = append(parts, fmt.Sprintf("%s %.1f %%", source, 100*answers[source]/sum))
	}
	return strings.Join(parts, ", ")
}

// tellAccount accounts, and prints what was found.
func (p *platform) tellAccount(ctx context.Context) (account.Result, error) {
	began := time.Now()
	result, err := p.account(ctx)
	if err != nil {
		return result, err
	}
	for _, counter := range account.Counters {
		for _, detail := range result.Details[counter] {
			p.say("%s: %s", counter, detail)
		}
	}
	p.say("accounted for %d orders, %d refused, of %d checkouts, in %s: %s", result.Orders, result.Refused, len(p.history.Checkouts),
		time.Since(began).Round(time.Second), &result)
	return result, nil
}

// verdict ends a run.
func (p *platform) verdict(broken []string, result account.Result) error {
	for _, what := range broken {
		p.say("NOT KEPT: %s", what)
	}
	switch {
	case !result.Clean():
		return fmt.Errorf("%w: the accounts", errMissed)
	case len(broken) > 0:
		return errMissed
	}
	p.say("all kept")
	return nil
}
