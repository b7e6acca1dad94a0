package stripe

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/stripe/stripe-go/v83"

	"larder.dev/internal/payment"
	"larder.dev/internal/telemetry"
)

// Retries wait between 0 and twice as long each time, full jitter: a herd that was refused together comes back apart.
const (
	maxAttempts  = 5
	backoffFirst = 100 * time.Millisecond
	backoffLast  = 3 * time.Second
)

// The breaker opens when most of at least 20 calls within 10 seconds failed, and tries again after 5 seconds.
const (
	breakerShare  = 0.6
	breakerCalls  = 20
	breakerPeriod = 10 * time.Second
	breakerPause  = 5 * time.Second
)

// calls is what every call to Stripe goes through: retries around a bulkhead around the breaker around a time limit.
type calls struct {
	each, all time.Duration
	executor  failsafe.Executor[any]
	breaker   circuitbreaker.CircuitBreaker[any]
	seen      seen
}

func newCalls(each, all time.Duration, concurrent uint) *calls {
	retry := retrypolicy.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool { return errors.As(err, new(*trouble)) }).
		WithMaxAttempts(maxAttempts).
		WithDelayFunc(func(exec failsafe.ExecutionAttempt[any]) time.Duration {
			ceiling := min(backoffLast, backoffFirst<<min(exec.Attempts()-1, 10))
			return time.Duration(rand.Int64N(int64(ceiling)))
		}).
		ReturnLastFailure().
		Build()
	limit := bulkhead.NewBuilder[any](concurrent).WithMaxWaitTime(time.Second).Build()
	breaker := circuitbreaker.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool {
			var t *trouble
			return errors.As(err, &t) && !t.ours
		}).
		WithFailureRateThreshold(breakerShare, breakerCalls, breakerPeriod).
		WithDelay(breakerPause).
		WithSuccessThreshold(2).
		Build()
	telemetry.Breaker.Observe(func() float64 { return telemetry.BreakerState(breaker) }, "stripe")
	return &calls{each: each, all: all, breaker: breaker, executor: failsafe.With(retry, limit, breaker)}
}

// trouble is a failed attempt that may do better under the same idempotency key.
type trouble struct {
	cause   error
	unknown bool // it may have had its effect
	ours    bool // another call of ours stands in the way: not Stripe's fault
}

func (t *trouble) Error() string { return t.cause.Error() }
func (t *trouble) Unwrap() error { return t.cause }

// do makes one call, with retries. Its errors are a *stripe.Error (refused for certain), or wrap payment.ErrUnknownOutcome,
// ErrUnavailable or ErrNotFound. f must send the same idempotency key each time, or change nothing.
func do[T any](ctx context.Context, c *calls, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, c.all)
	defer cancel()
	var unknown atomic.Bool // some attempt may have had its effect
	result, err := c.executor.WithContext(ctx).Get(func() (any, error) {
		attempt, cancel := context.WithTimeout(ctx, c.each)
		defer cancel()
		began := time.Now()
		v, err := f(attempt)
		if err == nil {
			c.seen.answer(time.Now(), time.Since(began))
			unknown.Store(false)
			return v, nil
		}
		err = judge(ctx, err)
		var t *trouble
		if ours := !errors.As(err, &t); ours || t.ours {
			c.seen.answer(time.Now(), time.Since(began))
		} else {
			c.seen.failure(time.Now())
		}
		if t == nil {
			unknown.Store(false) // a certain refusal speaks for the earlier attempts too: they had the same key
		} else if t.unknown {
			unknown.Store(true)
		}
		return nil, err
	})
	if v, ok := result.(T); err == nil && ok {
		return v, nil
	}
	var none T
	var refusal *stripe.Error
	switch {
	case unknown.Load():
		return none, fmt.Errorf("%w: %w", payment.ErrUnknownOutcome, hide(err))
	case errors.As(err, new(*trouble)), !errors.As(err, &refusal):
		// Refused for its rate, breaker open, bulkhead full, or out of time before anything was sent.
		return none, fmt.Errorf("%w: %w", payment.ErrUnavailable, hide(err))
	case refusal.HTTPStatusCode == http.StatusNotFound:
		return none, fmt.Errorf("%w: %s", payment.ErrNotFound, refusal.Msg)
	}
	return none, err
}

// judge sorts a failed attempt: a certain refusal stays as it is, all else is trouble.
func judge(ctx context.Context, err error) error {
	var refusal *stripe.Error
	switch {
	case !errors.As(err, &refusal):
		// No answer of Stripe's. Without a connection nothing was sent; a caller that went away says nothing of Stripe's health.
		var network *net.OpError
		dialled := !errors.As(err, &network) || network.Op != "dial"
		return &trouble{cause: err, unknown: dialled, ours: ctx.Err() != nil}
	case refusal.HTTPStatusCode >= http.StatusInternalServerError:
		return &trouble{cause: err, unknown: true}
	case refusal.HTTPStatusCode == http.StatusConflict, refusal.Code == stripe.ErrorCodeLockTimeout:
		return &trouble{cause: err, unknown: true, ours: true}
	case refusal.HTTPStatusCode == http.StatusTooManyRequests:
		return &trouble{cause: err}
	}
	return err
}

// hide keeps a refusal's text and takes its type away, so that nobody takes trouble for a certain refusal.
func hide(err error) error {
	var refusal *stripe.Error
	if errors.As(err, &refusal) {
		return fmt.Errorf("status %d: %s", refusal.HTTPStatusCode, refusal.Msg)
	}
	return err
}
