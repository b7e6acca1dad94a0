package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"larder.dev/internal/serve"
)

func TestLogsHaveCloudLoggingsShape(t *testing.T) {
	var text bytes.Buffer
	logger := serve.NewLogger(&text, slog.LevelDebug, "larder-test").With("service", "probe")
	traceID, err := trace.TraceIDFromHex(traceID)
	if err != nil {
		t.Fatal(err)
	}
	traced := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: trace.SpanID{1}}))
	for level, severity := range map[slog.Level]string{
		slog.LevelDebug: "DEBUG", slog.LevelInfo: "INFO", slog.LevelWarn: "WARNING", slog.LevelError: "ERROR",
	} {
		for name, ctx := range map[string]context.Context{"without a trace": t.Context(), "with one": traced} {
			text.Reset()
			logger.With("a", 1).Log(ctx, level, "something happened", "error", "none")
			var line map[string]any
			if err := json.Unmarshal(text.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339Nano, line["time"].(string))
			if line["severity"] != severity || line["message"] != "something happened" || line["service"] != "probe" ||
				line["a"] != 1.0 || err != nil || time.Since(at) > time.Minute {
				t.Errorf("%s %s: %v", level, name, line)
			}
			want := any(nil)
			if ctx == traced {
				want = "projects/larder-test/traces/" + traceID.String()
			}
			if line["logging.googleapis.com/trace"] != want || line["msg"] != nil || line["level"] != nil {
				t.Errorf("%s %s: %v, want the trace %v", level, name, line, want)
			}
		}
	}
	text.Reset()
	serve.NewLogger(&text, slog.LevelWarn, "p").Info("not to be seen")
	if text.Len() > 0 {
		t.Errorf("a line below the level was written: %s", &text)
	}
}
