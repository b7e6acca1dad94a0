package telemetry

import (
	"fmt"
	"strconv"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// sampling is the sampler that the configuration asks for.
func sampling(c Config) (sdktrace.Sampler, error) {
	switch c.Sampler {
	case "", "parentbased_always_on":
		return sdktrace.ParentBased(entrances{sdktrace.AlwaysSample()}), nil
	case "parentbased_always_off":
		return sdktrace.ParentBased(sdktrace.NeverSample()), nil
	case "parentbased_traceidratio":
		ratio, err := strconv.ParseFloat(c.Ratio, 64)
		if err != nil || ratio < 0 || ratio > 1 {
			return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG is %q, not a number from 0 to 1", c.Ratio)
		}
		return sdktrace.ParentBased(entrances{sdktrace.TraceIDRatioBased(ratio)}), nil
	default:
		return nil, fmt.Errorf("OTEL_TRACES_SAMPLER is %q, none of parentbased_always_on, parentbased_traceidratio, parentbased_always_off", c.Sampler)
	}
}

// entrances lets a trace begin only where something comes in: a request, a delivery, a scheduled run. The looks that workers and probes
// have at databases, many a second, would be traces of one span each.
type entrances struct{ sdktrace.Sampler }

// ShouldSample implements sdktrace.Sampler.
func (e entrances) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if p.Kind == trace.SpanKindServer || p.Kind == trace.SpanKindConsumer {
		return e.Sampler.ShouldSample(p)
	}
	return sdktrace.NeverSample().ShouldSample(p)
}
