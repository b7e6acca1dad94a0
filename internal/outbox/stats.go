package outbox

import (
	"context"
	"sync/atomic"
	"time"

	"larder.dev/internal/telemetry"
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
func (r *Relay) measure() (undo func()) {
	lag := telemetry.OutboxLag.Observe(func() float64 { return time.Duration(r.stats.lag.Load()).Seconds() }, r.name)
	shards := telemetry.OutboxShards.Observe(func() float64 { return float64(r.stats.shards.Load()) }, r.name)
	return func() { lag(); shards() }
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
