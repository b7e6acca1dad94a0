package bulk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"larder.dev/internal/search/index"
)

// server returns the address of the Elasticsearch that tests use.
func server(t *testing.T) string {
	t.Helper()
	address := os.Getenv("ELASTICSEARCH_URL")
	if address == "" {
		t.Fatal("ELASTICSEARCH_URL is not set; `make test` starts Elasticsearch and sets it")
	}
	return address
}

// fresh returns a writer, by way of an address, to an index of its own.
func fresh(t *testing.T, address string) (*Writer, string) {
	t.Helper()
	es, err := Connect(t.Context(), server(t))
	if err != nil {
		t.Fatal(err)
	}
	id := uuid.NewString()
	name := "test-" + id + "-1"
	if err := index.EnsureIndex(t.Context(), es, name, index.Options{Alias: "test-" + id}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if res, err := es.Indices.Delete([]string{name}); err == nil {
			res.Body.Close()
		}
	})
	if address != "" {
		if es, err = Connect(t.Context(), address); err != nil {
			t.Fatal(err)
		}
	}
	return NewWriter(es, name), name
}

// stored returns version and name of a document.
func stored(t *testing.T, name, id string) (version int64, product string) {
	t.Helper()
	res, err := http.Get(server(t) + "/" + name + "/_doc/" + id)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got struct {
		Version int64 `json:"_version"`
		Source  struct {
			Name string `json:"name"`
		} `json:"_source"`
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got.Version, got.Source.Name
}

func doc(id string, version int64) Document {
	return Document{ID: id, Version: version, Body: fmt.Appendf(nil, `{"name":"%s at %d"}`, id, version)}
}

func TestHigherVersionWins(t *testing.T) {
	w, name := fresh(t, "")
	r, err := w.Write(t.Context(), []Document{doc("a", 3), doc("a", 2), doc("b", 1), doc("b", 2), doc("a", 3)})
	if err != nil || r.Written != 3 || r.Superseded != 2 || len(r.Refused) != 0 {
		t.Errorf("result = %+v, %v, want 3 written, 2 superseded", r, err)
	}
	for id, want := range map[string]int64{"a": 3, "b": 2} {
		if version, product := stored(t, name, id); version != want || product != fmt.Sprintf("%s at %d", id, want) {
			t.Errorf("%s: version %d, %q, want %d", id, version, product, want)
		}
	}
}

// Many documents are written by several requests at once, and each one's end is told of its own place.
func TestManyDocuments(t *testing.T) {
	w, name := fresh(t, "")
	docs := make([]Document, 2*requestDocuments+100)
	for i := range docs {
		docs[i] = doc(fmt.Sprint("p", i), 1)
	}
	const refused = 2*requestDocuments + 7
	docs[refused].Body = []byte(`{"price":"dear"}`)
	docs[1].ID, docs[1].Version = "p599", 9 // beside the request that has version 1 of it
	r, err := w.Write(t.Context(), docs)
	if err != nil || r.Written+r.Superseded != len(docs)-1 || r.Written < len(docs)-2 || len(r.Refused) != 1 || r.Refused[0].At != refused {
		t.Errorf("result = %d written, %d superseded, %+v refused, %v", r.Written, r.Superseded, r.Refused, err)
	}
	for id, want := range map[string]int64{"p0": 1, "p250": 1, "p599": 9} {
		if version, _ := stored(t, name, id); version != want {
			t.Errorf("%s: version %d, want %d", id, version, want)
		}
	}
}

func TestRefusedItemsDontHoldUpOthers(t *testing.T) {
	w, name := fresh(t, "")
	docs := []Document{
		doc("a", 1),
		{ID: "wrong-type", Version: 1, Body: []byte(`{"price":"dear"}`)},
		doc("b", 1),
		{ID: strings.Repeat("x", 600), Version: 1, Body: []byte(`{}`)}, // an id this long makes the whole request fail
		{ID: "no-date", Version: 1, Body: []byte(`{"update_time":"soon"}`)},
		doc("c", 1),
	}
	r, err := w.Write(t.Context(), docs)
	if err != nil {
		t.Fatal(err)
	}
	var at []int
	for _, refusal := range r.Refused {
		at = append(at, refusal.At)
	}
	if r.Written != 3 || fmt.Sprint(at) != "[1 3 4]" {
		t.Errorf("result = %+v, want 3 written and 1, 3, 4 refused", r)
	}
	for _, id := range []string{"a", "b", "c"} {
		if version, _ := stored(t, name, id); version != 1 {
			t.Errorf("%s has version %d, want 1", id, version)
		}
	}
}

func TestTriesAgainWhatIsNotTakenForNow(t *testing.T) {
	target, err := url.Parse(server(t))
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	var requests atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch requests.Add(1) {
		case 1:
			http.Error(w, `{"error":{"type":"es_rejected_execution_exception"}}`, http.StatusTooManyRequests)
		case 2:
			http.Error(w, `{}`, http.StatusServiceUnavailable)
		case 3: // one item of three is taken
			first, rest, _ := strings.Cut(must(io.ReadAll(r.Body)), "\n")
			second, _, _ := strings.Cut(rest, "\n")
			one := first + "\n" + second + "\n"
			res, err := http.Post(target.String()+r.URL.RequestURI(), "application/x-ndjson", strings.NewReader(one))
			if err != nil {
				panic(err)
			}
			defer res.Body.Close()
			answer := strings.TrimSuffix(must(io.ReadAll(res.Body)), "]}")
			w.Header().Set("X-Elastic-Product", "Elasticsearch")
			_, _ = fmt.Fprint(w, answer, `,{"index":{"status":429,"error":{"type":"t"}}},{"index":{"status":503}}]}`)
		case 4:
			panic(http.ErrAbortHandler) // the connection breaks
		default:
			forward.ServeHTTP(w, r)
		}
	}))
	defer proxy.Close()
	w, name := fresh(t, proxy.URL)
	r, err := w.Write(t.Context(), []Document{doc("a", 1), doc("b", 1), doc("c", 1)})
	if err != nil || r.Written != 3 || r.Superseded != 0 || len(r.Refused) != 0 {
		t.Errorf("result = %+v, %v, want each written once", r, err)
	}
	if n := requests.Load(); n != 5 {
		t.Errorf("%d requests, want 5", n)
	}
	for _, id := range []string{"a", "b", "c"} {
		if version, _ := stored(t, name, id); version != 1 {
			t.Errorf("%s has version %d, want 1", id, version)
		}
	}
}

func TestWriteEnds(t *testing.T) {
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer down.Close()
	w, _ := fresh(t, down.URL)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Write(ctx, []Document{doc("a", 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want canceled", err)
	}

	es, err := Connect(t.Context(), server(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewWriter(es, "test-"+uuid.NewString()).Write(t.Context(), []Document{doc("a", 1)}); !errors.Is(err, ErrIndexGone) {
		t.Errorf("error = %v, want ErrIndexGone", err)
	}
}

func must(b []byte, err error) string {
	if err != nil {
		panic(err)
	}
	return string(b)
}
