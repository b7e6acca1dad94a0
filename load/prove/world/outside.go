package world

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// breakSpanner makes Spanner abort, refuse, lose answers or be slow for some seconds.
func (s *Storm) breakSpanner(ctx context.Context, rng *rand.Rand) {
	kinds := []struct {
		name   string
		faults spannerFaults
		long   time.Duration
	}{
		{"spanner aborts", spannerFaults{abort: 0.4}, 3 * time.Second},
		{"spanner loses answers", spannerFaults{lose: 0.3}, 2 * time.Second},
		{"spanner refuses", spannerFaults{refuse: 0.3}, 3 * time.Second},
		{"spanner is away", spannerFaults{refuse: 1}, time.Second},
		{"spanner is slow", spannerFaults{slow: 0.3, slowFor: 400 * time.Millisecond}, 3 * time.Second},
		{"spanner loses answers", spannerFaults{lose: 0.2, abort: 0.2, refuse: 0.05}, 3 * time.Second},
	}
	kind := kinds[rng.IntN(len(kinds))]
	s.count(kind.name, "spanner", "for", kind.long)
	s.round.spanner.set(kind.faults)
	wait(ctx, kind.long)
	s.round.spanner.set(spannerFaults{})
}

// breakProvider has some of the provider's next calls fail: before they have an effect, or after it.
func (s *Storm) breakProvider(ctx context.Context, rng *rand.Rand) {
	fault := struct {
		Kind  string `json:"kind"`
		Count int    `json:"count"`
		Match string `json:"match"`
		Delay string `json:"delay,omitempty"`
	}{
		Kind: []string{"timeout", "timeout", "drop_after", "error_after", "drop", "error", "slow"}[rng.IntN(7)],
		// The path ends with what is done; what makes an intent has no more of a path.
		Match: []string{"/confirm", "/confirm", "/capture", "/cancel", "POST /v1/refunds", "POST /v1/payment_intents"}[rng.IntN(6)],
		Count: 1 + rng.IntN(3),
	}
	if fault.Kind == "slow" {
		fault.Delay = (time.Duration(rng.Int64N(int64(3 * time.Second)))).String()
	}
	if err := control(ctx, http.MethodPost, s.round.Provider+"/_control/faults", fault); err != nil {
		s.warn(ctx, err)
		return
	}
	s.count("provider: "+fault.Kind, fault.Match, "calls", fault.Count)
}

// breakWebhooks has the provider tell what happens never, late, twice or in another order, until something else is drawn.
func (s *Storm) breakWebhooks(ctx context.Context, rng *rand.Rand) {
	kinds := []struct {
		name  string
		rules map[string]any
	}{
		{"webhooks lost", map[string]any{"lose": 0.5}},
		{"webhooks twice", map[string]any{"duplicates": 2}},
		{"webhooks late", map[string]any{"delay": "4s"}},
		{"webhooks out of order", map[string]any{"jitter": "5s"}},
		{"webhooks late, twice, out of order, some lost", map[string]any{"delay": "1s", "jitter": "3s", "duplicates": 1, "lose": 0.2}},
	}
	kind := kinds[rng.IntN(len(kinds))]
	if err := control(ctx, http.MethodPost, s.round.Provider+"/_control/webhooks", kind.rules); err != nil {
		s.warn(ctx, err)
		return
	}
	s.count(kind.name, "payments")
}

func (s *Storm) warn(ctx context.Context, err error) {
	if ctx.Err() == nil {
		s.log.Warn("fault not made", "error", err)
	}
}

// control calls the provider's control side.
func control(ctx context.Context, method, url string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	resp, err := probes.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, answer)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	return nil
}
