package account

import (
	"slices"
	"strings"
	"time"

	"larder.dev/load/prove/shop"
)

// wasEntered tells whether an adjustment is in the ledger, as far as who asked for it can know; else the ledger is believed: a request
// whose answer was lost may be entered after a later one was refused.
func (f *facts) wasEntered(a *shop.Adjustment) (entered, certain bool) {
	answer, _, ok := a.Final()
	switch {
	case ok && answer.Kind == shop.Done:
		return true, true
	case ok && a.Certain():
		return false, true
	default:
		return len(f.entriesOf(a)) > 0, false
	}
}

// entriesOf are the ledger's of an adjustment.
func (f *facts) entriesOf(a *shop.Adjustment) []Entry { return f.entered[[2]string{a.Store, a.Key}] }

// known sums what everybody knows of each product: what was entered, less what was sold and not called off.
func (f *facts) known() map[Product]int64 {
	known := map[Product]int64{}
	for _, a := range f.history.Adjustments {
		if entered, _ := f.wasEntered(a); entered && a.By != shop.BySlot {
			for _, line := range a.Lines {
				known[Product{a.Store, line.Product}] += line.Quantity
			}
		}
	}
	for slot, capacity := range f.Slots {
		known[slot] += capacity
	}
	for id, o := range f.Orders {
		if !o.sold() || f.calledOff(id, o) {
			continue
		}
		for _, line := range taken(f.shown(id, o)) {
			known[Product{o.Store, line.Product}] -= line.Quantity
		}
		for product, n := range o.missing() { // it wasn't picked, and is on sale again
			known[Product{o.Store, product}] += n
		}
	}
	return known
}

// shown is an order as its shopper was told of it, or else as it stands.
func (f *facts) shown(id string, o *Order) ([]shop.Line, string) {
	if c := f.checkouts[id]; c != nil {
		if answer, _, ok := c.Final(); ok && answer.Order != nil {
			return answer.Order.Lines, answer.Order.Slot
		}
	}
	return o.Lines, o.Slot
}

// taken is what an order takes of the stock: its lines, and its place in a slot.
func taken(lines []shop.Line, slot string) []shop.Line {
	if slot == "" {
		return lines
	}
	return append(slices.Clone(lines), shop.Line{Product: slotPrefix + slot, Quantity: 1})
}

// calledOff tells whether an order is cancelled: somebody was told so, or it stands so.
func (f *facts) calledOff(id string, o *Order) bool {
	return o.State == cancelled || slices.ContainsFunc(f.steps[id], func(s *shop.Step) bool {
		_, told := s.Told(shop.Done)
		return s.Verb == "cancel" && told
	})
}

// stock holds virtual stock, ledger, and what everybody knows against each other.
func (f *facts) stock(r *Result) {
	for _, drift := range f.Drifts {
		r.found(StockDrift, 1, "seen while the round went on: %s", drift)
	}
	f.adjusted(r)
	ledger := map[Product]int64{}
	for _, e := range f.Ledger {
		ledger[Product{e.Store, e.Product}] += e.Quantity
	}
	known := f.known()
	for product, n := range known {
		if ledger[product] != n {
			r.found(StockDrift, 1, "%s: by what everybody knows there are %d, by the ledger %d", product, n, ledger[product])
		}
	}
	for product, n := range ledger {
		if _, ok := known[product]; !ok && !strings.HasPrefix(product.Product, limitPrefix) {
			r.found(StockDrift, 1, "%s: the ledger has %d, and nobody entered any", product, n)
		}
	}
	for store, v := range f.Virtual {
		f.virtualOf(r, store, v, ledger)
	}
	f.limits(r)
}

// limits looks whether what shoppers bought of something limited is counted, and nothing else.
func (f *facts) limits(r *Result) {
	type purchase struct{ order, product string }
	counted := map[purchase]int64{}
	for _, e := range f.Ledger {
		product, user := limited(e.Product)
		if product == "" {
			continue
		}
		counted[purchase{e.Reference, product}] += e.Quantity
		if o := f.Orders[e.Reference]; o == nil || o.User != user {
			r.found(StockDrift, 1, "%s of %s counts against the limit of %s, who didn't buy it", e.Kind, e.Reference, user)
		}
	}
	for id, o := range f.Orders {
		if !o.sold() || o.State == cancelled {
			continue
		}
		missing := o.missing()
		for product, n := range units(o.Lines) {
			n -= missing[product]
			if f.history.Limits[product] > 0 {
				counted[purchase{id, product}] += n
			}
		}
	}
	for what, n := range counted {
		if n != 0 {
			r.found(StockDrift, 1, "order %s: %d of %s aren't counted against its shopper's limit, or too many", what.order, n, what.product)
		}
	}
}

// virtualOf compares a store's virtual stock and open holds with the ledger.
func (f *facts) virtualOf(r *Result, store string, v *Virtual, ledger map[Product]int64) {
	if v == nil {
		return // stuck tells of it
	}
	have := map[string]int64{}
	for product, n := range v.Stock {
		have[product] += n
	}
	for _, hold := range v.Holds {
		for _, line := range hold.Lines {
			have[line.Product] += line.Quantity
		}
	}
	for product := range ledger {
		if _, ok := have[product.Product]; product.Store == store && !ok {
			have[product.Product] = 0
		}
	}
	for product, n := range have {
		if of := (Product{store, product}); ledger[of] != n {
			r.found(StockDrift, 1, "%s: the virtual stock with its holds is %d, the ledger has %d", of, n, ledger[of])
		}
	}
}

// adjusted holds each adjustment against its entries: once, or not at all.
func (f *facts) adjusted(r *Result) {
	capacities := map[Product]map[int64]bool{}
	for _, a := range f.history.Adjustments {
		if a.By == shop.BySlot {
			slot := Product{a.Store, a.Lines[0].Product}
			if capacities[slot] == nil {
				capacities[slot] = map[int64]bool{}
			}
			capacities[slot][a.Capacity] = true
			continue
		}
		entered, certain := f.wasEntered(a)
		entries := f.entriesOf(a)
		switch {
		case !entered && len(entries) > 0:
			r.found(StockDrift, 1, "adjustment %s of %s was refused, and is in the ledger: %+v", a.Key, a.Store, entries)
		case entered && certain && len(entries) == 0:
			r.found(StockDrift, 1, "adjustment %s of %s was entered, and isn't in the ledger: %+v", a.Key, a.Store, a.Lines)
		case entered && !sameUnits(a.Lines, entriesLines(entries)):
			r.found(StockDrift, 1, "adjustment %s of %s is %+v, and was entered as %+v", a.Key, a.Store, a.Lines, entries)
		}
	}
	for slot, capacity := range f.Slots {
		if !capacities[slot][capacity] {
			r.found(StockDrift, 1, "%s has places for %d, and nobody asked for that", slot, capacity)
		}
	}
}

func entriesLines(entries []Entry) []shop.Line {
	lines := make([]shop.Line, len(entries))
	for i, e := range entries {
		lines[i] = shop.Line{Product: e.Product, Quantity: e.Quantity}
	}
	return lines
}

// sold goes through the ledger in the order of its commits: nothing may be sold, or taken away, that isn't there at that moment.
func (f *facts) sold(r *Result) {
	have := map[Product]int64{}
	for _, e := range f.Ledger {
		product := Product{e.Store, e.Product}
		there := max(have[product], 0)
		if of, _ := limited(e.Product); of != "" {
			there = max(have[product]+f.history.Limits[of], 0) // it begins at zero
		}
		if wanted := -e.Quantity; wanted > there {
			r.found(Oversold, int(wanted-there), "%s: %s of %s took %d at %s, and %d were there", product, e.Kind, e.Reference, wanted,
				e.Time.Format(time.RFC3339Nano), there)
		}
		have[product] += e.Quantity
	}
	for product, n := range f.known() {
		if n < 0 {
			r.found(Oversold, int(-n), "%s: %d more were sold than were ever there", product, -n)
		}
	}
}
