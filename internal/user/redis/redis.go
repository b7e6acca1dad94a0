// Package redis counts tries in Redis by redis_rate, a token bucket (GCRA) in one script, so that all instances count together. Keys are
// "rate:user:<kind>:<hash>", and expire by themselves.
package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"larder.dev/internal/redisdb"
	"larder.dev/internal/user"
)

// Open makes a client of the Redis server of tries; it connects when it is first used. Counting is worth no long wait.
func Open(address string) (*redis.Client, error) {
	at, err := redisdb.Options(address)
	if err != nil {
		return nil, err
	}
	const patience = 300 * time.Millisecond
	options := at.Simple()
	options.MaxRetries, options.DialerRetries = -1, 1
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = patience, patience, patience, patience
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	redisdb.Trace(client)
	return client, nil
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
