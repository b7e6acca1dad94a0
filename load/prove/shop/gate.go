package shop

import (
	"context"
	"sync"
	"time"
)

// gate bounds how many requests are on the way at once, by how long they take: as TCP does, it opens by little steps while answers come
// quickly, and closes by a part when they don't. More at once than a machine can do only take longer, until all of them are too late.
type gate struct {
	mu     sync.Mutex
	limit  float64 // most at once
	inside int
	closed time.Time // when it was closed by a part the last time
	free   chan struct{}
}

const (
	narrowest  = 4.0
	quick      = 800 * time.Millisecond
	slow       = 2 * time.Second
	closeEvery = time.Second
	closeTo    = 0.8
)

// newGate makes a gate that lets in at most as many.
func newGate(widest int) *gate {
	return &gate{limit: min(3*narrowest, float64(widest)), free: make(chan struct{}, widest)}
}

// enter waits for a place; false: ctx has ended before.
func (g *gate) enter(ctx context.Context) bool {
	for {
		g.mu.Lock()
		if float64(g.inside) < g.limit {
			g.inside++
			g.mu.Unlock()
			return true
		}
		g.mu.Unlock()
		select {
		case <-g.free:
		case <-ctx.Done():
			return false
		}
	}
}

// push enters without waiting: whoever has begun something goes on with it.
func (g *gate) push() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside++
}

// leave gives the place back. took is how long the request took, 0 if that says nothing.
func (g *gate) leave(took time.Duration) {
	g.mu.Lock()
	g.inside--
	before := int(g.limit)
	switch now := time.Now(); {
	case took == 0:
	case took < quick:
		g.limit = min(g.limit+1/g.limit, float64(cap(g.free)))
	case took > slow && now.Sub(g.closed) > closeEvery:
		g.limit, g.closed = max(g.limit*closeTo, narrowest), now
	}
	wake := 1 + max(0, int(g.limit)-before)
	g.mu.Unlock()
	for range wake {
		select {
		case g.free <- struct{}{}:
		default: // as many as there are places wait no more
		}
	}
}

// width is how many may be inside.
func (g *gate) width() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return int(g.limit)
}
