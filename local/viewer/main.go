// Command viewer shows what the local platform's processes tell of themselves: it takes OTLP by HTTP, keeps the latest traces and logs in
// memory, and shows them on two pages; metrics it passes on to VictoriaMetrics, which draws charts of them. For one machine: it keeps
// nothing, and asks nobody who they are.
package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"

	"github.com/caarlos0/env/v11"

	"larder.dev/local/listen"
)

type config struct {
	Host    string `env:"HOST"                          envDefault:"127.0.0.1"`
	Port    int    `env:"PORT,required"`
	Metrics string `env:"VICTORIAMETRICS_ADDR,required"` // host:port
	// Spans and Records are how many are kept, the latest: some 1 KiB each.
	Spans   int `env:"VIEWER_SPANS"                  envDefault:"50000"`
	Records int `env:"VIEWER_RECORDS"                envDefault:"20000"`
}

func main() {
	log := listen.Logger("viewer")
	if err := run(log); err != nil {
		log.Error("viewer ended", "error", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	c, err := env.ParseAs[config]()
	if err != nil {
		return err
	}
	if c.Spans < 1 || c.Records < 1 {
		return fmt.Errorf("VIEWER_SPANS is %d and VIEWER_RECORDS %d, not from 1", c.Spans, c.Records)
	}
	return listen.Run(log, c.Host, c.Port, handler(newStore(c.Spans, c.Records), c.Metrics))
}

func handler(kept *store, metrics string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.Handle("POST /v1/traces", take(kept.takeTraces))
	mux.Handle("POST /v1/logs", take(kept.takeLogs))
	to := &url.URL{Scheme: "http", Host: metrics}
	mux.Handle("POST /v1/metrics", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.URL.Path = "/opentelemetry/v1/metrics"
	}})
	mux.HandleFunc("GET /{$}", kept.list(metrics))
	mux.HandleFunc("GET /traces/{id}", kept.show)
	return mux
}
