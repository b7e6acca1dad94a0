package serve

import (
	"context"
	"fmt"
	"testing"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"

	cartpb "larder.dev/api/cart/v1"
)

// BenchmarkTracing is what one request pays for its span and its measurement, by the share of traces that is recorded. Spans are handed to
// the batch processor, and dropped behind it.
func BenchmarkTracing(b *testing.B) {
	info := &grpc.UnaryServerInfo{FullMethod: cartpb.CartService_GetCart_FullMethodName}
	next := func(context.Context, any) (any, error) { return nil, nil }
	before := otel.GetTracerProvider()
	b.Cleanup(func() { otel.SetTracerProvider(before) })
	b.Run("without", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = next(b.Context(), nil)
		}
	})
	for _, ratio := range []float64{0, 0.01, 1} {
		provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))),
			sdktrace.WithBatcher(tracetest.NewNoopExporter()))
		tracer = provider.Tracer("larder.dev/internal/serve")
		b.Run(fmt.Sprintf("at %g", ratio), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = tracing(b.Context(), nil, info, next)
			}
		})
	}
	tracer = otel.Tracer("larder.dev/internal/serve")
}
