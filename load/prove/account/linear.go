package account

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"larder.dev/load/prove/shop"
)

// The history of each product of a store, as people saw it, must be that of a heap of units: somebody adds to it, somebody takes from it,
// each at one moment between question and answer.
//
//   - A sold order takes its units between its first request and the first answer that told of it. Only what is there can be taken.
//   - A cancelled order gives them back at some moment after it was first asked for.
//   - What staff and warehouse add is there from some moment between first request and answer. What they take away must have been there.
//   - Who is told that something is sold out was told so at a moment when, but for what others may have held, less was there than was wanted.
//     Others may hold what they ask for from their first request on until they know, and, where they don't finish, until somebody
//     looks after their hold: shoppers, and who takes stock away or lowers a slot's capacity. A server that isn't the master any
//     more may have told it of old.
//
// What nobody was told of may have happened until the end. Linearizability is checked twice: first with each operation at the moment of its
// commit in the ledger, which is only a guess, but one that makes a search short. Only if that doesn't come out, everything is
// searched; a search that doesn't come to its end is a failure.

// kind of an operation.
type kind int

const (
	give  kind = iota // adds
	take              // takes, if it is there
	short             // is told that less is there
)

func (k kind) String() string { return [...]string{"give", "take", "short"}[k] }

// operation is one on a product's units.
type operation struct {
	kind     kind
	quantity int64
	// slack is what others may have held.
	slack int64
	// from and to bound the moment; guess is where it probably was, zero for unknown.
	from, to, guess time.Time
	who             string
}

// heap is the model: its state is how many units there are.
var heap = porcupine.Model{
	Init: func() any { return int64(0) },
	Step: func(state, input, _ any) (bool, any) {
		have, _ := state.(int64)
		op, _ := input.(operation)
		switch op.kind {
		case give:
			return true, have + op.quantity
		case take:
			return have >= op.quantity, have - op.quantity
		default:
			return have-op.slack < op.quantity, have
		}
	},
	Hash: func(state any) uint64 {
		have, _ := state.(int64)
		return uint64(have)
	},
}

// searchFor bounds the search of one product's history.
const searchFor = 20 * time.Second

// reapIn is how long after its deadline a hold is looked after at the latest.
const reapIn = 10 * time.Second

// withdrawnIn is how long after its last request what an adjustment holds is looked after at the latest: 30 s, and what a rebuild takes.
const withdrawnIn = 30*time.Second + reapIn

// linear checks the history of every product of which somebody took or wanted to take something: giving is always possible.
func (f *facts) linear(r *Result) {
	histories := f.operations()
	for _, product := range slices.SortedFunc(maps.Keys(histories), func(x, y Product) int { return cmp.Compare(x.String(), y.String()) }) {
		if !slices.ContainsFunc(histories[product], func(op operation) bool { return op.kind != give }) {
			continue
		}
		switch result := linearizable(histories[product], searchFor); result {
		case porcupine.Ok:
		case porcupine.Illegal:
			r.found(Oversold, 1, "%s: what people saw of it can't be: %s", product, summary(histories[product]))
		default:
			r.found(Oversold, 1, "%s: whether what people saw of it can be is %s after %s: %s", product, result, searchFor, summary(histories[product]))
		}
	}
}

// linearizable searches for an order of the operations.
func linearizable(operations []operation, limit time.Duration) porcupine.CheckResult {
	guessed := make([]porcupine.Operation, len(operations))
	all := make([]porcupine.Operation, len(operations))
	for i, op := range operations {
		all[i] = porcupine.Operation{ClientId: i, Input: op, Call: op.from.UnixNano(), Return: op.to.UnixNano()}
		guessed[i] = all[i]
		if !op.guess.IsZero() {
			at := min(max(op.guess.UnixNano(), guessed[i].Call), guessed[i].Return)
			guessed[i].Call, guessed[i].Return = at, at
		}
	}
	if porcupine.CheckOperationsTimeout(heap, guessed, limit) == porcupine.Ok {
		return porcupine.Ok
	}
	return porcupine.CheckOperationsTimeout(heap, all, limit)
}

func summary(operations []operation) string {
	sums, counts := map[kind]int64{}, map[kind]int{}
	for _, op := range operations {
		sums[op.kind] += op.quantity
		counts[op.kind]++
	}
	return fmt.Sprintf("%d given by %d, %d taken by %d, %d times short", sums[give], counts[give], sums[take], counts[take], counts[short])
}

// operations lists everything that happened to each product.
func (f *facts) operations() map[Product][]operation {
	histories := map[Product][]operation{}
	end := f.end()
	f.entries(histories, end)
	f.orders(histories, end)
	f.shortages(histories)
	return histories
}

// end is after everything.
func (f *facts) end() time.Time {
	var last time.Time
	for _, c := range f.history.Checkouts {
		for _, ask := range c.Asks {
			if ask.End.After(last) {
				last = ask.End
			}
		}
	}
	for _, e := range f.Ledger {
		if e.Time.After(last) {
			last = e.Time
		}
	}
	return last.Add(time.Second)
}

// entries adds the adjustments. Of slots the ledger is believed: a request that comes late sets the capacity that it was sent for.
func (f *facts) entries(histories map[Product][]operation, end time.Time) {
	add := func(product Product, quantity int64, op operation) {
		op.kind, op.quantity = give, quantity
		if quantity < 0 {
			op.kind, op.quantity = take, -quantity
		}
		histories[product] = append(histories[product], op)
	}
	for _, a := range f.history.Adjustments {
		if entered, _ := f.wasEntered(a); !entered || a.By == shop.BySlot {
			continue
		}
		op := operation{from: a.Began(), to: end, who: a.By + " " + a.Key}
		if at, ok := a.Told(shop.Done); ok {
			op.to = at
		}
		if entries := f.entriesOf(a); len(entries) > 0 {
			op.guess = entries[0].Time
		}
		for _, line := range a.Lines {
			add(Product{a.Store, line.Product}, line.Quantity, op)
		}
	}
	for _, e := range f.Ledger {
		product := Product{e.Store, e.Product}
		if _, slot := f.Slots[product]; slot && e.Kind == "adjustment" {
			add(product, e.Quantity, operation{from: e.Time, to: e.Time, guess: e.Time, who: "slot"})
		}
	}
}

// orders adds what was sold and called off.
func (f *facts) orders(histories map[Product][]operation, end time.Time) {
	sold, back, picked := map[string]time.Time{}, map[string]time.Time{}, map[string]time.Time{}
	for _, e := range f.Ledger {
		switch e.Kind {
		case "sale":
			sold[e.Reference] = e.Time
		case "cancellation":
			back[e.Reference] = e.Time
		case "picking":
			picked[e.Reference] = e.Time
		}
	}
	for id, o := range f.Orders {
		c := f.checkouts[id]
		if !o.sold() || c == nil {
			continue // lost tells of it
		}
		buying := operation{kind: take, from: c.Began(), to: end, guess: sold[id], who: "order " + id}
		if at, ok := c.Told(shop.Done); ok {
			buying.to = at
		}
		off := f.calledOff(id, o)
		returning := operation{kind: give, from: f.firstAsked(id, "cancel", buying.from), to: end, guess: back[id], who: "cancelled " + id}
		short := operation{kind: give, from: f.firstAsked(id, "pack", buying.from), to: end, guess: picked[id], who: "not picked of " + id}
		missing := o.missing()
		for _, line := range taken(f.shown(id, o)) {
			product := Product{o.Store, line.Product}
			buying.quantity, returning.quantity = line.Quantity, line.Quantity-missing[line.Product]
			histories[product] = append(histories[product], buying)
			if short.quantity = missing[line.Product]; short.quantity > 0 {
				histories[product] = append(histories[product], short)
			}
			if off && returning.quantity > 0 {
				histories[product] = append(histories[product], returning)
			}
		}
	}
}

// firstAsked is when somebody first asked for a step of an order.
func (f *facts) firstAsked(id, verb string, otherwise time.Time) time.Time {
	var first time.Time
	for _, s := range f.steps[id] {
		if began := s.Began(); s.Verb == verb && (first.IsZero() || began.Before(first)) {
			first = began
		}
	}
	if first.IsZero() {
		return otherwise
	}
	return first
}

// span is a time in which a checkout, or nil for an adjustment, may hold units.
type span struct {
	c        *shop.Checkout
	from, to time.Time
	quantity int64
}

// shortages adds what was told to be sold out.
func (f *facts) shortages(histories map[Product][]operation) {
	spans := map[Product][]span{}
	for _, c := range f.history.Checkouts {
		began := c.Began()
		if began.IsZero() {
			continue
		}
		until := f.heldUntil(c)
		for product, quantity := range f.mayHold(c) {
			spans[product] = append(spans[product], span{c, began, until, quantity})
		}
	}
	for _, a := range f.history.Adjustments {
		// Of what was entered the ledger's history has the taking, at whichever moment; but of a slot's only at that of the ledger.
		if entered, _ := f.wasEntered(a); a.Began().IsZero() || (entered && a.By != shop.BySlot) {
			continue
		}
		until := a.Asks[len(a.Asks)-1].End.Add(withdrawnIn)
		for _, line := range a.Lines {
			if line.Quantity < 0 {
				product := Product{a.Store, line.Product}
				spans[product] = append(spans[product], span{nil, a.Began(), until, -line.Quantity})
			}
		}
	}
	for _, c := range f.history.Checkouts {
		answer, at, ok := c.Final()
		if !ok || answer.Kind != shop.Refused {
			continue
		}
		for _, line := range answer.Short {
			product := Product{c.Wishes[0].Store, line.Product}
			op := operation{kind: short, quantity: line.Quantity, from: c.Began().Add(-f.stale), to: at, who: "checkout " + c.Key}
			for _, s := range spans[product] {
				if s.c != c && s.from.Before(op.to) && s.to.After(op.from) {
					op.slack += s.quantity
				}
			}
			histories[product] = append(histories[product], op)
		}
	}
}

// mayHold is what a checkout may hold of each product.
func (f *facts) mayHold(c *shop.Checkout) map[Product]int64 {
	most := map[Product]int64{}
	for _, w := range c.Wishes {
		for _, lines := range append([][]shop.Line{w.Lines}, w.Others...) {
			for product, n := range units(taken(lines, w.Slot)) {
				of := Product{w.Store, product}
				most[of] = max(most[of], n)
			}
		}
	}
	return most
}

// heldUntil is the last moment at which a checkout may hold anything: what it held is given back, or settled, when it knows its end, or
// else by whoever looks after it.
func (f *facts) heldUntil(c *shop.Checkout) time.Time {
	var last time.Time
	for _, ask := range c.Asks {
		if ask.End.After(last) {
			last = ask.End
		}
	}
	return last.Add(f.holdFor + reapIn)
}
