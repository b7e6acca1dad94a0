//go:build bench

package searchbench

import (
	"testing"
	"time"
)

// wakeEvery begins to wake up that often, and answers, when it is called, how late each time was: what a machine that others share adds to
// everything that waits on it.
func wakeEvery(pause time.Duration) (late func() []time.Duration) {
	stop, done := make(chan struct{}), make(chan []time.Duration)
	go func() {
		var late []time.Duration
		for {
			due := time.Now().Add(pause)
			select {
			case <-time.After(pause):
				late = append(late, time.Since(due))
			case <-stop:
				done <- late
				return
			}
		}
	}()
	return func() []time.Duration {
		close(stop)
		return <-done
	}
}

// collections are the pauses of Elasticsearch's collectors since its start.
type collections struct {
	times int
	took  time.Duration
}

func (s *shop) collections(t *testing.T) (all collections) {
	t.Helper()
	for _, c := range s.stats(t).JVM.GC.Collectors {
		all.times += c.Count
		all.took += time.Duration(c.Millis) * time.Millisecond
	}
	return all
}
