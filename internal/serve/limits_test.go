package serve_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/emptypb"

	cartpb "larder.dev/api/cart/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
)

// A caller who asks too much is told when to come again; everybody else goes on.
func TestRateByCaller(t *testing.T) {
	r := newRig(t, func(c *serve.Config) {
		c.Limits = serve.LimitsConfig{Rate: 0.001, Burst: 3, Proxies: 1, Addresses: []string{"192.0.2.200"}}
	})
	from := func(address string) map[string]string { return map[string]string{"X-Forwarded-For": address} }
	other := bearer(r.issuer.Token(t, identity.Caller{UserID: "7a1c3a52-5b0e-4bd4-9a49-2f6d7e8f0002"}, time.Minute))
	for _, caller := range []struct {
		name    string
		headers func(n int) map[string]string
	}{
		{"a person, wherever they are", func(n int) map[string]string {
			return with(r.shopper(t), "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", n))
		}},
		{"another person", func(int) map[string]string { return other }},
		{"an address", func(int) map[string]string { return from("198.51.100.1") }},
		{"another address, whatever it claims to be", func(n int) map[string]string {
			return from(fmt.Sprintf("203.0.113.%d, 198.51.100.2", n))
		}},
		{"somebody whom our own pages call for", func(n int) map[string]string {
			return from(fmt.Sprintf("203.0.113.%d, 198.51.100.4, 192.0.2.200", n))
		}},
		{"another one, by the same pages", func(int) map[string]string { return from("198.51.100.5, 192.0.2.200") }},
		{"who claims to be called for by them", func(n int) map[string]string {
			return from(fmt.Sprintf("203.0.113.%d, 192.0.2.200, 198.51.100.6", n))
		}},
		{"our own pages, for nobody", func(int) map[string]string { return from("192.0.2.200") }},
		{"an address that sends nonsense for a token", func(n int) map[string]string {
			return with(from("198.51.100.3"), "Authorization", fmt.Sprintf("Bearer %d", n))
		}},
	} {
		for n := range 4 {
			got := r.rest(t, "GET", "/v1/search?store=soho", caller.headers(n), "")
			if n < 3 && !got.OK {
				t.Errorf("%s: request %d is %d %s", caller.name, n+1, got.HTTP, got.Reason)
			}
			if n == 3 && (got.HTTP != http.StatusTooManyRequests || got.Reason != fault.RateLimited.Name || !got.RetryAfter) {
				t.Errorf("%s: one too many is %d %s, Retry-After %v", caller.name, got.HTTP, got.Reason, got.RetryAfter)
			}
		}
	}
	service := map[string]string{identity.ServiceTokenHeader: r.issuer.ServiceToken(t, "checkout")}
	for n := range 10 {
		got := r.rpc(t, cartpb.CartService_ClearCart_FullMethodName, service, &cartpb.ClearCartRequest{CartId: ada, Etag: "e"}, &emptypb.Empty{})
		if !got.OK {
			t.Fatalf("call %d of our own service: %s %s", n+1, got.Code, got.Reason)
		}
	}
}

func TestRateComesBack(t *testing.T) {
	r := newRig(t, func(c *serve.Config) { c.Limits = serve.LimitsConfig{Rate: 20, Burst: 1} })
	refused := 0
	for end := time.Now().Add(10 * time.Second); ; {
		got := r.rest(t, "GET", "/v1/search?store=soho", nil, "")
		switch {
		case !got.OK:
			refused++
		case refused > 0:
			return
		}
		if time.Now().After(end) {
			t.Fatalf("refused %d times, and never served again", refused)
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	r := newRig(t, nil)
	for _, path := range []string{"/v1/search?store=soho", "/v1/search", "/v1/nothing", "/livez"} {
		got := r.rest(t, "GET", path, nil, "").Header
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
		} {
			if values := got.Values(name); len(values) != 1 || values[0] != want {
				t.Errorf("%s: %s is %q", path, name, values)
			}
		}
	}
}

func TestCORS(t *testing.T) {
	const shop = "https://shop.example"
	r := newRig(t, func(c *serve.Config) { c.Limits.Origins = []string{shop} })
	preflight := func(origin string) map[string]string {
		return map[string]string{
			"Origin": origin, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,content-type,last-event-id",
		}
	}
	ask := func(r *rig, method string, headers map[string]string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, r.url+"/v1/search?store=soho", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range headers {
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	allowed := func(res *http.Response) string { return res.Header.Get("Access-Control-Allow-Origin") }

	if res := ask(r, "OPTIONS", preflight(shop)); res.StatusCode != http.StatusNoContent || allowed(res) != shop ||
		!strings.Contains(res.Header.Get("Access-Control-Allow-Headers"), "last-event-id") {
		t.Errorf("the shop's preflight: %d %v", res.StatusCode, res.Header)
	}
	if res := ask(r, "GET", map[string]string{"Origin": shop}); allowed(res) != shop || !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "Retry-After") {
		t.Errorf("the shop's request: %v", res.Header)
	}
	if res := ask(r, "OPTIONS", preflight("https://evil.example")); allowed(res) != "" {
		t.Errorf("a stranger's preflight: %v", res.Header)
	}
	if res := ask(r, "GET", map[string]string{"Origin": "https://evil.example"}); allowed(res) != "" {
		t.Errorf("a stranger's request: %v", res.Header)
	}
	// Where no origin is configured there is no CORS at all.
	if res := ask(newRig(t, nil), "OPTIONS", preflight(shop)); res.StatusCode != http.StatusMethodNotAllowed || allowed(res) != "" {
		t.Errorf("without origins: %d %v", res.StatusCode, res.Header)
	}
}

// A body that never ends doesn't hold the process: it is given up when the request's time is over.
func TestSlowBody(t *testing.T) {
	r := newRig(t, func(c *serve.Config) { c.RequestTimeout = 200 * time.Millisecond })
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(conn, "PUT /v1/carts/me/items/bananas HTTP/1.1\r\nHost: larder\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"+
		"Authorization: "+r.shopper(t)["authorization"]+"\r\n\r\n{\"quan")
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusGatewayTimeout || !strings.Contains(string(body), fault.DeadlineExceeded.Name) {
		t.Errorf("%d %s, %v", res.StatusCode, body, err)
	}
}
