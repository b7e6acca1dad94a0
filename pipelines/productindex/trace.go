package main

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"larder.dev/internal/telemetry"
	"larder.dev/pipelines/internal/bulk"
	"larder.dev/pipelines/internal/cdc"
)

var tracer = otel.Tracer("larder.dev/pipelines/productindex")

// maxTraced changes of a bundle have spans: those of an import are all in one trace, and alike.
const maxTraced = 50

// traced is what traces see of a bundle: each change whose trace is recorded has a span in it, from its commit to its being written; the
// write that carries them all has one in the first one's trace, with links to the others (semantic conventions for messaging, batches).
type traced struct {
	span    trace.Span
	changes []trace.Span
}

func traceBundle(ctx context.Context, pending []event) (context.Context, traced) {
	var t traced
	var links []trace.Link
	first := ctx
	for _, e := range pending {
		parent := trace.SpanContextFromContext(telemetry.Propagator.Extract(ctx, propagation.MapCarrier{"traceparent": e.Change.Traceparent}))
		if !parent.IsSampled() || len(t.changes) == maxTraced {
			continue
		}
		within, span := tracer.Start(trace.ContextWithRemoteSpanContext(ctx, parent), "index product",
			trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(committed(e.Change)), trace.WithAttributes(
				semconv.MessagingSystemGCPPubSub, semconv.MessagingOperationTypeProcess, semconv.MessagingMessageID(e.Message.ID),
				attribute.String("larder.product.id", e.Change.ProductID), attribute.Int64("larder.product.revision", e.Change.Revision)))
		if len(t.changes) == 0 {
			first = within //nolint:fatcontext // once: the first change's
		} else {
			links = append(links, trace.Link{SpanContext: span.SpanContext()})
		}
		t.changes = append(t.changes, span)
	}
	if len(t.changes) == 0 {
		return ctx, t
	}
	ctx, t.span = tracer.Start(first, "index bundle", trace.WithLinks(links...), trace.WithAttributes(
		semconv.MessagingBatchMessageCount(len(pending))))
	return ctx, t
}

func (t traced) end(err error) {
	if t.span == nil {
		return
	}
	for _, span := range append(t.changes, t.span) {
		if err != nil {
			span.SetStatus(codes.Error, "not written")
		}
		span.End()
	}
}

// committed is when a change was, now where its message doesn't say.
func committed(change cdc.Change) time.Time {
	if change.Position.TimeMS == 0 {
		return time.Now()
	}
	return time.UnixMilli(change.Position.TimeMS)
}

// measure records what a bundle came to.
func measure(ctx context.Context, pending []event, result bulk.Result) {
	for _, e := range pending {
		telemetry.IndexLag.Since(ctx, committed(e.Change))
	}
	telemetry.IndexChanges.Add(ctx, int64(result.Written), "written")
	telemetry.IndexChanges.Add(ctx, int64(result.Superseded), "superseded")
	telemetry.IndexChanges.Add(ctx, int64(len(result.Refused)), telemetry.Refused)
}
