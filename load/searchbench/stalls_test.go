//go:build bench

package searchbench

import (
	"encoding/json"
	"net/http"
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
	res, err := client.Get(s.elastic + "/_nodes/stats/jvm")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var stats struct {
		Nodes map[string]struct {
			JVM struct {
				GC struct {
					Collectors map[string]struct {
						Count  int   `json:"collection_count"`
						Millis int64 `json:"collection_time_in_millis"`
					} `json:"collectors"`
				} `json:"gc"`
			} `json:"jvm"`
		} `json:"nodes"`
	}
	if err := json.NewDecoder(res.Body).Decode(&stats); err != nil || res.StatusCode != http.StatusOK || len(stats.Nodes) == 0 {
		t.Fatalf("read Elasticsearch's collections: %d, %v", res.StatusCode, err)
	}
	for _, node := range stats.Nodes {
		for _, c := range node.JVM.GC.Collectors {
			all.times += c.Count
			all.took += time.Duration(c.Millis) * time.Millisecond
		}
	}
	return all
}
