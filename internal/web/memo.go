package web

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Memo keeps what every page needs and hardly ever changes, a list of stores for example. What can't be read anew stays as it was: a page with
// yesterday's list is better than none.
type Memo[T any] struct {
	life time.Duration
	read func(context.Context) (T, error)

	running singleflight.Group
	mu      sync.Mutex
	value   T
	until   time.Time
	known   bool
}

// NewMemo makes one that reads anew once its value is so old.
func NewMemo[T any](life time.Duration, read func(context.Context) (T, error)) *Memo[T] {
	return &Memo[T]{life: life, read: read}
}

// Get returns the value. An error is the reading's, as long as there never was a value.
func (m *Memo[T]) Get(ctx context.Context) (T, error) {
	m.mu.Lock()
	value, known, fresh := m.value, m.known, time.Now().Before(m.until)
	m.mu.Unlock()
	if fresh {
		return value, nil
	}
	next, err, _ := m.running.Do("", func() (any, error) {
		value, err := m.read(context.WithoutCancel(ctx))
		if err != nil {
			return value, err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.value, m.until, m.known = value, time.Now().Add(m.life), true
		return value, nil
	})
	if err != nil && known {
		return value, nil
	}
	value, _ = next.(T)
	return value, err
}
