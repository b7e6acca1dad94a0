package search

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"larder.dev/internal/fault"
	"larder.dev/internal/telemetry"
)

// How old an answer may be (RFC 5861): what is asked all the time is asked of the index once a second, what is asked seldom isn't answered
// from a minute ago, and an index in trouble is covered up for as long as that.
const (
	freshFor = time.Second     // it is given as it is
	staleFor = 5 * time.Second // it is given while the index is asked anew (stale-while-revalidate)
	keptFor  = time.Minute     // it is given if the index is away or slow (stale-if-error)
	// patience is how long the index may take before a kept answer is given instead.
	patience = 300 * time.Millisecond
	// flightTime bounds asking the index on behalf of everybody who waits for the same.
	flightTime = 10 * time.Second
)

var errClosed = errors.New("the service is closing")

// cache keeps answers by key, and asks once for everybody who asks the same at the same time. Errors aren't kept. It is safe for concurrent
// use; values are shared, so nobody may change them.
type cache[T any] struct {
	entries *lru.Cache[string, entry[T]]
	flights singleflight.Group
	now     func() time.Time

	life   context.Context // ends with close
	end    context.CancelFunc
	mu     sync.Mutex // guards running.Add against close
	closed bool
	flying sync.WaitGroup
}

type entry[T any] struct {
	value T
	at    time.Time
}

// newCache keeps so many answers, those that were asked for last.
func newCache[T any](size int, now func() time.Time) (*cache[T], error) {
	entries, err := lru.New[string, entry[T]](size)
	if err != nil {
		return nil, fmt.Errorf("make a cache of %d answers: %w", size, err)
	}
	life, end := context.WithCancel(context.Background())
	return &cache[T]{entries: entries, now: now, life: life, end: end}, nil
}

// get answers from what is kept, or asks. A nil cache always asks.
func (c *cache[T]) get(ctx context.Context, key string, ask func(context.Context) (T, error)) (T, error) {
	if c == nil {
		return ask(ctx)
	}
	kept, ok := c.entries.Get(key)
	age := c.now().Sub(kept.at)
	ok = ok && age < keptFor
	given := func(source string) { telemetry.SearchAnswers.Add(ctx, 1, source) }
	if ok && age < freshFor {
		given("kept")
		return kept.value, nil
	}
	asked := false // by this call; read when its flight has landed
	flight := c.fly(ctx, key, func(ctx context.Context) (T, error) {
		asked = true
		return ask(ctx)
	})
	if ok && age < staleFor {
		given("stale")
		return kept.value, nil
	}
	var impatient <-chan time.Time
	if ok {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		impatient = timer.C
	}
	select {
	case landed := <-flight:
		if ok && fault.Is(landed.Err, fault.Unavailable) {
			given("covered")
			return kept.value, nil
		}
		switch {
		case landed.Err != nil:
		case asked:
			given("index")
		default:
			given("shared")
		}
		value, _ := landed.Val.(T) // the zero value beside an error
		return value, landed.Err
	case <-impatient:
		given("covered")
		return kept.value, nil
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// fly asks in a context of its own: that one of those who wait goes away is no reason to leave the others without an answer.
func (c *cache[T]) fly(ctx context.Context, key string, ask func(context.Context) (T, error)) <-chan singleflight.Result {
	return c.flights.DoChan(key, func() (any, error) {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, errClosed
		}
		c.flying.Add(1)
		c.mu.Unlock()
		defer c.flying.Done()

		// Who found nothing kept may come here just after the flight that was under way then has landed.
		if kept, ok := c.entries.Get(key); ok && c.now().Sub(kept.at) < freshFor {
			return kept.value, nil
		}
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTime)
		defer cancel()
		defer context.AfterFunc(c.life, cancel)() //nolint:contextcheck // a flight ends with the cache, too
		value, err := ask(own)
		if err == nil {
			c.entries.Add(key, entry[T]{value, c.now()})
		}
		return value, err
	})
}

// close ends what is being asked and waits for it.
func (c *cache[T]) close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.flying.Wait()
}
