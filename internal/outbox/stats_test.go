package outbox_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"larder.dev/internal/outbox"
	"larder.dev/internal/outbox/outboxtest"
)

// blind can't tell which shards have events, while it is told to.
type blind struct {
	outbox.Store
	is atomic.Bool
}

func (b *blind) Waiting(ctx context.Context, shards []outbox.Lease, bound int64) ([]outbox.Lease, error) {
	if b.is.Load() {
		return nil, errors.New("no reads today")
	}
	return b.Store.Waiting(ctx, shards, bound)
}

// A relay that can't see whether there are events tells a lag that grows, in its status and as a metric, until it has seen all again.
func TestLagWhileBlind(t *testing.T) {
	reader := metric.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(before) })

	rig := outboxtest.Open(t)
	inbox := rig.Subscribe(t)
	eyes := &blind{Store: store(rig)}
	relay, stop := run(t, eyes, publisher(rig), options())
	write(t, rig, rig.Event("seen", "orders/1"))
	inbox.Await(t, []string{"seen"}, limit)
	seen := func() bool { return relay.Status().LagMillis == 0 && gauge(t, reader) == 0 }
	if !outboxtest.Poll(limit, seen) {
		t.Fatalf("everything is published, and the lag is %d ms, as a metric %g s", relay.Status().LagMillis, gauge(t, reader))
	}

	eyes.is.Store(true)
	write(t, rig, rig.Event("unseen", "orders/1"))
	if !outboxtest.Poll(limit, func() bool { return relay.Status().LagMillis > 300 && gauge(t, reader) > 0.3 }) {
		t.Errorf("a relay that sees nothing tells a lag of %d ms, as a metric %g s", relay.Status().LagMillis, gauge(t, reader))
	}
	eyes.is.Store(false)
	inbox.Await(t, []string{"unseen"}, limit)
	if !outboxtest.Poll(limit, seen) {
		t.Errorf("everything is published, and the lag is %d ms, as a metric %g s", relay.Status().LagMillis, gauge(t, reader))
	}
	stop()
	if got := gauge(t, reader); got != none {
		t.Errorf("a relay that has ended tells a lag of %g s", got)
	}
}

// none is what gauge answers when nobody tells a lag.
const none = -1

// gauge is the metric larder.outbox.lag, seconds.
func gauge(t *testing.T, reader *metric.ManualReader) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if lag, ok := m.Data.(metricdata.Gauge[float64]); ok && m.Name == "larder.outbox.lag" && len(lag.DataPoints) == 1 {
				return lag.DataPoints[0].Value
			}
		}
	}
	return none
}
