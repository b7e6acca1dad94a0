package search

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"larder.dev/internal/fault"
)

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func kept(t *testing.T, size int) (*cache[int], *clock) {
	t.Helper()
	time := &clock{now: time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)}
	c, err := newCache[int](size, time.read)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c, time
}

func value(v int) func(context.Context) (int, error) {
	return func(context.Context) (int, error) { return v, nil }
}

var away = fault.Unavailable.New("away")

func refuse(context.Context) (int, error) { return 0, away }

func TestAnswersAge(t *testing.T) {
	c, clock := kept(t, 10)
	get := func(what string, want int, ask func(context.Context) (int, error)) {
		t.Helper()
		if got, err := c.get(t.Context(), "key", ask); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", what, got, err, want)
		}
	}
	get("the first", 1, value(1))
	clock.add(freshFor - 1)
	get("fresh", 1, value(2))
	clock.add(1)
	asked := make(chan struct{})
	get("stale", 1, func(context.Context) (int, error) { defer close(asked); return 3, nil })
	<-asked
	for deadline := time.Now().Add(10 * time.Second); ; {
		if e, ok := c.entries.Get("key"); ok && e.value == 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the answer to what was asked beside isn't kept")
		}
	}
	get("asked anew", 3, value(4))
	clock.add(staleFor)
	get("too old to be given unasked", 5, value(5))
	clock.add(keptFor - 1)
	get("the index is away", 5, refuse)
	started := time.Now()
	get("the index is slow", 5, func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
	if took := time.Since(started); took < patience || took > 10*patience {
		t.Errorf("a slow index was waited for %s, want %s", took, patience)
	}
}

func TestWhatIsTooOldIsNotGiven(t *testing.T) {
	c, clock := kept(t, 10)
	if _, err := c.get(t.Context(), "key", value(1)); err != nil {
		t.Fatal(err)
	}
	clock.add(keptFor)
	if v, err := c.get(t.Context(), "key", refuse); !errors.Is(err, away) {
		t.Errorf("%d, %v, want the index's error", v, err)
	}
}

// Only trouble of the index is covered up, and no error is kept.
func TestErrorsAreNotKept(t *testing.T) {
	c, clock := kept(t, 10)
	ours := errors.New("ours")
	if _, err := c.get(t.Context(), "key", func(context.Context) (int, error) { return 0, ours }); !errors.Is(err, ours) {
		t.Error(err)
	}
	if v, err := c.get(t.Context(), "key", value(1)); err != nil || v != 1 {
		t.Errorf("%d, %v", v, err)
	}
	clock.add(staleFor)
	if _, err := c.get(t.Context(), "key", func(context.Context) (int, error) { return 0, ours }); !errors.Is(err, ours) {
		t.Error(err)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	c, _ := kept(t, 10)
	for i := range 1000 {
		if _, err := c.get(t.Context(), fmt.Sprint(i), value(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.entries.Len(); n != 10 {
		t.Errorf("%d answers are kept, want 10", n)
	}
}

// Closing ends what is asked and waits for it; who waits is told.
func TestClosing(t *testing.T) {
	c, _ := kept(t, 10)
	asking := make(chan struct{})
	var ended atomic.Bool
	got := make(chan error, 1)
	go func() {
		_, err := c.get(context.Background(), "key", func(ctx context.Context) (int, error) {
			close(asking)
			<-ctx.Done()
			ended.Store(true)
			return 0, ctx.Err()
		})
		got <- err
	}()
	<-asking
	c.close()
	if !ended.Load() {
		t.Error("closed before the end of what was asked")
	}
	if err := <-got; err == nil {
		t.Error("who waited has an answer")
	}
	if _, err := c.get(t.Context(), "other", value(1)); !errors.Is(err, errClosed) {
		t.Errorf("after closing: %v", err)
	}
}
