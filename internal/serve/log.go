package serve

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/grpclog"

	"larder.dev/internal/telemetry"
)

// Observe sets up what a process of this name logs, and what it tells OpenTelemetry. What waits to be sent is sent by the telemetry's
// Shutdown.
func Observe(ctx context.Context, log io.Writer, name string, level slog.Level, project string, config telemetry.Config) (*telemetry.Telemetry, error) {
	lines := NewLogger(log, level, project).With("service", name)
	slog.SetDefault(lines)
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, libraryErrors{}))
	sent, err := telemetry.Start(ctx, config, name, lines)
	if err != nil {
		return nil, fmt.Errorf("start telemetry: %w", err)
	}
	if sent.Logs != nil {
		slog.SetDefault(slog.New(slog.NewMultiHandler(lines.Handler(), above{sent.Logs, level})))
	}
	return sent, nil
}

// above sends nothing that isn't logged.
type above struct {
	slog.Handler
	level slog.Level
}

func (a above) Enabled(_ context.Context, level slog.Level) bool { return level >= a.level }

func (a above) WithAttrs(attrs []slog.Attr) slog.Handler {
	return above{a.Handler.WithAttrs(attrs), a.level}
}

func (a above) WithGroup(name string) slog.Handler { return above{a.Handler.WithGroup(name), a.level} }

// NewLogger writes one JSON object a line in the shape that Cloud Logging reads: severity, message, time, and
// the trace that the line belongs to.
func NewLogger(w io.Writer, level slog.Leveler, project string) *slog.Logger {
	handler := slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) > 0 {
				return a
			}
			switch a.Key {
			case slog.LevelKey:
				return slog.String("severity", severity(a.Value.Any()))
			case slog.MessageKey:
				a.Key = "message"
			}
			return a
		},
	})
	return slog.New(traced{Handler: handler, project: project})
}

// libraryErrors writes what gRPC and its gateway report on their own, a line a call, to the default logger. Most of it
// callers cause, with malformed headers and broken connections.
type libraryErrors struct{}

func (libraryErrors) Write(line []byte) (int, error) {
	text := string(line)
	if _, after, dated := strings.Cut(text, "ERROR: "); dated {
		text = after
	}
	slog.Warn("gRPC reports", "error", strings.TrimSpace(text))
	return len(line), nil
}

func severity(level any) string {
	if l, ok := level.(slog.Level); ok && l >= slog.LevelWarn && l < slog.LevelError {
		return "WARNING"
	}
	if l, ok := level.(slog.Level); ok {
		return l.String()
	}
	return "DEFAULT"
}

// traced adds the trace and the request id of the context.
type traced struct {
	slog.Handler
	project string
}

func (t traced) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.AddAttrs(
			slog.String("logging.googleapis.com/trace", "projects/"+t.project+"/traces/"+sc.TraceID().String()),
			slog.String("logging.googleapis.com/spanId", sc.SpanID().String()),
		)
	}
	if id := RequestID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return t.Handler.Handle(ctx, r)
}

func (t traced) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traced{Handler: t.Handler.WithAttrs(attrs), project: t.project}
}

func (t traced) WithGroup(name string) slog.Handler {
	return traced{Handler: t.Handler.WithGroup(name), project: t.project}
}
