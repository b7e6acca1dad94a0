package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// The SDK's own exporters send; the pages show it.
func TestWhatIsSentIsShown(t *testing.T) {
	var passedOn atomic.Value
	metrics := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { passedOn.Store(r.Method + " " + r.URL.Path) }))
	defer metrics.Close()
	viewer := httptest.NewServer(handler(newStore(100, 100), strings.TrimPrefix(metrics.URL, "http://")))
	defer viewer.Close()
	ctx := t.Context()

	spans, err1 := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(viewer.URL+"/v1/traces"))
	logs, err2 := otlploghttp.New(ctx, otlploghttp.WithEndpointURL(viewer.URL+"/v1/logs"), otlploghttp.WithCompression(otlploghttp.GzipCompression))
	numbers, err3 := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(viewer.URL+"/v1/metrics"))
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	tracing := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans), sdktrace.WithSampler(sdktrace.AlwaysSample()))
	logging := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(logs)))
	measuring := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(numbers)))

	within, root := tracing.Tracer("t").Start(ctx, "POST /checkouts", trace.WithSpanKind(trace.SpanKindServer))
	_, child := tracing.Tracer("t").Start(within, "commit", trace.WithAttributes(attribute.String("db.system.name", "spanner<script>")))
	child.SetStatus(codes.Error, "failed")
	child.End()
	slog.New(otelslog.NewHandler("t", otelslog.WithLoggerProvider(logging))).WarnContext(within, "settle later", "store", "soho")
	root.End()
	counter, err := measuring.Meter("t").Int64Counter("c")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(ctx, 1)
	if err := errors.Join(tracing.ForceFlush(ctx), logging.ForceFlush(ctx), measuring.ForceFlush(ctx)); err != nil {
		t.Fatal(err)
	}
	if got := passedOn.Load(); got != "POST /opentelemetry/v1/metrics" {
		t.Errorf("metrics were passed on by %v", got)
	}

	id := root.SpanContext().TraceID().String()
	for path, want := range map[string]string{
		"/":                       "POST /checkouts",
		"/?text=COMMIT&failed=on": id,
		"/?least=1h":              "None yet",
		"/?service=nobody":        "None yet",
		"/traces/" + id:           `(?s)POST /checkouts.*padding-left:1rem.*commit.*spanner&lt;script&gt;.*settle later.*store=soho`,
	} {
		if status, page := get(t, viewer.URL+path); status != http.StatusOK || !regexp.MustCompile(want).MatchString(page) {
			t.Errorf("%s: %d, doesn't have %q: %s", path, status, want, page)
		}
	}
	for path, want := range map[string]int{"/traces/unknown": 404, "/?least=long": 400, "/nothing": 404} {
		if status, _ := get(t, viewer.URL+path); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	if answer, err := http.Post(viewer.URL+"/v1/traces", "application/x-protobuf", strings.NewReader("nonsense")); err != nil || answer.StatusCode != http.StatusBadRequest {
		t.Errorf("nonsense is answered by %v, %v", answer, err)
	} else {
		_ = answer.Body.Close()
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(page)
}

func TestRingKeepsTheLatest(t *testing.T) {
	kept := newStore(3, 1)
	for i := range 5 {
		kept.spans.add(span{Trace: string(rune('a' + i)), Start: time.Unix(int64(i), 0), End: time.Unix(int64(i), 0)})
	}
	found, _ := kept.latest(filter{}, 10)
	if len(found) != 3 || found[0].Trace != "e" || found[2].Trace != "c" {
		t.Errorf("kept are %v", found)
	}
}

// A circle of parents, and a parent that isn't here, lose no page.
func TestPlaceEnds(t *testing.T) {
	got := place([]span{{ID: "1", Parent: "2"}, {ID: "2", Parent: "1"}, {ID: "3", Parent: "elsewhere"}, {ID: "4", Parent: "3"}})
	if len(got) != 2 || got[0].ID != "3" || got[1].ID != "4" || got[1].Depth != 1 {
		t.Errorf("placed are %+v", got)
	}
}
