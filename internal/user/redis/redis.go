// Package redis counts tries in Redis by redis_rate, a token bucket (GCRA) in one script, so that all instances count together. Keys are
// "rate:user:<kind>:<hash>", and expire by themselves.
package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"larder.dev/internal/user"
)

// Open makes a client of the Redis server of tries; it connects when it is first used. Counting is worth no long wait.
func Open(address string) *redis.Client {
	const patience = 300 * time.Millisecond
	return redis.NewClient(&redis.Options{
		Addr: address, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, PoolTimeout: patience, ContextTimeoutEnabled: true,
	})
}

// Tries implements user.Tries.
type Tries struct {
	limiter *redis_rate.Limiter
	prefix  string
}

var _ user.Tries = (*Tries)(nil)

// New makes one that counts under a prefix of its own.
func New(client *redis.Client, prefix string) *Tries {
	return &Tries{limiter: redis_rate.NewLimiter(client), prefix: prefix + ":"}
}

// Try implements user.Tries.
func (t *Tries) Try(ctx context.Context, key string, allowed int, period time.Duration) (ok bool, again time.Duration, err error) {
	result, err := t.limiter.Allow(ctx, t.prefix+key, redis_rate.Limit{Rate: allowed, Burst: allowed, Period: period})
	if err != nil {
		return false, 0, fmt.Errorf("count a try: %w", err)
	}
	return result.Allowed > 0, result.RetryAfter, nil
}

// Forget implements user.Tries.
func (t *Tries) Forget(ctx context.Context, key string) error {
	if err := t.limiter.Reset(ctx, t.prefix+key); err != nil {
		return fmt.Errorf("forget tries: %w", err)
	}
	return nil
}
