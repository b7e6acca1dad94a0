package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is what an answer comes to.
type Kind int

const (
	// Unknown: no answer, or one that doesn't tell what happened.
	Unknown Kind = iota
	// Processing and Action are a checkout's that isn't final.
	Processing
	Action
	// Done is final: there is an order, the adjustment is entered, the step was made.
	Done
	// Refused is final, for a reason.
	Refused
	// Reused: the key belongs to another body.
	Reused
	// NotFound: nobody knows of a checkout of this id, yet.
	NotFound
)

// String is the kind's name.
func (k Kind) String() string {
	return [...]string{"unknown", "processing", "action", "done", "refused", "reused", "not found"}[k]
}

// MarshalText writes the kind's name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Line is a quantity of a product. Price is of one unit, minor units; 0 where nobody pays.
type Line struct {
	Product  string `json:"product"`
	Quantity int64  `json:"quantity"`
	Price    int64  `json:"price,omitempty"`
}

// Answer is what came back, as far as it matters.
type Answer struct {
	Kind   Kind   `json:"kind"`
	Status int    `json:"status,omitempty"` // of HTTP; 0: no answer at all
	Reason string `json:"reason,omitempty"`
	// ID is the checkout's, where it was told.
	ID        string `json:"id,omitempty"`
	ActionURL string `json:"action_url,omitempty"`
	Order     *Order `json:"order,omitempty"`
	// Short are the products that were told to be short; Quantity is what was wanted.
	Short []Line `json:"short,omitempty"`
	// Over are the products of which the shopper has bought as many as one may today.
	Over []string `json:"over,omitempty"`
	// Free are the slots that were offered instead.
	Free []string `json:"free,omitempty"`
}

// Order is an order as it was told.
type Order struct {
	ID, State, User, Store, Slot string
	Total, Fee                   int64 // minor units
	Lines                        []Line
}

// Ask is a request and its answer.
type Ask struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Wish is which of a checkout's bodies was sent; -1: it was only looked at.
	Wish   int    `json:"wish,omitempty"`
	Answer Answer `json:"answer"`
}

// Deed is something that somebody wants, by as many requests as it takes.
type Deed struct {
	mu   sync.Mutex
	Asks []Ask `json:"asks"`
}

func (d *Deed) add(a Ask) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Asks = append(d.Asks, a)
}

// Final returns the first final answer, and when it came; ok is false where there is none.
func (d *Deed) Final() (answer Answer, at time.Time, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.Asks {
		if (a.Answer.Kind == Done || a.Answer.Kind == Refused) && (!ok || a.End.Before(at)) {
			answer, at, ok = a.Answer, a.End, true
		}
	}
	return answer, at, ok
}

// Told tells whether an answer of a kind ever came, and when the first did.
func (d *Deed) Told(kind Kind) (at time.Time, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.Asks {
		if a.Answer.Kind == kind && (!ok || a.End.Before(at)) {
			at, ok = a.End, true
		}
	}
	return at, ok
}

// Began is when the first request was sent; zero if none was answered yet.
func (d *Deed) Began() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	var first time.Time
	for _, a := range d.Asks {
		if first.IsZero() || a.Start.Before(first) {
			first = a.Start
		}
	}
	return first
}

// Certain tells that no request but answered ones was ever sent: nothing of it can still be on its way.
func (d *Deed) Certain() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !slices.ContainsFunc(d.Asks, func(a Ask) bool { return a.Answer.Kind == Unknown })
}

// Wish is the body of a checkout, and the cart as the shopper saw it.
type Wish struct {
	Store, Cart, Method, Slot, Recipient string
	Total                                int64 // minor units, of GBP
	Lines                                []Line
	// Others are what else the cart may have held: somebody changed it meanwhile.
	Others [][]Line `json:",omitempty"`
}

// Checkout is everything that was asked under one key.
type Checkout struct {
	Deed
	Key, User, Behaviour string
	// Wishes are the bodies that were sent: the first is the shopper's, what follows was sent under the same key by mistake.
	Wishes []Wish

	person     *person
	registered sync.Once
	// admitted tells that it has waited at the gate, for its first request.
	admitted atomic.Bool
}

// ID is the checkout's id, "" if it was never told.
func (c *Checkout) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.Asks {
		if a.Answer.ID != "" {
			return a.Answer.ID
		}
	}
	return ""
}

// Who enters an adjustment.
const (
	ByOperator  = "operator"
	ByWarehouse = "warehouse"
	BySlot      = "slot" // a change of a delivery slot's capacity
)

// Adjustment is a change of a store's stock. Its Key stands in the ledger as the entry's reason, but for a slot's capacity.
type Adjustment struct {
	Deed
	Store, Key, By string
	Lines          []Line
	// Capacity is what a slot is to have.
	Capacity int64 `json:",omitempty"`

	slot *slot
}

// Step is something that is done with an order: cancel, pick, pack, dispatch, deliver, refund.
type Step struct {
	Deed
	Order, Verb, By string
	// Key is a refund's; Lines, what is refunded, or what was picked of lines that weren't picked in full.
	Key   string `json:",omitempty"`
	Lines []Line `json:",omitempty"`

	person *person
}

// History is what everybody wrote down in a round.
type History struct {
	// Stores and Products are those of the round: only these have stock.
	Stores, Products []string
	// Limits are what one shopper may buy of a product in a day.
	Limits map[string]int64

	mu          sync.Mutex
	Checkouts   []*Checkout
	Adjustments []*Adjustment
	Steps       []*Step
	faults      []string

	confirmed atomic.Int64
}

// Orders is how many checkouts were told to be confirmed so far. It may be asked at any time.
func (h *History) Orders() int { return int(h.confirmed.Load()) }

func (h *History) addCheckout(c *Checkout) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Checkouts = append(h.Checkouts, c)
}

func (h *History) addAdjustment(a *Adjustment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Adjustments = append(h.Adjustments, a)
}

func (h *History) addStep(s *Step) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Steps = append(h.Steps, s)
}

// wrong notes an answer that only a fault of the prover's own explains.
func (h *History) wrong(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.faults) < 5 {
		h.faults = append(h.faults, fmt.Sprintf(format, args...))
	}
}

func (h *History) fault() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.faults) == 0 {
		return nil
	}
	return fmt.Errorf("the prover asks wrongly: %q", h.faults)
}

// open lists what has no final answer, each as the request that asks once more; it returns whether that was the last.
func (h *History) open(d *Day) []func(ctx context.Context) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	var again []func(ctx context.Context) bool
	for _, c := range h.Checkouts {
		if _, _, ok := c.Final(); !ok {
			again = append(again, func(ctx context.Context) bool { return d.askAgain(ctx, c) })
		}
	}
	for _, a := range h.Adjustments {
		if _, _, ok := a.Final(); !ok && a.By != ByWarehouse {
			again = append(again, func(ctx context.Context) bool { return d.enterAgain(ctx, a) })
		}
	}
	for _, s := range h.Steps {
		if _, _, ok := s.Final(); !ok {
			again = append(again, func(ctx context.Context) bool { return d.step(ctx, s).final() })
		}
	}
	return again
}

// final tells whether an answer is the last word.
func (a Answer) final() bool { return a.Kind == Done || a.Kind == Refused }

// Write writes the history as JSON lines, to be read by people after a failure.
func (h *History) Write(w io.Writer) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	encoder := json.NewEncoder(w)
	for _, c := range h.Checkouts {
		if err := encoder.Encode(map[string]any{"checkout": c}); err != nil {
			return fmt.Errorf("write a checkout: %w", err)
		}
	}
	for _, a := range h.Adjustments {
		if err := encoder.Encode(map[string]any{"adjustment": a}); err != nil {
			return fmt.Errorf("write an adjustment: %w", err)
		}
	}
	for _, s := range h.Steps {
		if err := encoder.Encode(map[string]any{"step": s}); err != nil {
			return fmt.Errorf("write a step: %w", err)
		}
	}
	return nil
}
