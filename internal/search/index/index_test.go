package index

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/google/uuid"
)

// connect returns a client of the Elasticsearch server that tests use.
func connect(t *testing.T) *elasticsearch.Client {
	t.Helper()
	url := os.Getenv("ELASTICSEARCH_URL")
	if url == "" {
		t.Fatal("ELASTICSEARCH_URL is not set; `make test` starts Elasticsearch and sets it")
	}
	es, err := elasticsearch.NewClient(elasticsearch.Config{Addresses: []string{url}})
	if err != nil {
		t.Fatal(err)
	}
	return es
}

// fresh returns names of an index and an alias that nobody else uses, and deletes the index in the end.
func fresh(t *testing.T, es *elasticsearch.Client) (index string, o Options) {
	t.Helper()
	id := uuid.NewString()
	index = "test-" + id + "-1"
	t.Cleanup(func() { _, _ = call(es.Indices.Delete([]string{index})) })
	return index, Options{Alias: "test-" + id}
}

// create makes an index and fills it with documents, searchable at once.
func create(t *testing.T, es *elasticsearch.Client, docs ...map[string]any) string {
	t.Helper()
	index, o := fresh(t, es)
	if err := EnsureIndex(t.Context(), es, index, o); err != nil {
		t.Fatal(err)
	}
	var body strings.Builder
	for i, d := range docs {
		id, ok := d["product_id"].(string)
		if !ok {
			id = fmt.Sprint(i)
		}
		line, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&body, `{"index":{"_id":%q}}`+"\n%s\n", id, line)
	}
	if len(docs) == 0 {
		return index
	}
	answer, err := call(es.Bulk(strings.NewReader(body.String()), es.Bulk.WithIndex(index), es.Bulk.WithRefresh("true")))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(answer), `"errors":true`) {
		t.Fatalf("bulk: %s", answer)
	}
	return index
}

// find returns the ids that a query finds, sorted.
func find(t *testing.T, es *elasticsearch.Client, index string, query any) []string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "size": 100, "_source": false})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := call(es.Search(es.Search.WithIndex(index), es.Search.WithBody(strings.NewReader(string(body)))))
	if err != nil {
		t.Fatal(err)
	}
	var hits struct {
		Hits struct {
			Hits []struct {
				ID string `json:"_id"`
			} `json:"hits"`
		} `json:"hits"`
	}
	if err := json.Unmarshal(answer, &hits); err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, h := range hits.Hits.Hits {
		ids = append(ids, h.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestEnsureIsIdempotentAndKeepsWhatIsThere(t *testing.T) {
	es := connect(t)
	index, o := fresh(t, es)
	for range 2 {
		if err := EnsureIndex(t.Context(), es, index, o); err != nil {
			t.Fatal(err)
		}
	}
	next := strings.TrimSuffix(index, "1") + "2"
	t.Cleanup(func() { _, _ = call(es.Indices.Delete([]string{next})) })
	if err := EnsureIndex(t.Context(), es, next, o); err != nil {
		t.Fatal(err)
	}
	if got := aliased(t, es, o.Alias); !slices.Equal(got, []string{index}) {
		t.Errorf("alias points to %v, want only the first index %s", got, index)
	}
	if got := aliased(t, es, WriteAlias(next)); !slices.Equal(got, []string{next}) {
		t.Errorf("write alias points to %v, want %s", got, next)
	}
	if ok, err := Current(t.Context(), es, index); err != nil || !ok {
		t.Errorf("Current = %v, %v, want true", ok, err)
	}
}

func TestEnsureByManyAtOnce(t *testing.T) {
	es := connect(t)
	base := "test-" + uuid.NewString()
	var wg sync.WaitGroup
	errs := make(chan error, 12)
	for i := range 12 {
		name := fmt.Sprintf("%s-%d", base, i%3)
		t.Cleanup(func() { _, _ = call(es.Indices.Delete([]string{name})) })
		wg.Go(func() { errs <- EnsureIndex(context.WithoutCancel(t.Context()), es, name, Options{Alias: base}) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if got := aliased(t, es, base); len(got) != 1 {
		t.Errorf("alias points to %v, want one index", got)
	}
}

func TestEnsureReportsWhatIsWrong(t *testing.T) {
	es := connect(t)
	index, o := fresh(t, es)
	o.Replicas = -1
	var e *Error
	if err := EnsureIndex(t.Context(), es, index, o); !errors.As(err, &e) || e.Status != 400 {
		t.Errorf("error = %v, want Elasticsearch's 400", err)
	}
	if _, err := Current(t.Context(), es, index); err == nil {
		t.Error("Current of a missing index: no error")
	}
}

// Without an alias to demand, a bulk request to a missing index makes one with a guessed mapping.
func TestWriteAliasCreatesNothing(t *testing.T) {
	es := connect(t)
	index, _ := fresh(t, es)
	answer, err := call(es.Bulk(strings.NewReader("{\"index\":{\"_id\":\"1\"}}\n{}\n"),
		es.Bulk.WithIndex(WriteAlias(index)), es.Bulk.WithRequireAlias(true)))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(answer), "index_not_found_exception") {
		t.Errorf("bulk: %s, want index_not_found_exception", answer)
	}
}

func TestMapping(t *testing.T) {
	es := connect(t)
	index := create(t, es, map[string]any{
		"product_id": "bananas-loose", "revision": 12, "deleted": false, "status": "active", "name": "Bananas",
		"prices": map[string]any{"soho": 95, "camden": 99}, "available_in": []string{"soho"}, "price": 95,
		"margin_permille": 310, "popularity": 0, "update_time": "2026-11-23T10:00:00.000000Z", "unheard_of": "x",
	})
	answer, err := call(es.Indices.GetMapping(es.Indices.GetMapping.WithIndex(index)))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]struct {
		Mappings struct {
			Properties map[string]json.RawMessage `json:"properties"`
		} `json:"mappings"`
	}
	if err := json.Unmarshal(answer, &m); err != nil {
		t.Fatal(err)
	}
	properties := m[index].Mappings.Properties
	if !strings.Contains(string(properties["prices"]), `"soho":{"type":"long"}`) {
		t.Errorf("prices = %s, want a long for each store", properties["prices"])
	}
	if _, ok := properties["unheard_of"]; ok {
		t.Error("a field that the definition doesn't name was mapped")
	}
	for name, query := range map[string]any{
		"assortment":  map[string]any{"exists": map[string]any{"field": "prices.camden"}},
		"price range": map[string]any{"range": map[string]any{"prices.soho": map[string]any{"lte": 95}}},
		"available":   map[string]any{"term": map[string]any{"available_in": "soho"}},
		"active":      map[string]any{"term": map[string]any{"status": "active"}},
	} {
		if got := find(t, es, index, query); !slices.Equal(got, []string{"bananas-loose"}) {
			t.Errorf("%s finds %v", name, got)
		}
	}
	for _, bad := range []string{`{"prices":{"soho":"dear"}}`, `{"prices":{"soho":9.5}}`, `{"price":"95"}`, `{"update_time":"soon"}`} {
		_, err := call(es.Index(index, strings.NewReader(bad)))
		var e *Error
		if !errors.As(err, &e) || e.Status != 400 {
			t.Errorf("%s: error = %v, want 400", bad, err)
		}
	}
}

func aliased(t *testing.T, es *elasticsearch.Client, alias string) []string {
	t.Helper()
	answer, err := call(es.Indices.GetAlias(es.Indices.GetAlias.WithName(alias)))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(answer, &m); err != nil {
		t.Fatal(err)
	}
	var out []string
	for index := range m {
		out = append(out, index)
	}
	return out
}
