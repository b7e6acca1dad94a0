package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// A page that gives way to the next while it is being looked at is looked at again.
func TestReplaced(t *testing.T) {
	const pages = 100
	var served atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { // not for the icon that a browser asks for
		n := served.Add(1)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if n < pages {
			w.Header().Set("Refresh", "0")
		}
		_, _ = fmt.Fprintf(w, "<!doctype html><main><p class=at>page %d.</p><p class=last>one of many</p></main>", n)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	p := Start(t, s.URL).Visit(t, WithoutScripts)
	p.Go("/")
	for served.Load() < pages {
		if p.Text(".last") != "one of many" || p.Count(".at") != 1 {
			t.Fatal("the page isn't what was served")
		}
	}
	p.WaitText(".at", fmt.Sprintf("page %d.", pages))
}
