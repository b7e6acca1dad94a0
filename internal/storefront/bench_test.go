//go:build bench

package storefront_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/storefront"
	"larder.dev/internal/web"
)

// road notes when calls of the API were under way.
type road struct {
	next  http.Handler
	mu    sync.Mutex
	spans [][2]time.Time
}

func (r *road) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	began := time.Now()
	r.next.ServeHTTP(w, request)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, [2]time.Time{began, time.Now()})
}

// busy is how long at least one call was under way since it was last asked, and how many there were.
func (r *road) busy() (time.Duration, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	spans := r.spans
	r.spans = nil
	slices.SortFunc(spans, func(a, b [2]time.Time) int { return a[0].Compare(b[0]) })
	var sum time.Duration
	var until time.Time
	for _, span := range spans {
		from := span[0]
		if from.Before(until) {
			from = until
		}
		if span[1].After(from) {
			sum += span[1].Sub(from)
			until = span[1]
		}
	}
	return sum, len(spans)
}

// TestBenchPages measures the shop's pages before the running platform's API: the whole, what of it were calls of the API, and what is left,
// which is the page's own. One page at a time.
func TestBenchPages(t *testing.T) {
	target, err := url.Parse(os.Getenv("API_URL"))
	if err != nil || target.Host == "" {
		t.Fatal("API_URL is not set: run it by `make bench-pages`, which starts the platform")
	}
	looks := 300
	if text := os.Getenv("BENCH_PAGES"); text != "" {
		if looks, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	way := &road{next: httputil.NewSingleHostReverseProxy(target)}
	api := httptest.NewServer(way)
	t.Cleanup(api.Close)
	pages, err := storefront.New(t.Context(), storefront.Config{TestCards: true, StreamsMax: 2}, web.Config{
		APIURL: api.URL, SiteURL: "http://shop.example", SessionKeys: []string{base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	shop := httptest.NewServer(pages)
	t.Cleanup(shop.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	look := func(method, path string, form url.Values) int {
		request, err := http.NewRequestWithContext(t.Context(), method, shop.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := browser.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		size, err := io.Copy(io.Discard, response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %d, %v", method, path, response.StatusCode, err)
		}
		return int(size)
	}
	look(http.MethodPost, "/register", url.Values{"email": {"bench-" + uuid.NewString() + "@shopper.example"}, "name": {"Bench"}, "password": {"correct-horse-battery"}})
	look(http.MethodPost, "/store", url.Values{"store": {"soho"}})
	look(http.MethodPost, "/cart/items", url.Values{"product": {"bananas"}, "add": {"2"}})

	fmt.Println("| page | bytes | calls | whole, p50 / p99 | API, p50 / p99 | own, p50 / p99 |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	for _, path := range []string{"/", "/search?q=milk", "/aisles/dairy-and-eggs", "/products/bananas", "/cart", "/checkout", "/orders", "/account"} {
		var whole, called, own []time.Duration
		size, calls := 0, 0
		for i := range looks + 20 {
			way.busy()
			began := time.Now()
			size = look(http.MethodGet, path, nil)
			took := time.Since(began)
			busy, n := way.busy()
			if i < 20 { // until connections stand and caches are filled
				continue
			}
			whole, called, own, calls = append(whole, took), append(called, busy), append(own, took-busy), n
		}
		fmt.Printf("| `%s` | %d | %d | %s | %s | %s |\n", path, size, calls, spread(whole), spread(called), spread(own))
	}
}

// spread is a median and a 99th percentile.
func spread(all []time.Duration) string {
	slices.Sort(all)
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
	return ms(all[len(all)/2]) + " / " + ms(all[len(all)*99/100]) + " ms"
}
