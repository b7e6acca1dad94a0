package search_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"larder.dev/internal/fault"
	"larder.dev/internal/search"
	"larder.dev/internal/search/elastic"
)

// proxy stands between the service and Elasticsearch, and makes trouble.
type proxy struct {
	*httptest.Server
	asked atomic.Int64
	mu    sync.Mutex
	fault func(w http.ResponseWriter, r *http.Request) // nil: none
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	target, err := url.Parse(address(t))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{}
	forward := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		p.mu.Lock()
		fault := p.fault
		p.mu.Unlock()
		if fault == nil {
			forward.ServeHTTP(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body) // else the server doesn't notice that the client hangs up
		fault(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) make(fault func(w http.ResponseWriter, r *http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

// slow answers when the client has gone away.
func slow(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func refusing(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }

// dead hangs up.
func dead(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// behind makes a caching service behind the proxy.
func (s shop) behind(t *testing.T, p *proxy, timeout time.Duration) *search.Service {
	t.Helper()
	x, err := elastic.New(elastic.Config{URL: p.URL, Index: s.alias, Timeout: timeout, Pause: 300 * time.Millisecond, Weights: weights})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	service, err := search.NewCaching(x, search.Config{Cache: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	return service
}

// until polls with a deadline.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestTroubleIsCoveredUp(t *testing.T) {
	s := open(t, product("plums", "Plums", nil), product("figs", "Figs", nil))
	for name, trouble := range map[string]http.HandlerFunc{"slow": slow, "refusing": refusing, "dead": dead} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t)
			service := s.behind(t, p, 2*time.Second)
			plums := search.Query{Text: "plums", Store: "camden"}
			typed := search.Typed{Text: "plu", Store: "camden"}
			if r, err := service.Search(t.Context(), plums); err != nil || len(r.Hits) != 1 {
				t.Fatalf("before: %v, %v", ids(r), err)
			}
			if g, err := service.Suggest(t.Context(), typed); err != nil || len(g) != 1 {
				t.Fatalf("before: %v, %v", g, err)
			}
			p.make(trouble)
			// Past the time for which nothing is asked, and through the breaker's opening.
			asked := p.asked.Load()
			until(t, "asked again", func() bool {
				started := time.Now()
				r, err := service.Search(t.Context(), plums)
				g, err2 := service.Suggest(t.Context(), typed)
				if err != nil || err2 != nil || len(r.Hits) != 1 || r.Hits[0].ProductID != "plums" || len(g) == 0 {
					t.Fatalf("%v, %v, %v, %v", ids(r), err, g, err2)
				}
				if took := time.Since(started); took > 3*time.Second {
					t.Errorf("took %s", took)
				}
				return p.asked.Load() > asked+2
			})
			// What nobody asked before is refused, with the time to come back.
			if _, err := service.Search(t.Context(), search.Query{Text: "figs", Store: "camden"}); !fault.Is(err, fault.Unavailable) {
				t.Errorf("another query: %v, want UNAVAILABLE", err)
			}
			if _, err := service.Search(t.Context(), search.Query{Text: "plums", Store: "soho"}); !fault.Is(err, fault.Unavailable) {
				t.Errorf("another store: %v, want UNAVAILABLE", err)
			}
			p.make(nil)
			until(t, "well again", func() bool {
				r, err := service.Search(t.Context(), search.Query{Text: "figs", Store: "camden"})
				return err == nil && len(r.Hits) == 1
			})
		})
	}
}

func TestTroubleOnTheWire(t *testing.T) {
	p := newProxy(t)
	base := serving(t, open(t, product("plums", "Plums", nil)).behind(t, p, time.Second))
	p.make(dead)
	for range 30 { // the breaker opens on the way
		for _, target := range []string{"/v1/search?q=plums&store=camden", "/v1/search:suggest?q=plu&store=camden"} {
			res, body := request(t, base, target)
			if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(body, `"UNAVAILABLE"`) {
				t.Fatalf("%s: status %d, Retry-After %q: %s", target, res.StatusCode, res.Header.Get("Retry-After"), body)
			}
		}
	}
}

// Everybody who asks the same at once gets the answer to one question; a caller that goes away doesn't take it along.
func TestTheSameIsAskedOnce(t *testing.T) {
	p := newProxy(t)
	service := open(t, product("plums", "Plums", nil)).behind(t, p, 10*time.Second)
	gate := make(chan struct{})
	held := make(chan struct{}, 100)
	p.make(func(w http.ResponseWriter, _ *http.Request) {
		held <- struct{}{}
		<-gate
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		_, _ = w.Write([]byte(`{"hits":{"total":{"value":0}},"aggregations":{"matched":{"doc_count":7}}}`))
	})
	q := search.Query{Text: "plums", Store: "camden"}
	gone, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { _, err := service.Search(gone, q); left <- err }()
	<-held
	answers := make(chan error, 50)
	for range 50 {
		go func() { _, err := service.Search(t.Context(), q); answers <- err }()
	}
	leave()
	if err := <-left; err == nil {
		t.Error("who went away has an answer")
	}
	close(gate)
	for range 50 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}

// Neither store nor filter, order, page or page size is taken for another.
func TestKeptAnswersAreToldApart(t *testing.T) {
	var docs []document
	for i := range 30 {
		docs = append(docs, product(fmt.Sprintf("p-%02d", i), fmt.Sprintf("Plum %02d", i), document{
			"brand_id": []string{"odd", "even"}[i%2], "tags": []string{[]string{"x", "y"}[i%2]}, "popularity": 100 - i,
			"category_id": []string{"c", "d"}[i%2], "category_path": []string{[]string{"c", "d"}[i%2]}, "category_names": []string{"Any"},
			"prices": map[string]int64{"camden": int64(200 - i), "soho": int64(300 + i)},
		}))
	}
	s := open(t, docs...)
	service := s.behind(t, newProxy(t), 10*time.Second)
	base := search.Query{Text: "plum", Store: "camden", PageSize: 5}
	queries := []search.Query{base}
	for _, change := range []func(*search.Query){
		func(q *search.Query) { q.Store = "soho" }, func(q *search.Query) { q.Text = "" }, func(q *search.Query) { q.Text = "plum 03" },
		func(q *search.Query) { q.Brands = []string{"odd"} }, func(q *search.Query) { q.Brands = []string{"even"} },
		func(q *search.Query) { q.Tags = []string{"x"} }, func(q *search.Query) { q.Categories = []string{"c"} },
		func(q *search.Query) { q.Tags = []string{"c"} }, func(q *search.Query) { q.Brands = []string{"x"} },
		func(q *search.Query) { q.MinPrice = 180 }, func(q *search.Query) { q.MaxPrice = 180 },
		func(q *search.Query) { q.Sort = search.ByPriceAscending }, func(q *search.Query) { q.Sort = search.ByPriceDescending },
		func(q *search.Query) { q.Sort = search.ByName }, func(q *search.Query) { q.PageSize = 6 },
		func(q *search.Query) { q.PageToken = s.ask(base).NextPageToken },
	} {
		q := base
		change(&q)
		queries = append(queries, q)
	}
	for range 2 { // asked, then kept
		for _, q := range queries {
			want := s.ask(q)
			got, err := service.Search(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, fmt.Sprintf("%+v", q), ids(got), ids(want)...)
			if len(got.Hits) > 0 && got.Hits[0].Price != want.Hits[0].Price {
				t.Errorf("%+v: price %d, want %d", q, got.Hits[0].Price, want.Hits[0].Price)
			}
		}
	}
}
