package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// share gives the sign of life that is due, gives back shards beyond the relay's part and takes those that are missing (rules 4 and 5).
// It returns the shards that are the relay's in this view and stay so; those it takes are in the next view.
func (r *Relay) share(ctx context.Context, view View) (mine []Lease, moved bool, err error) {
	for _, lease := range view.Leases {
		if s := r.busy[lease.Shard]; s != nil && lease.Owner != r.id {
			s.cancel(ErrLost) // each event it publishes from now on is published twice
		}
	}
	if _, known := view.Seen[r.id]; !known || time.Since(r.renewed) >= r.options.Lease/3 {
		start := time.Now()
		if err := r.store.Renew(ctx, r.id); err != nil {
			return nil, false, fmt.Errorf("renew the lease: %w", err)
		}
		r.renewed = start
	}

	part := divide(r.id, view, r.options.Lease)
	r.stats.shards.Store(int64(len(part.mine)))
	r.stats.relays.Store(int64(part.relays))
	var rest []int64 // surplus at rest; what is busy is given back when it has come to rest, for it isn't started again
	for _, lease := range part.surplus {
		if r.busy[lease.Shard] == nil {
			rest = append(rest, lease.Shard)
		}
	}
	if len(rest) > 0 {
		if err := r.store.Release(ctx, r.id, rest); err != nil {
			return nil, false, fmt.Errorf("release shards: %w", err)
		}
		r.log.InfoContext(ctx, "outbox: gave shards back", "count", len(rest), "relays", part.relays)
	}
	if len(part.claims) > 0 {
		if err := r.store.Claim(ctx, r.id, part.claims); err != nil {
			return nil, false, fmt.Errorf("claim shards: %w", err)
		}
		r.log.InfoContext(ctx, "outbox: took shards", "count", len(part.claims), "relays", part.relays)
	}
	return part.mine, len(rest)+len(part.claims) > 0, nil
}

// part is what a relay should do about a view.
type part struct {
	mine, surplus, claims []Lease
	relays                int
}

// divide finds a relay's part: with n alive, the first ones by id hold one shard more if they can't be divided evenly.
func divide(id string, view View, lease time.Duration) (p part) {
	alive := []string{id}
	for other, seen := range view.Seen {
		if other != id && view.Time.Sub(seen) < lease {
			alive = append(alive, other)
		}
	}
	slices.Sort(alive)
	p.relays = len(alive)
	size := len(view.Leases) / len(alive)
	if slices.Index(alive, id) < len(view.Leases)%len(alive) {
		size++
	}
	var free []Lease
	for _, l := range view.Leases {
		switch {
		case l.Owner == id && len(p.mine) < size:
			p.mine = append(p.mine, l)
		case l.Owner == id:
			p.surplus = append(p.surplus, l)
		case !slices.Contains(alive, l.Owner):
			free = append(free, l)
		}
	}
	p.claims = free[:min(len(free), size-len(p.mine))]
	return p
}
