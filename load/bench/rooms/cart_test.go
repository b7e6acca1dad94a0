//go:build bench

package rooms

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"larder.dev/internal/cart"
	cartredis "larder.dev/internal/cart/redis"
	"larder.dev/internal/money"
	"larder.dev/load/bench/figure"
)

// TestCarts sets lines of carts of ten lines, by the store's script, and by the same commands without any decision between them, as one
// transaction: what the rules cost.
func TestCarts(t *testing.T) {
	client, err := cartredis.Open(address(t, "CART_REDIS_ADDR"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	store := cartredis.New(client, time.Now)
	const carts, lines, callers, rounds, calls = 200, 10, 16, 31, 1000
	refs := make([]cart.Ref, carts)
	product := func(i int) string { return fmt.Sprintf("product-of-some-length-%d", i%lines) }
	put := func(i int) error {
		_, err := store.Put(t.Context(), refs[i%carts], "soho", cart.Line{
			ProductID: product(i / carts), Name: "A product, 500 g", Quantity: int64(1 + i%9), UnitPrice: money.Of(125, "GBP"), Stock: cart.InStock,
		}, "")
		return err
	}
	for i := range refs {
		refs[i] = cart.Of(uuid.NewString())
		defer func() { _ = store.Forget(context.WithoutCancel(t.Context()), refs[i].ID) }()
		if _, err := store.Open(t.Context(), refs[i], "soho"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range carts * lines {
		if err := put(i); err != nil {
			t.Fatal(err)
		}
	}
	raw := func(i int) error {
		key, field := "cart:{"+refs[i%carts].ID+"}", "line:"+product(i/carts)
		line := fmt.Sprintf(`{"position":"1","quantity":"%d","unit_price":"125","currency":"GBP","name":"A product, 500 g","substitutable":"false","stock":"in"}`, 1+i%9)
		_, err := client.TxPipelined(t.Context(), func(p goredis.Pipeliner) error {
			p.HMGet(t.Context(), key, "format", "generation", "version", "owner", "taken")
			p.Exists(t.Context(), key)
			p.HGet(t.Context(), key, "store")
			p.HGet(t.Context(), key, field)
			p.HSet(t.Context(), key, field, line)
			p.HIncrBy(t.Context(), key, "version", 1)
			p.HSet(t.Context(), key, "updated", time.Now().UnixMilli())
			p.PExpire(t.Context(), key, cart.UserLifetime)
			p.HGetAll(t.Context(), key)
			return nil
		})
		return err
	}
	var ours, plain, rates []float64 // microseconds of the server's time a call; calls a second
	for round := range rounds {
		for kind, call := range []func(int) error{put, raw} {
			before := serverTime(t, client)
			began := time.Now()
			var wg sync.WaitGroup
			failed := make([]error, callers)
			for caller := range callers {
				wg.Go(func() {
					for i := caller; i < calls && failed[caller] == nil; i += callers {
						failed[caller] = call(round*calls + i)
					}
				})
			}
			wg.Wait()
			took := time.Since(began)
			for _, err := range failed {
				if err != nil {
					t.Fatal(err)
				}
			}
			spent := (serverTime(t, client) - before) * 1e6 / calls
			if kind == 0 {
				ours, rates = append(ours, spent), append(rates, calls/took.Seconds())
			} else {
				plain = append(plain, spent)
			}
		}
	}
	ratios := make([]float64, rounds)
	for i := range ratios {
		ratios[i] = plain[i] / ours[i]
	}
	report("cart updates=%.0f/s by %d callers, script=%.1fus commands=%.1fus of the server's time a call", median(rates), callers, median(ours), median(plain))
	tell(t, figure.Figure{
		Name: "cart updates", Seen: fmt.Sprintf("%.0f/s, %.1f us of Redis each", median(rates), median(ours)),
		Ratio: median(ratios), To: "its commands without the script",
	})
}

// serverTime is what the server's main thread has used so far, in seconds.
func serverTime(t *testing.T, client goredis.UniversalClient) (sum float64) {
	t.Helper()
	info, err := client.Info(t.Context(), "cpu").Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(info) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user_main_thread" || name == "used_cpu_sys_main_thread" {
			seconds, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += seconds
		}
	}
	if sum == 0 {
		t.Fatal("the server doesn't tell the time of its main thread")
	}
	return sum
}
