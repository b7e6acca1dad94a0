// Package subscription reads a Pub/Sub subscription into a Beam pipeline on a runner that has no Pub/Sub source of
// its own, such as prism.
//
// Nothing is acknowledged before it is written, by these rules:
//
//   - Messages of a bundle are acknowledged when the runner resumes the source: it resumes a residual only of a
//     bundle that succeeded. (Bundle finalisation is the interface meant for this; prism loses its callbacks.)
//   - So everything up to the write has to be fused into one stage with the source. Behind a GroupByKey or a
//     reshuffle, the bundle that succeeded would be one that has only handed the messages on.
//   - A bundle that fails fails the job on prism: its messages return to the server unacknowledged.
//
// Messages come by single pulls, not by streams: the emulator goes on handing messages to the streams of a process that
// was killed, for minutes, so that after a few kills most messages go nowhere. A pull that nobody waits for any
// more can take one batch at the most, and only until its ack deadline.
//
// One process reads a subscription through one [Reader], opened before the pipeline runs and closed after it. It
// is found by its name, because Beam can hand no pointers to a pipeline's functions.
package subscription

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"larder.dev/pipelines/internal/process"
)

// Part is the name under which a reader reports how it fares.
const Part = "subscription"

// ErrGone means that the subscription does not exist, or no more.
var ErrGone = errors.New("the subscription is gone")

const (
	// batch is how many messages one pull asks for. So many, and as many again in the bundle, are in this process.
	batch = bundleMessages
	// lease is how long a held message is kept from others at a time; it is extended every extend.
	lease  = 20 * time.Second
	extend = 4 * time.Second
	// lookEvery is how often the subscription is looked for: a pull that waits doesn't tell that it was deleted.
	lookEvery = 5 * time.Second
	// patience bounds the calls that end or extend leases.
	patience = 10 * time.Second
)

// Reader pulls messages from a subscription and keeps them until their bundle has succeeded.
type Reader struct {
	name     string
	client   *pubsub.Client
	messages chan *pubsubpb.ReceivedMessage
	drain    func()
	draining chan struct{}
	ended    chan struct{} // closed when pulling has ended
	err      error         // why, once ended is closed

	mu      sync.Mutex
	held    map[string]bool // ack ids of all that was pulled and neither acknowledged nor returned
	current []string        // those of the bundle in progress
}

var readers sync.Map // full name of a subscription -> *Reader

// Exists returns ErrGone if there is no such subscription, given by its full name.
func Exists(ctx context.Context, client *pubsub.Client, name string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := client.SubscriptionAdminClient.GetSubscription(ctx, &pubsubpb.GetSubscriptionRequest{Subscription: name})
	return gone(name, err)
}

func gone(name string, err error) error {
	if status.Code(err) == codes.NotFound {
		return fmt.Errorf("%w: %s", ErrGone, name)
	}
	return err
}

// Open starts to pull messages from a subscription, given by its full name.
func Open(client *pubsub.Client, name string) *Reader {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Reader{
		name: name, client: client, messages: make(chan *pubsubpb.ReceivedMessage),
		draining: make(chan struct{}), ended: make(chan struct{}), held: map[string]bool{},
	}
	r.drain = sync.OnceFunc(func() { close(r.draining); cancel() })
	readers.Store(name, r)
	go r.run(ctx)
	return r
}

// run pulls and extends leases until Drain, or until the subscription is gone.
func (r *Reader) run(ctx context.Context) {
	defer close(r.ended)
	process.Report(Part, nil)
	pulling, deleted := context.WithCancelCause(ctx)
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	var helpers sync.WaitGroup
	helpers.Go(func() { r.extend(beside) })
	helpers.Go(func() { r.watch(beside, deleted) })
	r.err = r.pull(pulling)
	if cause := context.Cause(pulling); errors.Is(cause, ErrGone) {
		r.err = cause
	}
	if r.err != nil {
		process.Report(Part, r.err)
	}
	stop()
	helpers.Wait()
	deleted(nil)
}

// watch ends pulling when the subscription is deleted.
func (r *Reader) watch(ctx context.Context, deleted context.CancelCauseFunc) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := Exists(ctx, r.client, r.name); errors.Is(err, ErrGone) {
			deleted(err)
			return
		}
	}
}

func (r *Reader) pull(ctx context.Context) error {
	for ctx.Err() == nil {
		answer, err := r.client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: r.name, MaxMessages: batch})
		switch err = gone(r.name, err); {
		case err == nil:
			process.Report(Part, nil)
			r.offer(ctx, answer.GetReceivedMessages())
		case errors.Is(err, ErrGone):
			return err
		case ctx.Err() == nil:
			process.Report(Part, err)
			slog.WarnContext(ctx, "pull again", "subscription", r.name, "error", err)
			pause(ctx, time.Second/2+rand.N(time.Second))
		}
	}
	return nil
}

// offer holds messages and waits until a bundle has taken them.
func (r *Reader) offer(ctx context.Context, messages []*pubsubpb.ReceivedMessage) {
	r.hold(messages)
	for _, m := range messages {
		select {
		case r.messages <- m:
		case <-ctx.Done():
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// extend keeps what is held from others, as when Elasticsearch is away and a bundle takes its time.
func (r *Reader) extend(ctx context.Context) {
	tick := time.NewTicker(extend)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.mu.Lock()
			held := slices.Collect(maps.Keys(r.held))
			r.mu.Unlock()
			r.setDeadline(ctx, held, lease)
		}
	}
}

func (r *Reader) setDeadline(ctx context.Context, ids []string, deadline time.Duration) {
	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := r.client.SubscriptionAdminClient.ModifyAckDeadline(ctx, &pubsubpb.ModifyAckDeadlineRequest{
		Subscription: r.name, AckIds: ids, AckDeadlineSeconds: int32(deadline.Seconds()),
	})
	if err != nil && ctx.Err() == nil { // they come again, and change nothing
		slog.WarnContext(ctx, "change the lease of messages", "messages", len(ids), "error", err)
	}
}

// Drain makes the source end after the bundle in progress, and with it the pipeline.
func (r *Reader) Drain() { r.drain() }

// Ended is closed when pulling has ended, which it does by itself only on an error.
func (r *Reader) Ended() <-chan struct{} { return r.ended }

// Err returns why pulling ended, nil if because of Drain. It may be called once Ended is closed.
func (r *Reader) Err() error { return r.err }

// Close returns all messages that are not acknowledged to the server.
func (r *Reader) Close(ctx context.Context) error {
	r.Drain()
	defer readers.Delete(r.name)
	select {
	case <-r.ended:
	case <-ctx.Done():
		return fmt.Errorf("close subscription %s: %w", r.name, ctx.Err())
	}
	r.mu.Lock()
	held := slices.Collect(maps.Keys(r.held))
	clear(r.held)
	r.current = nil
	r.mu.Unlock()
	r.setDeadline(ctx, held, 0)
	return nil
}

// acknowledge ends the bundle before: it succeeded. What can't be acknowledged comes again, and changes nothing.
func (r *Reader) acknowledge(ctx context.Context) {
	r.mu.Lock()
	done := r.current
	r.current = nil
	for _, id := range done {
		delete(r.held, id)
	}
	r.mu.Unlock()
	if len(done) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := r.client.SubscriptionAdminClient.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: r.name, AckIds: done})
	if err != nil {
		slog.WarnContext(ctx, "acknowledge messages", "messages", len(done), "error", err)
	}
}

func (r *Reader) hold(messages []*pubsubpb.ReceivedMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range messages {
		r.held[m.GetAckId()] = true
	}
}

// take makes a message part of the bundle in progress.
func (r *Reader) take(m *pubsubpb.ReceivedMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = append(r.current, m.GetAckId())
}
