package console

import (
	"fmt"
	"time"

	stockpb "larder.dev/api/stock/v1"
)

// headway is how far long work has come, for the part "bar".
type headway struct {
	What        string
	Done, Total int64 // Total 0: not known
	// Text says it: "1200 of 5000 (24 %), 410/s, 9 s left".
	Text string
}

// newHeadway tells of work that began so long ago. Without a total there is no percentage, and nobody knows what is left.
func newHeadway(what string, done, total int64, took time.Duration) headway {
	b := headway{What: what, Done: done, Total: total}
	rate := float64(done) / max(took.Seconds(), 0.001)
	switch {
	case total <= 0:
		b.Text = fmt.Sprintf("%d, %.0f/s", done, rate)
	case done <= 0:
		b.Text = fmt.Sprintf("0 of %d (0 %%)", total)
	default:
		left := time.Duration(float64(max(total-done, 0)) / rate * float64(time.Second))
		b.Text = fmt.Sprintf("%d of %d (%d %%), %.1f/s, %s left", done, total, min(100*done/total, 100), rate, lasting(left))
	}
	return b
}

// loading is the headway of a rebuild.
func loading(p *stockpb.RebuildProgress) headway {
	return newHeadway("Products", p.GetLoaded(), p.GetProducts(), time.Since(p.GetStartTime().AsTime()))
}
