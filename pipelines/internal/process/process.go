// Package process holds what the parts of a streaming pipeline share within one process: whether it is ready,
// when it has to stop, and how it retries.
//
// These are package variables on purpose. Beam encodes the functions of a pipeline and builds them anew, so they
// can't be handed pointers to anything of the main program, also where both run in one process.
package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

var (
	mu     sync.Mutex
	states = map[string]error{}

	writing, abort = context.WithCancelCause(context.Background())
)

var errUnknown = errors.New("not reached yet")

// Expect names parts that are not ready until they have reported success.
func Expect(parts ...string) {
	for _, part := range parts {
		Report(part, errUnknown)
	}
}

// Report says how a part fared the last time it was used; nil is well. A change is logged.
func Report(part string, err error) {
	mu.Lock()
	last, known := states[part]
	states[part] = err
	mu.Unlock()
	switch {
	case err == nil && (last != nil || !known):
		slog.Info("ready", "part", part)
	case err != nil && last == nil && known:
		slog.Warn("not ready", "part", part, "error", err)
	}
}

// Handler serves /healthz (the process runs) and /readyz (all parts are well, else 503), and says what is not.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		faults := map[string]string{}
		for part, err := range states {
			if err != nil {
				faults[part] = err.Error()
			}
		}
		mu.Unlock()
		if len(faults) > 0 {
			answer(w, http.StatusServiceUnavailable, faults)
			return
		}
		answer(w, http.StatusOK, nil)
	})
	return mux
}

func answer(w http.ResponseWriter, status int, faults map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": status == http.StatusOK, "faults": faults})
}

// Writing returns a context for writes of the pipeline, which ends with ctx or on [Abort]. Draining doesn't end it.
func Writing(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(writing, func() { cancel(context.Cause(writing)) })
	return ctx, func() { stop(); cancel(nil) }
}

// Abort ends all writing. What was not written stays unacknowledged.
func Abort(cause error) { abort(cause) }

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error that [Retry] returns instead of trying again.
func Permanent(err error) error { return permanent{err} }

// Retry calls f until it returns nil or a permanent error, or ctx ends; in between it waits from 50 ms on, doubled
// each time up to 5 s, give or take half. It has no limit: giving up would lose what is to be written.
func Retry(ctx context.Context, doing string, f func(context.Context) error) error {
	policy := retrypolicy.NewBuilder[any]().
		WithBackoff(50*time.Millisecond, 5*time.Second).
		WithJitterFactor(0.5).
		WithMaxRetries(-1).
		AbortIf(func(_ any, err error) bool { return ctx.Err() != nil || errors.As(err, new(permanent)) }).
		OnRetryScheduled(func(e failsafe.ExecutionScheduledEvent[any]) {
			slog.Warn("try again", "doing", doing, "attempt", e.Attempts(), "after_ms", e.Delay.Milliseconds(), "error", e.LastError())
		}).
		Build()
	err := failsafe.With(policy).WithContext(ctx).Run(func() error { return f(ctx) })
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
