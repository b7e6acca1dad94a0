// Command productreindex builds a new generation of the search index beside the one that is live, and lets search read it once it
// holds what the catalogue holds. So a change of mapping, analysis or pipeline is deployed.
//
//	productreindex list            the generations there are, as JSON
//	productreindex begin           makes the next generation's index and subscription, and prints its number
//	                               ... now its streaming pipeline is started (productindex with its SUBSCRIPTION and INDEX)
//	productreindex copy N          copies the catalogue into it, by ranges of ids: a batch Beam pipeline
//	productreindex audit [N]       compares it, or the live one, with the catalogue and prints what differs
//	productreindex switch N        audits it and, if nothing differs, points the alias to it in one step
//	productreindex retire N        deletes a generation that isn't live: its subscription, which ends its pipeline, and its index
//
// The order is what makes it whole. A change that the new subscription doesn't get was published before there was the subscription, so
// it was committed before the copy began, and the copy has it. Whatever of both comes first, the later revision stays. The old
// generation's pipeline goes on until it is retired, so it can be switched back to at any moment.
//
// Each command can be given again, also after it was broken off. copy takes --runner dataflow and Beam's flags, before the word. Then
// DATABASE_URL and ELASTICSEARCH_URL are names of secrets, since the job shows its settings.
// Exit code: 0; 1 for an error or an audit that finds something; 2 for a command that isn't known.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/dataflow"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"

	"larder.dev/internal/serve"
)

// config is read from the environment. PUBSUB_EMULATOR_HOST is read by the Pub/Sub client itself.
type config struct {
	Project         string     `env:"GOOGLE_CLOUD_PROJECT,required"`
	DatabaseURL     string     `env:"DATABASE_URL,required"`             // or the name of the secret that holds it
	Elasticsearch   string     `env:"ELASTICSEARCH_URL,required"`        // likewise
	Alias           string     `env:"INDEX_ALIAS" envDefault:"products"` // generation 2's index is products-2
	Replicas        int        `env:"INDEX_REPLICAS" envDefault:"0"`     // of an index that is created
	Topic           string     `env:"CDC_TOPIC" envDefault:"product-cdc"`
	DeadLetterTopic string     `env:"SUBSCRIPTION_DEAD_LETTER_TOPIC" envDefault:"product-cdc-dead-letters"`
	Subscriptions   string     `env:"SUBSCRIPTION_PREFIX" envDefault:"productindex"` // generation 2's is productindex-2
	LogLevel        slog.Level `env:"LOG_LEVEL" envDefault:"INFO"`
}

func main() {
	flag.Usage = func() { fmt.Fprintln(os.Stderr, usage) }
	flag.Parse()
	beam.Init() // on a worker of Dataflow this doesn't return
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := run(ctx, flag.Args())
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "productreindex:", err)
		os.Exit(1)
	}
}

const usage = "usage: productreindex list | begin | copy N | audit [N] | switch N | retire N"

var errUsage = errors.New(usage)

func run(ctx context.Context, args []string) error {
	var c config
	if err := serve.LoadConfig(&c); err != nil {
		return err
	}
	slog.SetDefault(serve.NewLogger(os.Stderr, c.LogLevel, c.Project))
	word, number, err := parse(args)
	if err != nil {
		return err
	}
	r, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer r.close()
	var answer any
	switch word {
	case "list":
		answer, err = r.list(ctx)
	case "begin":
		answer, err = r.begin(ctx)
	case "copy":
		answer, err = r.copy(ctx, number)
	case "audit":
		answer, err = r.audit(ctx, number)
	case "switch":
		answer, err = r.switchTo(ctx, number)
	case "retire":
		err = r.retire(ctx, number)
	}
	if answer != nil {
		err = errors.Join(err, json.NewEncoder(os.Stdout).Encode(answer))
	}
	return err
}

// parse reads a command; number is 0 where none is given.
func parse(args []string) (word string, number int, err error) {
	if len(args) == 0 || len(args) > 2 {
		return "", 0, errUsage
	}
	if len(args) == 2 {
		if number, err = strconv.Atoi(args[1]); err != nil || number < 1 {
			return "", 0, errUsage
		}
	}
	switch word = args[0]; word {
	case "list", "begin":
		if number != 0 {
			return "", 0, errUsage
		}
	case "copy", "switch", "retire":
		if number == 0 {
			return "", 0, errUsage
		}
	case "audit":
	default:
		return "", 0, errUsage
	}
	return word, number, nil
}
