// Package redis has the courtesy lock of checkouts.
package redis

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"
)

// How long a lock lasts without being let go, and how long a second click waits for the first.
const (
	lasts = 10 * time.Second
	waits = 3 * time.Second
)

// Locks implements checkout.Locks.
type Locks struct{ client *redislock.Client }

// NewLocks makes one.
func NewLocks(client redis.UniversalClient) *Locks { return &Locks{client: redislock.New(client)} }

// Lock implements checkout.Locks: without the lock the checkout goes on all the same.
func (l *Locks) Lock(ctx context.Context, name string) func() {
	waiting, cancel := context.WithTimeout(ctx, waits)
	defer cancel()
	lock, err := l.client.Obtain(waiting, "lock:{checkout/"+name+"}", lasts, &redislock.Options{
		RetryStrategy: redislock.ExponentialBackoff(8*time.Millisecond, 128*time.Millisecond),
	})
	if err != nil {
		if !errors.Is(err, redislock.ErrNotObtained) {
			slog.DebugContext(ctx, "check out without the courtesy lock", "error", err)
		}
		return func() {}
	}
	return func() {
		_ = lock.Release(context.WithoutCancel(ctx)) // it ends by itself
	}
}
