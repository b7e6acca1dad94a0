package simulator

import (
	"slices"
	"testing"
	"time"
)

func TestLatencyHasItsPercentiles(t *testing.T) {
	const seed, n = 42, 20_000
	l, err := newLatency(80*time.Millisecond, 400*time.Millisecond, seed)
	if err != nil {
		t.Fatal(err)
	}
	drawn := make([]time.Duration, n)
	for i := range drawn {
		drawn[i] = l.draw()
	}
	slices.Sort(drawn)
	for _, c := range []struct {
		at        int
		low, high time.Duration
	}{{n / 2, 76 * time.Millisecond, 84 * time.Millisecond}, {n * 99 / 100, 360 * time.Millisecond, 440 * time.Millisecond}} {
		if d := drawn[c.at]; d < c.low || d > c.high {
			t.Errorf("seed %d: draw %d of %d is %v, want %v to %v", seed, c.at, n, d, c.low, c.high)
		}
	}
	if err := l.set(0, 0); err != nil || l.draw() != 0 {
		t.Errorf("without latency: %v, %v", l.draw(), err)
	}
	for _, bad := range [][2]time.Duration{{-1, 0}, {2, 1}, {1, 2 * time.Minute}} {
		if l.set(bad[0], bad[1]) == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}
