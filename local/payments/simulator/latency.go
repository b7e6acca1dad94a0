package simulator

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// z99 is the 99th percentile of the standard normal distribution.
const z99 = 2.3263478740408408

// latency draws the duration of a call from a lognormal distribution given by its median and 99th percentile.
type latency struct {
	mu        sync.Mutex
	rng       *rand.Rand
	mu50      float64 // of the logarithm of nanoseconds
	sigma     float64
	immediate bool
}

func newLatency(p50, p99 time.Duration, seed uint64) (*latency, error) {
	l := &latency{rng: rand.New(rand.NewPCG(seed, seed))}
	err := l.set(p50, p99)
	return l, err
}

// set changes the distribution. A p50 of 0 means no latency.
func (l *latency) set(p50, p99 time.Duration) error {
	if p50 < 0 || p50 > 0 && p99 < p50 || p99 > time.Minute {
		return fmt.Errorf("latency percentiles %v and %v: want 0 <= p50 <= p99 <= 1m", p50, p99)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.immediate = p50 == 0; l.immediate {
		return nil
	}
	l.mu50 = math.Log(float64(p50))
	l.sigma = (math.Log(float64(p99)) - l.mu50) / z99
	return nil
}

func (l *latency) draw() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.immediate {
		return 0
	}
	return time.Duration(math.Exp(l.mu50 + l.sigma*l.rng.NormFloat64()))
}

// wait lets a part of a drawn latency pass. It goes on when the caller has left, as a provider does.
func wait(d time.Duration) {
	if d > 0 {
		time.Sleep(min(d, time.Minute))
	}
}

// below is a uniformly random duration in [0, d).
func (l *latency) below(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.rng.Int64N(int64(d)))
}

// chance is true with a probability from 0 to 1.
func (l *latency) chance(p float64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rng.Float64() < p
}
