package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// gate stands between the pipelines and Elasticsearch, and can refuse what they write.
type gate struct {
	address string
	server  *http.Server
	target  atomic.Pointer[url.URL]
	status  atomic.Int32 // that bulk requests are refused with, 0: they aren't
	drops   atomic.Bool  // says of every fifth bulk request that it was written, and writes nothing: events get lost
	bulks   atomic.Int64
}

func openGate(ctx context.Context) (*gate, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gate{address: "http://" + listener.Addr().String()}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(g.target.Load()) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { // Elasticsearch is away
			panic(http.ErrAbortHandler)
		},
	}
	g.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bulk := strings.HasSuffix(r.URL.Path, "/_bulk")
		if status := g.status.Load(); bulk && status != 0 {
			w.Header().Set("X-Elastic-Product", "Elasticsearch")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(int(status))
			_, _ = w.Write([]byte(`{"error":{"type":"refused","reason":"as asked for"}}`))
			return
		}
		if bulk && g.drops.Load() && g.bulks.Add(1)%5 == 0 {
			r.URL.Path = "/fidelity-nowhere/_bulk"
			r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, "require_alias=true", "require_alias=false")
		}
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = g.server.Serve(listener) }()
	return g, nil
}

func (g *gate) to(elasticsearch string) error {
	target, err := url.Parse(elasticsearch)
	g.target.Store(target)
	return err
}

func (g *gate) close() error {
	if err := g.server.Close(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
