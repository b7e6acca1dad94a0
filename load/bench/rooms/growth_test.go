//go:build bench

package rooms

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/spannerdb/spannertest"
	"larder.dev/internal/stock"
	stockredis "larder.dev/internal/stock/redis"
	stockspanner "larder.dev/internal/stock/spanner"
	"larder.dev/load/bench/figure"
)

// growthBatch is how many products one adjustment stocks.
const growthBatch = 100

// TestRebuildGrows rebuilds a store's stock, and reserves in it, while the platform grows: more stores beside it, then more products in it.
func TestRebuildGrows(t *testing.T) {
	const products = 1500
	t.Run("stores", func(t *testing.T) {
		l := openLedger(t)
		first := l.fill(t, products)
		stores := 1
		for _, many := range []int{1, 10, 100} {
			for ; stores < many; stores++ {
				l.fill(t, products)
			}
			l.measure(t, first, "stores", many)
		}
	})
	// In a database of its own: the emulator's sums read all that is there. They have 128 MiB, which a store of 50,000 products is too much for.
	t.Run("products", func(t *testing.T) {
		l := openLedger(t)
		for _, many := range []int{products, 5_000, 15_000} {
			l.measure(t, l.fill(t, many), "products", many)
		}
	})
}

// ledger is the stock's whole store: Redis, and a database of its own.
type ledger struct {
	virtual *stockredis.Virtual
	stocks  *stock.Service
}

func openLedger(t *testing.T) ledger {
	t.Helper()
	client := spannertest.Open(t)
	virtual, err := stockredis.Open(address(t, "STOCK_REDIS_ADDR"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = virtual.Close() })
	return ledger{virtual, stock.NewService(virtual, stockspanner.NewLedger(client))}
}

// fill makes a store that has so many products.
func (l ledger) fill(t *testing.T, products int) string {
	t.Helper()
	store := "grows-" + uuid.NewString()[:8]
	t.Cleanup(func() {
		key := "stock:{" + store + "}"
		_ = l.virtual.Client().Unlink(context.Background(), key, key+":deadlines", key+":flips").Err()
	})
	for done := 0; done < products; done += growthBatch {
		a := stock.Adjustment{ID: uuid.NewString(), StoreID: store, Actor: "bench", Reason: "bench", Fingerprint: make([]byte, 32)}
		for i := range growthBatch {
			a.Lines = append(a.Lines, stock.Line{ProductID: fmt.Sprintf("product-%06d", done+i), Quantity: 1000})
		}
		if err := l.stocks.Adjust(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// measure rebuilds the store, and reserves in it.
func (l ledger) measure(t *testing.T, store, by string, size int) {
	t.Helper()
	var rebuilds, reserves []time.Duration
	lines := []stock.Line{{ProductID: "product-000007", Quantity: 1}, {ProductID: "product-000042", Quantity: 1}}
	for range 7 {
		began := time.Now()
		if _, _, err := l.stocks.Rebuild(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		rebuilds = append(rebuilds, time.Since(began))
		for range 50 {
			began, id := time.Now(), uuid.NewString()
			if _, err := l.stocks.Reserve(t.Context(), store, id, lines, time.Now().Add(time.Minute), 0); err != nil {
				t.Fatal(err)
			}
			reserves = append(reserves, time.Since(began))
			if err := l.stocks.Release(t.Context(), store, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	figure.Point{Chart: "rebuild a store's stock, by " + by, Size: float64(size), Cost: float64(figure.Percentile(rebuilds, 500)) / 1e6, Unit: "ms"}.Print(os.Stdout)
	figure.Point{Chart: "reserve two lines, by " + by, Size: float64(size), Cost: float64(figure.Percentile(reserves, 500)) / 1e3, Unit: "us"}.Print(os.Stdout)
}
