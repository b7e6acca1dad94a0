package account

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"larder.dev/load/prove/shop"
)

// scene is a small round in which everything is right, to plant faults into.
type scene struct {
	history *shop.History
	books   Books
	now     time.Time
	orders  int
}

const (
	store      = "soho"
	limitOfAnn = "limit:2026-03-01:figs:ann"
)

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{
		history: &shop.History{Stores: []string{store}, Products: []string{"figs", "plums"}, Limits: map[string]int64{"figs": 100}},
		books: Books{
			Orders: map[string]*Order{}, Payments: map[string]*Payment{}, Slots: map[Product]int64{}, Virtual: map[string]*Virtual{},
			Events: map[Event]int{},
		},
		now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	s.adjust("figs", 10)
	s.adjust("plums", 20)
	s.books.Virtual[store] = &Virtual{Stock: map[string]int64{}, Holds: map[string]Hold{}}
	return s
}

// ask is a request of a second with its answer; a minute later comes the next.
func (s *scene) ask(answer shop.Answer) shop.Ask {
	s.now = s.now.Add(time.Minute)
	return shop.Ask{Start: s.now, End: s.now.Add(time.Second), Answer: answer}
}

func (s *scene) enter(product string, quantity int64, kind, reference, reason string) {
	s.books.Ledger = append(s.books.Ledger, Entry{
		Store: store, Product: product, ID: kind + ":" + reference, Kind: kind, Reference: reference, Reason: reason, Quantity: quantity,
		Time: s.now.Add(time.Second / 2),
	})
}

func (s *scene) adjust(product string, quantity int64) *shop.Adjustment {
	a := &shop.Adjustment{
		Store: store, Key: fmt.Sprintf("adjustment-%d", len(s.history.Adjustments)), By: shop.ByOperator,
		Lines: []shop.Line{{Product: product, Quantity: quantity}},
	}
	a.Asks = append(a.Asks, s.ask(shop.Answer{Kind: shop.Done}))
	s.enter(product, quantity, "adjustment", a.Key, a.Key)
	s.history.Adjustments = append(s.history.Adjustments, a)
	return a
}

// buy has a shopper buy figs, at 100 each with a fee of 50.
func (s *scene) buy(quantity int64) (*shop.Checkout, *Order) {
	s.orders++
	id := fmt.Sprintf("order-%d", s.orders)
	lines := []shop.Line{{Product: "figs", Quantity: quantity, Price: 100}}
	total := 100*quantity + 50
	c := &shop.Checkout{Key: "key-" + id, User: "ann", Behaviour: "plain", Wishes: []shop.Wish{{Store: store, Total: total, Lines: lines}}}
	c.Asks = append(c.Asks, s.ask(shop.Answer{Kind: shop.Done, ID: id, Order: &shop.Order{
		ID: id, State: "CONFIRMED", User: "ann", Store: store, Total: total, Fee: 50, Lines: slices.Clone(lines),
	}}))
	s.history.Checkouts = append(s.history.Checkouts, c)
	o := &Order{
		ID: id, User: "ann", Store: store, State: "CONFIRMED", Version: 1, LinesTotal: 100 * quantity, Fee: 50, Total: total,
		Lines: slices.Clone(lines), History: []Moved{{1, "CONFIRMED", "shopper"}},
	}
	s.books.Orders[id] = o
	s.books.Payments[id] = &Payment{Order: id, State: "AUTHORIZED", Intent: "pi-" + id, Amount: total}
	s.books.Intents = append(s.books.Intents, Intent{ID: "pi-" + id, Order: id, Status: "requires_capture", Amount: total})
	s.books.Events[Event{Order: id, State: "CONFIRMED", Version: 1}] = 1
	s.enter("figs", -quantity, "sale", id, "")
	s.enter(limitOfAnn, -quantity, "sale", id, "")
	return c, o
}

// refuse has a shopper be told that there are too few figs.
func (s *scene) refuse(quantity int64) *shop.Checkout {
	s.orders++
	id := fmt.Sprintf("order-%d", s.orders)
	c := &shop.Checkout{Key: "key-" + id, User: "ann", Behaviour: "plain", Wishes: []shop.Wish{{
		Store: store, Total: 100*quantity + 50, Lines: []shop.Line{{Product: "figs", Quantity: quantity, Price: 100}},
	}}}
	c.Asks = append(c.Asks, s.ask(shop.Answer{
		Kind: shop.Refused, ID: id, Reason: "OUT_OF_STOCK", Short: []shop.Line{{Product: "figs", Quantity: quantity}},
	}))
	s.history.Checkouts = append(s.history.Checkouts, c)
	s.books.Orders[id] = &Order{ID: id, User: "ann", Store: store, State: abandoned, Version: 1}
	return c
}

// step has something be done with an order.
func (s *scene) step(o *Order, verb string) *shop.Step {
	step := &shop.Step{Order: o.ID, Verb: verb, By: shop.ByOperator}
	step.Asks = append(step.Asks, s.ask(shop.Answer{Kind: shop.Done}))
	s.history.Steps = append(s.history.Steps, step)
	if state := stateAfter[verb]; state != "" {
		o.State = state
		o.Version++
		o.History = append(o.History, Moved{o.Version, state, "operator"})
		s.books.Events[Event{Order: o.ID, State: state, Version: o.Version}] = 1
	}
	return step
}

func (s *scene) intent(o *Order) *Intent {
	i := slices.IndexFunc(s.books.Intents, func(i Intent) bool { return i.Order == o.ID })
	return &s.books.Intents[i]
}

func (s *scene) pack(o *Order) { s.packShort(o, 0) }

// packShort has so many figs of an order missing when it is picked.
func (s *scene) packShort(o *Order, missing int64) {
	s.step(o, "pick")
	step := s.step(o, "pack")
	o.Receipt = slices.Clone(o.Lines)
	o.Receipt[0].Quantity -= missing
	o.Charged = o.Total - 100*missing
	if missing > 0 {
		step.Lines = []shop.Line{{Product: "figs", Quantity: o.Receipt[0].Quantity}}
		s.enter("figs", missing, "picking", o.ID, "")
		s.enter(limitOfAnn, missing, "picking", o.ID, "")
	}
	p, i := s.books.Payments[o.ID], s.intent(o)
	p.State, p.Captured, i.Status, i.Received = "CAPTURED", o.Charged, "succeeded", o.Charged
}

func (s *scene) cancel(o *Order) *shop.Step {
	step := s.step(o, "cancel")
	s.enter("figs", o.Lines[0].Quantity, "cancellation", o.ID, "")
	s.enter(limitOfAnn, o.Lines[0].Quantity, "cancellation", o.ID, "")
	p, i := s.books.Payments[o.ID], s.intent(o)
	p.State, p.Refunded, i.Refunded = "VOIDED", p.Captured, i.Received
	if i.Received == 0 {
		i.Status = "canceled"
	}
	return step
}

// refund gives back one fig.
func (s *scene) refund(o *Order) {
	step := s.step(o, "refund")
	step.Lines = []shop.Line{{Product: "figs", Quantity: 1, Price: 100}}
	p, i := s.books.Payments[o.ID], s.intent(o)
	p.State, p.Refunded, i.Refunded = "PARTIALLY_REFUNDED", 100, 100
	p.Refunds = append(p.Refunds, Refund{ID: "refund-" + o.ID, State: "DONE", Amount: 100})
	s.books.Events[Event{Order: o.ID, Refund: "refund-" + o.ID}] = 2 // twice is no harm
}

// check loads the virtual stock as the ledger has it, unless a test has set it, and checks.
func (s *scene) check() Result {
	v := s.books.Virtual[store]
	if v != nil && len(v.Stock) == 0 {
		for _, e := range s.books.Ledger {
			v.Stock[e.Product] += e.Quantity
		}
	}
	return check(s.history, s.books, rules{holdFor: 5 * time.Second, stale: 20 * time.Second})
}
