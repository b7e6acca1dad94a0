// Package function is what the processes of all functions share: configuration with all faults at once, calls to services in the
// function's own name, who may call it, logs, and an orderly end.
//
// A function is called by Pub/Sub (App.Push), by Cloud Scheduler (App.Schedule), or by anybody, and then looks itself at who that is.
// Pub/Sub and Cloud Scheduler bring a token of a service account of ours, which is verified here, by the same code everywhere
// (decision 0013).
package function

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"

	"larder.dev/functions/internal/push"
	"larder.dev/functions/internal/schedule"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
	"larder.dev/internal/telemetry"
)

// Accounts that call functions, without their domain.
const (
	PushAccount      = "pubsub-push"
	SchedulerAccount = "scheduler"
)

// Config is what every function reads from its environment. A function's own configuration embeds it.
type Config struct {
	Port int `env:"PORT" envDefault:"8080"`
	// Project is the Google Cloud project: of the topics, and for trace ids in logs.
	Project string `env:"GOOGLE_CLOUD_PROJECT,required"`
	// ServiceAccount signs calls to services: an address, or "default" on Google Cloud. Services know the function by its name, which
	// is the function's in lower case.
	ServiceAccount string `env:"SERVICE_ACCOUNT" envDefault:"default"`
	// Insecure calls services without TLS, for one machine.
	Insecure bool       `env:"INSECURE_CALLS" envDefault:"false"`
	LogLevel slog.Level `env:"LOG_LEVEL" envDefault:"INFO"`
	// Audience of callers' tokens. Empty: https://larder.dev/functions/<name in lower case>.
	Audience string `env:"FUNCTION_AUDIENCE"`
	// Timeout bounds one call. 0: 20 s for what is pushed, below the subscriptions' acknowledgement deadline of 30 s; 150 s for what is
	// scheduled, below Cloud Scheduler's 180 s.
	Timeout time.Duration `env:"FUNCTION_TIMEOUT"`

	Tokens    identity.ServiceConfig
	Telemetry telemetry.Config
}

func (c *Config) base() *Config { return c }

// Configuration is a function's own struct that embeds Config.
type Configuration interface{ base() *Config }

// App is one function's process. A Setup loads its configuration first.
type App struct {
	name     string
	observe  func(name string, config *Config) error // sets up the process's logs and telemetry, once
	config   *Config
	outgoing *identity.Outgoing
	pubsub   *pubsub.Client
	closers  []func() error
}

// Setup makes a function of what its environment says. ctx lasts as long as the process.
type Setup func(ctx context.Context, app *App) (http.Handler, error)

// New makes the App of a function, named as FUNCTION_TARGET names it. Logs go where they went before; Main sets them up for its process.
func New(name string) *App { return &App{name: name} }

// Load reads the function's configuration. Its error has all faults.
func (a *App) Load(config Configuration) error {
	if err := serve.LoadConfig(config); err != nil {
		return err
	}
	a.config = config.base()
	if a.config.Audience == "" {
		a.config.Audience = "https://larder.dev/functions/" + strings.ToLower(a.name)
	}
	if a.observe != nil {
		if err := a.observe(strings.ToLower(a.name), a.config); err != nil {
			return err
		}
	}
	a.outgoing = identity.NewOutgoing(a.config.ServiceAccount, a.config.Tokens.ServiceAudience, !a.config.Insecure, time.Now)
	return nil
}

// Dial connects to one of our services, lazily. Calls carry the function's ID token and the trace.
func (a *App) Dial(address string) (*grpc.ClientConn, error) {
	conn, err := serve.Dial(address, a.outgoing, a.config.Insecure)
	if err != nil {
		return nil, err
	}
	a.closers = append(a.closers, conn.Close)
	return conn, nil
}

// PubSub is the function's client.
func (a *App) PubSub(ctx context.Context) (*pubsub.Client, error) {
	if a.pubsub == nil {
		client, err := pubsub.NewClient(ctx, a.config.Project)
		if err != nil {
			return nil, fmt.Errorf("connect to Pub/Sub: %w", err)
		}
		a.pubsub = client
		a.closers = append(a.closers, client.Close)
	}
	return a.pubsub, nil
}

// Push is a function that Pub/Sub pushes events to.
func (a *App) Push(ctx context.Context, handlers ...push.Handler) (http.Handler, error) {
	client, err := a.PubSub(ctx)
	if err != nil {
		return nil, err
	}
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("make the validator: %w", err)
	}
	publish := func(ctx context.Context, topic string, message *pubsubpb.PubsubMessage) error {
		_, err := client.TopicAdminClient.Publish(ctx, &pubsubpb.PublishRequest{
			Topic: fmt.Sprintf("projects/%s/topics/%s", a.config.Project, topic), Messages: []*pubsubpb.PubsubMessage{message},
		})
		return err
	}
	return a.only(ctx, PushAccount, push.NewReceiver(a.name, a.timeout(20*time.Second), publish, validator, time.Now, handlers...))
}

// Schedule is a function that Cloud Scheduler calls.
func (a *App) Schedule(ctx context.Context, run schedule.Run) (http.Handler, error) {
	return a.only(ctx, SchedulerAccount, schedule.NewHandler(a.name, a.timeout(150*time.Second), run))
}

// timeout is the configured one, or a default.
func (a *App) timeout(usual time.Duration) time.Duration {
	if a.config.Timeout > 0 {
		return a.config.Timeout
	}
	return usual
}

// only lets one account in, whose token has the function's audience. Others are told why not, and nothing is done.
func (a *App) only(ctx context.Context, account string, next http.Handler) (http.Handler, error) {
	accounts, err := identity.NewAccounts(ctx, a.config.Tokens, a.config.Audience, time.Now)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := "", error(fault.Unauthenticated.New("the header Authorization must be Bearer and an ID token"))
		if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			caller, err = accounts.Account(r.Context(), token)
		}
		if err == nil && caller != account {
			err = fault.PermissionDenied.New("this account may not call the function")
		}
		if err != nil {
			slog.WarnContext(r.Context(), "call refused", "account", caller, "error", err.Error())
			serve.WriteError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}

// Close closes what was opened, the last first.
func (a *App) Close() error {
	var all error
	for i := len(a.closers) - 1; i >= 0; i-- {
		all = errors.Join(all, a.closers[i]())
	}
	return all
}
