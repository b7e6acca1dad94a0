package client

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	productpb "larder.dev/api/product/v1"
)

const twoLines = `{"product_id":"quince-paste"}` + "\n" + `{"product_id":"medlar-jelly"}` + "\n"

// A file is sent as it is read: its first line has arrived before its last one is written.
func TestImportProductsStreams(t *testing.T) {
	first := make(chan string, 1)
	var header http.Header
	var rest string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header.Clone()
		header.Set("Route", r.Method+" "+r.URL.RequestURI())
		body := bufio.NewReader(r.Body)
		line, err := body.ReadString('\n')
		if err != nil {
			t.Error(err)
		}
		first <- line
		more, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		rest = string(more)
		_, _ = io.WriteString(w, `{"import_id":"autumn-range","state":"DONE","lines":"2","created":"1","failed":"1",
			"errors":[{"line":"2","field":"category_id","reason":"CATEGORY_NOT_FOUND","description":"no such category"}],"of_a_later_release":1}`)
	}))
	t.Cleanup(server.Close)

	c := New(server.URL)
	file, writer := io.Pipe()
	go func() {
		lines := strings.SplitAfter(twoLines, "\n")
		_, _ = io.WriteString(writer, lines[0])
		if got := <-first; got != lines[0] {
			t.Errorf("arrived %q", got)
		}
		_, _ = io.WriteString(writer, lines[1])
		_ = writer.Close()
	}()
	done, err := c.ImportProducts(t.Context(), "autumn-range", "application/x-ndjson", file)
	if err != nil {
		t.Fatal(err)
	}
	if done.GetImportId() != "autumn-range" || done.GetState() != productpb.Import_DONE || done.GetLines() != 2 || done.GetCreated() != 1 ||
		len(done.GetErrors()) != 1 || done.GetErrors()[0].GetReason() != "CATEGORY_NOT_FOUND" {
		t.Errorf("answered %v", done)
	}
	for name, want := range map[string]string{
		"Route": "POST /v1/products:import", "Content-Type": "application/x-ndjson", "Idempotency-Key": "autumn-range", "Accept": "application/json",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !strings.HasSuffix(twoLines, rest) || rest == "" {
		t.Errorf("the rest that arrived is %q", rest)
	}
}

// A file can't be sent again by the client, which has read it: an error is told, and the same call with the same file, by a token that is
// still good, goes on.
func TestImportProductsAgain(t *testing.T) {
	session := func(token string) answer {
		return answer{status: 200, body: `{"access_token":"` + token + `","refresh_token":"r","access_token_expire_time":"` +
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`}
	}
	done := answer{status: 200, body: `{"import_id":"autumn-range","state":"DONE"}`}
	c, a := newClient(t, session("first"), refusal(503, "UNAVAILABLE", map[string]string{"Retry-After": "1"}), refusal(401, "TOKEN_EXPIRED", nil),
		session("second"), done, answer{status: 200, body: "<html>"})
	if _, err := c.SignIn(t.Context(), "merchandiser@larder.example", "correct-horse-battery"); err != nil {
		t.Fatal(err)
	}
	send := func() (*productpb.Import, error) {
		return c.ImportProducts(t.Context(), "autumn-range", "text/csv", strings.NewReader(twoLines))
	}
	for _, want := range []string{"UNAVAILABLE", "TOKEN_EXPIRED"} {
		before := len(a.asked)
		if _, err := send(); ReasonOf(err) != want || len(a.asked) != before+1 {
			t.Errorf("%v after %d requests, want %s after one", err, len(a.asked)-before, want)
		}
	}
	if got, err := send(); err != nil || got.GetState() != productpb.Import_DONE || a.tokens[len(a.tokens)-1] != "Bearer second" {
		t.Errorf("%v, %v by %q", got, err, a.tokens)
	}
	for n, body := range a.bodies {
		if a.asked[n] == "POST /v1/products:import" && (body != twoLines || a.keys[n] != "autumn-range") {
			t.Errorf("request %d by key %q has %q", n, a.keys[n], body)
		}
	}
	if _, err := send(); err == nil || ReasonOf(err) != "" {
		t.Errorf("an answer that is none: %v", err)
	}
}
