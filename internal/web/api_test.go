package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The address is what the first of our proxies has seen; what stands before that is the caller's word, and without proxies all of it is.
func TestClientAddress(t *testing.T) {
	for _, c := range []struct {
		forwarded []string
		proxies   int
		want      string
	}{
		{nil, 0, "192.0.2.1"},
		{[]string{"203.0.113.9"}, 0, "192.0.2.1"},
		{[]string{"203.0.113.9"}, 1, "203.0.113.9"},
		{[]string{"10.9.9.9, 203.0.113.9", "35.191.0.1"}, 2, "203.0.113.9"},
		{[]string{"203.0.113.9"}, 5, "203.0.113.9"},
		{nil, 2, "192.0.2.1"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = "192.0.2.1:4711"
		for _, value := range c.forwarded {
			r.Header.Add("X-Forwarded-For", value)
		}
		if got := clientAddress(r, c.proxies); got != c.want {
			t.Errorf("%q behind %d proxies: %q, want %q", c.forwarded, c.proxies, got, c.want)
		}
	}
}
