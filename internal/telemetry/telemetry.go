// Package telemetry is the one place where a process is tied to OpenTelemetry: traces, metrics and logs, sent by OTLP.
//
// The standard variables decide (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/):
//
//	OTEL_EXPORTER_OTLP_ENDPOINT                       where to; without it nothing is sent, and no span is recorded
//	OTEL_EXPORTER_OTLP_PROTOCOL                       http/protobuf, the default, or grpc
//	OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG      parentbased_traceidratio and 0.01, parentbased_always_off, or the default,
//	                                                  parentbased_always_on
//	OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER, OTEL_LOGS_EXPORTER      none sends none of these
//	OTEL_RESOURCE_ATTRIBUTES                          what else is known of the process
//	OTEL_BSP_MAX_QUEUE_SIZE, OTEL_METRIC_EXPORT_INTERVAL and the like     the SDK's own
//
// Sending never holds a request up: spans and log records wait in bounded queues, and what finds them full is dropped.
// What the metrics are is in metrics.go, and for people in docs/observability.md.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/google/uuid"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/oauth"
)

// Propagator carries traces over wires: W3C Trace Context and nothing else, since baggage could carry what no other may read.
var Propagator = propagation.TraceContext{}

// maxSeries of one instrument, by its attributes, are kept apart; what comes beyond them is summed up as one.
const maxSeries = 1000

// Config is what a process reads from its environment; the SDK reads the other standard variables itself.
type Config struct {
	Endpoint string `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	Protocol string `env:"OTEL_EXPORTER_OTLP_PROTOCOL" envDefault:"http/protobuf"`
	Traces   string `env:"OTEL_TRACES_EXPORTER"        envDefault:"otlp"`
	Metrics  string `env:"OTEL_METRICS_EXPORTER"       envDefault:"otlp"`
	Logs     string `env:"OTEL_LOGS_EXPORTER"          envDefault:"otlp"`
	// Sampler and Ratio say which traces that begin here are recorded; one that comes in is if its caller recorded it.
	Sampler string `env:"OTEL_TRACES_SAMPLER" envDefault:"parentbased_always_on"`
	Ratio   string `env:"OTEL_TRACES_SAMPLER_ARG" envDefault:"1"`
	// Resource is read by the SDK.
	Resource string `env:"OTEL_RESOURCE_ATTRIBUTES"`
}

// Telemetry is a process's own.
type Telemetry struct {
	// Logs takes log records to be sent; nil where none are.
	Logs  slog.Handler
	close []func(context.Context) error
}

var quiet sync.Once

// Quiet sets up what a process has that sends nothing, unless one was started: traces have ids and are passed on, and none is recorded
// but what a caller records.
func Quiet() {
	quiet.Do(func() {
		otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample()))))
		otel.SetTextMapPropagator(Propagator)
	})
}

// Start sets up the process's telemetry under a service's name. What goes wrong later, in sending, is told to log. Error: a variable has a
// value that nothing is known of, or Google's credentials are missing where they are needed.
func Start(ctx context.Context, config Config, name string, log *slog.Logger) (*Telemetry, error) {
	if config.Endpoint == "" {
		Quiet()
		return &Telemetry{}, nil
	}
	quiet.Do(func() {})
	otel.SetTextMapPropagator(Propagator)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("telemetry is not sent", "error", err.Error()) }))
	from, err := describe(ctx, name)
	if err != nil {
		return nil, err
	}
	to, err := open(ctx, config)
	if err != nil {
		return nil, err
	}
	t := &Telemetry{}
	err = errors.Join(t.traces(ctx, config, to, from), t.metrics(ctx, config, to, from), t.logs(ctx, config, to, from, name))
	unobserve := Goroutines.Observe(func() float64 { return float64(runtime.NumGoroutine()) })
	t.close = append(t.close, func(context.Context) error { unobserve(); return nil })
	return t, err
}

// Shutdown sends what still waits, as far as ctx lets it.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var all error
	for _, end := range t.close {
		all = errors.Join(all, end(ctx))
	}
	return all
}

// describe says who sends, by the semantic conventions. What OTEL_RESOURCE_ATTRIBUTES says goes over it.
func describe(ctx context.Context, name string) (*resource.Resource, error) {
	attributes := resource.WithAttributes(
		semconv.ServiceNamespace("larder"), semconv.ServiceName(name), semconv.ServiceInstanceID(uuid.NewString()), semconv.ServiceVersion(version()))
	made, err := resource.New(ctx, resource.WithTelemetrySDK(), attributes, resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe the process: %w", err)
	}
	return made, nil
}

// version is Cloud Run's revision, or else the commit that the program was built from.
func version() string {
	if revision := os.Getenv("K_REVISION"); revision != "" {
		return revision
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range build.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return "unknown"
}

// destination is where OTLP goes, and the proofs of who sends.
type destination struct {
	grpc   bool
	tokens oauth2.TokenSource // nil where nobody asks who sends
}

// open reads the protocol, and gets credentials for an endpoint of Google's (telemetry.googleapis.com).
func open(ctx context.Context, config Config) (destination, error) {
	var to destination
	switch config.Protocol {
	case "grpc":
		to.grpc = true
	case "", "http/protobuf":
	default:
		return to, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q, neither http/protobuf nor grpc", config.Protocol)
	}
	at, err := url.Parse(config.Endpoint)
	if err != nil || at.Host == "" {
		return to, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT is no URL")
	}
	if strings.HasSuffix(at.Hostname(), ".googleapis.com") {
		to.tokens, err = google.DefaultTokenSource(context.WithoutCancel(ctx), "https://www.googleapis.com/auth/cloud-platform")
		if err != nil {
			return to, fmt.Errorf("sign in to %s: %w", at.Host, err)
		}
	}
	return to, nil
}

// client is the HTTP client that signs, nil for the exporter's own.
func (d destination) client() *http.Client {
	if d.tokens == nil {
		return nil
	}
	return oauth2.NewClient(context.Background(), d.tokens)
}

func (d destination) dial() []grpc.DialOption {
	if d.tokens == nil {
		return nil
	}
	return []grpc.DialOption{grpc.WithPerRPCCredentials(oauth.TokenSource{TokenSource: d.tokens})}
}

// wanted reads which exporter is chosen for a signal: otlp, or none.
func wanted(variable, value string) (bool, error) {
	switch value {
	case "", "otlp":
		return true, nil
	case "none":
		return false, nil
	default:
		return false, fmt.Errorf("%s is %q, neither otlp nor none", variable, value)
	}
}

func (t *Telemetry) traces(ctx context.Context, config Config, to destination, from *resource.Resource) error {
	if send, err := wanted("OTEL_TRACES_EXPORTER", config.Traces); !send || err != nil {
		return err
	}
	var exporter sdktrace.SpanExporter
	var err error
	if to.grpc {
		exporter, err = otlptracegrpc.New(ctx, otlptracegrpc.WithDialOption(to.dial()...))
	} else {
		exporter, err = otlptracehttp.New(ctx, httpOptions(to, otlptracehttp.WithHTTPClient)...)
	}
	if err != nil {
		return fmt.Errorf("send traces: %w", err)
	}
	sampler, err := sampling(config)
	if err != nil {
		return err
	}
	// The queue's bounds are the environment's, 2048 spans if it says none.
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(from), sdktrace.WithSampler(sampler), sdktrace.WithBatcher(exporter))
	otel.SetTracerProvider(provider)
	t.close = append(t.close, provider.Shutdown)
	return nil
}

func (t *Telemetry) metrics(ctx context.Context, config Config, to destination, from *resource.Resource) error {
	if send, err := wanted("OTEL_METRICS_EXPORTER", config.Metrics); !send || err != nil {
		return err
	}
	var exporter sdkmetric.Exporter
	var err error
	if to.grpc {
		exporter, err = otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithDialOption(to.dial()...))
	} else {
		exporter, err = otlpmetrichttp.New(ctx, httpOptions(to, otlpmetrichttp.WithHTTPClient)...)
	}
	if err != nil {
		return fmt.Errorf("send metrics: %w", err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithResource(from), sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)),
		sdkmetric.WithExemplarFilter(exemplar.TraceBasedFilter), sdkmetric.WithCardinalityLimit(maxSeries))
	otel.SetMeterProvider(provider)
	t.close = append(t.close, provider.Shutdown)
	return nil
}

func (t *Telemetry) logs(ctx context.Context, config Config, to destination, from *resource.Resource, name string) error {
	if send, err := wanted("OTEL_LOGS_EXPORTER", config.Logs); !send || err != nil {
		return err
	}
	var exporter sdklog.Exporter
	var err error
	if to.grpc {
		exporter, err = otlploggrpc.New(ctx, otlploggrpc.WithDialOption(to.dial()...))
	} else {
		exporter, err = otlploghttp.New(ctx, httpOptions(to, otlploghttp.WithHTTPClient)...)
	}
	if err != nil {
		return fmt.Errorf("send logs: %w", err)
	}
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(from), sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
	t.Logs = otelslog.NewHandler(name, otelslog.WithLoggerProvider(provider))
	t.close = append(t.close, provider.Shutdown)
	return nil
}

// httpOptions are an HTTP exporter's: its three packages have a type of their own each.
func httpOptions[O any](to destination, with func(*http.Client) O) []O {
	if client := to.client(); client != nil {
		return []O{with(client)}
	}
	return nil
}
