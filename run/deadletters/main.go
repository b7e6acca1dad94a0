// Command deadletters shows what was put aside because it could never be taken in, and publishes it again when it is mended.
//
//	deadletters list [-topic TOPIC] [-limit 100] [-json]
//	deadletters show -topic TOPIC [-json] ID
//	deadletters replay -topic TOPIC [-data FILE] [-set NAME=VALUE]... ID
//	deadletters replay -topic TOPIC -all
//
// replay publishes the message as it came, or with the data of a file ("-": standard input) and with attributes set (an empty value
// takes one off). -all publishes every letter of the topic that is there when it begins, as it came, and tells how far it is. Exit codes: 0; 1 something failed; 2 the command line is wrong; 3 there is no such dead letter.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"cloud.google.com/go/pubsub/v2"
	"golang.org/x/sync/errgroup"

	"larder.dev/internal/deadletter"
	"larder.dev/internal/progress"
	"larder.dev/internal/serve"
)

// config is read from the environment. PUBSUB_EMULATOR_HOST is read by the Pub/Sub client itself.
type config struct {
	Project string `env:"GOOGLE_CLOUD_PROJECT,required"`
}

// maxData is Pub/Sub's limit of a message, bytes.
const maxData = 10_000_000

const usage = `usage:
  deadletters list [-topic TOPIC] [-limit 100] [-json]
  deadletters show -topic TOPIC [-json] ID
  deadletters replay -topic TOPIC [-data FILE] [-set NAME=VALUE]... ID
  deadletters replay -topic TOPIC -all
`

// errUsage is an error of the command line.
var errUsage = errors.New("the command line is wrong")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "deadletters:", err)
	}
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case errors.Is(err, deadletter.ErrGone):
		os.Exit(3)
	default:
		os.Exit(1)
	}
}

// order is what the command line asks for.
type order struct {
	verb, topic, id string
	limit           int
	json, all       bool
	data            string
	attributes      map[string]string
}

// read reads the command line; flags may stand before and after the id.
func read(arguments []string) (order, error) {
	o := order{attributes: map[string]string{}}
	if len(arguments) == 0 {
		return o, fmt.Errorf("%w: a verb is missing", errUsage)
	}
	o.verb = arguments[0]
	flags := flag.NewFlagSet(o.verb, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.topic, "topic", "", "")
	switch o.verb {
	case "list":
		flags.IntVar(&o.limit, "limit", 100, "")
		flags.BoolVar(&o.json, "json", false, "")
	case "show":
		flags.BoolVar(&o.json, "json", false, "")
	case "replay":
		flags.StringVar(&o.data, "data", "", "")
		flags.BoolVar(&o.all, "all", false, "")
		flags.Func("set", "", func(given string) error {
			name, value, ok := strings.Cut(given, "=")
			if o.attributes[name] = value; !ok || name == "" {
				return errors.New("NAME=VALUE is wanted")
			}
			return nil
		})
	default:
		return o, fmt.Errorf("%w: there is no %q", errUsage, o.verb)
	}
	var words []string
	for rest := arguments[1:]; len(rest) > 0; {
		if err := flags.Parse(rest); err != nil {
			return o, fmt.Errorf("%w: %w", errUsage, err)
		}
		if rest = flags.Args(); len(rest) > 0 {
			words, rest = append(words, rest[0]), rest[1:]
		}
	}
	switch {
	case o.topic != "" && !slices.Contains(deadletter.Topics, o.topic):
		return o, fmt.Errorf("%w: topic %q is none of %s", errUsage, o.topic, strings.Join(deadletter.Topics, ", "))
	case o.verb == "list" && (len(words) > 0 || o.limit < 1 || o.limit > 1000):
		return o, fmt.Errorf("%w: list takes no id, and a limit from 1 to 1000", errUsage)
	case o.all && (len(words) > 0 || o.topic == "" || o.data != "" || len(o.attributes) > 0):
		return o, fmt.Errorf("%w: -all needs a topic, and mends nothing", errUsage)
	case o.all:
	case o.verb != "list" && (len(words) != 1 || o.topic == ""):
		return o, fmt.Errorf("%w: %s needs a topic and one id", errUsage, o.verb)
	case o.verb != "list":
		o.id = words[0]
	}
	return o, nil
}

func run(ctx context.Context, arguments []string, in io.Reader, out io.Writer) error {
	o, err := read(arguments)
	if err != nil {
		return err
	}
	var c config
	if err := serve.LoadConfig(&c); err != nil {
		return err
	}
	client, err := pubsub.NewClient(context.WithoutCancel(ctx), c.Project) // it outlives ctx: leases are given back at the end
	if err != nil {
		return fmt.Errorf("connect to Pub/Sub: %w", err)
	}
	defer client.Close()
	switch o.verb {
	case "list":
		return o.list(ctx, client, c.Project, out)
	case "show":
		found, err := deadletter.NewBox(client, c.Project, o.topic).Get(ctx, o.id)
		if err != nil {
			return fmt.Errorf("%s %s: %w", o.topic, o.id, err)
		}
		return o.show(out, found)
	case "replay":
		box := deadletter.NewBox(client, c.Project, o.topic)
		if o.all {
			return o.replayAll(ctx, box, out)
		}
		return o.replay(ctx, box, in, out)
	default:
		return errUsage
	}
}

// list looks at the topics side by side: each takes two seconds at least, to know that there is no more.
func (o order) list(ctx context.Context, client *pubsub.Client, project string, out io.Writer) error {
	topics := deadletter.Topics
	if o.topic != "" {
		topics = []string{o.topic}
	}
	found := make([][]deadletter.Letter, len(topics))
	more := make([]bool, len(topics))
	all, ctx := errgroup.WithContext(ctx)
	for i, topic := range topics {
		all.Go(func() (err error) {
			found[i], more[i], err = deadletter.NewBox(client, project, topic).List(ctx, o.limit)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	letters := slices.Concat(found...)
	if o.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string]any{"dead_letters": append([]deadletter.Letter{}, letters...), "more": slices.Contains(more, true)})
	}
	if len(letters) == 0 {
		_, err := fmt.Fprintln(out, "no dead letters")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0) // what can't be written, Flush tells
	_, _ = fmt.Fprintln(table, "TOPIC\tID\tTIME\tTYPE\tREASON\tDETAIL")
	for _, l := range letters {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Topic, l.ID, l.Time.Format(time.RFC3339), line(l.Type), line(l.Reason), line(l.Detail))
	}
	for i, topic := range topics {
		if more[i] {
			_, _ = fmt.Fprintf(table, "%s\tand there may be more\n", topic)
		}
	}
	return table.Flush()
}

func (o order) show(out io.Writer, l deadletter.Letter) error {
	if o.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(l)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"topic", l.Topic}, {"id", l.ID}, {"put aside", l.Time.Format(time.RFC3339Nano)}, {"by", l.From}, {"type", l.Type},
		{"subject", l.Subject}, {"reason", l.Reason}, {"detail", l.Detail},
	} {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", row[0], safe(row[1]))
	}
	names := make([]string, 0, len(l.Attributes))
	for name := range l.Attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		_, _ = fmt.Fprintf(table, "attribute %s\t%s\n", safe(name), safe(l.Attributes[name]))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	text := string(l.Data)
	if !utf8.Valid(l.Data) {
		text = fmt.Sprintf("%d bytes that are no UTF-8; -json has them", len(l.Data))
	}
	_, err := fmt.Fprintf(out, "\n%s\n", safe(text))
	return err
}

func (o order) replay(ctx context.Context, box *deadletter.Box, in io.Reader, out io.Writer) error {
	mend := deadletter.Mend{Attributes: o.attributes}
	if o.data != "" {
		if o.data != "-" {
			file, err := os.Open(o.data)
			if err != nil {
				return fmt.Errorf("read the data: %w", err)
			}
			defer file.Close()
			in = file
		}
		data, err := io.ReadAll(io.LimitReader(in, maxData+1))
		switch {
		case err != nil:
			return fmt.Errorf("read the data: %w", err)
		case len(data) == 0 || len(data) > maxData:
			return fmt.Errorf("read the data: there must be 1 to %d bytes", maxData)
		}
		mend.Data = data
	}
	message, err := box.Replay(ctx, o.id, mend)
	if err != nil {
		return fmt.Errorf("%s %s: %w", o.topic, o.id, err)
	}
	_, err = fmt.Fprintf(out, "%s %s is published as %s\n", o.topic, o.id, message)
	return err
}

// mostAtOnce is how many letters one look finds.
const mostAtOnce = 1000

// replayAll publishes what lies there now. What is refused anew comes back as another letter, which isn't replayed again.
func (o order) replayAll(ctx context.Context, box *deadletter.Box, out io.Writer) error {
	letters, more, err := box.List(ctx, mostAtOnce)
	if err != nil {
		return err
	}
	bar := progress.Start(os.Stderr, "replay of "+o.topic, int64(len(letters)))
	published, gone := 0, 0
	for _, l := range letters {
		switch _, err = box.Replay(ctx, l.ID, deadletter.Mend{}); {
		case errors.Is(err, deadletter.ErrGone): // somebody else has replayed it meanwhile
			gone++
		case err != nil:
			return fmt.Errorf("%s %s, behind %d that are published: %w", o.topic, l.ID, published, err)
		default:
			published++
		}
		bar.Add(1)
	}
	bar.End()
	text := fmt.Sprintf("%s: %d letters are published again", o.topic, published)
	if gone > 0 {
		text += fmt.Sprintf(", %d were gone", gone)
	}
	if more {
		text += ", there may be more"
	}
	_, err = fmt.Fprintln(out, text)
	return err
}

// safe keeps what a message holds from steering a terminal.
func safe(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' {
			return r
		}
		return '\uFFFD'
	}, text)
}

// line is safe, in one line of a list.
func line(text string) string {
	const most = 100
	runes := []rune(strings.ReplaceAll(safe(text), "\n", " "))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}
