package payment

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	paymentpb "larder.dev/api/payment/v1"
)

// Breaker is a circuit breaker's state.
type Breaker int

// The states, as api/payment/v1 describes them.
const (
	Closed Breaker = iota + 1
	Opened
	HalfOpen
)

// Health is how the provider does, as this process sees it.
type Health struct {
	Breaker Breaker
	// Calls and Failures are the breaker's own count: those of the last seconds.
	Calls, Failures int64
	// Retry is how long until calls are let through again, while the breaker is open.
	Retry time.Duration
	// LastAnswer and LastFailure are zero while there was none.
	LastAnswer, LastFailure time.Time
	// Median and P99 are of the last calls that were answered.
	Median, P99 time.Duration
}

// Healthy is a provider that tells how it does.
type Healthy interface{ Health() Health }

// GetProvider implements the service.
func (s *Server) GetProvider(context.Context, *paymentpb.GetProviderRequest) (*paymentpb.Provider, error) {
	now := s.healthy.Health()
	answer := &paymentpb.Provider{
		Breaker: paymentpb.Provider_Breaker(now.Breaker), RecentCalls: now.Calls, RecentFailures: now.Failures,
		MedianMs: now.Median.Milliseconds(), P99Ms: now.P99.Milliseconds(),
	}
	if now.Breaker == Opened {
		answer.RetryTime = timestamppb.New(time.Now().Add(now.Retry))
	}
	if !now.LastAnswer.IsZero() {
		answer.LastAnswerTime = timestamppb.New(now.LastAnswer)
	}
	if !now.LastFailure.IsZero() {
		answer.LastFailureTime = timestamppb.New(now.LastFailure)
	}
	return answer, nil
}
