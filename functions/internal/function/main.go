package function

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"larder.dev/internal/serve"
)

// grace is how long an ending process lets calls finish. Cloud Run kills after 10 seconds.
const grace = 8 * time.Second

// Main runs the function that FUNCTION_TARGET names until the process is told to stop, and exits: 0 after an orderly end, else 1. Only
// that function's configuration is read, and only its clients are made.
func Main(all map[string]Setup) {
	if err := run(all, os.Getenv("FUNCTION_TARGET")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(all map[string]Setup, target string) (err error) {
	setup, known := all[target]
	if !known {
		return fmt.Errorf("FUNCTION_TARGET is %q, which is none of %s", target, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	told, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// Its clients and keys outlive the signal: what is under way goes on.
	ctx, cancel := context.WithCancel(context.WithoutCancel(told))
	defer cancel()
	app := New(target)
	app.observe = func(name string, config *Config) error {
		sent, err := serve.Observe(ctx, os.Stdout, name, config.LogLevel, config.Project, config.Telemetry)
		if err == nil {
			app.closers = append(app.closers, func() error { serve.Flush(sent); return nil }) //nolint:contextcheck // what ends here has no caller
		}
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	handler, err := setup(ctx, app)
	if err != nil {
		return err
	}

	var calls calls
	functions.HTTP(target, calls.guard(Handler(handler)).ServeHTTP)
	failed := make(chan error, 1)
	go func() { failed <- funcframework.Start(strconv.Itoa(app.config.Port)) }()
	slog.Info("function starts", "port", app.config.Port)
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-told.Done():
	}
	// The framework's server can't be shut down: it is left when nobody waits for it any more.
	ended := calls.end(grace)
	slog.Info("function ends", "orderly", ended)
	if !ended {
		return errors.New("a call didn't end in time")
	}
	return nil
}

// Handler is everything that a function answers on its port. A panic ends the call, not the process.
func Handler(function http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ready\n")) })
	mux.Handle("/", function)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { //nolint:contextcheck // the context is the request's
			if p := recover(); p != nil {
				slog.ErrorContext(r.Context(), "panic", "panic", p, "stack", string(debug.Stack()))
				http.Error(w, "internal error", http.StatusInternalServerError)
			}
		}()
		mux.ServeHTTP(w, r)
	})
}

// calls counts the calls under way. Once the end has begun it takes no more.
type calls struct {
	mu      sync.Mutex
	ending  bool
	running sync.WaitGroup
}

func (c *calls) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ending {
		c.running.Add(1)
	}
	return !c.ending
}

func (c *calls) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.begin() {
			w.Header().Set("Connection", "close")
			http.Error(w, "the process ends", http.StatusServiceUnavailable)
			return
		}
		defer c.running.Done()
		next.ServeHTTP(w, r)
		_ = http.NewResponseController(w).Flush() // once the last call is through, the process may end before its answer is sent
	})
}

// end waits for the calls under way, no longer than a limit, and tells whether they are through.
func (c *calls) end(limit time.Duration) bool {
	c.mu.Lock()
	c.ending = true
	c.mu.Unlock()
	done := make(chan struct{})
	go func() {
		c.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}
