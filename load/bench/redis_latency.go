package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"larder.dev/internal/stock"
	"larder.dev/load/bench/figure"
)

const (
	// rate is how many reservations a second latency is measured at, for how long, and its bound. What else the machine does can only add to it, so
	// the best of as many runs counts.
	rate         = 2000
	latencyTime  = 10 * time.Second
	latencyRuns  = 5
	latencyBound = 5 * time.Millisecond
	// products of a large store, and how long it may hold up the server.
	products  = 100_000
	holdBound = 200 * time.Millisecond
)

// latency measures until a run keeps the bound.
func (r rig) latency(ctx context.Context) error {
	best50, best99 := time.Duration(0), time.Duration(math.MaxInt64)
	for run := 0; run < latencyRuns && best99 >= latencyBound; run++ {
		awake := figure.WakeEvery(time.Millisecond)
		took, err := r.atRate(ctx)
		late := awake()
		if err != nil {
			return fmt.Errorf("reserve at a rate: %w", err)
		}
		p50, p99 := figure.Percentile(took, 500), figure.Percentile(took, 990)
		report("reserve rate=%d/s lines=%d p50=%.2fms p99=%.2fms max=%.1fms, as many settled; whoever wanted to wake each millisecond was late by p99=%.2fms max=%.1fms",
			rate, len(r.lines), ms(p50), ms(p99), ms(slices.Max(took)), ms(figure.Percentile(late, 990)), ms(slices.Max(late)))
		if p99 < best99 {
			best50, best99 = p50, p99
		}
	}
	tell(figure.Figure{
		Name: "reserve at 2,000 a second", Seen: fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", ms(best50), ms(best99)),
		Bound: fmt.Sprintf("p99 %s", latencyBound), Missed: best99 >= latencyBound,
	})
	return missed(best99 < latencyBound, "reserve's p99 is %.2f ms, want less than %s", ms(best99), latencyBound)
}

// atRate reserves at a fixed rate, whatever the answers do, and returns what each took from when it was due. Each hold is settled, as in a shop.
func (r rig) atRate(ctx context.Context) ([]time.Duration, error) {
	const n = int(rate * latencyTime / time.Second)
	took := make([]time.Duration, n)
	failed := make(chan error, 1)
	due := make(chan int, rate) // what is late waits here: at most a second's
	begin := time.Now()
	at := func(i int) time.Time { return begin.Add(time.Duration(i) * time.Second / rate) }
	var work sync.WaitGroup
	for range 4 * callers {
		work.Go(func() {
			for i := range due {
				order := uuid.NewString()
				hold, err := r.virtual.Reserve(ctx, r.store, order, r.lines, time.Now().Add(10*time.Minute), 0)
				took[i] = time.Since(at(i))
				if err == nil {
					err = r.virtual.Settle(ctx, r.store, order, hold)
				}
				if err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			}
		})
	}
	tick := time.NewTicker(time.Millisecond / 2)
	for sent := 0; sent < n; <-tick.C {
		for ; sent < n && !time.Now().Before(at(sent)); sent++ {
			due <- sent
		}
	}
	tick.Stop()
	close(due)
	work.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
		return took, nil
	}
}

// largeStore loads many products over as many, and reads them in the ways that the platform does, while another connection asks for answers
// all the time. A load is bounded. A snapshot is one command for the whole store, for reconciling alone.
func (r rig) largeStore(ctx context.Context) error {
	quantities := make(map[string]int64, products)
	for i := range products {
		quantities[fmt.Sprintf("generated-product-%06d", i)] = int64(i % 1000)
	}
	if err := r.virtual.Load(ctx, r.store, 2, quantities); err != nil {
		return err
	}
	bound, err := r.held(ctx, "load", func() error { return r.virtual.Load(ctx, r.store, 3, quantities) })
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"snapshot", func() error { _, err := r.virtual.Snapshot(ctx, r.store); return err }},
		{"scan", func() error { return r.virtual.Scan(ctx, r.store, func(map[string]bool) error { return nil }) }},
		{"read of 1000", func() error {
			_, _, err := r.virtual.Read(ctx, r.store, slices.Collect(maps.Keys(quantities))[:1000])
			return err
		}},
		{"reserve", func() error {
			_, err := r.virtual.Reserve(ctx, r.store, uuid.NewString(),
				[]stock.Line{{ProductID: "generated-product-000777", Quantity: 1}}, time.Now(), 0)
			return err
		}},
	} {
		if _, err := r.held(ctx, step.name, step.do); err != nil {
			return err
		}
	}
	tell(figure.Figure{
		Name: "load of 100,000 products", Seen: fmt.Sprintf("%.0f ms without an answer", ms(bound)), Bound: holdBound.String(), Missed: bound >= holdBound,
	})
	return missed(bound < holdBound, "a load held up the server for %s, want less than %s", bound, holdBound)
}

// held reports how long a step takes, and how long the server answers nobody else meanwhile: the longest of three times.
func (r rig) held(ctx context.Context, name string, do func() error) (silent time.Duration, err error) {
	var took, slowest time.Duration
	for range 3 {
		began := time.Now()
		mark, err := r.raw.Time(ctx).Result()
		if err != nil {
			return 0, fmt.Errorf("ask the server's time: %w", err)
		}
		asking, stop := context.WithCancel(ctx)
		longest := make(chan time.Duration, 1)
		go func() { longest <- ask(asking, r.raw) }()
		err = do()
		took = max(took, time.Since(began))
		stop()
		silent = max(silent, <-longest)
		if err != nil {
			return 0, fmt.Errorf("%s of a large store: %w", name, err)
		}
		slow, err := r.raw.SlowLogGet(ctx, 128).Result()
		if err != nil {
			return 0, fmt.Errorf("read the server's slow commands: %w", err)
		}
		for _, entry := range slow {
			if !entry.Time.Before(mark.Truncate(time.Second)) {
				slowest = max(slowest, entry.Duration)
			}
		}
	}
	report("%s products=%d took=%.0fms silent=%.0fms slowest_command=%.0fms", name, products, ms(took), ms(silent), ms(slowest))
	return silent, nil
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// ask returns the longest time that an answer took, until ctx ends.
func ask(ctx context.Context, client goredis.UniversalClient) (longest time.Duration) {
	for ctx.Err() == nil {
		asked := time.Now()
		if err := client.Ping(ctx).Err(); err != nil && !errors.Is(err, context.Canceled) {
			return time.Since(asked) + time.Hour // no answer at all
		}
		longest = max(longest, time.Since(asked))
	}
	return longest
}
