package figure

import "time"

// WakeEvery begins to wake up that often, and answers, when it is called, how late each time was: what a machine that others share adds to
// everything that waits on it. It must be called once.
func WakeEvery(pause time.Duration) (late func() []time.Duration) {
	stop, done := make(chan struct{}), make(chan []time.Duration)
	go func() {
		var late []time.Duration
		for {
			due := time.Now().Add(pause)
			select {
			case <-time.After(pause):
				late = append(late, time.Since(due))
			case <-stop:
				done <- late
				return
			}
		}
	}()
	return func() []time.Duration {
		close(stop)
		return <-done
	}
}
