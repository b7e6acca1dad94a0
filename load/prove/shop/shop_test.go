package shop

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Everybody acts for a while against a platform that loses every twelfth request and every twelfth answer. In the end each deed has a final
// answer, and what was told is what the platform did.
func TestDay(t *testing.T) {
	p := newPlatform(t)
	topics := newTopics(t)
	var log bytes.Buffer
	people, err := Open(t.Context(), Config{
		Edge: p.URL, Seed: 1, Shoppers: 60, Crowd: -1, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		t.Fatal(err)
	}
	day, err := people.NewDay(t.Context(), 1, Place{Edge: p.URL, PubSubHost: topics.address, Project: "prove"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := day.Close(); err != nil {
			t.Errorf("close the day: %v", err)
		}
	})
	running, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	go func() { // until enough happened; it ends with running
		for look := time.NewTicker(20 * time.Millisecond); running.Err() == nil; <-look.C {
			if day.History().Orders() > 200 && p.saw("DELETE /v1/carts/{cart}/items/{product}", "POST /bank/{id}/{outcome}", "GET /v1/checkouts/{id}") {
				stop()
			}
		}
	}()
	if err := day.Run(running); err != nil {
		t.Fatal(err)
	}
	finishing, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	open, err := day.Finish(finishing)
	if err != nil || open > 0 {
		t.Fatalf("%d are open, %v", open, err)
	}
	h := day.History()
	told := map[string]bool{}
	behaved := map[string]bool{}
	for _, c := range h.Checkouts {
		behaved[c.Behaviour] = true
		answer, _, ok := c.Final()
		if !ok {
			continue
		}
		if answer.Kind == Done {
			told[c.ID()] = true
		}
		for _, ask := range c.Asks {
			if ask.Wish > 0 && ask.Wish != c.standing() && ask.Answer.final() {
				t.Errorf("another body was taken under key %s: %+v", c.Key, c.Asks)
			}
		}
	}
	confirmed := 0
	for key, c := range p.keys {
		if c.state == "CONFIRMED" {
			confirmed++
			if !told[c.id] {
				t.Errorf("nobody was told of order %s, key %s", c.id, key)
			}
		}
	}
	if confirmed != len(told) || confirmed < 200 || h.Orders() != confirmed {
		t.Errorf("%d orders, %d were told of, %d counted", confirmed, len(told), h.Orders())
	}
	for _, how := range behaviours {
		if !behaved[how.name] && how.weight > 2 {
			t.Errorf("nobody behaved like %q", how.name)
		}
	}
	if topics.published.Load() == 0 {
		t.Error("the warehouse delivered nothing")
	}
	verbs := map[string]bool{}
	for _, s := range h.Steps {
		verbs[s.Verb] = true
	}
	if !verbs["cancel"] || !verbs["pick"] || !verbs["pack"] {
		t.Errorf("the steps were %v", verbs)
	}
	var written bytes.Buffer
	if err := h.Write(&written); err != nil || strings.Count(written.String(), "\n") != len(h.Checkouts)+len(h.Adjustments)+len(h.Steps) {
		t.Errorf("the history was written as %d lines, %v", strings.Count(written.String(), "\n"), err)
	}
	if log.Len() > 0 {
		t.Errorf("logged: %s", log.String())
	}
}

func TestRefusal(t *testing.T) {
	for status, test := range map[int]struct {
		body string
		want Answer
	}{
		409: {`{"error":{"details":[{"reason":"OUT_OF_STOCK","metadata":{"checkout_id":"x"}},{"shortages":[{"product_id":"figs","requested":"3","available":"1"}]}]}}`,
			Answer{Kind: Refused, Status: 409, Reason: "OUT_OF_STOCK", ID: "x", Short: []Line{{Product: "figs", Quantity: 3}}}},
		422: {`{"error":{"details":[{"reason":"IDEMPOTENCY_KEY_REUSED"}]}}`, Answer{Kind: Reused, Status: 422, Reason: "IDEMPOTENCY_KEY_REUSED"}},
		404: {`{"error":{"details":[{"reason":"CHECKOUT_NOT_FOUND"}]}}`, Answer{Kind: NotFound, Status: 404, Reason: "CHECKOUT_NOT_FOUND"}},
		503: {`{"error":{"details":[{"reason":"STOCK_REBUILDING"}]}}`, Answer{Status: 503, Reason: "STOCK_REBUILDING"}},
		502: {`no JSON`, Answer{Status: 502}},
		401: {`{"error":{"details":[{"reason":"TOKEN_EXPIRED"}]}}`, Answer{Status: 401, Reason: "TOKEN_EXPIRED"}},
		200: {`{"checkout_id":"x","state":"FAILED","order":null,"failure":{"details":[{"@type":"t","reason":"PRICE_CHANGED"}]}}`,
			Answer{Kind: Refused, Status: 200, Reason: "PRICE_CHANGED", ID: "x"}},
	} {
		p := newAnswer(t, status, test.body)
		r := newClient(p).send(t.Context(), request{method: http.MethodGet, path: "/"})
		got := readCheckout(r)
		if got.Kind != test.want.Kind || got.Reason != test.want.Reason || got.ID != test.want.ID || len(got.Short) != len(test.want.Short) ||
			got.Status != test.want.Status || (len(got.Short) > 0 && got.Short[0] != test.want.Short[0]) {
			t.Errorf("%d %s: %+v, want %+v", status, test.body, got, test.want)
		}
	}
}

func TestInsistGivesUp(t *testing.T) {
	p := newAnswer(t, 403, `{"error":{"details":[{"reason":"PERMISSION_DENIED"}]}}`)
	if _, err := newClient(p).insist(t.Context(), request{method: http.MethodGet, path: "/"}); !errors.Is(err, errRefused) {
		t.Errorf("insisted: %v, want %v", err, errRefused)
	}
	p = newAnswer(t, 503, ``)
	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := newClient(p).insist(short, request{method: http.MethodGet, path: "/"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("insisted: %v, want %v", err, context.DeadlineExceeded)
	}
}
