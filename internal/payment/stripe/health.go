package stripe

import (
	"slices"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"larder.dev/internal/payment"
)

// remembered is how many answered calls the times are of.
const remembered = 200

// seen is what came of the calls to Stripe.
type seen struct {
	mu               sync.Mutex
	answered, failed time.Time
	took             []time.Duration // of the last answered calls, in no order once it is full
	next             int
}

// answer notes an answer of Stripe's, be it a refusal.
func (s *seen) answer(at time.Time, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered = at
	if len(s.took) < remembered {
		s.took = append(s.took, took)
		return
	}
	s.took[s.next] = took
	s.next = (s.next + 1) % remembered
}

// failure notes a call that failed by Stripe's fault.
func (s *seen) failure(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = at
}

// Health implements payment.Healthy.
func (p *Provider) Health() payment.Health {
	breaker := p.calls.breaker
	counted := breaker.Metrics()
	health := payment.Health{
		Breaker: payment.Closed, Calls: int64(counted.Executions()), Failures: int64(counted.Failures()), Retry: breaker.RemainingDelay(),
	}
	switch breaker.State() {
	case circuitbreaker.OpenState:
		health.Breaker = payment.Opened
	case circuitbreaker.HalfOpenState:
		health.Breaker = payment.HalfOpen
	case circuitbreaker.ClosedState:
	}
	s := &p.calls.seen
	s.mu.Lock()
	defer s.mu.Unlock()
	health.LastAnswer, health.LastFailure = s.answered, s.failed
	if sorted := slices.Sorted(slices.Values(s.took)); len(sorted) > 0 {
		health.Median, health.P99 = sorted[len(sorted)/2], sorted[len(sorted)*99/100]
	}
	return health
}
