package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// stats are numbers for people.
type stats struct {
	published, again atomic.Int64
	lag, look        atomic.Int64 // nanoseconds
	shards, relays   atomic.Int64
	reported         atomic.Int64 // published, when that was last logged
}

// Status is what a relay is doing.
type Status struct {
	Relay string `json:"relay"`
	// Published events since the start; Retries are failed attempts to publish.
	Published int64 `json:"published"`
	Retries   int64 `json:"retries"`
	// LagMillis is the age of the oldest event of the relay's shards that isn't acknowledged, at its last look; 0 if there is none. While
	// looks fail it is the most that it can be, and grows.
	LagMillis int64 `json:"lag_ms"`
	// LookMillis is what the last look took.
	LookMillis int64 `json:"look_ms"`
	Shards     int64 `json:"shards"`
	Relays     int64 `json:"relays"`
}

// Status may be called at any time.
func (r *Relay) Status() Status {
	s := &r.stats
	return Status{
		Relay: r.id, Published: s.published.Load(), Retries: s.again.Load(), Shards: s.shards.Load(), Relays: s.relays.Load(),
		LagMillis: time.Duration(s.lag.Load()).Milliseconds(), LookMillis: time.Duration(s.look.Load()).Milliseconds(),
	}
}

// measure tells the same to OpenTelemetry, whenever its reader asks, until it is undone. Each relay tells of its own shards: the outbox's
// lag is the greatest of all relays'.
func (r *Relay) measure() (undo func(), err error) {
	meter := otel.Meter("larder.dev/internal/outbox")
	lag, err1 := meter.Float64ObservableGauge("larder.outbox.lag", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest event of the relay's shards that Pub/Sub hasn't acknowledged; 0 if there is none."))
	published, err2 := meter.Int64ObservableCounter("larder.outbox.published", metric.WithUnit("{event}"),
		metric.WithDescription("Events that Pub/Sub has acknowledged, those that were published again included."))
	retries, err3 := meter.Int64ObservableCounter("larder.outbox.retries", metric.WithUnit("{request}"),
		metric.WithDescription("Requests to publish that failed."))
	shards, err4 := meter.Int64ObservableGauge("larder.outbox.shards", metric.WithUnit("{shard}"),
		metric.WithDescription("Shards that the relay publishes."))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, fmt.Errorf("make the outbox's instruments: %w", err)
	}
	of := metric.WithAttributes(attribute.String("larder.outbox", r.name))
	callback, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		now := r.Status()
		o.ObserveFloat64(lag, float64(now.LagMillis)/1000, of)
		o.ObserveInt64(published, now.Published, of)
		o.ObserveInt64(retries, now.Retries, of)
		o.ObserveInt64(shards, now.Shards, of)
		return nil
	}, lag, published, retries, shards)
	if err != nil {
		return nil, fmt.Errorf("register the outbox's instruments: %w", err)
	}
	return func() { _ = callback.Unregister() }, nil // fails only if it is no callback of this meter
}

// report logs a relay's numbers if there was anything to do since the last time.
func (r *Relay) report(ctx context.Context) {
	now := r.Status()
	fresh := now.Published - r.stats.reported.Swap(now.Published)
	if fresh == 0 && now.LagMillis == 0 {
		return
	}
	r.log.InfoContext(ctx, "outbox: progress", "published", fresh, "total", now.Published, "retries", now.Retries, "lag_ms", now.LagMillis,
		"look_ms", now.LookMillis, "shards", now.Shards, "relays", now.Relays)
}
