package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caarlos0/env/v11"
)

// What is measured: checkouts of so many products, in an open loop: each begins at its time, whether those before have been answered or not.
const (
	checkoutLines    = 5
	checkoutShoppers = 30
	// checkoutDrain is how long after the last order what it sets off is still counted: its event, the cart, the mail, the webhooks.
	checkoutDrain = 5 * time.Second
	// checkoutIdle is how long the idle platform is measured.
	checkoutIdle = 15 * time.Second
	// providerCall is how long each of the two calls to the provider takes in a checkout; it is known, so it can be subtracted.
	providerCall = 10 * time.Millisecond
	// checkoutCPU bounds what our own processes spend on an order.
	checkoutCPU = 10 * time.Millisecond
)

// checkoutConfig is where the platform is that is measured.
type checkoutConfig struct {
	Edge     string `env:"EDGE_ADDR,required"`
	Provider string `env:"STRIPE_API_URL,required"`
	// State is the folder of the platform's programs: whose processes are measured.
	State string `env:"LARDER_STATE,required"`
	// Password of the seed's operator and merchandiser.
	Password string `env:"SEED_PASSWORD" envDefault:"larder-demo-1"`
	Store    string `env:"BENCH_STORE" envDefault:"soho"`
	// Rates are in orders a second, each for so many orders. The bound is held against the first; the others are told.
	Rates  []int `env:"BENCH_RATES" envDefault:"10,15"`
	Orders int   `env:"BENCH_ORDERS" envDefault:"500"`
	// ProviderP50 and ProviderP99 are what the provider's latency is set back to.
	ProviderP50 string `env:"PROVIDER_LATENCY_P50" envDefault:"80ms"`
	ProviderP99 string `env:"PROVIDER_LATENCY_P99" envDefault:"400ms"`
}

// benchCheckout measures checkouts of a running platform by its public API: how long they take over the provider's own time, and the CPU
// time that our processes spend on an order.
func benchCheckout(ctx context.Context) (err error) {
	var config checkoutConfig
	if err := env.Parse(&config); err != nil {
		return fmt.Errorf("checkout: %w (make bench-checkout sets the environment)", err)
	}
	shop, err := openShop(ctx, config)
	if err != nil {
		return fmt.Errorf("checkout: open the shop: %w", err)
	}
	if err := shop.latency(ctx, providerCall.String(), providerCall.String()); err != nil {
		return fmt.Errorf("checkout: set the provider's latency: %w", err)
	}
	defer func() {
		back := shop.latency(context.WithoutCancel(ctx), config.ProviderP50, config.ProviderP99)
		err = errors.Join(err, back)
	}()
	if err := sleep(ctx, checkoutDrain); err != nil { // what the preparation has set off
		return err
	}
	idle, err := cpuOver(ctx, config.State, func() error { return sleep(ctx, checkoutIdle) })
	if err != nil {
		return fmt.Errorf("checkout: measure the idle platform: %w", err)
	}
	if err := benchBare(ctx, config.State); err != nil {
		return fmt.Errorf("checkout: measure a bare call: %w", err)
	}
	var missing error
	for i, rate := range config.Rates {
		perOrder, err := shop.measure(ctx, rate, config.Orders, idle)
		if err != nil {
			return fmt.Errorf("checkout at %d/s: %w", rate, err)
		}
		if i == 0 {
			missing = missed(perOrder <= checkoutCPU, "%s CPU an order, %s at most", perOrder, checkoutCPU)
		}
	}
	return missing
}

// measure checks prepared carts out at a rate and reports; it returns the CPU time an order.
func (s *benchShop) measure(ctx context.Context, rate, orders int, idle cpu) (time.Duration, error) {
	carts, err := s.fillCarts(ctx, orders)
	if err != nil {
		return 0, fmt.Errorf("fill carts: %w", err)
	}
	if err := sleep(ctx, checkoutDrain); err != nil {
		return 0, err
	}
	took := make([]time.Duration, orders)
	spent, err := cpuOver(ctx, s.config.State, func() error {
		if err := openLoop(ctx, rate, orders, func(i int, due time.Time) error {
			err := s.checkOut(ctx, carts[i])
			took[i] = time.Since(due)
			return err
		}); err != nil {
			return err
		}
		return sleep(ctx, checkoutDrain)
	})
	if err != nil {
		return 0, err
	}
	slices.Sort(took)
	over := func(permille int) time.Duration {
		return (took[min(len(took)-1, len(took)*permille/1000)] - 2*providerCall).Round(100 * time.Microsecond)
	}
	report("checkout rate=%d/s orders=%d lines=%d p50=%s p99=%s over provider (2 calls of %s)", rate, orders, checkoutLines, over(500), over(990), providerCall)
	perOrder := spent.busy(idle, orders)
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(spent.of)) {
		if own := spent.of[name].per(orders); own >= 10*time.Microsecond {
			parts = append(parts, fmt.Sprintf("%s=%s", name, own))
		}
	}
	report("checkout rate=%d/s cpu %s", rate, strings.Join(parts, " "))
	report("checkout rate=%d/s cpu_per_order=%s with_idle=%s", rate, perOrder, spent.total().per(orders))
	return perOrder, nil
}

// openLoop does something so many times, at a rate, at the times at which it is due.
func openLoop(ctx context.Context, rate, times int, do func(i int, due time.Time) error) error {
	began := time.Now()
	failed := make([]error, times)
	var wg sync.WaitGroup
	for i := range times {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if err := sleep(ctx, time.Until(due)); err != nil {
			failed[i] = err
			break
		}
		wg.Go(func() { failed[i] = do(i, due) })
	}
	wg.Wait()
	n := 0
	for _, err := range failed {
		if err != nil {
			n++
		}
	}
	if n > 0 {
		i := slices.IndexFunc(failed, func(err error) bool { return err != nil })
		return fmt.Errorf("%d of %d failed, the first: %w", n, times, failed[i])
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
