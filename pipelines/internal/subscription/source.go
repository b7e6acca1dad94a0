package subscription

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/sdf"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"larder.dev/pipelines/internal/cdc"
)

func init() {
	beam.RegisterType(reflect.TypeFor[cdc.Message]())
	beam.RegisterType(reflect.TypeFor[restriction]())
	register.DoFn4x2[context.Context, *sdf.LockRTracker, []byte, func(beam.EventTime, cdc.Message), sdf.ProcessContinuation, error](&readFn{})
	register.Emitter2[beam.EventTime, cdc.Message]()
}

// Bounds of a bundle: so many messages or bytes, or so long after the first one.
const (
	bundleMessages = 1000
	bundleBytes    = 4 << 20
	bundleWait     = 10 * time.Millisecond
	// idle is how long the source waits for a first message before it hands an empty bundle back. A message ends
	// the wait at once; what a long wait spares is the work of a bundle.
	idle = 5 * time.Second
)

// Read returns the messages of a subscription, given by its full name, for which a [Reader] is open.
func Read(s beam.Scope, name string) beam.PCollection {
	s = s.Scope("subscription.Read")
	return beam.ParDo(s, &readFn{Subscription: name}, beam.Impulse(s))
}

// restriction is the whole subscription, without end. It is never divided: one bundle at a time reads it.
type restriction struct{ Subscription string }

type tracker struct {
	rest restriction
	done bool
	err  error
}

// Claims of the tracker.
const (
	more = "more" // some messages
	end  = "end"  // no more, ever
)

func (t *tracker) TryClaim(position any) bool {
	switch {
	case t.done:
		return false
	case position == end:
		t.done = true
		return false
	}
	return true
}

func (t *tracker) GetError() error                 { return t.err }
func (t *tracker) IsDone() bool                    { return t.done }
func (t *tracker) GetRestriction() any             { return t.rest }
func (t *tracker) GetProgress() (float64, float64) { return 0, 1 }
func (t *tracker) IsBounded() bool                 { return false }

// TrySplit yields to a checkpoint (fraction 0), which leaves everything to the residual, and to no other split.
func (t *tracker) TrySplit(fraction float64) (primary, residual any, err error) {
	if fraction > 0 || t.done {
		return t.rest, nil, nil
	}
	t.done = true
	return t.rest, t.rest, nil
}

// readFn is a splittable function (https://beam.apache.org/documentation/programming-guide/#splittable-dofns).
type readFn struct{ Subscription string }

func (f *readFn) CreateInitialRestriction([]byte) restriction            { return restriction{f.Subscription} }
func (f *readFn) SplitRestriction(_ []byte, r restriction) []restriction { return []restriction{r} }
func (f *readFn) RestrictionSize([]byte, restriction) float64            { return 1 }
func (f *readFn) CreateTracker(r restriction) *sdf.LockRTracker {
	return sdf.NewLockRTracker(&tracker{rest: r})
}

func (f *readFn) InitialWatermarkEstimatorState(beam.EventTime, restriction, []byte) int64 { return 0 }
func (f *readFn) CreateWatermarkEstimator(int64) *sdf.WallTimeWatermarkEstimator {
	return &sdf.WallTimeWatermarkEstimator{}
}
func (f *readFn) WatermarkEstimatorState(*sdf.WallTimeWatermarkEstimator) int64 { return 0 }

// ProcessElement emits the messages of one bundle. That it is called again says that the bundle before succeeded.
func (f *readFn) ProcessElement(ctx context.Context, rt *sdf.LockRTracker, _ []byte, emit func(beam.EventTime, cdc.Message)) (sdf.ProcessContinuation, error) {
	found, _ := readers.Load(f.Subscription)
	r, ok := found.(*Reader)
	if !ok {
		return sdf.StopProcessing(), fmt.Errorf("no reader is open for subscription %s", f.Subscription)
	}
	r.acknowledge(ctx)
	select {
	case <-r.draining:
		rt.TryClaim(end)
		return sdf.StopProcessing(), nil
	case <-r.ended:
		rt.TryClaim(end)
		return sdf.StopProcessing(), nil
	default:
	}
	if !rt.TryClaim(more) {
		return sdf.StopProcessing(), nil
	}
	r.bundle(ctx, func(m *pubsubpb.PubsubMessage) {
		emit(beam.EventTime(m.GetPublishTime().AsTime().UnixMilli()),
			cdc.Message{ID: m.GetMessageId(), Data: m.GetData(), Attributes: m.GetAttributes()})
	})
	return sdf.ResumeProcessingIn(0), nil
}

// bundle waits for a first message, then takes what comes within the bounds of a bundle.
func (r *Reader) bundle(ctx context.Context, emit func(*pubsubpb.PubsubMessage)) {
	until := time.NewTimer(idle)
	defer until.Stop()
	size := 0
	for n := 0; n < bundleMessages && size < bundleBytes; n++ {
		select {
		case m := <-r.messages:
			r.take(m)
			emit(m.GetMessage())
			size += len(m.GetMessage().GetData())
		case <-until.C:
			return
		case <-r.draining:
			return
		case <-r.ended:
			return
		case <-ctx.Done():
			return
		}
		if n == 0 {
			until.Reset(bundleWait)
		}
	}
}
