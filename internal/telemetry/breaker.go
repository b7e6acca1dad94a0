package telemetry

// BreakerState is a circuit breaker's state as its metric has it: 0 closed, 1 half open, 2 open.
func BreakerState(breaker interface {
	IsHalfOpen() bool
	IsOpen() bool
}) float64 {
	switch {
	case breaker.IsOpen():
		return 2
	case breaker.IsHalfOpen():
		return 1
	default:
		return 0
	}
}
