package test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestWatchThroughTheEdge reads an order's changes as a browser does: each arrives while the stream is open, a heartbeat comes in between,
// and the stream ends behind the final state.
func TestWatchThroughTheEdge(t *testing.T) {
	w := visit(t)
	order := w.buy(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.edge+"/v1/orders/"+order+":watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.tokens["shopper"])
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("%s, %q", response.Status, kind)
	}
	lines := bufio.NewScanner(response.Body)
	// next is the next line that isn't empty.
	next := func() string {
		for lines.Scan() {
			if lines.Text() != "" {
				return lines.Text()
			}
		}
		return "the end"
	}
	change := func(version, state string) {
		t.Helper()
		line := next()
		for strings.HasPrefix(line, ":") {
			line = next()
		}
		if line != "id: "+version {
			t.Fatalf("came %q, want version %s", line, version)
		}
		if line := next(); line != "event: change" {
			t.Errorf("came %q", line)
		}
		if line := next(); !strings.HasPrefix(line, "data: {") || !strings.Contains(line, `"`+state+`"`) {
			t.Errorf("came %q, want %s", line, state)
		}
	}
	change("1", "CONFIRMED")
	if line := next(); !strings.HasPrefix(line, ":") {
		t.Errorf("in place of a heartbeat came %q", line)
	}
	began := time.Now()
	w.must(t, "operator", "POST", "/v1/orders/"+order+":pick", `{}`)
	change("2", "PICKING")
	t.Logf("a change is shown after %s", time.Since(began).Round(time.Millisecond))
	w.must(t, "operator", "POST", "/v1/orders/"+order+":cancel", `{}`)
	change("3", "CANCELLED")
	if line := next(); line != "the end" {
		t.Errorf("behind the final state came %q", line)
	}
}
