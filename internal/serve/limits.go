package serve

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/rs/cors" // the rules of preflight requests (WHATWG Fetch) are many
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/telemetry"
)

// Each process counts for itself: a shared counter would be one more thing that every request waits for and that can be away. What one
// caller can ask of the whole platform therefore grows with its processes, and is bounded by the load balancer's own rules (decision 0251).

// LimitsConfig is what one caller may ask, and which pages may ask from a browser.
type LimitsConfig struct {
	// Rate is how many requests a second a caller may send for long, Burst how many at once; a Rate of 0 is no limit. A caller is a
	// signed-in person, or else a network address. Our own services aren't counted.
	Rate  float64 `env:"RATE_LIMIT" envDefault:"50"`
	Burst int     `env:"RATE_BURST" envDefault:"200"`
	// Proxies before this service that add to X-Forwarded-For. Google's load balancer and Cloud Run's front are two.
	Proxies int `env:"TRUSTED_PROXIES" envDefault:"2"`
	// Addresses that the first of our proxies sees our own pages call from, the storefront's and the console's. They call in a person's name,
	// and what they say of that person's address counts.
	Addresses []string `env:"TRUSTED_ADDRESSES"`
	// Origins of pages that may call from a browser: "https://shop.example". None: no page of another origin may.
	Origins []string `env:"CORS_ORIGINS"`
}

// callers are how many a process remembers; who was forgotten starts anew.
const callers = 50_000

type rates struct {
	config LimitsConfig
	now    func() time.Time
	of     *lru.Cache[string, *rate.Limiter]
}

func newRates(config LimitsConfig, now func() time.Time) (*rates, error) {
	of, err := lru.New[string, *rate.Limiter](callers)
	return &rates{config: config, now: now, of: of}, err
}

// limit refuses a caller who asks too much with RATE_LIMITED, and tells when the next request has its turn.
func (r *rates) limit(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	caller := identity.FromContext(ctx)
	if r.config.Rate == 0 || caller.Service != "" {
		return next(ctx, req)
	}
	key := "person " + caller.UserID
	if caller.UserID == "" {
		key = "address " + clientAddress(ctx, r.config)
	}
	limiter := rate.NewLimiter(rate.Limit(r.config.Rate), r.config.Burst)
	if known, ok, _ := r.of.PeekOrAdd(key, limiter); ok {
		limiter = known
		r.of.Get(key) // it is in use
	}
	now := r.now()
	turn := limiter.ReserveN(now, 1)
	if wait := turn.DelayFrom(now); wait > 0 {
		turn.CancelAt(now)
		telemetry.Admission.Add(ctx, 1, fault.RateLimited.Name)
		return nil, fault.ToStatus(fault.RateLimited.New("too many requests").WithRetryAfter(wait))
	}
	return next(ctx, req)
}

// ClientAddress is the network address that a request comes from: the one that the first of our proxies (TRUSTED_PROXIES) has seen.
func (a *App) ClientAddress(ctx context.Context) string {
	return clientAddress(ctx, a.config.Limits)
}

// clientAddress: each proxy adds the address that it was called from at the end of X-Forwarded-For, and the gateway does too; what stands
// before those is the caller's own word, which is believed of our own pages alone (decision 0310).
func clientAddress(ctx context.Context, config LimitsConfig) string {
	forwarded := strings.Join(headers(ctx, "x-forwarded-for"), ",")
	if forwarded == "" { // gRPC, past the gateway
		if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
			if host, _, err := net.SplitHostPort(p.Addr.String()); err == nil {
				return host
			}
		}
		return ""
	}
	hops, seen := Hops(forwarded, config.Proxies)
	if seen > 0 && slices.Contains(config.Addresses, strings.TrimSpace(hops[seen])) {
		seen--
	}
	return strings.TrimSpace(hops[seen])
}

// Hops splits X-Forwarded-For, whose last entry is this process's own peer, and finds the address that the first of so many proxies has seen.
func Hops(forwarded string, proxies int) (hops []string, seen int) {
	hops = strings.Split(forwarded, ",")
	return hops, max(0, len(hops)-1-proxies)
}

// SecureHeaders sets what every answer tells a browser: it is data and no page, isn't kept, and is asked for by TLS only.
func SecureHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
}

// forBrowsers lets pages of the configured origins call. Tokens are sent in a header, so no page acts by a cookie.
func forBrowsers(origins []string, next http.Handler) http.Handler {
	secured := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		SecureHeaders(w.Header())
		next.ServeHTTP(w, r)
	})
	if len(origins) == 0 {
		return secured
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Request-Id", "Traceparent", "Tracestate"},
		ExposedHeaders: []string{"Retry-After", "WWW-Authenticate", "X-Request-Id"},
		MaxAge:         600, // seconds
	}).Handler(secured)
}
