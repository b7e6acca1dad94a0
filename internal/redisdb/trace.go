package redisdb

import (
	"context"
	"errors"
	"net"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

var tracer = otel.Tracer("larder.dev/internal/redisdb")

// Trace lets a client's commands have spans, within traces that are recorded. They name the command and never its keys and values, some of
// which are people's. (go-redis' own hook makes spans, and all of their attributes, also where nothing is recorded.)
func Trace(client redis.UniversalClient) { client.AddHook(traced{}) }

type traced struct{}

func (traced) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

func (traced) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !trace.SpanFromContext(ctx).IsRecording() {
			return next(ctx, cmd)
		}
		name := cmd.Name()
		ctx, span := tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			semconv.DBSystemNameRedis, semconv.DBOperationName(name)))
		return end(span, next(ctx, cmd))
	}
}

func (traced) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if !trace.SpanFromContext(ctx).IsRecording() {
			return next(ctx, cmds)
		}
		ctx, span := tracer.Start(ctx, "PIPELINE", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			semconv.DBSystemNameRedis, semconv.DBOperationName("PIPELINE"), semconv.DBOperationBatchSize(len(cmds))))
		return end(span, next(ctx, cmds))
	}
}

// end ends a span; that there is nothing at a key is an answer.
func end(span trace.Span, err error) error {
	if err != nil && !errors.Is(err, redis.Nil) {
		span.SetStatus(codes.Error, "failed")
	}
	span.End()
	return err
}
