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

// spannerWeather is Spanner as it is for some seconds.
type spannerWeather struct {
	name   string
	faults spannerFaults
	long   time.Duration
}

var spannerWeathers = []spannerWeather{
	{"spanner aborts", spannerFaults{abort: 0.4}, 3 * time.Second},
	{"spanner loses answers", spannerFaults{lose: 0.3}, 2 * time.Second},
	{"spanner refuses", spannerFaults{refuse: 0.3}, 3 * time.Second},
	{"spanner is away", spannerFaults{refuse: 1}, time.Second},
	{"spanner is slow", spannerFaults{slow: 0.3, slowFor: 400 * time.Millisecond}, 3 * time.Second},
	{"spanner aborts, refuses and loses answers", spannerFaults{lose: 0.2, abort: 0.2, refuse: 0.05}, 3 * time.Second},
}

// breakSpanner makes Spanner abort, refuse, lose answers or be slow for some seconds.
func (s *Storm) breakSpanner(ctx context.Context, _ *rand.Rand, w spannerWeather) {
	s.count(w.name, "spanner", "for", w.long)
	s.round.spanner.set(w.faults)
	wait(ctx, w.long)
	s.round.spanner.set(spannerFaults{})
}

// providerFault is what the provider's control side takes.
type providerFault struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
	Match string `json:"match"`
	Delay string `json:"delay,omitempty"`
}

// Calls of the provider are told apart by how their path ends; what makes an intent has no more of a path than this.
var providerCalls = []string{"/confirm", "/confirm", "/capture", "/cancel", "POST /v1/refunds", "POST /v1/payment_intents"}

var providerFaults = []string{"timeout", "timeout", "drop_after", "error_after", "drop", "error", "slow"}

// breakProvider has some of the provider's next calls fail: before they have an effect, or after it.
func (s *Storm) breakProvider(ctx context.Context, rng *rand.Rand, kind string) {
	fault := providerFault{Kind: kind, Match: providerCalls[rng.IntN(len(providerCalls))], Count: 1 + rng.IntN(3)}
	if kind == "slow" {
		fault.Delay = time.Duration(rng.Int64N(int64(3 * time.Second))).String()
	}
	if err := control(ctx, http.MethodPost, s.round.Provider+"/_control/faults", fault); err != nil {
		s.warn(ctx, err)
		return
	}
	s.count("provider: "+kind, fault.Match, "calls", fault.Count)
}

// webhookRules is how the provider tells what happens, until something else is drawn.
type webhookRules struct {
	name  string
	rules map[string]any
}

var webhookWeathers = []webhookRules{
	{"webhooks lost", map[string]any{"lose": 0.5}},
	{"webhooks twice", map[string]any{"duplicates": 2}},
	{"webhooks late", map[string]any{"delay": "4s"}},
	{"webhooks out of order", map[string]any{"jitter": "5s"}},
	{"webhooks late, twice, out of order, some lost", map[string]any{"delay": "1s", "jitter": "3s", "duplicates": 1, "lose": 0.2}},
}

// breakWebhooks has the provider tell what happens never, late, twice or in another order.
func (s *Storm) breakWebhooks(ctx context.Context, _ *rand.Rand, w webhookRules) {
	if err := control(ctx, http.MethodPost, s.round.Provider+"/_control/webhooks", w.rules); err != nil {
		s.warn(ctx, err)
		return
	}
	s.count(w.name, "payments")
}

func (s *Storm) warn(ctx context.Context, err error) {
	if ctx.Err() == nil {
		s.log.Warn("a fault went otherwise", "error", err)
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
