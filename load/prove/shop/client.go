package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

const (
	// patience is how long a client waits for an answer: a little longer than the platform lets a request take.
	patience = 18 * time.Second
	maxBody  = 1 << 20
)

// client speaks to the public API, over connections that are kept.
type client struct {
	base string
	http *http.Client
}

func newClient(base string) *client {
	return &client{base: strings.TrimSuffix(base, "/"), http: &http.Client{
		Transport: &http.Transport{MaxIdleConns: 2048, MaxIdleConnsPerHost: 2048, IdleConnTimeout: 30 * time.Second, DisableCompression: true},
		// The bank sends shoppers back to the shop's own pages, which aren't here.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// request is one of a person's, or of nobody's.
type request struct {
	method, path string
	token, key   string
	body         any
	timeout      time.Duration // patience if 0
	sending      func()        // told right before it is sent; nil for nobody
}

// reply is what came back. Status 0: nothing did.
type reply struct {
	status     int
	body       []byte
	failure    failure
	start, end time.Time
}

// failure is the part of an error's body that programs decide by; google.rpc.Status in a checkout's failure has the same details.
type failure struct {
	Message string   `json:"message"`
	Details []detail `json:"details"`
}

type detail struct {
	Reason    string            `json:"reason"`
	Metadata  map[string]string `json:"metadata"`
	Shortages []struct {
		Product   string `json:"product_id"`
		Requested int64  `json:"requested,string"`
	} `json:"shortages"`
	Limits []struct {
		Product string `json:"product_id"`
	} `json:"limits"`
	Slot         string `json:"slot_id"`
	Alternatives []struct {
		Slot string `json:"slot_id"`
	} `json:"alternatives"`
}

func (f failure) reason() string {
	for _, d := range f.Details {
		if d.Reason != "" {
			return d.Reason
		}
	}
	return ""
}

func (f failure) metadata(name string) string {
	for _, d := range f.Details {
		if value := d.Metadata[name]; value != "" {
			return value
		}
	}
	return ""
}

// money is an amount as JSON has it.
type money struct {
	Currency string `json:"currency"`
	Minor    int64  `json:"minor_units,string"`
}

func pence(minor int64) money { return money{Currency: "GBP", Minor: minor} }

// send sends a request, waits for the whole answer, and never fails: no answer is one too.
func (c *client) send(ctx context.Context, r request) reply {
	limit := r.timeout
	if limit == 0 {
		limit = patience
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if r.sending != nil {
		r.sending()
	}
	answer := reply{start: time.Now()}
	status, body, err := c.exchange(ctx, r)
	answer.end = time.Now()
	if err != nil {
		return answer
	}
	answer.status, answer.body = status, body
	answer.readFailure()
	return answer
}

// readFailure reads the error that an answer tells of.
func (r *reply) readFailure() {
	if r.status < 400 {
		return
	}
	var wrapped struct {
		Error failure `json:"error"`
	}
	if json.Unmarshal(r.body, &wrapped) == nil { // else it is a proxy's, and has no reason
		r.failure = wrapped.Error
	}
}

func (c *client) exchange(ctx context.Context, r request) (int, []byte, error) {
	var content io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return 0, nil, fmt.Errorf("encode a request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	url := r.path
	if strings.HasPrefix(url, "/") {
		url = c.base + url
	}
	message, err := http.NewRequestWithContext(ctx, r.method, url, content)
	if err != nil {
		return 0, nil, fmt.Errorf("make a request: %w", err)
	}
	if r.body != nil {
		message.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		message.Header.Set("Authorization", "Bearer "+r.token)
	}
	if r.key != "" {
		message.Header.Set("Idempotency-Key", r.key)
	}
	response, err := c.http.Do(message)
	if err != nil {
		return 0, nil, fmt.Errorf("send a request: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end, or given up
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return 0, nil, fmt.Errorf("read an answer: %w", err)
	}
	return response.StatusCode, body, nil
}

// get reads something public, again and again while it can't be had.
func (c *client) get(ctx context.Context, path string, into any) error {
	answer, err := c.insist(ctx, request{method: http.MethodGet, path: path})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer.body, into); err != nil {
		return fmt.Errorf("decode the answer of %s: %w", path, err)
	}
	return nil
}

var errRefused = errors.New("refused")

// insist sends a request until it is answered with 200. Errors: errRefused for an answer that won't change, ctx's.
func (c *client) insist(ctx context.Context, r request) (reply, error) {
	wait := newBackoff(nil)
	for {
		answer := c.send(ctx, r)
		switch {
		case answer.status == http.StatusOK:
			return answer, nil
		case answer.status >= 400 && answer.status < 500 && answer.status != http.StatusTooManyRequests && answer.status != 499:
			return answer, fmt.Errorf("%s %s: %w: %d %.300s", r.method, r.path, errRefused, answer.status, answer.body)
		}
		if !wait.pause(ctx) {
			return answer, fmt.Errorf("%s %s: %d: %w", r.method, r.path, answer.status, context.Cause(ctx))
		}
	}
}

// backoff is a pause that grows to a bound, with jitter.
type backoff struct {
	next   time.Duration
	random *rand.Rand
}

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
)

// newBackoff takes its jitter from a source, or, if that is nil, from the runtime's.
func newBackoff(random *rand.Rand) *backoff { return &backoff{next: firstPause, random: random} }

// pause waits between half and all of the next pause; false: ctx has ended.
func (b *backoff) pause(ctx context.Context) bool {
	pause := b.next/2 + b.jitter(b.next/2)
	b.next = min(b.next*2, longestPause)
	return pauseFor(ctx, pause)
}

func (b *backoff) jitter(below time.Duration) time.Duration {
	if b.random == nil {
		return rand.N(below)
	}
	return time.Duration(b.random.Int64N(int64(below)))
}

// pauseFor waits; false: ctx has ended.
func pauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
