package telemetry

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// receiver counts what comes in, by path.
type receiver struct {
	mu   sync.Mutex
	came map[string]int
}

func (r *receiver) ServeHTTP(_ http.ResponseWriter, q *http.Request) {
	n, _ := io.Copy(io.Discard, q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.came[q.URL.Path] += int(n)
}

func TestShutdownSendsWhatWaits(t *testing.T) {
	to := &receiver{came: map[string]int{}}
	server := httptest.NewServer(to)
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	sent, err := Start(t.Context(), Config{Endpoint: server.URL}, "t", slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := otel.Tracer("t").Start(t.Context(), "request", trace.WithSpanKind(trace.SpanKindServer))
	Epochs.Add(ctx, 1)
	slog.New(sent.Logs).InfoContext(ctx, "a line")
	span.End()
	if err := sent.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/v1/traces", "/v1/metrics", "/v1/logs"} {
		if to.came[path] == 0 {
			t.Errorf("nothing came to %s: %v", path, to.came)
		}
	}
}

// A receiver that never answers holds an end up for no longer than it may.
func TestShutdownHasADeadline(t *testing.T) {
	stuck := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }))
	defer server.Close()
	defer close(stuck)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	sent, err := Start(t.Context(), Config{Endpoint: server.URL, Metrics: "none", Logs: "none"}, "t", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, span := otel.Tracer("t").Start(t.Context(), "request", trace.WithSpanKind(trace.SpanKindServer))
	span.End()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := sent.Shutdown(ctx); err == nil {
		t.Error("what wasn't sent is told as sent")
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the end took %s", took)
	}
}

func TestConfigurationFaults(t *testing.T) {
	good := Config{Endpoint: "http://127.0.0.1:1"}
	for want, change := range map[string]func(*Config){
		"OTEL_EXPORTER_OTLP_PROTOCOL": func(c *Config) { c.Protocol = "carrier pigeon" },
		"OTEL_EXPORTER_OTLP_ENDPOINT": func(c *Config) { c.Endpoint = "nowhere" },
		"OTEL_TRACES_SAMPLER is":      func(c *Config) { c.Sampler = "sometimes" },
		"OTEL_TRACES_SAMPLER_ARG":     func(c *Config) { c.Sampler, c.Ratio = "parentbased_traceidratio", "2" },
		"OTEL_METRICS_EXPORTER":       func(c *Config) { c.Metrics = "prometheus" },
	} {
		config := good
		change(&config)
		if _, err := Start(t.Context(), config, "t", slog.Default()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want a fault of %s", err, want)
		}
	}
}

// A trace begins where something comes in; the looks of workers and probes begin none.
func TestSampling(t *testing.T) {
	for sampler, want := range map[string][2]bool{ // of a server's span, and of a client's
		"":                         {true, false},
		"parentbased_traceidratio": {false, false},
		"parentbased_always_off":   {false, false},
	} {
		s, err := sampling(Config{Sampler: sampler, Ratio: "0"})
		if err != nil {
			t.Fatal(err)
		}
		for i, kind := range []trace.SpanKind{trace.SpanKindServer, trace.SpanKindClient} {
			if got := s.ShouldSample(parameters(t.Context(), kind)).Decision == sdktrace.RecordAndSample; got != want[i] {
				t.Errorf("%q, %s: %v, want %v", sampler, kind, got, want[i])
			}
			recorded := trace.ContextWithRemoteSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled, Remote: true,
			}))
			if s.ShouldSample(parameters(recorded, kind)).Decision != sdktrace.RecordAndSample {
				t.Errorf("%q, %s: the caller's trace isn't gone on with", sampler, kind)
			}
		}
	}
}

func parameters(ctx context.Context, kind trace.SpanKind) sdktrace.SamplingParameters {
	return sdktrace.SamplingParameters{ParentContext: ctx, TraceID: trace.TraceID{1}, Name: "n", Kind: kind}
}
