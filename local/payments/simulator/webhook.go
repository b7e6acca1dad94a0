package simulator

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Delivery of events: at least once, in any order, as Stripe's.
const (
	webhookWorkers  = 4
	webhookTimeout  = 10 * time.Second
	webhookFirst    = 200 * time.Millisecond // first retry after about this, doubled each time
	webhookLongest  = time.Minute
	webhookAttempts = 200 // some three hours
)

// event is a webhook event that waits for delivery.
type event struct {
	ID      string          `json:"id"`
	Seq     int64           `json:"seq"` // order of creation, for a restart
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
	// Trace is the traceparent of the call that caused it, passed on with the delivery. Stripe itself passes none on.
	Trace string `json:"trace,omitempty"`

	attempts int // of this process; one worker at a time holds the event
}

// event adds a webhook event about the intent to the change.
func (c *change) event(kind string, in *Intent) {
	if c.sim.hooks == nil {
		return
	}
	subject := in.wire(nil)
	if strings.HasPrefix(kind, "charge.") {
		subject = in.chargeWire(nil)
	}
	request := object{"id": nil, "idempotency_key": orNull(c.key)}
	id := newID("evt")
	trace := ""
	if c.request != nil {
		trace = c.request.Header.Get("Traceparent")
	}
	c.Events = append(c.Events, &event{ID: id, Seq: c.now.UnixNano(), Type: kind, Trace: trace, Payload: mustJSON(object{
		"id": id, "object": "event", "api_version": apiVersion, "created": c.now.Unix(), "data": object{"object": subject},
		"livemode": false, "pending_webhooks": 1, "request": request, "type": kind,
	})})
}

// hookRules are what the control endpoint may ask of deliveries.
type hookRules struct {
	Duplicates int      `json:"duplicates"` // further copies of each event, 0 to 10
	Delay      Duration `json:"delay"`      // before the first attempt
	Jitter     Duration `json:"jitter"`     // up to this much more, at random, so that order is lost
	Lose       float64  `json:"lose"`       // how many are never delivered, 0 to 1
}

// sender delivers events. Each pending event is in the queue, with a worker, or waiting for a timer.
type sender struct {
	sim    *Simulator
	url    string
	secret []byte
	client *http.Client
	queue  chan *event
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex
	rules hookRules
}

func newSender(s *Simulator, url, secret string) *sender {
	ctx, cancel := context.WithCancel(context.Background())
	return &sender{
		sim: s, url: url, secret: []byte(secret), client: &http.Client{Timeout: webhookTimeout},
		queue: make(chan *event, maxPendingEvents), ctx: ctx, cancel: cancel,
	}
}

func (h *sender) start(pending []*event) {
	for _, e := range pending {
		h.later(e, 0)
	}
	for range webhookWorkers {
		h.work.Add(1)
		go func() {
			defer h.work.Done()
			for {
				select {
				case <-h.ctx.Done():
					return
				case e := <-h.queue:
					h.deliver(e)
				}
			}
		}()
	}
}

func (h *sender) stop() {
	h.cancel()
	h.work.Wait()
}

func (h *sender) set(r hookRules) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rules = r
}

func (h *sender) current() hookRules {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rules
}

// enqueue takes a new event.
func (h *sender) enqueue(e *event) {
	r := h.current()
	h.later(e, time.Duration(r.Delay)+h.sim.latency.below(time.Duration(r.Jitter)))
}

func (h *sender) later(e *event, wait time.Duration) {
	if wait <= 0 {
		h.push(e)
		return
	}
	time.AfterFunc(wait, func() { h.push(e) })
}

// push never blocks: the queue has room for every pending event.
func (h *sender) push(e *event) {
	select {
	case h.queue <- e:
	case <-h.ctx.Done():
	}
}

func (h *sender) deliver(e *event) {
	rules := h.current()
	if e.attempts == 0 && h.sim.latency.chance(rules.Lose) {
		_ = h.sim.update(func(c *change) { c.Delivered = append(c.Delivered, e.ID) })
		return
	}
	err := h.post(e)
	if err == nil {
		for range rules.Duplicates {
			_ = h.post(e) // a copy needs no retry
		}
	} else if e.attempts++; e.attempts < webhookAttempts {
		if h.ctx.Err() == nil {
			h.sim.log.Debug("webhook not delivered", "event", e.ID, "attempt", e.attempts, "error", err)
			ceiling := min(webhookLongest, webhookFirst<<min(e.attempts, 16))
			h.later(e, ceiling/2+h.sim.latency.below(ceiling/2))
		}
		return
	} else {
		h.sim.log.Error("webhook given up", "event", e.ID, "type", e.Type, "error", err)
	}
	_ = h.sim.update(func(c *change) { c.Delivered = append(c.Delivered, e.ID) })
}

func (h *sender) post(e *event) error {
	ctx, cancel := context.WithTimeout(h.ctx, webhookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(e.Payload))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "Stripe/1.0 (larder payment simulator)")
	// Signed at the receivers' time, which the control endpoint doesn't move: to them, a signature of next week is forged.
	req.Header.Set("Stripe-Signature", signature(h.secret, h.sim.now(), e.Payload))
	if e.Trace != "" {
		req.Header.Set("Traceparent", e.Trace)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// signature signs time and raw body: https://docs.stripe.com/webhooks#verify-manually
func signature(secret []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
