//go:build bench

package searchbench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"larder.dev/load/bench/figure"
)

// TestSearchGrows asks the same kind of queries while the catalogue grows, and while more stores sell it. What is asked is a store's own
// assortment, by its price, as always.
func TestSearchGrows(t *testing.T) {
	const queries, rounds = 200, 3
	measure := func(s *shop, by string, size int) {
		service := s.start(t, s.elastic, "SEARCH_CACHE=0")
		asked := s.queries(rand.New(rand.NewPCG(1, 0)), queries)
		var took []time.Duration
		for round := range warmRounds + rounds {
			for _, q := range asked {
				if lasted := timed(t, "GET", service.search(q), nil); round >= warmRounds {
					took = append(took, lasted)
				}
			}
		}
		report(t, "a search among %d products in %d stores p50 %s p99 %s", s.products, s.branches+3, ms(figure.Percentile(took, 500)), ms(figure.Percentile(took, 990)))
		figure.Point{Chart: "a search, by " + by, Size: float64(size), Cost: figure.Percentile(took, 500).Seconds() * 1e3, Unit: "ms"}.Print(os.Stdout)
	}
	for _, products := range []int{1500, 50_000, setting(t, "BENCH_MOST", 0)} {
		if products > 0 {
			t.Run(fmt.Sprintf("products=%d", products), func(t *testing.T) { measure(open(t, products), "products", products) })
		}
	}
	for _, stores := range []int{3, 10, 100} {
		t.Run(fmt.Sprintf("stores=%d", stores), func(t *testing.T) {
			s := &shop{branches: stores - 3}
			s.open(t, 5000)
			measure(s, "stores", stores)
		})
	}
}
