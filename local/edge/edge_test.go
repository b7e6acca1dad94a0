package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const routesFile = "../../terraform/routes.json"

func load(t *testing.T) routes {
	t.Helper()
	rs, err := loadRoutes(routesFile)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestRoutes(t *testing.T) {
	rs := load(t)
	for path, want := range map[string]string{
		"/v1/users":                            "user",
		"/v1/users:requestPasswordReset":       "user",
		"/v1/users:resetPassword":              "user",
		"/v1/users/me":                         "user",
		"/v1/users/me/addresses":               "user",
		"/v1/users/me/addresses/home":          "user",
		"/v1/sessions":                         "user",
		"/v1/sessions:refresh":                 "user",
		"/v1/sessions/current":                 "user",
		"/.well-known/jwks.json":               "user",
		"/openapi.yaml":                        "user",
		"/v1/products":                         "product",
		"/v1/products/bananas-loose":           "product",
		"/v1/products:import":                  "product",
		"/v1/imports/spring-range-1":           "product",
		"/v1/categories":                       "product",
		"/v1/stores":                           "product",
		"/v1/search":                           "search",
		"/v1/search:suggest":                   "search",
		"/v1/search:generations":               "search",
		"/v1/carts":                            "cart",
		"/v1/carts/me":                         "cart",
		"/v1/carts/0b1c:merge":                 "cart",
		"/v1/carts/me/items/bananas-loose":     "cart",
		"/v1/checkouts":                        "checkout",
		"/v1/checkouts/0b1c":                   "checkout",
		"/v1/stores/soho/stock":                "checkout",
		"/v1/stores/soho/stock/bananas-loose":  "checkout",
		"/v1/stores/soho/stock:adjust":         "checkout",
		"/v1/stores/soho/stock:rebuild":        "checkout",
		"/v1/orders":                           "order",
		"/v1/orders/0b1c":                      "order",
		"/v1/orders/0b1c:watch":                "order",
		"/v1/orders/0b1c:cancel":               "order",
		"/v1/orders/0b1c:refund":               "order",
		"/v1/orders/a%2Fb":                     "order",
		"/v1/orders/0b1c/payment":              "payment",
		"/v1/payments":                         "payment",
		"/v1/payments:audit":                   "payment",
		"/v1/stores/soho/stock/x/entries":      "checkout",
		"/v1/stores/soho/slots":                "checkout",
		"/v1/products/bananas-loose/prices":    "product",
		"/v1/webhooks/payments/stripe":         "paymentwebhook",
		"/v1/webhooks/payments":                "",
		"/push/capturepayment":                 "storefront",
		"/":                                    "storefront",
		"/search":                              "storefront",
		"/orders/0b1c/live":                    "storefront",
		"/static/app.0123.css":                 "storefront",
		"/aisles/":                             "storefront",
		"/consoles":                            "storefront",
		"/console":                             "console",
		"/console/":                            "console",
		"/console/orders/0b1c":                 "console",
		"/V1/orders/":                          "",
		"//v1/orders":                          "",
		"/console/../v1/orders":                "",
		"/.well-known/openid-configuration":    "",
		"/openapi.yaml/x":                      "",
		"":                                     "",
		"/v1":                                  "",
		"/v1/orders/":                          "",
		"/v1//orders":                          "",
		"/v1/orders/..":                        "",
		"/v1/orders/0b1c/lines":                "",
		"/v1/payments/0b1c":                    "",
		"/v1/usersx":                           "",
		"/larder.cart.v1.CartService/GetCart":  "",
		"/v1/users/me/addresses/home/../../me": "",
		"/v1/users/*":                          "",
		"/metrics":                             "storefront",
		"*":                                    "",
	} {
		if got, _ := rs.find(path); got != want {
			t.Errorf("%q leads to %q, want %q", path, got, want)
		}
	}
}

// The API's own description and the routes can't differ: each path in it leads to the service that it belongs to.
func TestEveryDescribedPathIsRouted(t *testing.T) {
	rs := load(t)
	text, err := os.ReadFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var description struct {
		Paths map[string]map[string]struct{ Tags []string }
	}
	if err := yaml.Unmarshal(text, &description); err != nil {
		t.Fatal(err)
	}
	if len(description.Paths) < 20 {
		t.Fatalf("only %d paths described", len(description.Paths))
	}
	parameter := regexp.MustCompile(`\{[^}]+\}`)
	for path, methods := range description.Paths {
		for method, operation := range methods {
			if len(operation.Tags) == 0 {
				t.Errorf("%s %s has no tag", method, path)
				continue
			}
			want := strings.ToLower(strings.TrimSuffix(operation.Tags[0], "Service"))
			if want == "stock" {
				want = "checkout" // stock is served by checkout
			}
			if got, _ := rs.find(parameter.ReplaceAllString(path, "x1")); got != want {
				t.Errorf("%s %s leads to %q, want %q", method, path, got, want)
			}
		}
	}
}

func TestBadRouteFiles(t *testing.T) {
	for name, c := range map[string]struct{ content, fault string }{
		"not JSON":        {`[`, "EOF"},
		"unknown field":   {`[{"path":"/a","service":"user","verb":"x"}]`, "unknown field"},
		"no slash":        {`[{"path":"a","service":"user"}]`, "doesn't begin with /"},
		"part of segment": {`[{"path":"/a/{b=*}:c","service":"user"}]`, "neither a literal"},
		"empty segment":   {`[{"path":"/a//b","service":"user"}]`, "neither a literal"},
		"no service":      {`[{"path":"/a","service":""}]`, "no service's name"},
		"rest inside":     {`[{"path":"/a/{b=**}/c","service":"user"}]`, "neither a literal"},
		"twice":           {`[{"path":"/a","service":"user"},{"path":"/a","service":"user"}]`, "meet"},
		"ambiguous":       {`[{"path":"/a/{b=*}","service":"user"},{"path":"/a/me","service":"cart"}]`, "meet"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "routes.json")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := loadRoutes(path); err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %v, want %q", err, c.fault)
			}
		})
	}
}

func TestMissingAddresses(t *testing.T) {
	_, err := addresses([]string{"user", "cart", "order"}, func(name string) string {
		return map[string]string{"USER_ADDR": "127.0.0.1:1"}[name]
	})
	if err == nil || !strings.Contains(err.Error(), "CART_ADDR") || !strings.Contains(err.Error(), "ORDER_ADDR") {
		t.Errorf("got %v, want both names", err)
	}
}

// front starts an edge whose every service is upstream.
func front(t *testing.T, upstream string) *httptest.Server {
	t.Helper()
	rs := load(t)
	to := map[string]string{}
	for _, s := range rs.services() {
		to[s] = strings.TrimPrefix(upstream, "http://")
	}
	server := httptest.NewServer(newEdge(rs, to, slog.New(slog.DiscardHandler)))
	t.Cleanup(server.Close)
	return server
}

func request(t *testing.T, method, url, body string, header http.Header) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestPassesOn(t *testing.T) {
	var got *http.Request
	var body []byte
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Grpc-Metadata-Content-Type", "application/grpc")
		w.Header().Set("X-Larder-Secret", "s")
		w.Header().Set("Etag", `"3"`)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"ok":true}`))
	}))
	defer upstream.Close()
	e := front(t, upstream.URL)
	resp := request(t, "POST", e.URL+"/v1/orders/a%2Fb:cancel?x=1&y=%26", `{"a":1}`, http.Header{
		"Authorization":              {"Bearer t"},
		"Idempotency-Key":            {"k"},
		"X-Larder-Service-Token":     {"forged"},
		"x-larder-caller":            {"forged"},
		"X_larder_caller":            {"forged"},
		"Grpc-Metadata-X-Larder-Foo": {"forged"},
		"X-Serverless-Authorization": {"forged"},
		"X-Forwarded-For":            {"8.8.8.8"},
		"Connection":                 {"Upgrade, HTTP2-Settings"},
		"Upgrade":                    {"h2c"},
		"Http2-Settings":             {"AAMAAABkAAQAAP__"},
	})
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusCreated || string(text) != `{"ok":true}` || resp.Header.Get("Etag") != `"3"` {
		t.Errorf("answer %d %s", resp.StatusCode, text)
	}
	if got.URL.RequestURI() != "/v1/orders/a%2Fb:cancel?x=1&y=%26" || string(body) != `{"a":1}` {
		t.Errorf("passed on %s %s", got.URL.RequestURI(), body)
	}
	if got.Header.Get("Authorization") != "Bearer t" || got.Header.Get("Idempotency-Key") != "k" {
		t.Errorf("lost headers: %v", got.Header)
	}
	if f := got.Header.Get("X-Forwarded-For"); f != "127.0.0.1" {
		t.Errorf("X-Forwarded-For %q", f)
	}
	for name, values := range got.Header {
		if values[0] == "forged" || name == "Upgrade" || name == "Http2-Settings" {
			t.Errorf("passed on %s: %v", name, values)
		}
	}
	id := got.Header.Get("X-Request-Id")
	if id == "" || resp.Header.Get("X-Request-Id") != id {
		t.Errorf("request id %q, answered %q", id, resp.Header.Get("X-Request-Id"))
	}
	for _, name := range []string{"Grpc-Metadata-Content-Type", "X-Larder-Secret"} {
		if resp.Header.Get(name) != "" {
			t.Errorf("answered %s", name)
		}
	}
	request(t, "GET", e.URL+"/v1/orders", "", http.Header{"X-Request-Id": {"mine-1"}})
	if id := got.Header.Get("X-Request-Id"); id != "mine-1" {
		t.Errorf("the caller's request id became %q", id)
	}
	request(t, "GET", e.URL+"/v1/orders", "", http.Header{"X-Request-Id": {"no spaces please"}})
	if id := got.Header.Get("X-Request-Id"); strings.Contains(id, " ") || id == "" {
		t.Errorf("a malformed request id became %q", id)
	}
}

// Server-sent events arrive one by one, while the answer is still open.
func TestStreams(t *testing.T) {
	next := make(chan string)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for event := range next {
			_, _ = io.WriteString(w, "data: "+event+"\n\n")
			_ = http.NewResponseController(w).Flush()
		}
	}))
	defer upstream.Close()
	defer close(next)
	e := front(t, upstream.URL)
	answers := make(chan *http.Response, 1)
	go func() {
		resp, err := http.Get(e.URL + "/v1/orders/1:watch")
		if err != nil {
			t.Error(err)
			close(answers)
			return
		}
		answers <- resp
	}()
	next <- "one"
	resp := <-answers
	if resp == nil {
		return
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for _, want := range []string{"one", "two", "three"} {
		if want != "one" {
			next <- want
		}
		if !lines.Scan() || lines.Text() != "data: "+want || !lines.Scan() {
			t.Fatalf("got %q, want %s", lines.Text(), want)
		}
	}
}

// A client that goes away ends its stream at the service, too.
func TestStreamEndsWithItsClient(t *testing.T) {
	ended := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(ended)
	}))
	defer upstream.Close()
	resp := request(t, "GET", front(t, upstream.URL).URL+"/v1/orders/1:watch", "", http.Header{"Accept": {"text/event-stream"}})
	select {
	case <-ended:
		t.Fatal("it ended by itself")
	default:
	}
	resp.Body.Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the service still writes to a client that has gone")
	}
}

func TestErrors(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer cut.Close()
	for _, c := range []struct {
		name, upstream, path string
		code                 int
		status, reason       string
		retry                bool
	}{
		{"unknown path", cut.URL, "/v1/nothing", 404, "NOT_FOUND", "ROUTE_NOT_FOUND", false},
		{"nobody listens", "http://" + dead.Addr().String(), "/v1/orders", 503, "UNAVAILABLE", "UNAVAILABLE", true},
		{"connection cut", cut.URL, "/v1/orders", 503, "UNAVAILABLE", "UNAVAILABLE", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp := request(t, "POST", front(t, c.upstream).URL+c.path, "{}", nil)
			var got struct {
				Error struct {
					Code    int
					Status  string
					Message string
					Details []struct {
						Type   string `json:"@type"`
						Reason string
						Domain string
					}
				}
			}
			text, _ := io.ReadAll(resp.Body)
			if err := json.NewDecoder(bytes.NewReader(text)).Decode(&got); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if resp.StatusCode != c.code || got.Error.Code != c.code || got.Error.Status != c.status || got.Error.Message == "" {
				t.Errorf("got %d %s", resp.StatusCode, text)
			}
			if d := got.Error.Details; len(d) == 0 || d[0].Type != "type.googleapis.com/google.rpc.ErrorInfo" || d[0].Reason != c.reason || d[0].Domain != "larder.dev" {
				t.Errorf("details %s", text)
			}
			if (resp.Header.Get("Retry-After") != "") != c.retry || resp.Header.Get("X-Request-Id") == "" {
				t.Errorf("headers %v", resp.Header)
			}
			if strings.Contains(string(text), "127.0.0.1") {
				t.Errorf("the answer tells an upstream's address: %s", text)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	if resp := request(t, "GET", front(t, "http://127.0.0.1:1").URL+"/healthz", "", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("got %d", resp.StatusCode)
	}
}
