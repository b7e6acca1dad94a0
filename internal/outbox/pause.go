package outbox

import (
	"context"
	"math/rand/v2"
	"time"
)

// pause is a pause that doubles from min to max each time it is made, with jitter, until it is reset.
type pause struct{ min, max, now time.Duration }

func (p *pause) next() time.Duration {
	p.now = min(max(2*p.now, p.min), p.max)
	return p.now/2 + rand.N(p.now/2+1)
}

func (p *pause) reset() { p.now = 0 }

// sleep waits, or returns early when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
