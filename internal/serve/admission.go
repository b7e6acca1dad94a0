package serve

import (
	"context"
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter" // how much is let in follows how long it takes, and who goes first: a field of its own
	"github.com/failsafe-go/failsafe-go/priority"
	"google.golang.org/grpc"

	accesspb "larder.dev/api/access/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/telemetry"
)

// Admission refuses at once what would only wait (decision 0380). A limiter lets in as many requests as the process, and what stands behind
// it, answer in the time that they usually take. Each priority may fill a share of that only, so that there is room for those above it.

const (
	// headroom is let in at once by a process that isn't slow, however little there was to do a moment ago: more than a load balancer
	// sends to one instance (terraform's scaling.concurrency).
	headroom = 128
	// priorityHeader tells another of our services that a call is part of work that was begun.
	priorityHeader = "x-priority"
	veryHigh       = "very-high"
)

// shares are the percent of the limit up to which a priority is let in.
var shares = map[priority.Priority]int{
	priority.VeryLow: 60, priority.Low: 70, priority.Medium: 80, priority.High: 90, priority.VeryHigh: 100,
}

type admission struct {
	limiter adaptivelimiter.AdaptiveLimiter[any]
}

// newAdmission lets in from least to most requests at once.
func newAdmission(least, most uint) *admission {
	least = max(1, min(least, most))
	return &admission{adaptivelimiter.NewBuilder[any]().
		WithLimits(least, most, max(least, min(headroom, most))).
		WithMaxLimitFunc(func(inflight int) float64 { return max(headroom, 4*float64(inflight)) }).
		WithRecentWindow(100*time.Millisecond, 10*time.Second, 30). // of 30 requests or more
		WithBaselineWindow(100).                                    // windows: what is usual is what was so for 10 s of many requests, or longer
		Build()}
}

// enter lets a request in, or refuses it at once. The caller calls leave when it is through, with its error. Errors: OVERLOADED.
func (a *admission) enter(ctx context.Context, urgency priority.Priority, measured bool) (leave func(error), err error) {
	share := (a.limiter.Limit()*shares[urgency] + 99) / 100 // rounded up: of a limit of 1, 1
	if a.limiter.Inflight() < share {
		if permit, ok := a.limiter.TryAcquirePermit(); ok {
			return func(err error) {
				if measured && !errors.Is(err, context.Canceled) {
					permit.Record()
				} else {
					permit.Drop()
				}
			}, nil
		}
	}
	telemetry.Admission.Add(ctx, 1, fault.Overloaded.Name)
	return nil, fault.Overloaded.New("too many requests at once").WithRetryAfter(time.Second)
}

// admit lets a request in by its priority, which the calls that it makes of other services inherit.
func (a *App) admit(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	rule := a.rules[info.FullMethod]
	urgency := rule.priority
	if header(ctx, priorityHeader) == veryHigh && identity.FromContext(ctx).Service != "" {
		urgency = priority.VeryHigh
	}
	// What only operators and our own services ask may take long by its nature, and says nothing about how the process fares.
	leave, err := a.admission.enter(ctx, urgency, rule.anyone || rule.shopper)
	if err != nil {
		return nil, fault.ToStatus(err)
	}
	defer func() { leave(err) }()
	return next(priority.ContextWithPriority(ctx, urgency), req)
}

// begun tells whether a context is of work that is to be finished before other work begins.
func begun(ctx context.Context) bool { return priority.FromContext(ctx) >= priority.High }

func priorityOf(stated accesspb.Priority) priority.Priority {
	switch stated {
	case accesspb.Priority_PRIORITY_VERY_LOW:
		return priority.VeryLow
	case accesspb.Priority_PRIORITY_LOW:
		return priority.Low
	case accesspb.Priority_PRIORITY_HIGH:
		return priority.High
	case accesspb.Priority_PRIORITY_VERY_HIGH:
		return priority.VeryHigh
	default:
		return priority.Medium
	}
}
