package index

import (
	"context"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/elastic/go-elasticsearch/v8"
	"go.opentelemetry.io/otel"
)

// Instrumentation gives a client's calls spans by OpenTelemetry's conventions for Elasticsearch. Bodies, with what people look for, are never
// told.
func Instrumentation() elastictransport.Instrumentation {
	return instrumentation{elasticsearch.NewOpenTelemetryInstrumentation(otel.GetTracerProvider(), false)}
}

// instrumentation takes calls that were given no context, which the client's own panics at.
type instrumentation struct {
	elastictransport.Instrumentation
}

func (i instrumentation) Start(ctx context.Context, name string) context.Context {
	if ctx == nil {
		ctx = context.Background()
	}
	return i.Instrumentation.Start(ctx, name)
}
