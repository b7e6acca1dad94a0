package web

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"larder.dev/api/client"
	"larder.dev/internal/serve"
)

// Patience with the API. callTimeout bounds one try; a stream is bounded by its page's request alone.
const (
	callTimeout = 20 * time.Second
	callTries   = 3
	maxPause    = 2 * time.Second
)

// caller is on whose behalf the API is called: the context of a request carries it.
type caller struct {
	person  *Person
	token   string // access token, "" of nobody
	address string // where the browser is
	request string // the request's id
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// newAPI makes a client that calls as whoever the context of a call says. It has no session of its own, so one serves everybody.
func newAPI(url string, timeout time.Duration) *client.Client {
	api := client.New(url)
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // of net/http, documented
	transport.MaxIdleConnsPerHost = 64
	api.HTTP = &http.Client{Timeout: timeout, Transport: asCaller{transport}}
	api.Tries, api.MaxWait = callTries, maxPause
	return api
}

// asCaller gives each request the caller's token, address and request id, and the trace.
type asCaller struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (a asCaller) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	from := callerOf(ctx)
	request = request.Clone(ctx)
	if from.token != "" {
		request.Header.Set("Authorization", "Bearer "+from.token)
	}
	if from.address != "" {
		// Rates are counted by it (decision 0310).
		request.Header.Set("X-Forwarded-For", from.address)
	}
	if from.request != "" {
		request.Header.Set("X-Request-Id", from.request)
	}
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(request.Header))
	return a.next.RoundTrip(request)
}

// clientAddress is where the browser is: what the first of our proxies has seen, as the API counts it too.
func clientAddress(r *http.Request, proxies int) string {
	peer, _, _ := net.SplitHostPort(r.RemoteAddr) // always both, on a server
	hops, seen := serve.Hops(strings.Join(append(r.Header.Values("X-Forwarded-For"), peer), ","), proxies)
	return strings.TrimSpace(hops[seen])
}
