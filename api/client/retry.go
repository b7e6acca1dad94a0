package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

const firstWait = 100 * time.Millisecond

// again tells whether a message may be sent once more.
func (c *Client) again(message message, err error, try int) bool {
	if try >= c.Tries {
		return false
	}
	refusal, silence := new(Error), new(unanswered)
	switch {
	case errors.As(err, &refusal):
		if refusal.RetryAfter > c.MaxWait {
			return false
		}
		switch refusal.Reason {
		case "RATE_LIMITED", "OVERLOADED": // refused before anything was done
			return true
		case "TOO_MANY_ATTEMPTS": // each try counts
			return false
		}
		switch refusal.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return message.repeatable()
		}
		return false
	case errors.As(err, &silence):
		return message.repeatable() && !errors.Is(err, context.Canceled)
	}
	return false
}

// Unanswered tells whether err is that nobody has answered the call: it may have been done, or not.
func Unanswered(err error) bool {
	silence := new(unanswered)
	return errors.As(err, &silence)
}

// repeatable tells whether doing it twice is as doing it once (RFC 9110, section 9.2.2). With an etag the second time may be told
// ETAG_MISMATCH, because the first was heard. A refresh that wasn't answered may be sent again within a minute.
func (m message) repeatable() bool {
	switch m.verb {
	case http.MethodGet, http.MethodPut, http.MethodDelete:
		return true
	}
	return m.header.Get("Idempotency-Key") != "" || m.path == "/v1/sessions:refresh"
}

// wait waits for the next try: as long as was told, and from 0.1 s doubled a try. Chance takes off up to half of the latter, so that many
// clients who were refused together don't come again together.
func (c *Client) wait(ctx context.Context, err error, try int) error {
	pause := min(firstWait<<min(try-1, 20), c.MaxWait)
	pause -= rand.N(pause/2 + 1)
	if refusal := new(Error); errors.As(err, &refusal) {
		pause += refusal.RetryAfter
	}
	timer := time.NewTimer(min(pause, c.MaxWait))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
