package serve_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
)

// running is an App that runs on a port of its own.
type running struct {
	*rig
	stop func()
	done chan error
}

func run(t *testing.T, setup func(app *serve.App, p *probe)) *running {
	t.Helper()
	r := &running{rig: &rig{probe: &probe{do: func(context.Context) error { return nil }}, issuer: servetest.NewIssuer(t), logs: captureLogs(t)}}
	config := r.issuer.Config()
	app, err := serve.New(t.Context(), "probe", &config)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.register(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	setup(app, r.probe)
	ctx, stop := context.WithCancel(t.Context())
	r.stop, r.done = stop, make(chan error, 1)
	go func() { r.done <- app.Run(ctx) }()
	t.Cleanup(stop)
	var address string
	poll(t, "the service to start", func() bool {
		address, _ = r.logs.line(t, "service starts")["address"].(string)
		return address != ""
	})
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://127.0.0.1:" + port
	return r
}

func poll(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("waited 10 s for %s", what)
		case <-tick.C:
		}
	}
}

// ends waits for Run to return.
func (r *running) ends(t *testing.T, within time.Duration) error {
	t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(within):
		t.Fatalf("the service didn't end within %v", within)
		return nil
	}
}

func (r *running) get(t *testing.T, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestShutdownFinishesWhatIsUnderWay(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	var order []string
	r := run(t, func(app *serve.App, p *probe) {
		p.do = func(context.Context) error {
			close(inside)
			<-leave
			return nil
		}
		app.Go("worker", func(ctx context.Context) error {
			<-ctx.Done()
			order = append(order, "worker")
			return ctx.Err()
		})
		app.Close(func(context.Context) error { order = append(order, "opened first"); return nil })
		app.Close(func(context.Context) error { order = append(order, "opened last"); return nil })
	})
	answer := make(chan outcome)
	go func() { answer <- wires[0].put(t, r.rig, r.shopper(t), 1) }()
	<-inside
	r.stop()
	poll(t, "the port to close", func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(leave)
	if got := <-answer; !got.OK {
		t.Errorf("the request under way: %+v", got)
	}
	if err := r.ends(t, 5*time.Second); err != nil {
		t.Errorf("an orderly end: %v", err)
	}
	if got := strings.Join(order, ", "); got != "worker, opened last, opened first" {
		t.Errorf("ended in the order %s", got)
	}
}

func TestShutdownDoesNotWaitForEver(t *testing.T) {
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	var closed atomic.Bool
	r := run(t, func(app *serve.App, _ *probe) {
		app.Go("stubborn", func(context.Context) error { <-never; return nil })
		app.Close(func(context.Context) error { closed.Store(true); return nil })
	})
	r.stop()
	if err := r.ends(t, 10*time.Second); err == nil {
		t.Error("a worker that didn't end is no error")
	}
	if !closed.Load() {
		t.Error("what was opened wasn't closed")
	}
}

func TestAWorkersErrorEndsTheService(t *testing.T) {
	cause := errors.New("lost")
	fail := make(chan struct{})
	r := run(t, func(app *serve.App, _ *probe) {
		app.Go("worker", func(context.Context) error { <-fail; return cause })
	})
	close(fail)
	if err := r.ends(t, 5*time.Second); !errors.Is(err, cause) || !strings.Contains(err.Error(), "worker") {
		t.Errorf("the service ended with %v", err)
	}
}

func TestReadinessMeansIt(t *testing.T) {
	var away atomic.Bool
	r := run(t, func(app *serve.App, _ *probe) {
		app.Ready("ledger", func(context.Context) error { return nil })
		app.Ready("stock", func(ctx context.Context) error {
			if away.Load() {
				return errors.New("dial 10.0.0.7: refused")
			}
			if _, ok := ctx.Deadline(); !ok {
				return errors.New("no deadline")
			}
			return nil
		})
	})
	if code, text := r.get(t, "/readyz"); code != 200 {
		t.Errorf("ready: %d %s", code, text)
	}
	away.Store(true)
	if code, text := r.get(t, "/readyz"); code != 503 || !strings.Contains(text, "stock") || strings.Contains(text, "10.0.0.7") {
		t.Errorf("not ready: %d %q, want 503 that names the part and nothing internal", code, text)
	}
	if code, _ := r.get(t, "/livez"); code != 200 {
		t.Errorf("alive: %d", code)
	}
}

func TestATakenPortIsAnError(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	config := servetest.NewIssuer(t).Config()
	config.Port = taken.Addr().(*net.TCPAddr).Port
	app, err := serve.New(t.Context(), "probe", &config)
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "listen") {
		t.Errorf("running on a taken port: %v", err)
	}
}

func unset(t *testing.T, name string) {
	t.Helper()
	t.Setenv(name, "") // puts back what was there
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}
