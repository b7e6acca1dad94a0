package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"larder.dev/internal/stock"
	"larder.dev/internal/stock/redis"
	"larder.dev/load/bench/figure"
)

//go:embed redis_naive.lua
var naiveLua string

var (
	naive = goredis.NewScript(naiveLua)
	empty = goredis.NewScript("return 1")
)

const (
	// ratioBound is how fast reserve must be, as a part of what the naive script is.
	ratioBound = 0.7
	// rounds and calls of each script in a round. Few calls, so that a round's scripts meet the same machine.
	rounds, calls = 61, 500
	// callers are as many connections.
	callers = 16
)

// rig is the stock's Redis with a store of its own.
type rig struct {
	virtual *redis.Virtual
	raw     goredis.UniversalClient
	store   string
	lines   []stock.Line
}

func benchRedis(ctx context.Context) error {
	address := os.Getenv("STOCK_REDIS_ADDR")
	if address == "" {
		return errors.New("STOCK_REDIS_ADDR is not set")
	}
	virtual, err := redis.Open(address)
	if err != nil {
		return err
	}
	defer func() { _ = virtual.Close() }()
	r := rig{virtual: virtual, raw: virtual.Client(), store: "bench-" + uuid.NewString()[:8]}
	defer r.clean(context.WithoutCancel(ctx))
	quantities, fields := map[string]int64{}, map[string]any{}
	for _, product := range []string{"bread-white-sliced", "butter-salted-250g", "cheddar-mature-400g", "milk-whole-2l", "tomatoes-vine-500g"} {
		r.lines = append(r.lines, stock.Line{ProductID: product, Quantity: 2})
		quantities[product], fields[product] = 1e12, int64(1e12)
	}
	if err := virtual.Load(ctx, r.store, 1, quantities); err != nil {
		return err
	}
	if err := r.raw.HSet(ctx, r.naiveKey(), fields).Err(); err != nil {
		return fmt.Errorf("stock the naive script: %w", err)
	}
	return errors.Join(r.ratios(ctx), r.latency(ctx), r.largeStore(ctx))
}

func (r rig) naiveKey() string { return "bench:naive:{" + r.store + "}" }

func (r rig) key() string { return "stock:{" + r.store + "}" }

func (r rig) clean(ctx context.Context) {
	_ = r.raw.Unlink(ctx, r.naiveKey(), r.key(), r.key()+":deadlines", r.key()+":flips").Err()
}

// ratios compares by the time that the server's one thread needs for a call, its network included: that is the throughput of a server that
// is busy, and other programs on the machine hardly change it. The scripts take turns in short rounds, and the median counts.
func (r rig) ratios(ctx context.Context) error {
	args := make([]any, 0, 2*len(r.lines))
	for _, line := range r.lines {
		args = append(args, line.ProductID, line.Quantity)
	}
	scripts := []func(order string) error{
		func(order string) error {
			_, err := r.virtual.Reserve(ctx, r.store, order, r.lines, time.Now().Add(10*time.Minute), 0)
			return err
		},
		func(string) error { return naive.Run(ctx, r.raw, []string{r.naiveKey()}, args...).Err() },
		func(string) error { return empty.Run(ctx, r.raw, []string{r.naiveKey()}, args...).Err() },
	}
	took, costs := make([][]float64, len(scripts)), make([][]float64, len(scripts)) // microseconds a call, on the clock and of the server's time
	for range rounds {
		for i, script := range scripts {
			orders := names(calls)
			before, err := r.serverTime(ctx)
			if err != nil {
				return err
			}
			began := time.Now()
			if err := inParallel(orders, script); err != nil {
				return fmt.Errorf("call a script: %w", err)
			}
			took[i] = append(took[i], float64(time.Since(began).Microseconds())/calls)
			after, err := r.serverTime(ctx)
			if err != nil {
				return err
			}
			costs[i] = append(costs[i], (after-before)*1e6/calls)
			if i > 0 {
				continue
			}
			// Holds end, or the hash would grow as no store's does.
			if err := inParallel(orders, func(order string) error { return r.virtual.Release(ctx, r.store, order) }); err != nil {
				return err
			}
		}
	}
	toNaive, toEmpty := medianRatio(costs[1], costs[0]), medianRatio(costs[2], costs[0])
	report("reserve/naive=%.2f reserve/empty=%.2f reserve=%.1fus naive=%.1fus empty=%.1fus of the server's time a call; on the clock %.2f %.2f",
		toNaive, toEmpty, median(costs[0]), median(costs[1]), median(costs[2]), medianRatio(took[1], took[0]), medianRatio(took[2], took[0]))
	tell(figure.Figure{
		Name: "reserve five lines", Seen: fmt.Sprintf("%.1f us of Redis", median(costs[0])), Ratio: toNaive, To: "a naive script",
		Bound: fmt.Sprintf("%.2f or more", ratioBound), Missed: toNaive < ratioBound,
	})
	tell(figure.Figure{
		Name: "reserve against nothing", Seen: fmt.Sprintf("%.1f us of Redis", median(costs[0])), Ratio: toEmpty, To: "an empty script",
	})
	return missed(toNaive >= ratioBound, "reserve/naive is %.2f, want %.2f or more", toNaive, ratioBound)
}

// serverTime is what the server's main thread has used so far, in seconds.
func (r rig) serverTime(ctx context.Context) (float64, error) {
	info, err := r.raw.Info(ctx, "cpu").Result()
	if err != nil {
		return 0, fmt.Errorf("read the server's time: %w", err)
	}
	var sum float64
	for line := range strings.Lines(info) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name != "used_cpu_user_main_thread" && name != "used_cpu_sys_main_thread" {
			continue
		}
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, fmt.Errorf("read the server's time: %w", err)
		}
		sum += seconds
	}
	if sum == 0 {
		return 0, errors.New("the server doesn't tell the time of its main thread")
	}
	return sum, nil
}

func names(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = uuid.NewString()
	}
	return names
}

// inParallel does it for each name, by as many callers as a few processes have connections.
func inParallel(names []string, do func(string) error) error {
	var work sync.WaitGroup
	failed := make([]error, callers)
	for caller := range callers {
		work.Go(func() {
			for i := caller; i < len(names) && failed[caller] == nil; i += callers {
				failed[caller] = do(names[i])
			}
		})
	}
	work.Wait()
	return errors.Join(failed...)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// medianRatio is the median of the rounds' ratios.
func medianRatio(of, to []float64) float64 {
	ratios := make([]float64, len(of))
	for i := range of {
		ratios[i] = of[i] / to[i]
	}
	return median(ratios)
}
