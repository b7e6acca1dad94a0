package outbox

import (
	"context"
	"fmt"
	"time"
)

// Lag is how far behind an outbox is published.
type Lag struct {
	// Oldest is the age of the oldest event that isn't published, by the database's clock; 0: all are.
	Oldest time.Duration
	// Waiting shards have events that aren't published.
	Waiting int
	// Relays gave a sign of life not long ago.
	Relays int
}

// alive is how long after its last sign of life a relay counts: three times the lease that it has by default.
const alive = 30 * time.Second

// Behind measures an outbox's lag from outside of its relays, so that it is true also while none runs. It reads at most one event a shard.
func Behind(ctx context.Context, store Store) (Lag, error) {
	view, err := store.Look(ctx)
	if err != nil {
		return Lag{}, fmt.Errorf("look at the outbox: %w", err)
	}
	var lag Lag
	for _, seen := range view.Seen {
		if view.Time.Sub(seen) < alive {
			lag.Relays++
		}
	}
	oldest := view.Held // what a long transaction holds back is older than what waits behind it, or there is none
	shards, err := store.Waiting(ctx, view.Leases, view.Bound)
	if err != nil {
		return Lag{}, fmt.Errorf("look at the outbox's shards: %w", err)
	}
	for _, shard := range shards {
		batch, err := store.Read(ctx, shard.Shard, shard.Cursor, view.Bound, 1)
		if err != nil {
			return Lag{}, fmt.Errorf("read shard %d: %w", shard.Shard, err)
		}
		if len(batch.Events) == 0 {
			continue
		}
		lag.Waiting++
		if at := batch.Events[0].Time; oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	if !oldest.IsZero() {
		lag.Oldest = max(view.Time.Sub(oldest), time.Millisecond) // clocks of databases differ: what waits is never of age 0
	}
	return lag, nil
}
