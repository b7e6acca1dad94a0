package main

import (
	"context"
	"log/slog"
	"reflect"

	"cloud.google.com/go/pubsub/v2"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"larder.dev/pipelines/internal/bulk"
	"larder.dev/pipelines/internal/cdc"
	"larder.dev/pipelines/internal/deadletter"
	"larder.dev/pipelines/internal/process"
)

func init() {
	for _, t := range []reflect.Type{reflect.TypeFor[event](), reflect.TypeFor[deadletter.Letter]()} {
		beam.RegisterType(t)
	}
	register.DoFn3x0[context.Context, cdc.Message, func(event)](&decodeFn{})
	register.DoFn4x1[context.Context, event, func(deadletter.Letter), func(int64), error](&indexFn{})
	register.DoFn3x1[context.Context, deadletter.Letter, func(int64), error](&deadLetterFn{})
	register.Function2x0(count)
	register.Emitter1[event]()
	register.Emitter1[deadletter.Letter]()
	register.Emitter1[int64]()
}

// settings go to every worker, so they are all that a pipeline's functions know.
type settings struct {
	Project         string
	Subscription    string
	DeadLetterTopic string
	Elasticsearch   string
	Index           string
	// Told has workers of Dataflow tell what they do (process.Tell); empty where the main program has done it.
	Told map[string]string
}

// build adds everything behind the source. Decoding, writing and putting aside are a chain of one-to-one steps, which
// every runner fuses with the source into one stage; package subscription says why that matters.
func build(s beam.Scope, messages beam.PCollection, o settings) {
	events := beam.ParDo(s.Scope("Decode"), &decodeFn{}, messages)
	letters, written := beam.ParDo2(s.Scope("Index"), &indexFn{Settings: o}, events)
	published := beam.ParDo(s.Scope("DeadLetter"), &deadLetterFn{Settings: o}, letters)
	// Prism spins on a stage that has no output at all, so the counts of what went wrong leave it.
	beam.ParDo0(s.Scope("Count"), count, beam.Flatten(s, written, published))
}

// event is a message decoded: a change, or a fault with a reason.
type event struct {
	Message cdc.Message
	Change  cdc.Change
	Fault   cdc.Fault
}

// decodeFn drops messages that are no change of a product.
type decodeFn struct{}

func (f *decodeFn) ProcessElement(ctx context.Context, m cdc.Message, emit func(event)) {
	change, fault := cdc.Decode(m.Data)
	switch {
	case fault != nil:
		emit(event{Message: m, Fault: *fault})
	case change != nil:
		emit(event{Message: m, Change: *change})
	default:
		slog.DebugContext(ctx, "passed over", "message_id", m.ID)
	}
}

// So many documents or bytes are written at a time.
const (
	maxDocuments = 1000
	maxBytes     = 4 << 20
)

// indexFn writes changes to the index and emits what can't ever be written.
type indexFn struct {
	Settings settings

	writer  *bulk.Writer
	pending []event
	bytes   int
}

func (f *indexFn) Setup(ctx context.Context) error {
	process.Tell(ctx, service, f.Settings.Told)
	es, err := bulk.Connect(ctx, f.Settings.Elasticsearch)
	if err != nil {
		return err
	}
	f.writer = bulk.NewWriter(es, f.Settings.Index)
	return nil
}

func (f *indexFn) StartBundle(context.Context, func(deadletter.Letter), func(int64)) error {
	f.pending, f.bytes = f.pending[:0], 0
	return nil
}

func (f *indexFn) ProcessElement(ctx context.Context, e event, emit func(deadletter.Letter), refused func(int64)) error {
	if e.Fault.Reason != "" {
		emit(f.letter(e, e.Fault))
		return nil
	}
	f.pending = append(f.pending, e)
	f.bytes += len(e.Change.Document)
	if len(f.pending) < maxDocuments && f.bytes < maxBytes {
		return nil
	}
	return f.flush(ctx, emit, refused)
}

func (f *indexFn) FinishBundle(ctx context.Context, emit func(deadletter.Letter), refused func(int64)) error {
	return f.flush(ctx, emit, refused)
}

func (f *indexFn) flush(ctx context.Context, emit func(deadletter.Letter), refused func(int64)) error {
	if len(f.pending) == 0 {
		return nil
	}
	ctx, cancel := process.Writing(ctx)
	defer cancel()
	ctx, traced := traceBundle(ctx, f.pending)
	documents := make([]bulk.Document, len(f.pending))
	for i, e := range f.pending {
		documents[i] = bulk.Document{ID: e.Change.ProductID, Version: e.Change.Revision, Body: e.Change.Document}
	}
	result, err := f.writer.Write(ctx, documents)
	traced.end(err)
	if err != nil {
		return err
	}
	measure(ctx, f.pending, result)
	for _, r := range result.Refused {
		e := f.pending[r.At]
		emit(f.letter(e, cdc.Fault{
			Reason: deadletter.IndexRefused, Detail: r.Detail,
			ProductID: e.Change.ProductID, Revision: e.Change.Revision, Position: e.Change.Position,
		}))
	}
	if n := len(result.Refused); n > 0 {
		refused(int64(n))
	}
	slog.DebugContext(ctx, "indexed", "written", result.Written, "superseded", result.Superseded, "refused", len(result.Refused))
	clear(f.pending) // lets go of the documents
	f.pending, f.bytes = f.pending[:0], 0
	return nil
}

func (f *indexFn) letter(e event, fault cdc.Fault) deadletter.Letter {
	return deadletter.Letter{Message: e.Message, Fault: fault, Subscription: f.Settings.Subscription}
}

// deadLetterFn publishes dead letters; a bundle is not finished before the topic has them.
type deadLetterFn struct {
	Settings settings

	client  *pubsub.Client
	topic   *pubsub.Publisher
	letters []deadletter.Letter
}

func (f *deadLetterFn) StartBundle(context.Context, func(int64)) error {
	f.letters = nil
	return nil
}

func (f *deadLetterFn) ProcessElement(_ context.Context, l deadletter.Letter, _ func(int64)) error {
	f.letters = append(f.letters, l)
	return nil
}

func (f *deadLetterFn) FinishBundle(ctx context.Context, published func(int64)) error {
	if len(f.letters) == 0 {
		return nil
	}
	if f.client == nil {
		client, err := pubsub.NewClient(context.WithoutCancel(ctx), f.Settings.Project)
		if err != nil {
			return err
		}
		f.client, f.topic = client, client.Publisher(f.Settings.DeadLetterTopic)
	}
	ctx, cancel := process.Writing(ctx)
	defer cancel()
	if err := deadletter.Publish(ctx, f.topic, f.letters); err != nil {
		return err
	}
	for _, l := range f.letters {
		slog.WarnContext(ctx, "dead letter", "reason", l.Fault.Reason, "detail", l.Fault.Detail, "message_id", l.Message.ID,
			"product_id", l.Fault.ProductID, "revision", l.Fault.Revision, "lsn", l.Fault.Position.LSN)
	}
	published(int64(len(f.letters)))
	f.letters = nil
	return nil
}

func (f *deadLetterFn) Teardown() error {
	if f.client == nil {
		return nil
	}
	f.topic.Stop()
	return f.client.Close()
}

func count(ctx context.Context, n int64) {
	beam.NewCounter("productindex", "put_aside").Inc(ctx, n)
}
