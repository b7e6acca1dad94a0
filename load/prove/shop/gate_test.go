package shop

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestGateFollowsTheAnswers(t *testing.T) {
	g := newGate(40)
	first := g.width()
	for range 2000 {
		g.enter(t.Context())
		g.leave(time.Millisecond)
	}
	if got := g.width(); got != 40 {
		t.Errorf("after quick answers %d may be inside, want 40", got)
	}
	for range 2000 {
		g.enter(t.Context())
		g.leave(time.Minute)
	}
	if got := g.width(); got >= 40 || got < first {
		t.Errorf("after slow answers within a second %d may be inside, want one step less than 40", got)
	}
}

func TestGateHoldsBack(t *testing.T) {
	g := newGate(6)
	var inside, most atomic.Int64
	var all sync.WaitGroup
	for range 500 {
		all.Go(func() {
			if !g.enter(t.Context()) {
				t.Error("nobody was let in")
				return
			}
			if n := inside.Add(1); n > most.Load() {
				most.Store(n)
			}
			inside.Add(-1)
			g.leave(time.Millisecond)
		})
	}
	all.Wait()
	if most.Load() > 6 {
		t.Errorf("%d were inside at once, of 6", most.Load())
	}
	for range 6 {
		g.enter(t.Context())
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if g.enter(ended) {
		t.Error("a seventh was let in")
	}
}
