//go:build bench

package searchbench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/google/uuid"

	"larder.dev/internal/search/index"
	"larder.dev/local/seed/catalogue"
	"larder.dev/local/seed/generator"
)

// bulkSize is how many documents one request writes.
const bulkSize = 2000

// shop is an index of generated products, and the names and makers of what camden sells. branches are more stores beside the catalogue's own,
// which sell what camden does.
type shop struct {
	branches       int
	es             *elasticsearch.Client
	elastic, alias string
	products       int
	names, brands  []string
	program        string // the service's
}

func open(t *testing.T, products int) *shop {
	t.Helper()
	s := &shop{}
	s.open(t, products)
	return s
}

func (s *shop) open(t *testing.T, products int) {
	t.Helper()
	s.elastic, s.alias, s.products = os.Getenv("ELASTICSEARCH_URL"), "bench-search-"+uuid.NewString(), products
	if s.elastic == "" {
		t.Fatal("ELASTICSEARCH_URL is not set")
	}
	var err error
	if s.es, err = elasticsearch.NewClient(elasticsearch.Config{Addresses: []string{s.elastic}}); err != nil {
		t.Fatal(err)
	}
	name := s.alias + "-1"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		res, err := s.es.Indices.Delete([]string{name}, s.es.Indices.Delete.WithContext(ctx))
		if err != nil {
			t.Errorf("delete index %s: %v", name, err)
			return
		}
		res.Body.Close()
	})
	if err := index.EnsureIndex(t.Context(), s.es, name, index.Options{Alias: s.alias}); err != nil {
		t.Fatal(err)
	}
	// Segments of a few documents, one every 200 ms, cost more than the documents.
	s.refreshEvery(t, name, "-1")
	before, started := s.cpu(t), time.Now()
	s.fill(t, name)
	report(t, "%d documents indexed in %s, %s of Elasticsearch's CPU each", products, time.Since(started).Round(time.Second), ms((s.cpu(t)-before)/time.Duration(products)))
	s.refreshEvery(t, name, "100ms")
	s.program = filepath.Join(t.TempDir(), "search")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", s.program, "larder.dev/run/search").CombinedOutput(); err != nil {
		t.Fatalf("build the service: %v: %s", err, out)
	}
}

func (s *shop) refreshEvery(t *testing.T, name, interval string) {
	t.Helper()
	settings := strings.NewReader(`{"index":{"refresh_interval":"` + interval + `"}}`)
	res, err := s.es.Indices.PutSettings(settings, s.es.Indices.PutSettings.WithIndex(name))
	if err != nil || res.IsError() {
		t.Fatalf("set the refresh interval: %v %s", err, res)
	}
	res.Body.Close()
}

func (s *shop) fill(t *testing.T, name string) {
	t.Helper()
	c, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	g, err := generator.New(c)
	if err != nil {
		t.Fatal(err)
	}
	brands := map[string]string{}
	for _, b := range c.Brands {
		brands[b.ID] = b.Name
	}
	var body strings.Builder
	lines := 0
	write := func(refresh bool) {
		res, err := s.es.Bulk(strings.NewReader(body.String()), s.es.Bulk.WithIndex(name), s.es.Bulk.WithRefresh(strconv.FormatBool(refresh)))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.IsError() || strings.Contains(string(answer), `"errors":true`) {
			t.Fatalf("bulk: %v %.500s", err, answer)
		}
		body.Reset()
		lines = 0
	}
	for p := range g.Products(1, s.products) {
		document, sold := s.document(c, p, brands[p.BrandID])
		if sold {
			s.names, s.brands = append(s.names, p.Name), append(s.brands, brands[p.BrandID])
		}
		line, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&body, `{"index":{"_id":%q}}`+"\n%s\n", p.ID, line)
		if lines++; lines == bulkSize {
			write(false)
		}
	}
	fmt.Fprintf(&body, `{"index":{"_id":"gone"}}`+"\n"+`{"product_id":"gone","deleted":true}`+"\n")
	write(true)
}

// document is a product's, in the form that the product room projects, and whether camden sells it.
func (s *shop) document(c *catalogue.Catalogue, p catalogue.Product, brand string) (map[string]any, bool) {
	path, names := []string{}, []string{}
	for _, category := range c.Path(p.CategoryID) {
		path, names = append(path, category.ID), append(names, category.Name)
	}
	prices, available := map[string]int64{}, []string{}
	for _, store := range c.Stores {
		terms := c.Terms(store.ID, p)
		if terms.Sold {
			prices[store.ID] = terms.Price
		}
		if terms.Stock > 0 {
			available = append(available, store.ID)
		}
	}
	if prices["camden"] > 0 {
		for i := range s.branches {
			branch := fmt.Sprintf("branch-%03d", i)
			prices[branch] = prices["camden"]
			if slices.Contains(available, "camden") {
				available = append(available, branch)
			}
		}
	}
	net := p.Price * 10_000 / (10_000 + p.TaxRateBPS)
	return map[string]any{
		"product_id": p.ID, "revision": 1, "deleted": false, "status": "active", "name": p.Name, "brand": brand, "brand_id": p.BrandID,
		"description": p.Description, "size": p.Size, "gtin": p.GTIN, "category_id": p.CategoryID, "category_path": path, "category_names": names,
		"tags": p.Tags, "image_uri": c.ImageURI(p), "currency": "GBP", "tax_rate_bps": p.TaxRateBPS, "price": p.Price, "prices": prices,
		"available_in": available, "margin_permille": max(0, (net-p.Cost)*1000/net), "popularity": p.Popularity,
	}, prices["camden"] > 0
}

// process is a running program that answers by HTTP.
type process struct {
	base string
	pid  int
}

// start starts the service as it runs anywhere, in front of an Elasticsearch, and ends it with the test.
func (s *shop) start(t *testing.T, elastic string, more ...string) *process {
	t.Helper()
	return start(t, s.program, append([]string{
		"ELASTICSEARCH_URL=" + elastic, "SEARCH_INDEX=" + s.alias, "SEARCH_TIMEOUT=10s", "LOG_LEVEL=WARN", "GOOGLE_CLOUD_PROJECT=bench",
		"JWKS_URL=http://127.0.0.1:1", "SERVICE_JWKS_URL=http://127.0.0.1:1", "SERVICE_ACCOUNT_DOMAIN=bench.test",
	}, more...)...)
}

// start starts a program that listens on PORT and is ready once /readyz answers 200.
func start(t *testing.T, program string, env ...string) *process {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, port, _ := strings.Cut(address, ":")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(append(os.Environ(), "PORT="+port), env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		log.Close()
	})
	p := &process{base: "http://" + address, pid: cmd.Process.Pid}
	for deadline := time.Now().Add(time.Minute); ; {
		res, err := client.Get(p.base + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return p
			}
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("%s doesn't become ready: %v: %s", filepath.Base(program), err, text)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// cpu is what the process has used so far, from /proc/<pid>/stat: fields 14 and 15, hundredths of a second (proc(5)).
func (p *process) cpu(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:])
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// cpu is what Elasticsearch's process has used so far.
func (s *shop) cpu(t *testing.T) time.Duration {
	t.Helper()
	return time.Duration(s.stats(t).Process.CPU.Total) * time.Millisecond
}

// nodeStats are what Elasticsearch's only node tells of itself.
type nodeStats struct {
	Process struct {
		CPU struct {
			Total int64 `json:"total_in_millis"`
		} `json:"cpu"`
	} `json:"process"`
	JVM struct {
		GC struct {
			Collectors map[string]struct {
				Count  int   `json:"collection_count"`
				Millis int64 `json:"collection_time_in_millis"`
			} `json:"collectors"`
		} `json:"gc"`
	} `json:"jvm"`
}

func (s *shop) stats(t *testing.T) nodeStats {
	t.Helper()
	res, err := client.Get(s.elastic + "/_nodes/_local/stats/process,jvm?filter_path=nodes.*.process.cpu.total_in_millis,nodes.*.jvm.gc")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var stats struct {
		Nodes map[string]nodeStats `json:"nodes"`
	}
	if err := json.NewDecoder(res.Body).Decode(&stats); err != nil || len(stats.Nodes) != 1 {
		t.Fatalf("Elasticsearch's statistics: %v, %d nodes, want one", err, len(stats.Nodes))
	}
	for _, node := range stats.Nodes {
		return node
	}
	panic("unreachable: there is one")
}

// raw is a request that the service put to Elasticsearch.
type raw struct {
	target string
	body   []byte
}

// record asks each query once through a proxy, and returns what the service put to Elasticsearch for it: one to three bodies.
func (s *shop) record(t *testing.T, queries []string) map[string][]raw {
	t.Helper()
	target, err := url.Parse(s.elastic)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var seen []raw
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		mu.Lock()
		seen = append(seen, raw{r.URL.RequestURI(), body})
		mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	service := s.start(t, proxy.URL, "SEARCH_CACHE=0")
	bodies := map[string][]raw{}
	most, sum := 0, 0
	for _, query := range queries {
		mu.Lock()
		seen = nil
		mu.Unlock()
		timed(t, http.MethodGet, service.search(query), nil)
		mu.Lock()
		// Neither readiness nor the labels of facets, which are asked once for all.
		bodies[query] = slices.DeleteFunc(seen, func(r raw) bool { return len(r.body) == 0 || !bytes.Contains(r.body, []byte("function_score")) })
		mu.Unlock()
		most, sum = max(most, len(bodies[query])), sum+len(bodies[query])
	}
	report(t, "%.2f requests to Elasticsearch a query, %d at most", float64(sum)/float64(len(queries)), most)
	return bodies
}
