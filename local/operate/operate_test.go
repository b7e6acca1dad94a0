package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"larder.dev/api/client"
)

func TestCommandLine(t *testing.T) {
	for _, line := range []string{"", "rebuild", "import", "rebuild soho camden", "burn soho", "rebuild -force soho"} {
		t.Setenv("API_URL", "http://127.0.0.1:1")
		if err := run(context.Background(), strings.Fields(line)); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// scribe is a file that a bar writes to, and what is in it.
func scribe(t *testing.T) (out *os.File, read func() string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	return out, func() string {
		text, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// The bar follows what the status tells, and the answer of the rebuild ends it.
func TestRebuildTellsHowFarItIs(t *testing.T) {
	var looks atomic.Int64
	seen := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			select {
			case <-seen:
			case <-time.After(10 * time.Second):
				t.Error("nobody looked")
			}
			_, _ = io.WriteString(w, `{"products":"5000","epoch":"2026-11-27T12:00:00Z"}`)
			return
		}
		if looks.Add(1) == 3 {
			close(seen)
		}
		_, _ = io.WriteString(w, `{"rebuild_under_way":{"products":"5000","loaded":"2000","start_time":"2026-11-27T12:00:00Z"}}`)
	}))
	defer server.Close()
	out, read := scribe(t)
	if err := rebuild(t.Context(), client.New(server.URL), "soho", out); err != nil {
		t.Fatal(err)
	}
	if text := read(); !strings.Contains(text, "rebuild: 5000 in ") || !strings.Contains(text, "soho has 5000 products under the epoch of 2026-11-27T12:00:00Z") {
		t.Errorf("told %q", text)
	}
}

func TestImportTellsHowFarItIs(t *testing.T) {
	const line = `{"product_id":"milk"}` + "\n"
	var key, kind string
	var size, announced int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		key, kind, size, announced = r.Header.Get("Idempotency-Key"), r.Header.Get("Content-Type"), int64(len(text)), r.ContentLength
		_, _ = fmt.Fprint(w, `{"import_id":"spring-range","state":"DONE","lines":"1000","created":"999","failed":"1","errors":[{"line":"7","field":"name","reason":"INVALID_ARGUMENT","description":"is empty"}]}`)
	}))
	defer server.Close()
	name := filepath.Join(t.TempDir(), "goods.ndjson")
	if err := os.WriteFile(name, []byte(strings.Repeat(line, 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, read := scribe(t)
	if err := bringIn(t.Context(), client.New(server.URL), "spring-range", name, out); err != nil {
		t.Fatal(err)
	}
	if key != "spring-range" || kind != "application/x-ndjson" || size != int64(1000*len(line)) || announced != size {
		t.Errorf("sent %q, %q, %d bytes, announced as %d", key, kind, size, announced)
	}
	for _, want := range []string{fmt.Sprintf("bytes: %d in ", 1000*len(line)), "999 products added", "line 7: INVALID_ARGUMENT name: is empty"} {
		if !strings.Contains(read(), want) {
			t.Errorf("told %q, want %q in it", read(), want)
		}
	}
	if err := bringIn(t.Context(), client.New(server.URL), "", filepath.Join(t.TempDir(), "goods.xls"), out); err == nil {
		t.Error("a spreadsheet was sent")
	}
}
