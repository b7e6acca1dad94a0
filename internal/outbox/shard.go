package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"larder.dev/internal/chaos"
	"larder.dev/internal/telemetry"
)

// shard is one that is being published.
type shard struct {
	cancel context.CancelCauseFunc
	ended  atomic.Bool
	oldest atomic.Int64 // time of the first event that isn't acknowledged, Unix nanoseconds
}

// start publishes a shard's events up to a bound, beginning with the first batch, in a goroutine of its own: one that hangs or
// fails holds no other up.
func (r *Relay) start(ctx context.Context, lease Lease, first Batch, bound int64) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &shard{cancel: cancel}
	s.oldest.Store(first.Events[0].Time.UnixNano())
	r.busy[lease.Shard] = s
	r.running.Go(func() {
		defer s.ended.Store(true)
		defer cancel(nil)
		if err := r.drain(ctx, s, lease, first, bound); err != nil {
			r.log.WarnContext(ctx, "outbox: publishing a shard stopped", "shard", lease.Shard, "error", err)
		}
	})
}

// drain publishes batch after batch up to a bound, and moves the cursor after each (rules 1 to 3).
func (r *Relay) drain(ctx context.Context, s *shard, lease Lease, batch Batch, bound int64) (err error) {
	cursor := lease.Cursor
	for len(batch.Events) > 0 {
		s.oldest.Store(batch.Events[0].Time.UnixNano())
		chaos.At(chaos.RelayRead)
		if err := r.publishAll(ctx, lease.Shard, batch.Events); err != nil {
			return err
		}
		r.stats.published.Add(int64(len(batch.Events)))
		telemetry.OutboxPublished.Add(ctx, int64(len(batch.Events)), r.name)
		chaos.At(chaos.RelayPublished)
		to := Position{Commit: bound}
		if batch.Cut {
			to = batch.Events[len(batch.Events)-1].Position()
		}
		if err := r.move(ctx, lease.Shard, cursor, to); err != nil {
			return err
		}
		chaos.At(chaos.RelayMoved)
		if !batch.Cut || r.stopping.Load() {
			return nil
		}
		cursor = to
		if batch, err = r.read(ctx, lease.Shard, cursor, bound); err != nil {
			return err
		}
	}
	return nil
}

// publishAll returns when every event is acknowledged. What was acknowledged isn't sent again when the rest is.
func (r *Relay) publishAll(ctx context.Context, shard int64, batch []Committed) error {
	wait := pause{min: 100 * time.Millisecond, max: 10 * time.Second}
	for topic, events := range byTopic(batch) {
		for {
			attempt, cancel := context.WithTimeout(ctx, publishLimit)
			err := r.publisher.Publish(attempt, topic, events)
			cancel()
			if err == nil {
				wait.reset()
				break
			}
			r.stats.again.Add(1)
			telemetry.OutboxRetries.Add(ctx, 1, r.name)
			if ctx.Err() != nil || r.stopping.Load() {
				return fmt.Errorf("publish to %s: %w", topic, errors.Join(context.Cause(ctx), err))
			}
			pausing := wait.next()
			r.log.ErrorContext(ctx, "outbox: publishing failed, is tried again", "topic", topic, "shard", shard, "events", len(events),
				"first", events[0].ID, "pause_ms", pausing.Milliseconds(), "error", err)
			sleep(ctx, pausing)
		}
	}
	return nil
}

// byTopic groups events by their topic, each group in order; between topics there is no order to keep.
func byTopic(batch []Committed) func(yield func(string, []Committed) bool) {
	return func(yield func(string, []Committed) bool) {
		for len(batch) > 0 {
			topic := batch[0].Topic
			group := slices.DeleteFunc(slices.Clone(batch), func(e Committed) bool { return e.Topic != topic })
			batch = slices.DeleteFunc(slices.Clone(batch), func(e Committed) bool { return e.Topic == topic })
			if !yield(topic, group) {
				return
			}
		}
	}
}

func (r *Relay) read(ctx context.Context, shard int64, above Position, bound int64) (Batch, error) {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	batch, err := r.store.Read(ctx, shard, above, bound, r.options.Batch)
	if err != nil {
		return Batch{}, fmt.Errorf("read the outbox: %w", err)
	}
	return batch, nil
}

func (r *Relay) move(ctx context.Context, shard int64, from, to Position) error {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	if err := r.store.Move(ctx, r.id, shard, from, to); err != nil {
		return fmt.Errorf("move the cursor: %w", err)
	}
	return nil
}
