package search_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	searchpb "larder.dev/api/search/v1"
	"larder.dev/internal/identity"
	"larder.dev/internal/search"
	"larder.dev/internal/search/elastic"
	"larder.dev/internal/serve"
)

// serving starts the service as its process does, all interceptors included.
func serving(t *testing.T, s *search.Service) string {
	t.Helper()
	config := serve.Config{
		RequestTimeout: 15 * time.Second, MaxBody: 1 << 20, MinConcurrent: 16, MaxConcurrent: 64,
		Identity: identity.Config{
			JWKSURL: "http://127.0.0.1:1", ServiceConfig: identity.ServiceConfig{ServiceJWKSURL: "http://127.0.0.1:1", ServiceDomain: "larder.test"},
		},
	}
	app, err := serve.New(t.Context(), "search", &config)
	if err != nil {
		t.Fatal(err)
	}
	err = app.Register(t.Context(), &searchpb.SearchService_ServiceDesc, search.NewServer(s),
		func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
			return searchpb.RegisterSearchServiceHandlerClient(ctx, mux, searchpb.NewSearchServiceClient(conn))
		})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(app.Handler())
	t.Cleanup(server.Close)
	return server.URL
}

// get asks the REST side to search.
func get(t *testing.T, base, query string) (*http.Response, string) {
	t.Helper()
	return request(t, base, "/v1/search?"+query)
}

// request asks with headers, names and values in turn.
func request(t *testing.T, base, target string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestREST(t *testing.T) {
	base := serving(t, openFull(t).Service)
	res, body := get(t, base, "q=banannas&store=soho&page_size=2")
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", res.StatusCode, body)
	}
	var got struct {
		Hits []struct {
			ProductID string `json:"product_id"`
			Price     struct {
				Currency   string `json:"currency"`
				MinorUnits string `json:"minor_units"`
			} `json:"price"`
			Available bool `json:"available"`
		} `json:"hits"`
		TotalSize     string `json:"total_size"`
		DidYouMean    string `json:"did_you_mean"`
		NextPageToken string `json:"next_page_token"`
		Facets        []struct {
			Field  string `json:"field"`
			Values []struct{ Value, Label, Count string }
		} `json:"facets"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Hits) != 2 || got.Hits[0].ProductID != "bananas" || got.Hits[0].Price.MinorUnits != "105" ||
		got.Hits[0].Price.Currency != "GBP" || !got.Hits[0].Available || got.DidYouMean != "bananas" || got.NextPageToken == "" {
		t.Errorf("%s", body)
	}
	if len(got.Facets) != 3 || got.Facets[0].Field != "category" || len(got.Facets[0].Values) == 0 || got.Facets[0].Values[0].Label == "" {
		t.Errorf("facets %+v", got.Facets)
	}
	for _, secret := range []string{"margin", "cost", "popularity", "score"} {
		if strings.Contains(body, secret) {
			t.Errorf("the answer tells the %s: %s", secret, body)
		}
	}
	res, body = get(t, base, "q=banannas&store=soho&page_size=100&page_token="+url.QueryEscape(got.NextPageToken))
	if res.StatusCode != http.StatusOK || !strings.Contains(body, `"product_id":"banana-bread"`) && !strings.Contains(body, `"product_id": "banana-bread"`) {
		t.Errorf("second page: status %d: %s", res.StatusCode, body)
	}
}

func TestBadInput(t *testing.T) {
	base := serving(t, open(t, product("plums", "Plums", nil)).Service)
	for query, want := range map[string]struct{ reason, field string }{
		"q=plums":        {"INVALID_ARGUMENT", "store"},
		"store=So%20ho":  {"INVALID_ARGUMENT", "store"},
		"store=prices.*": {"INVALID_ARGUMENT", "store"},
		"store=camden&q=" + strings.Repeat("%C3%A9", 201):      {"INVALID_ARGUMENT", "q"},
		"store=camden&min_price=200&max_price=100":             {"INVALID_ARGUMENT", "min_price"},
		"store=camden&min_price=-1":                            {"INVALID_ARGUMENT", "min_price"},
		"store=camden&max_price=cheap":                         {"INVALID_ARGUMENT", "max_price"},
		"store=camden&max_price=9223372036854775808":           {"INVALID_ARGUMENT", "max_price"},
		"store=camden&page_size=101":                           {"INVALID_ARGUMENT", "page_size"},
		"store=camden&page_size=-1":                            {"INVALID_ARGUMENT", "page_size"},
		"store=camden&sort=BY_MARGIN":                          {"INVALID_ARGUMENT", "sort"},
		"store=camden&sort=99":                                 {"INVALID_ARGUMENT", "sort"},
		"store=camden&brand=" + strings.Repeat("b", 101):       {"INVALID_ARGUMENT", "brand"},
		"store=camden" + strings.Repeat("&tag=x", 21):          {"INVALID_ARGUMENT", "tag"},
		"store=camden&page_token=xyz":                          {"INVALID_PAGE_TOKEN", ""},
		"store=camden&page_token=" + strings.Repeat("A", 2001): {"INVALID_ARGUMENT", "page_token"},
		"store=camden&q=plums%00%01":                           {"INVALID_ARGUMENT", "q"},
		"store=camden&explain=maybe":                           {"INVALID_ARGUMENT", "explain"},
	} {
		res, body := get(t, base, query)
		if res.StatusCode != http.StatusBadRequest || !strings.Contains(body, want.reason) || !strings.Contains(body, want.field) {
			t.Errorf("%.60s: status %d %s, want 400 %s naming %q", query, res.StatusCode, body, want.reason, want.field)
		}
	}
}

// A query is data: none of these is syntax, an error or a way to find more.
func TestQueriesAreData(t *testing.T) {
	base := serving(t, open(t, product("plums", "Plums", document{"size": "each"}), product("figs", "Figs", document{"size": "each"})).Service)
	for _, text := range []string{
		"*", "?", "p*", "pl?ms", "*:*", "name:plums", "name.exact:Plums", "plums OR figs", "plums AND NOT figs", "plums^5", "+plums -figs",
		"plums~2 figs", "[a TO z]", "/.*/", "{\"match_all\":{}}", "\"}},\"query\":{\"match_all\":{}}", "${7*7}", "doc['price'].value",
		"<script>alert(1)</script>", "' OR 1=1 --", "../../_cluster/settings", "\\", "\"", "%00", "\u202eplums figs", "_source", "NaN",
		strings.Repeat("a", 200), strings.Repeat("a ", 100), strings.Repeat("*", 200), strings.Repeat("🍌", 200), strings.Repeat("plumss ", 28),
	} {
		for _, more := range []string{"", "&sort=NAME", "&brand=" + url.QueryEscape(text[:min(len(text), 60)])} {
			started := time.Now()
			res, body := get(t, base, "store=camden&q="+url.QueryEscape(text)+more)
			if res.StatusCode != http.StatusOK {
				t.Errorf("%.60q%s: status %d: %.300s", text, more, res.StatusCode, body)
			}
			if strings.Contains(body, "figs") {
				t.Errorf("%.60q%s finds everything", text, more)
			}
			if took := time.Since(started); took > 2*time.Second {
				t.Errorf("%.60q%s took %s", text, more, took)
			}
		}
	}
	if res, body := get(t, base, "store=camden&q=%ff%fe&brand=%ff"); res.StatusCode >= 500 {
		t.Errorf("no UTF-8: status %d: %s", res.StatusCode, body)
	}
}

func TestElasticsearchAway(t *testing.T) {
	x, err := elastic.New(elastic.Config{URL: "http://127.0.0.1:1", Index: "products", Timeout: time.Second, Pause: 5 * time.Second, Weights: weights})
	if err != nil {
		t.Fatal(err)
	}
	base := serving(t, search.New(x))
	for i := range 30 { // the breaker opens on the way
		res, body := get(t, base, "q=plums&store=camden")
		if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, `"UNAVAILABLE"`) || res.Header.Get("Retry-After") == "" {
			t.Fatalf("request %d: status %d, Retry-After %q: %s", i, res.StatusCode, res.Header.Get("Retry-After"), body)
		}
		for _, internal := range []string{"127.0.0.1", "refused", "lastic", "breaker"} {
			if strings.Contains(body, internal) {
				t.Fatalf("the answer tells %q: %s", internal, body)
			}
		}
	}
}
