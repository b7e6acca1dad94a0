package elastic

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"larder.dev/internal/fault"
	"larder.dev/internal/search"
)

// against makes an index over a server that stands for an Elasticsearch in trouble, which a real one can't be made to be.
func against(t *testing.T, config Config, handler http.HandlerFunc) *Index {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server doesn't notice that the client hangs up
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	config.URL, config.Index = server.URL, "products"
	if config.Timeout == 0 {
		config.Timeout = 10 * time.Second
	}
	x, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

var plums = search.Lookup{Query: search.Query{Text: "plums", Store: "camden"}, Words: "plums", Limit: 10}

func TestTroubleIsUnavailable(t *testing.T) {
	for _, c := range []struct {
		status, asked int
	}{
		{http.StatusServiceUnavailable, 2}, {http.StatusBadGateway, 2}, // once more at once
		{http.StatusTooManyRequests, 1}, {http.StatusNotFound, 1}, {http.StatusInternalServerError, 1},
	} {
		var asked atomic.Int64
		x := against(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(c.status)
		})
		_, err := x.Find(t.Context(), plums)
		if !fault.Is(err, fault.Unavailable) || int(asked.Load()) != c.asked {
			t.Errorf("status %d: error = %v after %d questions, want UNAVAILABLE after %d", c.status, err, asked.Load(), c.asked)
		}
	}
}

func TestASecondQuestionMends(t *testing.T) {
	var asked atomic.Int64
	x := against(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(`{"hits":{"total":{"value":0}}}`))
	})
	if _, err := x.Find(t.Context(), plums); err != nil {
		t.Error(err)
	}
}

func TestSlowIsUnavailable(t *testing.T) {
	x := against(t, Config{Timeout: 50 * time.Millisecond}, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if _, err := x.Find(t.Context(), plums); !fault.Is(err, fault.Unavailable) {
		t.Errorf("error = %v, want UNAVAILABLE", err)
	}
}

// A fault of ours is no trouble of Elasticsearch, and isn't told as such.
func TestRefusedQuestionsAreInternal(t *testing.T) {
	x := against(t, Config{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	for range 30 {
		_, err := x.Find(t.Context(), plums)
		if coded := fault.From(err); coded == nil || coded.Reason().Name != fault.Internal.Name {
			t.Fatalf("error = %v, want INTERNAL", err)
		}
	}
}

// A caller that goes away says nothing about Elasticsearch: the breaker stays closed.
func TestACallerThatGoesAwayIsNoTrouble(t *testing.T) {
	x := against(t, Config{}, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := x.Find(ctx, plums); !errors.Is(err, context.Canceled) {
			t.Fatalf("error = %v, want context.Canceled", err)
		}
	}
	if !x.breaker.IsClosed() {
		t.Error("the breaker is open")
	}
}

func TestTheBreakerSparesElasticsearchAndCloses(t *testing.T) {
	var asked atomic.Int64
	var well atomic.Bool
	x := against(t, Config{Pause: 300 * time.Millisecond}, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if !well.Load() {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = w.Write([]byte(`{"hits":{"total":{"value":7}}}`))
	})
	for range 50 {
		if _, err := x.Find(t.Context(), plums); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("error = %v, want UNAVAILABLE", err)
		}
	}
	if n := asked.Load(); n < 10 || n > 15 {
		t.Errorf("Elasticsearch was asked %d times, want about 10", n)
	}
	well.Store(true)
	deadline := time.Now().Add(10 * time.Second)
	for {
		found, err := x.Find(t.Context(), plums)
		if err == nil && found.Total == 7 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %v", err)
		}
	}
}
