package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"larder.dev/load/prove/account"
	"larder.dev/load/prove/shop"
	"larder.dev/load/prove/world"
)

const (
	// besides is what a round takes besides its storm: coming up, settling, accounting.
	besides = 75 * time.Second
	// overtime bounds how much longer the last storm is, if by then some crash point wasn't hit often enough.
	overtime = 3 * time.Minute
	// shortest is a storm that is worth a round.
	shortest = 20 * time.Second
	// fullRun is a duration from which on each crash point is to be hit fullHits times. There is time for calmer weather then, in which more is
	// sold.
	fullRun       = 20 * time.Minute
	fullHits      = 20
	fullIntensity = 0.3
	// spareHits is one more for so many: some points are hard to hit.
	spareHits = 10
)

// proving is a run of the prover.
type proving struct {
	options
	world  *world.World
	people *shop.Shop
	log    *slog.Logger
	out    io.Writer
	result account.Result
	tally  world.Tally
}

func newRun(o options, w *world.World, log *slog.Logger, out io.Writer) *proving {
	hits, intensity := 1, 1.0
	if o.duration >= fullRun {
		hits, intensity = fullHits, fullIntensity
	}
	o.hits, o.intensity = cmp.Or(o.hits, hits), cmp.Or(o.intensity, intensity)
	return &proving{options: o, world: w, log: log, out: out}
}

// rounds makes rounds until the time is over, or one has found something, and tells all in the last line.
func (p *proving) rounds(ctx context.Context) error {
	deadline := time.Now().Add(p.duration)
	count := rounds(p.duration, p.round)
	hits := p.hits + (p.hits+spareHits-1)/spareHits
	for n := 1; n <= count; n++ {
		storm := time.Until(deadline)/time.Duration(count-n+1) - besides
		if n > 1 && storm < shortest {
			break
		}
		weather := world.Weather{Intensity: p.intensity, Hits: (hits*n + count - 1) / count, For: max(storm, shortest)}
		last := n == count && p.without == ""
		err := p.one(ctx, n, func(ctx context.Context, r *world.Round, day *shop.Day) (world.Tally, error) {
			return p.storm(ctx, r, day, weather, last)
		})
		if err != nil {
			return errors.Join(fmt.Errorf("round %d: %w", n, err), p.last())
		}
		if !p.result.Clean() {
			break
		}
	}
	return p.last()
}

// rounds is how many rounds a run has: as few as make none longer than a limit.
func rounds(duration, limit time.Duration) int {
	round := limit + besides
	return max(1, int((duration+round-1)/round))
}

// breaking lets shoppers buy and faults happen at once, and returns when all is healed, and nobody waits for an answer any more.
type breaking func(ctx context.Context, r *world.Round, day *shop.Day) (world.Tally, error)

// one is a round: shoppers and faults at once, then healing, settling and accounting.
func (p *proving) one(ctx context.Context, n int, storm breaking) (err error) {
	began := time.Now()
	r, err := p.world.Round(ctx, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	books, err := account.Open(ctx, account.Config{
		Spanner: r.Spanner, SpannerHost: r.SpannerHost, PubSubHost: r.PubSubHost, Project: r.Project, StockRedis: r.StockRedis,
		Provider: r.Provider, ProviderKey: r.ProviderKey, HoldFor: p.holdFor, Patience: p.patience(), Log: p.log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	if p.people == nil {
		p.people, err = shop.Open(ctx, p.shopConfig(r.Edge))
		if err != nil {
			return err
		}
	}
	day, err := p.people.NewDay(ctx, n, shop.Place{Edge: r.Edge, PubSubHost: r.PubSubHost, Project: r.Project})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, day.Close()) }()
	up := time.Since(began)

	began = time.Now()
	tally, err := storm(ctx, r, day)
	p.tally.Add(tally)
	if err != nil {
		return err
	}
	stormed := time.Since(began)
	began = time.Now()
	if err := books.Settle(ctx, day); err != nil {
		return err
	}
	settled := time.Since(began)
	began = time.Now()
	result, err := books.Check(ctx, day.History())
	if err != nil {
		return err
	}
	p.result.Add(result)
	if !result.Clean() {
		if err := p.keep(n, day.History()); err != nil {
			return err
		}
	}
	p.tell(fmt.Sprintf("round %d: %d orders of %d lines, %d cancelled, %d refused, %d captured, %d refunded; %d faults; up in %s, storm %s, settled in %s, "+
		"checked in %s: %s", n, result.Orders, result.Lines, result.Cancelled, result.Refused, result.Captured, result.Refunded, tally.Faults,
		up.Round(time.Second), stormed.Round(time.Second), settled.Round(time.Second), time.Since(began).Round(time.Second), &result))
	return ctx.Err()
}

// shopConfig is who shops.
func (p *proving) shopConfig(edge string) shop.Config {
	config := shop.Config{Edge: edge, Seed: p.seed, Shoppers: p.shoppers, Crowd: p.crowd, Log: p.log}
	if p.troubles != "" {
		config.Shoppers, config.Crowd, config.Rush = cmp.Or(p.shoppers, chaosShoppers), -1, -1
		config.Carts, config.Checkouts = chaosAtOnce, chaosAtOnce
	}
	return config
}

// patience is how long a round may take to settle. Two seconds are usual; a void that was tried in vain is tried again after a quarter of a
// minute, and by a function that waits for calls which were broken off. Where a fence is missing, something may wait for ever.
func (p *proving) patience() time.Duration {
	if p.without != "" {
		return 30 * time.Second
	}
	return 3 * time.Minute
}

// keep writes a round's history to its folder.
func (p *proving) keep(n int, history *shop.History) error {
	file, err := os.Create(filepath.Join(p.dir, fmt.Sprintf("round-%d", n), "history.jsonl"))
	if err != nil {
		return fmt.Errorf("keep the history: %w", err)
	}
	if err := errors.Join(history.Write(file), file.Close()); err != nil {
		return fmt.Errorf("keep the history: %w", err)
	}
	return nil
}

// storm is breaking by everything at once. The last one of a run makes up for hits that are lacking.
func (p *proving) storm(ctx context.Context, r *world.Round, day *shop.Day, weather world.Weather, last bool) (world.Tally, error) {
	storming, stop := context.WithCancel(ctx)
	defer stop()
	weather.Rush, weather.SpareRebuilders = day.Rush, p.without != ""
	bought := make(chan error, 1)
	go func() { bought <- day.Run(storming) }()
	faults, err := r.Storm(storming, weather)
	if err != nil {
		stop()
		return world.Tally{}, errors.Join(err, <-bought)
	}
	pause(storming, weather.For)
	for late := time.Now().Add(overtime); last && faults.FewestHits() < p.hits && time.Now().Before(late) && ctx.Err() == nil; {
		pause(storming, time.Second)
	}
	stop()
	tally, err := faults.Wait(ctx)
	return tally, errors.Join(err, <-bought, ctx.Err())
}

// pause waits; not longer than ctx lasts.
func pause(ctx context.Context, long time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	<-ctx.Done()
}

// last prints what was found, how often each fault happened, and the line that tells it all.
func (p *proving) last() error {
	p.details()
	p.tell("faults: " + list(p.tally.ByKind))
	p.tell("broken calls of Spanner: " + list(p.tally.Calls))
	p.tell("killed at: " + list(p.tally.Points))
	enough, needed := 0, max(1, p.hits) // who wants no hits proves nothing
	for _, point := range p.tally.AllPoints {
		if p.tally.Points[point] >= needed {
			enough++
		}
	}
	p.tell(fmt.Sprintf("orders=%d faults=%d crash_points=%d/%d %s", p.result.Orders, p.tally.Faults, enough, len(p.tally.AllPoints), &p.result))
	switch {
	case !p.result.Clean():
		return errFound
	case enough < len(p.tally.AllPoints) || enough == 0:
		return fmt.Errorf("%w: not every crash point was hit %d times", errFound, needed)
	case p.result.Orders == 0:
		return fmt.Errorf("%w: nothing was sold", errFound)
	}
	return nil
}

// details prints what was found, by counter.
func (p *proving) details() {
	for _, counter := range account.Counters {
		for _, detail := range p.result.Details[counter] {
			p.tell(counter + ": " + detail)
		}
	}
}

func (p *proving) tell(what string) {
	_, _ = fmt.Fprintln(p.out, "prove: "+what)
	p.log.Info("told", "what", what)
}

// list is counts by name, "a 1, b 2".
func list(counts map[string]int) string {
	parts := make([]string, 0, len(counts))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}
