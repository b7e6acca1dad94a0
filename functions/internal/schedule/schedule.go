// Package schedule runs what Cloud Scheduler calls a function for. A run looks at how things are and puts right what it finds, so two at
// once, or one again, do no harm.
package schedule

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"larder.dev/internal/fault"
	"larder.dev/internal/serve"
	"larder.dev/internal/telemetry"
)

// Run does the work and reports, in a struct with JSON names, what it did. With an error it reports how far it came.
type Run func(ctx context.Context) (report any, err error)

var tracer = otel.Tracer("larder.dev/functions/internal/schedule")

// NewHandler answers a POST with 200 and the report, or with 500 and {"error", "report"} when something failed, which is logged. A run
// takes no longer than the timeout.
func NewHandler(name string, timeout time.Duration, run Run) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			serve.WriteError(w, r, fault.MethodNotAllowed.New("a function is called by POST"))
			return
		}
		ctx, cancel := context.WithTimeout(propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header)), timeout)
		defer cancel()
		ctx, span := tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(semconv.FaaSTriggerTimer))
		defer span.End()

		began := time.Now()
		report, err := run(ctx)
		telemetry.Runs.Since(ctx, began, name, telemetry.OutcomeOf(err))
		status, answer := http.StatusOK, report
		if err != nil {
			span.SetStatus(codes.Error, "run failed")
			slog.ErrorContext(ctx, "run failed", "error", err.Error(), "report", report)
			status, answer = http.StatusInternalServerError, map[string]any{"error": err.Error(), "report": report}
		} else {
			slog.DebugContext(ctx, "run done", "report", report)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			slog.DebugContext(ctx, "answer", "error", err.Error())
		}
	})
}
