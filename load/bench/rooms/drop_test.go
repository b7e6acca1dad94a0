//go:build bench

package rooms

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"larder.dev/internal/fault"
	"larder.dev/load/bench/figure"
)

const (
	// dropUnits of one product are wanted by dropShoppers within dropTime, one each.
	dropUnits, dropShoppers = 100, 10_000
	dropTime                = 10 * time.Second
	// dropRefusal is within which time 99 of 100 of those who get none are to be told.
	dropRefusal = 50 * time.Millisecond
	dropRuns    = 3
)

// TestDrop has a crowd want a product that few can get, on the same stand-ins as TestOrders: as many orders as there are units, and whoever gets
// none is told at once: that it is sold out, or that there are too many requests.
func TestDrop(t *testing.T) {
	runtime.GOMAXPROCS(2)
	warm := openShop(t, 1, 1e9, 1).serve(t)
	warm.Rate, warm.Orders = promisedRate, promisedRate*2
	playedBy(t, warm)

	// What else the machine does can only make refusals later, so the best of a few drops counts; each must sell exactly what there is.
	best := time.Duration(math.MaxInt64)
	for run := 0; run < dropRuns && best > dropRefusal; run++ {
		l := openShop(t, 1, dropUnits, 1).serve(t)
		l.Rate, l.Orders = dropShoppers/int(dropTime.Seconds()), dropShoppers
		out := playedBy(t, l)
		took := map[string][]time.Duration{}
		for i, reason := range out.Refused {
			took[reason] = append(took[reason], out.Took[i])
		}
		bought, soldOut, busy := took[""], took[fault.OutOfStock.Name], took[fault.Overloaded.Name]
		refused := append(slices.Clone(soldOut), busy...)
		report("drop rate=%d/s units=%d orders=%d p99=%s, sold_out=%d, overloaded=%d, both p50=%s p99=%s longest=%s", l.Rate, dropUnits, len(bought),
			ms(figure.Percentile(bought, 990)), len(soldOut), len(busy), ms(figure.Percentile(refused, 500)), ms(figure.Percentile(refused, 990)),
			ms(figure.Percentile(refused, 1000)))
		if len(bought) != dropUnits || len(bought)+len(refused) != dropShoppers {
			t.Fatalf("%d shoppers wanted %d units: %d got one, %d were refused", dropShoppers, dropUnits, len(bought), len(refused))
		}
		best = min(best, figure.Percentile(refused, 990))
	}
	tell(t, figure.Figure{
		Name: "a drop's refusals", Seen: fmt.Sprintf("%d orders for %d units, %d/s refused, p99 %s", dropUnits, dropUnits, dropShoppers/int(dropTime.Seconds()), ms(best)),
		Bound: fmt.Sprintf("p99 %s", dropRefusal), Missed: best > dropRefusal,
	})
}
