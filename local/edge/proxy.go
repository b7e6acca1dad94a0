package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/fault"
	"larder.dev/internal/serve"
)

// Patience with upstreams. headerTimeout is above any deadline of a service's own: it only ends what hangs.
const (
	dialTimeout   = 2 * time.Second
	headerTimeout = 60 * time.Second
	retryAfter    = 2 * time.Second
)

const requestIDHeader = "X-Request-Id"

var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,128}$`)

// edge is the public way in: it finds a request's service, and passes on what a stranger may send.
type edge struct {
	routes  routes
	proxies map[string]*httputil.ReverseProxy // by service
}

// newEdge makes an edge; upstreams has the host:port of every service that the routes name.
func newEdge(rs routes, upstreams map[string]string, log *slog.Logger) *edge {
	transport := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
		ResponseHeaderTimeout: headerTimeout,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		DisableCompression:    true, // bodies pass as they are
	}
	e := &edge{routes: rs, proxies: map[string]*httputil.ReverseProxy{}}
	for service, address := range upstreams {
		target := &url.URL{Scheme: "http", Host: address}
		e.proxies[service] = &httputil.ReverseProxy{
			Transport:      transport,
			FlushInterval:  -1, // server-sent events leave at once
			ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
			Rewrite:        func(r *httputil.ProxyRequest) { rewrite(r, target) },
			ModifyResponse: cleanResponse,
			ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
				refuse(log.With("upstream", service), w, r, err)
			},
		}
	}
	return e
}

func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" {
		serve.SecureHeaders(w.Header())
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok"}` + "\n"))
		return
	}
	if !requestIDForm.MatchString(r.Header.Get(requestIDHeader)) {
		r.Header.Set(requestIDHeader, uuid.NewString())
	}
	service, ok := e.routes.find(r.URL.EscapedPath())
	if !ok {
		w.Header().Set(requestIDHeader, r.Header.Get(requestIDHeader))
		serve.SecureHeaders(w.Header())
		serve.WriteError(w, r, fault.RouteNotFound.New("there is no %s", r.URL.Path))
		return
	}
	e.proxies[service].ServeHTTP(w, r)
}

// rewrite sends the request on without what only our own services may say. An upgrade would open a connection past this edge.
func rewrite(r *httputil.ProxyRequest, target *url.URL) {
	r.SetURL(target)
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as it came: the proxy would drop parameters that it can't read
	r.SetXForwarded()
	r.Out.Host = r.In.Host
	for name := range r.Out.Header {
		if internalHeader(name) {
			r.Out.Header.Del(name)
		}
	}
	for _, name := range []string{"Connection", "Upgrade", "Http2-Settings"} {
		r.Out.Header.Del(name)
	}
}

// internalHeader tells the headers that services use among themselves: whoever could send them could pose as one.
func internalHeader(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	return strings.HasPrefix(name, "x-larder-") || strings.HasPrefix(name, "grpc-metadata-") || name == "x-serverless-authorization"
}

func cleanResponse(resp *http.Response) error {
	for name := range resp.Header {
		if internalHeader(name) {
			resp.Header.Del(name)
		}
	}
	if resp.Header.Get(requestIDHeader) == "" {
		resp.Header.Set(requestIDHeader, resp.Request.Header.Get(requestIDHeader))
	}
	return nil
}

// refuse answers for an upstream that did not.
func refuse(log *slog.Logger, w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(r.Context().Err(), context.Canceled) {
		return // the caller has gone; nobody is told
	}
	log.Warn("no answer", "method", r.Method, "path", r.URL.Path, "request_id", r.Header.Get(requestIDHeader), "error", err)
	w.Header().Set(requestIDHeader, r.Header.Get(requestIDHeader))
	serve.SecureHeaders(w.Header())
	var network net.Error
	var op *net.OpError
	if dialling := errors.As(err, &op) && op.Op == "dial"; !dialling && errors.As(err, &network) && network.Timeout() {
		serve.WriteError(w, r, fault.DeadlineExceeded.New("the service gave no answer in time"))
		return
	}
	serve.WriteError(w, r, fault.Unavailable.New("the service gives no answer").WithRetryAfter(retryAfter))
}
