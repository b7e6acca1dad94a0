package shop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

// slotPrefix marks delivery slots, which are counted like products.
const slotPrefix = "slot:"

// First stock, and how many slots a store has.
const (
	firstStock    = 12 // and up to twice as many more
	firstHotStock = 120
	slotsOfStore  = 6
	firstCapacity = 12
)

// slot is a delivery slot of a store's. One goroutine of the staff changes it.
type slot struct {
	store, id  string
	start, end time.Time
	capacity   int64 // the last that was asked for
}

// open enters the first stock of the day, and opens the slots.
func (d *Day) open(ctx context.Context) error {
	for _, store := range d.shop.stores {
		var lines []Line
		for _, product := range d.products {
			lines = append(lines, Line{Product: product, Quantity: firstStock + d.random.Int64N(2*firstStock)})
		}
		hot := int64(firstStock)
		if store == d.hotStore {
			hot = firstHotStock
		}
		lines = append(lines, Line{Product: d.hot, Quantity: hot})
		a := d.adjustment(store, ByOperator, lines)
		if err := d.mustEnter(ctx, a); err != nil {
			return fmt.Errorf("enter the first stock of %s: %w", store, err)
		}
		for i := range slotsOfStore {
			start := time.Now().UTC().Truncate(time.Hour).Add(time.Duration(36+2*i) * time.Hour)
			s := &slot{store: store, id: fmt.Sprintf("day-%d-%d", d.number, i), start: start, end: start.Add(2 * time.Hour)}
			if err := d.mustEnter(ctx, d.resize(s, firstCapacity)); err != nil {
				return fmt.Errorf("open a slot of %s: %w", store, err)
			}
			d.slots[store] = append(d.slots[store], s)
		}
	}
	return nil
}

// mustEnter enters what a day can't begin without.
func (d *Day) mustEnter(ctx context.Context, a *Adjustment) error {
	answer, ok := d.insistOnEntry(ctx, a)
	if ok && answer.Kind == Done {
		return nil
	}
	return errors.Join(fmt.Errorf("not entered: %d %s", answer.Status, answer.Reason), context.Cause(ctx), d.history.fault())
}

// chooseSlot is some slot of a store's, or, mostly, none.
func (d *Day) chooseSlot(store string, random *rand.Rand) string {
	if random.IntN(3) > 0 {
		return ""
	}
	return d.slots[store][random.IntN(slotsOfStore)].id
}

// soldOut notes what shoppers were told is sold out: the staff order more of it.
func (d *Day) soldOut(store string, short []Line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, line := range short {
		d.short[store][line.Product] = true
	}
}

// wanted takes at most limit of what is sold out in a store, products or slots.
func (d *Day) wanted(store string, limit int, slots bool) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var wanted []string
	for product := range d.short[store] {
		if isSlot(product) == slots && product != d.hot && len(wanted) < limit {
			wanted = append(wanted, product)
		}
	}
	for _, product := range wanted {
		delete(d.short[store], product)
	}
	return wanted
}

func isSlot(product string) bool {
	return len(product) > len(slotPrefix) && product[:len(slotPrefix)] == slotPrefix
}

func (d *Day) adjustment(store, by string, lines []Line) *Adjustment {
	a := &Adjustment{Store: store, Key: uuid.NewString(), By: by, Lines: lines}
	d.history.addAdjustment(a)
	return a
}

// resize asks for another capacity of a slot.
func (d *Day) resize(s *slot, capacity int64) *Adjustment {
	a := &Adjustment{
		Store: s.store, Key: uuid.NewString(), By: BySlot, Capacity: capacity, slot: s,
		Lines: []Line{{Product: slotPrefix + s.id, Quantity: capacity - s.capacity}},
	}
	s.capacity = capacity
	d.history.addAdjustment(a)
	return a
}

// enterAgain asks once for an adjustment, and returns whether there is a final answer.
func (d *Day) enterAgain(ctx context.Context, a *Adjustment) bool { return d.enter(ctx, a).final() }

func (d *Day) enter(ctx context.Context, a *Adjustment) Answer {
	var r request
	if a.By == BySlot {
		r = request{method: http.MethodPut, path: "/v1/stores/" + a.Store + "/slots/" + a.slot.id, body: map[string]any{
			"start_time": a.slot.start.Format(time.RFC3339), "end_time": a.slot.end.Format(time.RFC3339), "capacity": a.Capacity,
		}}
	} else {
		changes := make([]map[string]any, len(a.Lines))
		for i, line := range a.Lines {
			changes[i] = map[string]any{"product_id": line.Product, "quantity": line.Quantity}
		}
		r = request{method: http.MethodPost, path: "/v1/stores/" + a.Store + "/stock:adjust", key: a.Key, body: map[string]any{
			"adjustments": changes, "reason": a.Key,
		}}
	}
	reply := d.client.as(ctx, d.shop.operator, r)
	answer := Answer{Kind: Done, Status: reply.status}
	if reply.status != http.StatusOK {
		answer = refusal(reply.status, reply.failure)
	}
	if answer.Kind == Refused {
		if product := reply.failure.metadata("product_id"); product != "" {
			answer.Short = []Line{{Product: product, Quantity: -a.quantity(product)}}
		}
	}
	if ours[answer.Reason] {
		d.history.wrong("adjust %s: %d %.500s", a.Key, reply.status, reply.body)
	}
	a.add(Ask{Start: reply.start, End: reply.end, Answer: answer})
	return answer
}

func (a *Adjustment) quantity(product string) int64 {
	for _, line := range a.Lines {
		if line.Product == product {
			return line.Quantity
		}
	}
	return 0
}

// insistOnEntry asks until there is a final answer; false: ctx has ended before.
func (d *Day) insistOnEntry(ctx context.Context, a *Adjustment) (Answer, bool) {
	wait := newBackoff(nil)
	for {
		if answer := d.enter(context.WithoutCancel(ctx), a); answer.final() {
			return answer, true
		}
		if !wait.pause(ctx) || d.history.fault() != nil {
			return Answer{}, false
		}
	}
}

// stockUp enters what arrives in a store, most of it of what is sold out, and takes away what is lost.
func (d *Day) stockUp(ctx context.Context, store string, random *rand.Rand) {
	for pauseFor(ctx, 800*time.Millisecond+time.Duration(random.Int64N(int64(1500*time.Millisecond)))) {
		if random.IntN(5) == 0 {
			lost := d.products[random.IntN(len(d.products))]
			a := d.adjustment(store, ByOperator, []Line{{Product: lost, Quantity: -1 - random.Int64N(8)}})
			_, _ = d.insistOnEntry(ctx, a) // what is left open, Finish asks for
			continue
		}
		products := d.wanted(store, 14, false)
		if product := d.products[random.IntN(len(d.products))]; !slices.Contains(products, product) {
			products = append(products, product)
		}
		lines := make([]Line, len(products))
		for i, product := range products {
			lines[i] = Line{Product: product, Quantity: 10 + random.Int64N(30)}
		}
		a := d.adjustment(store, ByOperator, lines)
		if random.IntN(8) == 0 { // the operator clicks twice
			d.enter(context.WithoutCancel(ctx), a)
		}
		_, _ = d.insistOnEntry(ctx, a)
	}
}

// openSlots changes the capacity of a store's slots: up where they are full, now and then down.
func (d *Day) openSlots(ctx context.Context, store string, random *rand.Rand) {
	for pauseFor(ctx, time.Second+time.Duration(random.Int64N(int64(2*time.Second)))) {
		full := d.wanted(store, slotsOfStore, true)
		for _, s := range d.slots[store] {
			switch {
			case slices.Contains(full, slotPrefix+s.id):
				_, _ = d.insistOnEntry(ctx, d.resize(s, s.capacity+5+random.Int64N(20)))
			case random.IntN(40) == 0 && s.capacity > 2:
				before := s.capacity
				if answer, ok := d.insistOnEntry(ctx, d.resize(s, before-1-random.Int64N(2))); ok && answer.Kind == Refused {
					s.capacity = before
				}
			}
		}
	}
}

// rebuildNowAndThen has an operator ask for a rebuild that nothing asked for.
func (d *Day) rebuildNowAndThen(ctx context.Context, random *rand.Rand) {
	for pauseFor(ctx, 15*time.Second+time.Duration(random.Int64N(int64(15*time.Second)))) {
		store := d.shop.stores[random.IntN(len(d.shop.stores))]
		d.client.as(context.WithoutCancel(ctx), d.shop.operator, request{
			method: http.MethodPost, path: "/v1/stores/" + store + "/stock:rebuild", body: map[string]any{},
		})
	}
}

// pickAndPack takes orders through the store.
func (d *Day) pickAndPack(ctx context.Context, random *rand.Rand) {
	for {
		select {
		case c := <-d.confirmed:
			d.fulfil(ctx, random, c)
		case <-ctx.Done():
			return
		}
	}
}

// fulfil takes an order as far as it goes. Some are called off on the way, and of some a part is refunded.
func (d *Day) fulfil(ctx context.Context, random *rand.Rand, c *Checkout) {
	id, fate := c.ID(), random.IntN(100)
	pack := func() bool {
		s := &Step{Order: id, Verb: "pack", By: ByOperator, person: d.shop.operator, Lines: shortPick(random, c)}
		if len(s.Lines) > 0 && random.IntN(4) == 0 { // the operator clicks twice
			d.step(context.WithoutCancel(ctx), s)
		}
		answer, ok := d.insistOn(ctx, s)
		return ok && answer.Kind == Done
	}
	do := func(verb string) bool {
		answer, ok := d.insistOn(ctx, &Step{Order: id, Verb: verb, By: ByOperator, person: d.shop.operator})
		return ok && answer.Kind == Done
	}
	switch {
	case !do("pick"):
		return
	case fate < 10:
		do("cancel")
		return
	case !pack():
		return
	case fate < 18: // perhaps while it is captured
		do("cancel")
		return
	case !d.captured(ctx, id):
		return
	case fate < 24:
		do("cancel")
		return
	case fate < 50:
		d.refund(ctx, random, c)
		if fate < 30 {
			do("cancel")
			return
		}
	}
	if do("dispatch") {
		do("deliver")
	}
}

// shortPick is one line of an order of which not all was there, now and then; else all was.
func shortPick(random *rand.Rand, c *Checkout) []Line {
	answer, _, ok := c.Final()
	if !ok || answer.Order == nil || random.IntN(4) > 0 {
		return nil
	}
	line := answer.Order.Lines[random.IntN(len(answer.Order.Lines))]
	if line.Quantity < 2 {
		return nil
	}
	return []Line{{Product: line.Product, Quantity: 1 + random.Int64N(line.Quantity-1)}}
}

// refund gives the money of one line back, or of all that is left.
func (d *Day) refund(ctx context.Context, random *rand.Rand, c *Checkout) {
	answer, _, ok := c.Final()
	if !ok || answer.Order == nil {
		return
	}
	s := &Step{Order: answer.Order.ID, Verb: "refund", By: ByOperator, Key: uuid.NewString(), person: d.shop.operator}
	if random.IntN(4) > 0 {
		line := answer.Order.Lines[random.IntN(len(answer.Order.Lines))]
		s.Lines = []Line{{Product: line.Product, Quantity: 1 + random.Int64N(line.Quantity), Price: line.Price}}
	}
	if random.IntN(4) == 0 { // the operator clicks twice
		d.step(context.WithoutCancel(ctx), s)
	}
	_, _ = d.insistOn(ctx, s)
}

// captured waits for the money of a packed order, not for ever: others are to be picked.
func (d *Day) captured(ctx context.Context, id string) bool {
	const longEnough = 8 * time.Second
	ctx, cancel := context.WithTimeout(ctx, longEnough)
	defer cancel()
	for wait := newBackoff(nil); wait.pause(ctx); {
		r := d.client.as(ctx, d.shop.operator, request{method: http.MethodGet, path: "/v1/orders/" + id})
		var order orderJSON
		if r.status == http.StatusOK && json.Unmarshal(r.body, &order) == nil && order.Payment.State == "CAPTURED" {
			return true
		}
	}
	return false
}
