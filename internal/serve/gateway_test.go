package serve_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"larder.dev/internal/fault"
	"larder.dev/internal/serve"
)

func TestGatewayRefusesBadRequests(t *testing.T) {
	r := newRig(t, func(c *serve.Config) { c.MaxBody = 4096 })
	const item = "/v1/carts/me/items/bananas"
	for _, c := range []struct {
		name               string
		method, path, body string
		reason             fault.Reason
		field              string
	}{
		{"unknown field", "PUT", item, `{"quantity":1,"colour":"red"}`, fault.InvalidArgument, "colour"},
		{"nested unknown field", "POST", "/v1/stores/soho/stock:adjust", `{"reason":"r","adjustments":[{"sku":"x"}]}`, fault.InvalidArgument, "sku"},
		{"text for a number", "PUT", item, `{"quantity":"many"}`, fault.InvalidArgument, "quantity"},
		{"object for a number", "PUT", item, `{"quantity":{}}`, fault.InvalidArgument, "quantity"},
		{"number for text", "PUT", item, `{"quantity":1,"etag":5}`, fault.InvalidArgument, "etag"},
		{"object for a list", "POST", "/v1/stores/soho/stock:adjust", `{"adjustments":{}}`, fault.InvalidArgument, "body"},
		{"text for an object in a list", "POST", "/v1/stores/soho/stock:adjust", `{"adjustments":["x"]}`, fault.InvalidArgument, "body"},
		{"fraction", "PUT", item, `{"quantity":1.5}`, fault.InvalidArgument, "quantity"},
		{"over int32", "PUT", item, `{"quantity":2147483648}`, fault.InvalidArgument, "quantity"},
		{"huge", "PUT", item, `{"quantity":1e400}`, fault.InvalidArgument, "quantity"},
		{"over int64", "POST", "/v1/stores/soho/stock:adjust", `{"adjustments":[{"quantity":"9223372036854775808"}]}`, fault.InvalidArgument, "quantity"},
		{"zero", "PUT", item, `{"quantity":0}`, fault.InvalidArgument, "quantity"},
		{"negative", "PUT", item, `{"quantity":-1}`, fault.InvalidArgument, "quantity"},
		{"no body", "PUT", item, ``, fault.InvalidArgument, "quantity"},
		{"null", "PUT", item, `null`, fault.InvalidArgument, "body"},
		{"duplicate field", "PUT", item, `{"quantity":1,"quantity":2}`, fault.InvalidArgument, "quantity"},
		{"cut off", "PUT", item, `{"quantity":`, fault.InvalidArgument, "body"},
		{"not JSON", "PUT", item, `quantity=1`, fault.InvalidArgument, "body"},
		{"a list", "PUT", item, `[1]`, fault.InvalidArgument, "body"},
		{"two values", "PUT", item, `{"quantity":1}{"quantity":2}`, fault.InvalidArgument, "body"},
		{"rubbish behind", "PUT", item, `{"quantity":1} x`, fault.InvalidArgument, "body"},
		{"bad UTF-8", "PUT", item, "{\"quantity\":1,\"etag\":\"\xff\"}", fault.InvalidArgument, "body"},
		{"deep", "PUT", item, `{"etag":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, fault.InvalidArgument, "etag"},
		{"bad path parameter", "PUT", "/v1/carts/me/items/BANANAS", `{"quantity":1}`, fault.InvalidArgument, "product_id"},
		{"escaped path", "GET", "/v1/carts/%2e%2e", ``, fault.InvalidArgument, "cart_id"},
		{"same parameter twice", "GET", "/v1/search?store=soho&page_size=1&pageSize=2", ``, fault.InvalidArgument, "page_size"},
		{"unknown query parameter", "GET", "/v1/search?store=soho&colour=red", ``, fault.InvalidArgument, "colour"},
		{"malformed query parameter", "GET", "/v1/search?store=soho&page_size=ten", ``, fault.InvalidArgument, "page_size"},
		{"huge query parameter", "GET", "/v1/search?store=soho&page_size=99999999999", ``, fault.InvalidArgument, "page_size"},
		{"unknown enum value", "GET", "/v1/search?store=soho&sort=RANDOM", ``, fault.InvalidArgument, "sort"},
		{"query out of range", "GET", "/v1/search?store=soho&page_size=101", ``, fault.InvalidArgument, "page_size"},
		{"missing query parameter", "GET", "/v1/search", ``, fault.InvalidArgument, "store"},
		{"too large", "PUT", item, `{"etag":"` + strings.Repeat("x", 5000) + `"}`, fault.RequestTooLarge, ""},
		{"no such path", "GET", "/v1/nothing", ``, fault.RouteNotFound, ""},
		{"no such path at all", "GET", "/", ``, fault.RouteNotFound, ""},
		{"no such verb", "POST", "/v1/stores/soho/stock:burn", `{}`, fault.RouteNotFound, ""},
		{"wrong method", "PUT", "/v1/stores", `{}`, fault.MethodNotAllowed, ""},
		{"wrong method of a known path", "PATCH", item, `{}`, fault.MethodNotAllowed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := r.rest(t, c.method, c.path, r.operator(t), c.body)
			if got.HTTP != c.reason.HTTP || got.Reason != c.reason.Name {
				t.Errorf("%d %s, want %d %s: %s", got.HTTP, got.Reason, c.reason.HTTP, c.reason.Name, got.Body)
			}
			if c.field != "" && !slices.ContainsFunc(got.Fields, func(f string) bool { return f == c.field || strings.HasPrefix(f, c.field+"[") }) {
				t.Errorf("the violations are of %v, want %s: %s", got.Fields, c.field, got.Body)
			}
			if kind := got.Header.Get("Content-Type"); kind != "application/json" {
				t.Errorf("the error is of type %s", kind)
			}
		})
	}
}

func (r *rig) operator(t *testing.T) map[string]string {
	t.Helper()
	return bearer(r.issuer.Token(t, operatorCaller, time.Minute))
}

func TestContentTypes(t *testing.T) {
	r := newRig(t, nil)
	for kind, want := range map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "": 200, "text/plain": 415,
		"application/x-www-form-urlencoded": 415, "multipart/form-data; boundary=x": 415, "application/xml": 415, ";": 415,
	} {
		got := r.rest(t, "PUT", "/v1/carts/me/items/bananas", with(r.shopper(t), "content-type", kind), `{"quantity":1}`)
		if got.HTTP != want || (want == 415 && got.Reason != fault.UnsupportedMediaType.Name) {
			t.Errorf("a body of type %q: %d %s, want %d", kind, got.HTTP, got.Reason, want)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	r := newRig(t, func(c *serve.Config) { c.MaxBody = 1000 })
	for _, chunked := range []bool{false, true} {
		for size, fits := range map[int]bool{1000: true, 1001: false, 1 << 20: false} {
			body := `{"quantity":1}` + strings.Repeat(" ", size-len(`{"quantity":1}`))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.url+"/v1/carts/me/items/bananas", io.NopCloser(strings.NewReader(body)))
			if err != nil {
				t.Fatal(err)
			}
			if !chunked {
				req.ContentLength = int64(size)
			}
			req.Header.Set("Authorization", r.shopper(t)["authorization"])
			got := r.send(t, req)
			if fits != got.OK || (!fits && (got.HTTP != http.StatusRequestEntityTooLarge || got.Reason != fault.RequestTooLarge.Name)) {
				t.Errorf("%d bytes, chunked %v: %d %s %s, want it to fit: %v", size, chunked, got.HTTP, got.Reason, got.Message, fits)
			}
		}
	}
}

func TestRetryAfterIsWholeSecondsRoundedUp(t *testing.T) {
	r := newRig(t, nil)
	for wait, want := range map[time.Duration]string{time.Millisecond: "1", time.Second: "1", 1001 * time.Millisecond: "2", time.Minute: "60"} {
		r.do = func(context.Context) error { return fault.StockRebuilding.New("wait").WithRetryAfter(wait) }
		if got := r.rest(t, "PUT", "/v1/carts/me/items/bananas", r.shopper(t), `{"quantity":1}`); got.Header.Get("Retry-After") != want {
			t.Errorf("%v became %q, want %s", wait, got.Header.Get("Retry-After"), want)
		}
	}
}

func TestAnswersHaveAllFields(t *testing.T) {
	r := newRig(t, nil)
	got := r.rest(t, "PUT", "/v1/carts/me/items/bananas", r.shopper(t), `{"quantity":1}`)
	for _, want := range []string{`"cart_id":"me"`, `"items":[]`, `"etag":""`} {
		if !strings.Contains(strings.ReplaceAll(got.Body, " ", ""), want) {
			t.Errorf("the answer lacks %s: %s", want, got.Body)
		}
	}
	if got.Header.Get("X-Request-Id") == "" {
		t.Error("the answer has no request id")
	}
}

// A service's token on REST would let whoever got hold of one past the edge.
func TestRESTTakesNoInternalHeaders(t *testing.T) {
	r := newRig(t, nil)
	token := r.issuer.ServiceToken(t, "checkout")
	for _, name := range []string{"x-larder-service-token", "Grpc-Metadata-x-larder-service-token", "Grpc-Metadata-authorization"} {
		refused(t, name, r.rest(t, "POST", "/v1/carts/"+ada+":merge", map[string]string{name: token}, "{}"), fault.Unauthenticated)
	}
}
