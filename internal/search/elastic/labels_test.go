package elastic

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Labels are asked once for all answers, again for a value that they don't have, and not at each answer for one that nobody has.
func TestLabelsAreAskedOnce(t *testing.T) {
	var asked atomic.Int64
	var brand atomic.Value
	brand.Store("hollin")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		if strings.Contains(string(body), "top_hits") {
			asked.Add(1)
			_, _ = io.WriteString(w, `{"hits":{"hits":[{"_source":{"currency":"GBP"}}]},"aggregations":{"brand":{"buckets":[{"key":"hollin",
				"label":{"hits":{"hits":[{"_source":{"brand":"Hollin Dairy"}}]}}}]}}}`)
			return
		}
		_, _ = io.WriteString(w, `{"aggregations":{"brand":{"values":{"buckets":[{"key":"`+brand.Load().(string)+`","doc_count":3}]}}}}`)
	}))
	t.Cleanup(server.Close)
	x, err := New(Config{URL: server.URL, Index: "products", Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	label := func() string {
		t.Helper()
		found, err := x.Find(t.Context(), plums)
		if err != nil || len(found.Facets) != 3 || len(found.Facets[1].Values) != 1 {
			t.Fatalf("%+v, %v", found.Facets, err)
		}
		return found.Facets[1].Values[0].Label
	}
	for range 20 {
		if got := label(); got != "Hollin Dairy" {
			t.Fatalf("label %q", got)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	brand.Store("new-brand")
	started := time.Now()
	for range 20 {
		if got := label(); got != "new-brand" {
			t.Fatalf("label of a value that nobody has: %q", got)
		}
	}
	if n, most := asked.Load(), 2+int64(time.Since(started)/labelsAgain); n > most {
		t.Errorf("asked %d times, want %d at most", n, most)
	}
}
