package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/caarlos0/env/v11"
)

const (
	telemetryRounds   = 5 // one more warms up
	telemetrySearches = 200
	telemetryOrders   = 25
	telemetryReady    = 60 * time.Second
)

// ways are how a program may tell of itself, by the variables that say so.
var ways = []struct {
	name      string
	variables []string
}{
	{"nothing is sent", []string{"OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none"}},
	{"metrics, 1 of 100 traces", []string{"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01", "OTEL_LOGS_EXPORTER=none"}},
	{"metrics, logs, all traces", nil},
}

// candidate is a service that tells in one of the ways.
type candidate struct {
	way, address string
	command      *exec.Cmd
	spent        time.Duration
}

// benchTelemetry measures what telling costs a search and a checkout: the CPU time of the service search, and of the service checkout, each started
// once for each way, beside those of the running platform. They are asked in turn, so that whatever else the machine does meets all of them.
func benchTelemetry(ctx context.Context) (err error) {
	var config checkoutConfig
	if err := env.Parse(&config); err != nil {
		return fmt.Errorf("telemetry: %w (make bench-telemetry sets the environment)", err)
	}
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" {
		return errors.New("telemetry: nobody takes it; set LARDER_TELEMETRY")
	}
	shop, err := openShop(ctx, config)
	if err != nil {
		return fmt.Errorf("telemetry: open the shop: %w", err)
	}
	if err := shop.latency(ctx, providerCall.String(), providerCall.String()); err != nil {
		return fmt.Errorf("telemetry: set the provider's latency: %w", err)
	}
	defer func() {
		err = errors.Join(err, shop.latency(context.WithoutCancel(ctx), config.ProviderP50, config.ProviderP99))
	}()
	search := func(ctx context.Context, address string, round int) error {
		return each(ctx, telemetrySearches, func(ctx context.Context, i int) error {
			query := url.Values{"store": {config.Store}, "q": {words[(i+round)%len(words)] + " " + words[(i*7+round)%len(words)]}}
			return shop.send(ctx, http.MethodGet, "http://"+address+"/v1/search?"+query.Encode(), "", nil, nil)
		})
	}
	checkout := func(ctx context.Context, address string, _ int) error {
		there := *shop
		there.config.Edge = address
		carts, err := shop.fillCarts(ctx, telemetryOrders)
		if err != nil {
			return err
		}
		return each(ctx, telemetryOrders, func(ctx context.Context, i int) error { return there.checkOut(ctx, carts[i]) })
	}
	return errors.Join(
		compareWays(ctx, config.State, "search", telemetrySearches, search),
		compareWays(ctx, config.State, "checkout", telemetryOrders, checkout),
	)
}

// words are of names of the seed's products.
var words = strings.Fields("milk bread apple cheese tomato chicken rice pasta coffee tea butter yoghurt banana carrot onion potato juice water chocolate biscuit soap egg ham fish")

func compareWays(ctx context.Context, state, program string, asked int, ask func(ctx context.Context, address string, round int) error) error {
	var all []*candidate
	defer func() {
		for _, c := range all {
			_ = c.command.Process.Signal(syscall.SIGTERM) // it may have ended
			_ = c.command.Wait()
		}
	}()
	for _, way := range ways {
		c, err := startCandidate(ctx, state, program, way.variables)
		if err != nil {
			return fmt.Errorf("telemetry: start %s: %w", program, err)
		}
		c.way = way.name
		all = append(all, c)
	}
	for round := range telemetryRounds + 1 {
		for i := range all {
			c := all[(i+round)%len(all)] // none is always the first
			before, err := c.cpu(state)
			if err == nil {
				err = ask(ctx, c.address, round)
			}
			after, failed := c.cpu(state)
			if err = errors.Join(err, failed); err != nil {
				return fmt.Errorf("telemetry: %s, %s: %w", program, c.way, err)
			}
			if round > 0 {
				c.spent += after - before
			}
		}
	}
	for _, c := range all {
		report("telemetry %s, %s: cpu=%s each of %d, %.2f of that without any", program, c.way,
			(c.spent / time.Duration(telemetryRounds*asked)).Round(10*time.Microsecond), telemetryRounds*asked, float64(c.spent)/float64(max(all[0].spent, 1)))
	}
	return nil
}

// startCandidate starts a program of the platform's once more, on a free port, and waits until it is ready.
func startCandidate(ctx context.Context, state, program string, variables []string) (*candidate, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &candidate{address: listener.Addr().String()}
	if err := listener.Close(); err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(c.address)
	c.command = exec.CommandContext(ctx, filepath.Join(state, "bin", program)) //nolint:gosec // the platform's own
	c.command.Env = append(append(os.Environ(), "PORT="+port, "SERVICE_ACCOUNT="+program+"@"+os.Getenv("SERVICE_ACCOUNT_DOMAIN"), "SEARCH_CACHE=0"), variables...)
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	for began := time.Now(); ; {
		err := (&benchShop{http: http.DefaultClient}).send(ctx, http.MethodGet, "http://"+c.address+"/readyz", "", nil, nil)
		if err == nil {
			return c, nil
		}
		if time.Since(began) > telemetryReady {
			return nil, errors.Join(err, c.command.Process.Kill(), c.command.Wait())
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return nil, errors.Join(err, c.command.Wait()) // the context kills it
		}
	}
}

// cpu is what the process has spent so far.
func (c *candidate) cpu(state string) (time.Duration, error) {
	return cpuOf(state, c.command.Process.Pid)
}
