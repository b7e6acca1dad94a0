//go:build bench

package searchbench

import (
	"testing"
	"time"
)

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
