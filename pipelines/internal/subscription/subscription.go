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
// One process reads a subscription through one [Reader], opened before the pipeline runs and closed after it. It
// is found by its name, because Beam can hand no pointers to a pipeline's functions.
package subscription

import (
	"context"
	"errors"
	"fmt"
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
	// streams is how many streaming pulls run: one brings 1,850 messages a second from the emulator.
	streams = 4
	// outstanding bounds how many messages wait in this process for their bundle.
	outstanding      = 1000
	outstandingBytes = 32 << 20
	// lease is how long a message is kept from others at a time; it is extended while it is held. By default a
	// message of a killed process stays away for 60 s; with 10 s, the least, a busy machine extends too late.
	lease = 20 * time.Second
	// lookEvery is how often the subscription is looked for: an open stream doesn't tell that it was deleted.
	lookEvery = 5 * time.Second
)

// Reader pulls messages from a subscription and keeps them until their bundle has succeeded.
type Reader struct {
	name     string
	client   *pubsub.Client
	messages chan *pubsub.Message
	cancel   context.CancelFunc
	drain    func()
	draining chan struct{}
	ended    chan struct{} // closed when pulling has ended
	err      error         // why, once ended is closed

	mu      sync.Mutex
	current []*pubsub.Message // handed to the bundle in progress
}

var readers sync.Map // full name of a subscription -> *Reader

// Exists returns ErrGone if there is no such subscription, given by its full name.
func Exists(ctx context.Context, client *pubsub.Client, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := client.SubscriptionAdminClient.GetSubscription(ctx, &pubsubpb.GetSubscriptionRequest{Subscription: name})
	if status.Code(err) == codes.NotFound {
		return fmt.Errorf("%w: %s", ErrGone, name)
	}
	return err
}

// Open starts to pull messages from a subscription, given by its full name.
func Open(client *pubsub.Client, name string) *Reader {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Reader{
		name: name, client: client, messages: make(chan *pubsub.Message), cancel: cancel,
		draining: make(chan struct{}), ended: make(chan struct{}),
	}
	r.drain = sync.OnceFunc(func() { close(r.draining) })
	readers.Store(name, r)
	go r.pull(ctx)
	return r
}

func (r *Reader) pull(ctx context.Context) {
	defer close(r.ended)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go r.watch(ctx, cancel)
	subscriber := r.client.Subscriber(r.name)
	subscriber.ReceiveSettings.NumGoroutines = streams
	subscriber.ReceiveSettings.MaxOutstandingMessages = outstanding
	subscriber.ReceiveSettings.MaxOutstandingBytes = outstandingBytes
	subscriber.ReceiveSettings.MinDurationPerAckExtension = lease
	subscriber.ReceiveSettings.MaxDurationPerAckExtension = lease
	process.Report(Part, nil)
	err := subscriber.Receive(ctx, func(ctx context.Context, m *pubsub.Message) {
		// The client counts a message as outstanding until this returns, so one that waits for its bundle counts.
		select {
		case r.messages <- m:
		case <-ctx.Done():
			m.Nack()
		case <-r.draining:
			m.Nack()
		}
	})
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrGone):
		err = cause
	case status.Code(err) == codes.NotFound:
		err = fmt.Errorf("%w: %w", ErrGone, err)
	case err == nil && ctx.Err() == nil:
		err = errors.New("pulling ended by itself")
	}
	r.err = err
	if err != nil {
		process.Report(Part, err)
	}
}

func (r *Reader) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := Exists(ctx, r.client, r.name); errors.Is(err, ErrGone) {
			cancel(err)
			r.release((*pubsub.Message).Nack) // pulling ends only when no message is held
			return
		}
	}
}

// Drain makes the source end after the bundle in progress, and with it the pipeline.
func (r *Reader) Drain() { r.drain() }

// Ended is closed when pulling has ended, which it does by itself only on an error.
func (r *Reader) Ended() <-chan struct{} { return r.ended }

// Err returns why pulling ended, nil if because of Close. It may be called once Ended is closed.
func (r *Reader) Err() error { return r.err }

// Close returns all messages that are not acknowledged to the server, and waits until it has what was acknowledged.
func (r *Reader) Close(ctx context.Context) error {
	r.Drain()
	r.release((*pubsub.Message).Nack)
	r.cancel()
	defer readers.Delete(r.name)
	select {
	case <-r.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close subscription %s: %w", r.name, ctx.Err())
	}
}

// release ends the bundle in progress: its messages are acknowledged, or returned.
func (r *Reader) release(each func(*pubsub.Message)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.current {
		each(m)
	}
	r.current = nil
}

func (r *Reader) hold(m *pubsub.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = append(r.current, m)
}
