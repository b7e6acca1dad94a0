// Command productindex keeps the index of products up to date: a streaming Beam pipeline that reads changes of the
// catalogue from Pub/Sub, as Debezium publishes them, and writes them to Elasticsearch.
//
//	read -> decode -> bulk write -> dead letters        one fused stage; acknowledged after all of it
//
// Every change that was committed arrives, in whatever order it comes and however often: the document's version is
// its product's revision (package bulk). A message that can never be indexed goes to the dead-letter topic with the
// reason (package deadletter); everything else is tried again until it works.
//
// On prism, the default runner, it reads the subscription by itself (package subscription) and runs until SIGTERM.
// It exits with 1 when the subscription or the index is deleted, for its supervisor to start it anew. With --runner
// dataflow it submits the same steps behind Dataflow's own source and exits; metadata.json describes the flex template,
// docs/dataflow.md how it is built and run. Then ELASTICSEARCH_URL is the name of a secret, since a job shows its settings.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
	"github.com/elastic/go-elasticsearch/v8"

	"larder.dev/internal/search/index"
	"larder.dev/internal/serve"
	"larder.dev/internal/telemetry"
	"larder.dev/pipelines/internal/bulk"
	"larder.dev/pipelines/internal/deadletter"
	"larder.dev/pipelines/internal/process"
	"larder.dev/pipelines/internal/secret"
	"larder.dev/pipelines/internal/subscription"
)

// config is read from the environment, or from flags of the same names in lower case. PUBSUB_EMULATOR_HOST is read by the Pub/Sub client itself.
type config struct {
	Port            int        `env:"PORT" envDefault:"8080"` // of /healthz and /readyz
	Project         string     `env:"GOOGLE_CLOUD_PROJECT,required"`
	Subscription    string     `env:"SUBSCRIPTION" envDefault:"productindex-1"`
	DeadLetterTopic string     `env:"DEAD_LETTER_TOPIC" envDefault:"product-cdc-dead-letters"`
	Elasticsearch   string     `env:"ELASTICSEARCH_URL,required"` // or the name of the secret that holds it
	Index           string     `env:"INDEX" envDefault:"products-1"`
	Alias           string     `env:"INDEX_ALIAS" envDefault:"products"` // made to point to the index if it points nowhere
	Replicas        int        `env:"INDEX_REPLICAS" envDefault:"0"`     // of an index that is created
	LogLevel        slog.Level `env:"LOG_LEVEL" envDefault:"INFO"`
	Telemetry       telemetry.Config
}

// service is the program's name in what it tells of itself.
const service = "productindex"

// Time limits after SIGTERM, of 10 s in all.
const (
	writeLimit = 6 * time.Second // for the bundle in progress; then it is given up, unacknowledged
	closeLimit = 2 * time.Second // for telling Pub/Sub what was written and what was not
	exitLimit  = 9 * time.Second // whatever hangs
)

func main() {
	process.Parameters(flag.CommandLine, config{})
	flag.Parse()
	beam.Init() // on a worker of Dataflow this doesn't return
	if err := run(); err != nil {
		slog.Error("productindex ends", "error", err)
		os.Exit(1)
	}
}

func run() error {
	var c config
	if err := serve.LoadConfig(&c); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	sent, err := serve.Observe(ctx, os.Stderr, service, c.LogLevel, c.Project, c.Telemetry)
	if err != nil {
		return err
	}
	defer serve.Flush(sent)
	if process.OnDataflow() {
		return c.submit(ctx)
	}
	return c.stream(ctx)
}

func (c config) settings() settings {
	return settings{
		Project: c.Project, Subscription: c.subscription(), DeadLetterTopic: c.DeadLetterTopic,
		Elasticsearch: c.Elasticsearch, Index: c.Index,
	}
}

func (c config) subscription() string {
	return fmt.Sprintf("projects/%s/subscriptions/%s", c.Project, c.Subscription)
}

// submit starts the pipeline on Dataflow.
func (c config) submit(ctx context.Context) error {
	if err := secret.Check("ELASTICSEARCH_URL", c.Elasticsearch); err != nil {
		return err
	}
	es, err := bulk.Connect(ctx, c.Elasticsearch)
	if err != nil {
		return err
	}
	if err := c.ensureIndex(ctx, es); err != nil {
		return err
	}
	p, s := beam.NewPipelineWithRoot()
	there := c.settings()
	there.Told = process.Told()
	build(s, readOnDataflow(s, c.subscription()), there)
	_, err = beam.Run(ctx, "dataflow", p)
	return err
}

// stream runs the pipeline in this process until ctx ends.
func (c config) stream(ctx context.Context) error {
	process.Expect(subscription.Part, bulk.Part)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(c.Port)))
	if err != nil {
		return err
	}
	health := &http.Server{Handler: process.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = health.Serve(listener) }()
	defer health.Close()
	slog.Info("health is served", "address", listener.Addr().String())

	client, err := pubsub.NewClient(context.WithoutCancel(ctx), c.Project)
	if err != nil {
		return fmt.Errorf("connect to Pub/Sub: %w", err)
	}
	defer client.Close()
	if err := c.await(ctx, client); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before there was anything to do
		}
		return err
	}

	reader := subscription.Open(client, c.subscription()) //nolint:contextcheck // it ends by Drain and Close, after what it has read is written
	defer context.AfterFunc(ctx, func() {
		slog.Info("told to stop")
		reader.Drain()
		time.AfterFunc(writeLimit, func() { process.Abort(errors.New("told to stop, and writing took too long")) })
		time.AfterFunc(exitLimit, func() { slog.Error("didn't stop in time"); os.Exit(1) })
	})()
	p, s := beam.NewPipelineWithRoot()
	build(s, subscription.Read(s, c.subscription()), c.settings())
	_, err = beam.Run(context.WithoutCancel(ctx), "prism", p)

	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	err = errors.Join(err, reader.Close(closing))
	if ctx.Err() != nil {
		slog.Info("stopped", "error", err) // what was not written is not acknowledged, so an error loses nothing
		return nil
	}
	select {
	case <-reader.Ended():
		err = errors.Join(err, reader.Err())
	default:
	}
	if err == nil {
		err = errors.New("the pipeline ended by itself")
	}
	return err
}

// await waits until what the pipeline needs is there: the platform starts its parts in any order.
func (c config) await(ctx context.Context, client *pubsub.Client) error {
	es, err := bulk.Connect(ctx, c.Elasticsearch)
	if err != nil {
		return err
	}
	err = process.Retry(ctx, "wait for Elasticsearch", func(ctx context.Context) error {
		err := c.ensureIndex(ctx, es)
		process.Report(bulk.Part, err)
		return err
	})
	if err != nil {
		return err
	}
	err = process.Retry(ctx, "wait for the dead-letter topic", func(ctx context.Context) error {
		_, err := client.TopicAdminClient.GetTopic(ctx, &pubsubpb.GetTopicRequest{Topic: fmt.Sprintf("projects/%s/topics/%s", c.Project, c.DeadLetterTopic)})
		process.Report(deadletter.Part, err)
		return err
	})
	if err != nil {
		return err
	}
	return process.Retry(ctx, "wait for the subscription", func(ctx context.Context) error {
		err := subscription.Exists(ctx, client, c.subscription())
		process.Report(subscription.Part, err)
		return err
	})
}

func (c config) ensureIndex(ctx context.Context, es *elasticsearch.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := index.EnsureIndex(ctx, es, c.Index, index.Options{Alias: c.Alias, Replicas: c.Replicas}); err != nil {
		return err
	}
	current, err := index.Current(ctx, es, c.Index)
	if err == nil && !current {
		slog.Warn("the index was made by another definition; a new generation would have this one", "index", c.Index)
	}
	return err
}
