// Package simulator speaks the part of Stripe's HTTP API that the platform uses, so that the production adapter talks
// to it unchanged.
//
// Its rules:
//
//   - It stands for an outside company. With a journal it keeps what it knows over its own death (kill -9), and it never
//     reads or writes anything of the platform.
//   - One API call is one change: the objects it touches, the answer kept under its idempotency key and the webhook
//     events are one line of the journal, written before anything of it can be seen.
//   - An idempotency key is remembered for 24 hours once a call was executed, whatever its outcome; a call refused for its
//     parameters was not executed. The same key with other parameters is refused, and so is a key that is still in use.
//   - A declined confirmation leaves the intent in requires_payment_method, and it may be confirmed again.
//   - cancel is refused in processing, succeeded and canceled; capture outside requires_capture or above the authorised
//     amount; a refund above what was captured. An authorisation that is not captured in time is canceled as expired.
//   - A test payment method decides the outcome (methods.go). A method that needs the shopper leads to a page of the
//     simulator (threeds.go).
//
// Differences from Stripe on purpose: a payment method keeps its name (pm_card_visa) instead of being copied, next_action
// is always a redirect, releasing an authorisation leaves no refund object, and amount_refunded counts refunds of
// captured money only.
package simulator

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Defaults of Config.
const (
	DefaultKey                   = "sk_test_larder"
	DefaultMaxIntents            = 100_000
	DefaultProcessingTime        = 5 * time.Second
	DefaultAuthorisationLifetime = 7 * 24 * time.Hour
)

// keyLifetime is how long an idempotency key is remembered; Stripe promises at least 24 hours.
const keyLifetime = 24 * time.Hour

// Config sets a simulator up. The zero value works: no latency, no journal, no webhooks.
type Config struct {
	// Key is the secret API key that callers must send; DefaultKey if empty.
	Key string
	// PublicURL is where shoppers reach the 3-D Secure page; the host of the confirming request if empty.
	PublicURL string
	// Journal is the path of the append-only file that state is rebuilt from; empty keeps state in memory only.
	// It outlives the death of the process, not the loss of power.
	Journal string
	// Latency of each API call is lognormal with these two percentiles; a P50 of 0 means none.
	LatencyP50, LatencyP99 time.Duration
	// Seed of every random choice but identifiers; 0 takes one from the clock. It is logged.
	Seed uint64
	// ProcessingTime is how long pm_card_processing stays in processing.
	ProcessingTime time.Duration
	// AuthorisationLifetime is how long an authorisation can be captured.
	AuthorisationLifetime time.Duration
	// MaxIntents bounds memory, at some 5 kB each. Above it the intent that finished longest ago is forgotten, with its refunds and
	// idempotency keys; when none is finished, new intents are refused with 429.
	MaxIntents int
	// WebhookURL receives signed events; empty sends none.
	WebhookURL string
	// WebhookSecret signs them.
	WebhookSecret string
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Log defaults to slog.Default.
	Log *slog.Logger
}

// Simulator is the payment provider. All methods are safe for concurrent use.
type Simulator struct {
	cfg     Config
	now     func() time.Time
	log     *slog.Logger
	latency *latency
	faults  *faults
	hooks   *sender
	done    chan struct{}
	closing sync.Once
	sweeper sync.WaitGroup

	mu      sync.Mutex
	state   *state
	journal *journal
	inUse   map[string]bool // idempotency keys of calls that are being executed
	shift   time.Duration   // how far the control endpoint has moved the clock
}

// New builds a simulator and replays its journal. Close it when done.
func New(cfg Config) (*Simulator, error) {
	if cfg.Key == "" {
		cfg.Key = DefaultKey
	}
	if cfg.MaxIntents <= 0 {
		cfg.MaxIntents = DefaultMaxIntents
	}
	if cfg.ProcessingTime <= 0 {
		cfg.ProcessingTime = DefaultProcessingTime
	}
	if cfg.AuthorisationLifetime <= 0 {
		cfg.AuthorisationLifetime = DefaultAuthorisationLifetime
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Seed == 0 {
		cfg.Seed = uint64(cfg.Now().UnixNano())
	}
	lat, err := newLatency(cfg.LatencyP50, cfg.LatencyP99, cfg.Seed)
	if err != nil {
		return nil, err
	}
	s := &Simulator{
		cfg: cfg, now: cfg.Now, log: cfg.Log, latency: lat, faults: &faults{},
		done: make(chan struct{}), state: newState(cfg.MaxIntents), inUse: map[string]bool{},
	}
	if cfg.WebhookURL != "" {
		s.hooks = newSender(s, cfg.WebhookURL, cfg.WebhookSecret)
	}
	if cfg.Journal != "" {
		if s.journal, err = openJournal(cfg.Journal, s.state, s.time()); err != nil {
			return nil, fmt.Errorf("payments journal: %w", err)
		}
	}
	s.log.Info("payment simulator ready", "seed", cfg.Seed, "intents", len(s.state.intents), "journal", cfg.Journal)
	s.mu.Lock() // from the first watch on, others are at work
	defer s.mu.Unlock()
	for _, in := range s.state.intents {
		s.watch(in)
	}
	if s.hooks != nil {
		s.hooks.start(s.state.pendingEvents())
	}
	s.sweeper.Add(1)
	go s.sweep()
	return s, nil
}

// Close stops background work and closes the journal. Call it after the server that uses Handler has stopped.
func (s *Simulator) Close() error {
	var err error
	s.closing.Do(func() {
		close(s.done)
		if s.hooks != nil {
			s.hooks.stop()
		}
		s.sweeper.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.journal != nil {
			err = s.journal.close()
		}
	})
	return err
}

// Handler serves the API, the 3-D Secure page, /healthz and the control endpoints under /_control.
func (s *Simulator) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	s.routeAPI(mux)
	s.routeThreeDS(mux)
	s.routeControl(mux)
	return mux
}

// time reads the injected clock plus what the control endpoint has added. Callers must not hold s.mu.
func (s *Simulator) time() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timeLocked()
}

func (s *Simulator) timeLocked() time.Time { return s.now().Add(s.shift).UTC() }

// update runs f as one change: journal first, then memory. When the journal can't be written nothing has happened.
func (s *Simulator) update(f func(*change)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.updateLocked(f)
}

func (s *Simulator) updateLocked(f func(*change)) error {
	c := &change{sim: s, now: s.timeLocked()}
	f(c)
	if c.empty() {
		return nil
	}
	if s.hooks == nil {
		c.Events = nil
	}
	if s.journal != nil {
		if err := s.journal.append(c); err != nil {
			s.log.Error("journal not written", "error", err)
			return err
		}
	}
	dropped := s.state.apply(c)
	if dropped > 0 {
		s.log.Warn("webhook events dropped, too many are pending", "count", dropped)
	}
	if s.journal != nil && s.journal.grown() {
		if err := s.journal.rewrite(s.state.snapshot(c.now)); err != nil {
			s.log.Error("journal not rewritten, it goes on growing", "error", err)
		}
	}
	for _, in := range c.Intents {
		s.watch(in)
	}
	if s.hooks != nil {
		for _, e := range c.Events {
			if s.state.events[e.ID] != nil {
				s.hooks.enqueue(e)
			}
		}
	}
	return nil
}

// watch makes a processing intent move on by itself, so that its webhook is sent although nobody asks.
func (s *Simulator) watch(in *Intent) {
	if in.Status != statusProcessing {
		return
	}
	wait := max(0, in.ProcessingUntil.Sub(s.now().Add(s.shift)))
	time.AfterFunc(wait, func() {
		select {
		case <-s.done:
		default:
			_ = s.update(func(c *change) { c.intent(in.ID) })
		}
	})
}

// sweep expires authorisations and idempotency keys that nobody asks about.
func (s *Simulator) sweep() {
	defer s.sweeper.Done()
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
			s.settleDue()
		}
	}
}

// settleDue applies every transition whose time has come.
func (s *Simulator) settleDue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.timeLocked()
	s.state.forgetKeys(now)
	var due []string
	for id, in := range s.state.intents {
		if s.due(in, now) {
			due = append(due, id)
		}
	}
	if len(due) == 0 {
		return
	}
	_ = s.updateLocked(func(c *change) {
		for _, id := range due {
			c.intent(id)
		}
	})
}
