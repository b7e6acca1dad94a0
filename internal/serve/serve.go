// Package serve is what every service process shares: configuration with all faults at once, structured logs, gRPC and
// REST on one port behind the same interceptors, readiness that means it, and an orderly end.
//
//	func main() {
//		var config config
//		serve.Main("user", &config, func(ctx context.Context, app *serve.App) error { ... })
//	}
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"buf.build/go/protovalidate"
	"github.com/failsafe-go/failsafe-go/priority"
	"github.com/fullstorydev/grpchan/inprocgrpc"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"larder.dev/internal/identity"
	"larder.dev/internal/telemetry"
)

// grace is how long a stopping service lets requests and workers finish. Cloud Run kills after 10 seconds.
const grace = 8 * time.Second

// App is one service process. Set it up, then Run it.
type App struct {
	name      string
	config    *Config
	verifier  *identity.Verifier
	outgoing  *identity.Outgoing
	validator protovalidate.Validator
	admission *admission
	rates     *rates
	rules     map[string]rule
	queries   map[string]query

	grpc    *grpc.Server
	inproc  *inprocgrpc.Channel
	local   *inprocgrpc.Channel
	gateway *runtime.ServeMux
	health  *health.Server
	mux     *http.ServeMux

	checks  []check
	workers []worker
	closers []func(context.Context) error
}

type check struct {
	name string
	test func(context.Context) error
}

type worker struct {
	name string
	run  func(context.Context) error
}

// Main runs a service until it is told to stop, and exits the process: 0 after an orderly end, else 1.
func Main(name string, config Configuration, setup func(ctx context.Context, app *App) error) {
	if err := LoadConfig(config); err != nil {
		exit(err)
	}
	CollectLess()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	sent, err := Observe(ctx, os.Stdout, name, config.base().LogLevel, config.base().Project, config.base().Telemetry)
	if err != nil {
		exit(err)
	}
	app, err := New(ctx, name, config.base())
	if err == nil {
		err = setup(ctx, app)
	}
	if err == nil {
		err = app.Run(ctx)
	}
	Flush(sent)
	if err != nil {
		slog.Error("service ends", "error", err)
		os.Exit(1)
	}
}

// CollectLess lets the heap grow to 17 times what is alive in it, where Go's default is twice: what is alive is some 5 MB, so that a busy
// service collects every few seconds rather than many times a second. A collection holds up whoever is answered meanwhile: at five times
// they were 1 of 100 offers. Main does it for a service; GOGC and GOMEMLIMIT go before.
func CollectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(1600)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(384 << 20) // three quarters of the smallest service's memory (terraform/modules/service)
	}
}

// flushLimit is what is left of Cloud Run's 10 seconds after grace.
const flushLimit = 1500 * time.Millisecond

// Flush sends what telemetry waits at a process's end; what takes longer than the end may is lost.
func Flush(sent *telemetry.Telemetry) {
	ctx, cancel := context.WithTimeout(context.Background(), flushLimit)
	defer cancel()
	if err := sent.Shutdown(ctx); err != nil {
		slog.Warn("telemetry is not sent to its end", "error", err.Error())
	}
}

// New makes an App without any service.
func New(ctx context.Context, name string, config *Config) (*App, error) {
	telemetry.Quiet()
	verifier, err := identity.NewVerifier(ctx, config.Identity, time.Now)
	if err != nil {
		return nil, err
	}
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("make the validator: %w", err)
	}
	app := &App{
		name: name, config: config, verifier: verifier, validator: validator,
		outgoing:  identity.NewOutgoing(config.ServiceAccount, config.Identity.ServiceAudience, !config.Insecure, time.Now),
		admission: newAdmission(config.MinConcurrent, config.MaxConcurrent),
		rules:     map[string]rule{healthpb.Health_Check_FullMethodName: {anyone: true, priority: priority.VeryHigh}},
		queries:   map[string]query{},
		health:    health.NewServer(),
		mux:       http.NewServeMux(),
	}
	if app.rates, err = newRates(config.Limits, time.Now); err != nil {
		return nil, fmt.Errorf("make the rates: %w", err)
	}
	app.gateway = newGateway(app.queries)
	app.grpc = grpc.NewServer(grpc.ChainUnaryInterceptor(app.chain()...), grpc.StreamInterceptor(noStreams), grpc.MaxRecvMsgSize(int(config.MaxBody)))
	app.inproc = new(inprocgrpc.Channel).WithServerUnaryInterceptor(chained(app.chain()))
	app.local = new(inprocgrpc.Channel).WithServerUnaryInterceptor(chained(app.parts()))
	healthpb.RegisterHealthServer(app.grpc, app.health)
	return app, nil
}

// Validator checks messages against the rules of their protos.
func (a *App) Validator() protovalidate.Validator { return a.validator }

// Gateway registers a service's REST side: its generated Register...HandlerClient over a client of the connection.
type Gateway func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error

// Register serves a gRPC service and, with a gateway, the same by REST. An error: a method has no access rule.
func (a *App) Register(ctx context.Context, service *grpc.ServiceDesc, implementation any, gateway Gateway) error {
	rules, err := rulesOf(service.ServiceName)
	if err != nil {
		return err
	}
	maps.Copy(a.rules, rules)
	queries, err := queriesOf(service.ServiceName)
	if err != nil {
		return err
	}
	maps.Copy(a.queries, queries)
	a.grpc.RegisterService(service, implementation)
	a.inproc.RegisterService(service, implementation)
	a.local.RegisterService(service, implementation)
	if gateway == nil {
		return nil
	}
	return gateway(ctx, a.gateway, a.inproc)
}

// Handle serves plain HTTP at a pattern of http.ServeMux, outside of the interceptors.
func (a *App) Handle(pattern string, handler http.Handler) { a.mux.Handle(pattern, handler) }

// REST serves what the gateway does, for a handler at a path of the gateway's that leaves some requests to it.
func (a *App) REST() http.Handler {
	return limitBody(a.config.MaxBody, a.config.RequestTimeout, a.gateway)
}

// Local calls the process's own methods, through every interceptor but the one that counts a caller's requests. A handler of plain HTTP
// that does its work by such calls, with CallContext, has the callers, limits and errors of those methods.
func (a *App) Local() grpc.ClientConnInterface { return a.local }

// Ready adds a condition of readiness; it is asked at each probe with a deadline of two seconds.
func (a *App) Ready(name string, test func(context.Context) error) {
	a.checks = append(a.checks, check{name, test})
}

// Go adds a worker that runs as long as the service does. An error of a worker ends the service.
func (a *App) Go(name string, run func(context.Context) error) {
	a.workers = append(a.workers, worker{name, run})
}

// Close adds what is to be closed at the end; the last added is closed first.
func (a *App) Close(f func(context.Context) error) { a.closers = append(a.closers, f) }

// Handler is everything that the service answers on its port.
func (a *App) Handler() http.Handler {
	a.mux.Handle("/", a.REST())
	a.mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	a.mux.HandleFunc("GET /readyz", a.readyz)
	rest := forBrowsers(a.config.Limits.Origins, a.mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			a.grpc.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, NameRequest(w, r))
	})
}

// readyz names what isn't ready.
func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	var group errgroup.Group
	for _, c := range a.checks {
		group.Go(func() error {
			if err := c.test(ctx); err != nil {
				slog.WarnContext(ctx, "not ready", "check", c.name, "error", err)
				return fmt.Errorf("%s is not ready", c.name)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

// Run serves until ctx ends or something fails, then finishes requests and workers, and closes what was opened.
func (a *App) Run(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf(":%d", a.config.Port))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // Cloud Run speaks h2c to the container
	server := &http.Server{
		Handler: a.Handler(), Protocols: protocols,
		ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}
	slog.Info("service starts", "address", listener.Addr().String())

	failed := make(chan error, 1+len(a.workers))
	workers, stopWorkers := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorkers()
	var running sync.WaitGroup
	for _, w := range a.workers {
		running.Go(func() {
			if err := w.run(workers); err != nil && workers.Err() == nil {
				failed <- fmt.Errorf("worker %s: %w", w.name, err)
			}
		})
	}
	running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve: %w", err)
		}
	})

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if shutdown := server.Shutdown(end); shutdown != nil {
		err = errors.Join(err, fmt.Errorf("shut down: %w", shutdown), server.Close())
	}
	stopWorkers()
	if !ended(end, &running) {
		err = errors.Join(err, errors.New("a worker didn't end in time"))
	}
	for i := len(a.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, a.closers[i](end))
	}
	slog.Info("service ends")
	return err
}

// ended waits for a group, no longer than ctx, and tells whether it is through.
func ended(ctx context.Context, group *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
