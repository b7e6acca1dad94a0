package account

import (
	"slices"
	"time"

	"larder.dev/load/prove/shop"
)

// rules are what a check goes by.
type rules struct{ holdFor, stale time.Duration }

// facts are history and books, arranged.
type facts struct {
	Books
	rules
	history *shop.History
	// checkouts by id. One whose id was never told isn't in it.
	checkouts map[string]*shop.Checkout
	// unnamed is how many checkouts of a user's have no id.
	unnamed map[string]int
	// intents by order.
	intents map[string][]Intent
	// entered are the ledger's adjustments by store and key.
	entered map[[2]string][]Entry
	// cancels, moves and refunds of orders.
	steps map[string][]*shop.Step
}

// check holds everything against each other. It reads nothing.
func check(h *shop.History, books Books, r rules) Result {
	f := &facts{
		Books: books, rules: r, history: h, checkouts: map[string]*shop.Checkout{}, unnamed: map[string]int{}, intents: map[string][]Intent{},
		entered: map[[2]string][]Entry{}, steps: map[string][]*shop.Step{},
	}
	for _, c := range h.Checkouts {
		if id := c.ID(); id != "" {
			f.checkouts[id] = c
		} else {
			f.unnamed[c.User]++
		}
	}
	for _, s := range h.Steps {
		f.steps[s.Order] = append(f.steps[s.Order], s)
	}
	for _, i := range books.Intents {
		f.intents[i.Order] = append(f.intents[i.Order], i)
	}
	for _, e := range books.Ledger {
		if e.Kind == "adjustment" {
			key := [2]string{e.Store, e.Reason}
			f.entered[key] = append(f.entered[key], e)
		}
	}
	var result Result
	result.Looks = books.Looks
	for id, o := range books.Orders {
		if !o.sold() {
			result.Refused++
			continue
		}
		result.Orders++
		result.Lines += len(o.Lines)
		if o.State == cancelled {
			result.Cancelled++
		}
		f.asked(&result, id, o)
	}
	for _, p := range books.Payments {
		if p.Captured > 0 {
			result.Captured++
		}
		if p.Refunded > 0 {
			result.Refunded++
		}
	}
	f.answered(&result)
	f.stepped(&result)
	f.money(&result)
	f.stock(&result)
	f.sold(&result)
	f.linear(&result)
	f.stuck(&result)
	f.told(&result)
	return result
}

// asked looks for orders, and cancellations, that nobody asked for.
func (f *facts) asked(r *Result, id string, o *Order) {
	if f.checkouts[id] == nil && f.unnamed[o.User] == 0 {
		r.found(Lost, 1, "order %s of user %s: nobody asked for it", id, o.User)
	}
	if o.State != cancelled {
		return
	}
	if !slices.ContainsFunc(f.steps[id], func(s *shop.Step) bool { return s.Verb == "cancel" }) {
		r.found(Lost, 1, "order %s is cancelled, and nobody asked for that: %+v", id, o.History)
	}
}

// answered holds what shoppers were told against the orders.
func (f *facts) answered(r *Result) {
	for _, c := range f.history.Checkouts {
		var first *shop.Answer
		wish := -1 // the body that was taken
		for i := range c.Asks {
			ask := &c.Asks[i]
			answer := &ask.Answer
			switch answer.Kind {
			case shop.Done, shop.Refused:
			case shop.Reused:
				if len(c.Wishes) == 1 {
					r.found(Lost, 1, "checkout %s (%s): the key was told to be another's, and never was", c.Key, c.Behaviour)
				}
				continue
			default:
				continue
			}
			switch {
			case ask.Wish < 0 || answer.Reason == expired: // a tombstone that no request wrote knows no body
			case wish < 0:
				wish = ask.Wish
			case ask.Wish != wish:
				r.found(Lost, 1, "checkout %s (%s): two bodies were taken under one key", c.Key, c.Behaviour)
			}
			if first == nil {
				first = answer
				f.kept(r, c, ask)
				continue
			}
			if first.Kind != answer.Kind || first.Reason != answer.Reason || (answer.ID != "" && first.ID != "" && first.ID != answer.ID) {
				r.found(Lost, 1, "checkout %s (%s): two final answers: %s %s %s, then %s %s %s at %s", c.Key, c.Behaviour,
					first.Kind, first.Reason, first.ID, answer.Kind, answer.Reason, answer.ID, ask.End.Format(time.RFC3339Nano))
			}
		}
	}
}

// expired is the refusal of a checkout that was given up.
const expired = "CHECKOUT_EXPIRED"

// kept holds the first final answer against what stands.
func (f *facts) kept(r *Result, c *shop.Checkout, ask *shop.Ask) {
	id := c.ID()
	o := f.Orders[id]
	if ask.Answer.Kind == shop.Refused {
		if o.sold() {
			r.found(Lost, 1, "checkout %s (%s): told %s at %s, and there is the order %s", c.Key, c.Behaviour, ask.Answer.Reason,
				ask.End.Format(time.RFC3339Nano), id)
		}
		return
	}
	told := ask.Answer.Order
	switch {
	case !o.sold():
		r.found(Lost, 1, "checkout %s (%s): told the order %s at %s, and it isn't there", c.Key, c.Behaviour, id, ask.End.Format(time.RFC3339Nano))
	case told == nil || told.ID != id:
		r.found(Lost, 1, "checkout %s (%s): told another order than its own, %s: %+v", c.Key, c.Behaviour, id, told)
	case o.User != c.User || told.User != c.User:
		r.found(Lost, 1, "order %s is of user %s, and was told to user %s", id, o.User, c.User)
	case o.Store != told.Store || o.Slot != told.Slot || !sameUnits(o.Lines, told.Lines):
		r.found(Lost, 1, "order %s isn't what was told: %+v, told %+v", id, o, told)
	case !slices.ContainsFunc(c.Wishes, func(w shop.Wish) bool { return wished(w, o) }):
		r.found(Lost, 1, "order %s isn't what was asked for: %+v, asked for %+v", id, o, c.Wishes)
	case o.Total != told.Total || o.Fee != told.Fee || !samePrices(o.Lines, told.Lines):
		r.found(WrongAmount, 1, "order %s costs %d with a fee of %d, and was told to cost %d with %d", id, o.Total, o.Fee, told.Total, told.Fee)
	case !slices.ContainsFunc(c.Wishes, func(w shop.Wish) bool { return w.Total == o.Total }):
		r.found(WrongAmount, 1, "order %s costs %d, and its shopper agreed to %d", id, o.Total, c.Wishes[0].Total)
	}
}

// wished tells whether an order is what somebody wanted: the cart as it was shown, or as it was changed to meanwhile.
func wished(w shop.Wish, o *Order) bool {
	if w.Store != o.Store || w.Slot != o.Slot {
		return false
	}
	return slices.ContainsFunc(append([][]shop.Line{w.Lines}, w.Others...), func(lines []shop.Line) bool { return sameUnits(lines, o.Lines) })
}

func units(lines []shop.Line) map[string]int64 {
	units := map[string]int64{}
	for _, line := range lines {
		units[line.Product] += line.Quantity
	}
	return units
}

func sameUnits(x, y []shop.Line) bool {
	some, others := units(x), units(y)
	if len(some) != len(others) {
		return false
	}
	for product, n := range some {
		if others[product] != n {
			return false
		}
	}
	return true
}

func samePrices(x, y []shop.Line) bool {
	prices := map[string]int64{}
	for _, line := range x {
		prices[line.Product] = line.Price
	}
	return !slices.ContainsFunc(y, func(line shop.Line) bool { return prices[line.Product] != line.Price })
}

// stateAfter is the state that a step leads to; a refund leads to none.
var stateAfter = map[string]string{
	"cancel": cancelled, "pick": "PICKING", "pack": "PACKED", "dispatch": "DISPATCHED", "deliver": "DELIVERED",
}

// stepped holds what was told of steps against the orders' histories.
func (f *facts) stepped(r *Result) {
	for id, steps := range f.steps {
		o := f.Orders[id]
		for _, s := range steps {
			answer, at, ok := s.Final()
			switch {
			case !ok:
			case answer.Reason == "ORDER_NOT_FOUND":
				r.found(Lost, 1, "order %s: to %s it, it wasn't found at %s", id, s.Verb, at.Format(time.RFC3339Nano))
			case answer.Kind == shop.Done && stateAfter[s.Verb] != "" && !o.reached(stateAfter[s.Verb]):
				r.found(Lost, 1, "order %s: told to be %s at %s, and its history is %+v", id, stateAfter[s.Verb], at.Format(time.RFC3339Nano), o)
			}
		}
	}
}

func (o *Order) reached(state string) bool {
	return o != nil && slices.ContainsFunc(o.History, func(m Moved) bool { return m.State == state })
}

// money holds provider, books, orders and shoppers against each other.
func (f *facts) money(r *Result) {
	for id, o := range f.Orders {
		if o.sold() {
			f.paid(r, id, o)
			f.picked(r, id, o)
		}
	}
	for id, intents := range f.intents {
		f.charged(r, id, intents)
	}
}

// paid looks at the amounts of a sold order.
func (f *facts) paid(r *Result, id string, o *Order) {
	p := f.Payments[id]
	if p == nil {
		r.found(WrongAmount, 1, "order %s has no payment", id)
		return
	}
	i := slices.IndexFunc(f.intents[id], func(i Intent) bool { return i.ID == p.Intent })
	if i < 0 {
		r.found(WrongAmount, 1, "order %s: the provider doesn't know its payment %s", id, p.Intent)
		return
	}
	intent := f.intents[id][i]
	var lines, requested, done int64
	for _, line := range o.Lines {
		lines += line.Quantity * line.Price
	}
	for _, refund := range p.Refunds {
		switch refund.State {
		case "DONE":
			done += refund.Amount
		case "REQUESTED":
			requested += refund.Amount
		}
	}
	held := intent.Status == "requires_capture" || intent.Status == "succeeded"
	switch {
	case lines != o.LinesTotal || o.LinesTotal+o.Fee-o.Discounts != o.Total:
		r.found(WrongAmount, 1, "order %s: lines of %d, booked as %d, a fee of %d, less %d: a total of %d", id, lines, o.LinesTotal, o.Fee, o.Discounts, o.Total)
	case p.Amount != o.Total+o.Headroom || intent.Amount != o.Total+o.Headroom:
		r.found(WrongAmount, 1, "order %s costs %d, its payment is of %d, the provider's of %d", id, o.Total, p.Amount, intent.Amount)
	case p.Captured != intent.Received || (p.Captured != 0 && p.Captured != o.due()):
		r.found(WrongAmount, 1, "order %s costs %d, captured are %d by the books, %d by the provider", id, o.due(), p.Captured, intent.Received)
	case p.Refunded != intent.Refunded:
		r.found(WrongAmount, 1, "order %s: refunded are %d by the books, %d by the provider", id, p.Refunded, intent.Refunded)
	case o.State == cancelled && p.Captured != p.Refunded:
		r.found(WrongAmount, 1, "order %s is cancelled: captured were %d, refunded %d", id, p.Captured, p.Refunded)
	case o.State != cancelled && done+requested < p.Refunded:
		r.found(WrongAmount, 1, "order %s: refunded are %d, asked for were %d", id, p.Refunded, done+requested)
	case o.State != cancelled && !held:
		r.found(WrongAmount, 1, "order %s costs %d, and the provider holds nothing: it is %s", id, o.Total, intent.Status)
	default:
		f.refunded(r, id, o)
	}
}

// picked holds an order's receipt against what the staff say they picked.
func (f *facts) picked(r *Result, id string, o *Order) {
	if o.Receipt == nil {
		if o.reached("PACKED") {
			r.found(WrongAmount, 1, "order %s was packed, and has no receipt", id)
		}
		return
	}
	var lines int64
	for _, line := range o.Receipt {
		lines += line.Quantity * line.Price
	}
	if o.Charged != lines+o.Fee || o.Charged > o.Total || !samePrices(o.Lines, o.Receipt) {
		r.found(WrongAmount, 1, "order %s of %d: the receipt %+v with a fee of %d costs %d", id, o.Total, o.Receipt, o.Fee, o.Charged)
	}
	asked := func(s *shop.Step) bool {
		want := units(o.Lines)
		for _, line := range s.Lines {
			want[line.Product] = line.Quantity
		}
		got := units(o.Receipt)
		for product, n := range want {
			if got[product] != n {
				return false
			}
		}
		return len(got) == len(want)
	}
	if !slices.ContainsFunc(f.steps[id], func(s *shop.Step) bool { return s.Verb == "pack" && asked(s) }) {
		r.found(WrongAmount, 1, "order %s: the receipt is %+v, and nobody picked that", id, o.Receipt)
	}
}

// refunded holds an order's refunds against what the staff asked for.
func (f *facts) refunded(r *Result, id string, o *Order) {
	if o.State == cancelled {
		return // then everything goes back, one way or the other
	}
	var want int64
	for _, s := range f.steps[id] {
		answer, _, ok := s.Final()
		switch {
		case s.Verb != "refund":
		case !ok || (answer.Kind == shop.Refused && !s.Certain()):
			return // unknown; stuck tells of it
		case answer.Kind == shop.Refused:
		case len(s.Lines) == 0:
			want = o.due() // all that was left
		default:
			for _, line := range s.Lines {
				want += line.Quantity * line.Price
			}
		}
	}
	if got := f.Payments[id].Refunded; got != want {
		r.found(WrongAmount, 1, "order %s: refunded are %d, the staff were told of %d", id, got, want)
	}
}

// charged looks for money that is held without a right, or twice.
func (f *facts) charged(r *Result, id string, intents []Intent) {
	o, p := f.Orders[id], f.Payments[id]
	live := 0
	for _, i := range intents {
		mine := p != nil && p.Intent == i.ID
		if i.live() {
			live++
		}
		switch {
		case i.Received > i.Amount || i.Refunded > i.Received:
			r.found(DoubleCharged, 1, "order %s: of %s, authorised for %d, %d were captured and %d refunded", id, i.ID, i.Amount, i.Received, i.Refunded)
		case o.sold() && o.State != cancelled && i.live() && !mine:
			r.found(DoubleCharged, 1, "order %s: %s is %s, %d, and isn't the payment's", id, i.ID, i.Status, i.Amount)
		case (!o.sold() || o.State == cancelled) && i.live():
			r.found(OrphanedCharges, 1, "%s is %s, %d, captured %d, refunded %d, for %s, which is %s", i.ID, i.Status, i.Amount, i.Received, i.Refunded, id, o.name())
		case mine && p.State == "VOIDED" && i.Status != "canceled" && i.Status != "succeeded":
			r.found(OrphanedCharges, 1, "%s of %s is voided by the books, and %s at the provider", i.ID, id, i.Status)
		}
	}
	if live > 1 {
		r.found(DoubleCharged, live-1, "order %s: the provider holds money %d times: %+v", id, live, intents)
	}
}

func (o *Order) name() string {
	if o == nil {
		return "no order"
	}
	return o.State
}

// stuck looks for what didn't come to its end.
func (f *facts) stuck(r *Result) {
	for _, c := range f.history.Checkouts {
		if _, _, ok := c.Final(); !ok {
			r.found(Stuck, 1, "checkout %s (%s), id %q: no final answer; %s", c.Key, c.Behaviour, c.ID(), lastAsk(c.Asks))
		}
	}
	for _, a := range f.history.Adjustments {
		_, _, ok := a.Final()
		switch {
		case a.By == shop.ByWarehouse && len(f.entriesOf(a)) == 0 && a.Certain():
			r.found(Stuck, 1, "the warehouse's delivery %s to %s isn't in the ledger", a.Key, a.Store)
		case a.By != shop.ByWarehouse && !ok:
			r.found(Stuck, 1, "adjustment %s of %s has no final answer; %s", a.Key, a.Store, lastAsk(a.Asks))
		}
	}
	for _, s := range f.history.Steps {
		if _, _, ok := s.Final(); !ok {
			r.found(Stuck, 1, "order %s: to %s it has no final answer; %s", s.Order, s.Verb, lastAsk(s.Asks))
		}
	}
	for id, p := range f.Payments {
		f.stuckPayment(r, id, p)
	}
	for _, store := range f.history.Stores {
		v := f.Virtual[store]
		if v == nil {
			r.found(Stuck, 1, "the virtual stock of %s isn't loaded", store)
			continue
		}
		if v.Elsewhere {
			r.found(Stuck, 1, "the virtual stock of %s isn't loaded anew after a failover", store)
		}
		for order, hold := range v.Holds {
			r.found(Stuck, 1, "%s holds %+v in %s", order, hold.Lines, store)
		}
	}
	if f.Unpublished > 0 {
		r.found(Stuck, f.Unpublished, "%d events in the outbox aren't published", f.Unpublished)
	}
}

func (f *facts) stuckPayment(r *Result, id string, p *Payment) {
	o := f.Orders[id]
	switch p.State {
	case "INITIATED", "REQUIRES_ACTION", "VOIDING":
		r.found(Stuck, 1, "the payment of %s, %s, is %s", id, o.name(), p.State)
	case "AUTHORIZED", "CAPTURE_FAILED":
		if o.name() == cancelled || o.reached("PACKED") || !o.sold() {
			r.found(Stuck, 1, "the payment of %s, %s, is %s", id, o.name(), p.State)
		}
	case "CAPTURED", "PARTIALLY_REFUNDED":
		if o.name() == cancelled || !o.sold() {
			r.found(Stuck, 1, "the payment of %s, %s, is %s", id, o.name(), p.State)
		}
	}
	for _, refund := range p.Refunds {
		if refund.State == "REQUESTED" {
			r.found(Stuck, 1, "the refund %s of %s is %s", refund.ID, id, refund.State)
		}
	}
}

func lastAsk(asks []shop.Ask) string {
	if len(asks) == 0 {
		return "never asked"
	}
	last := asks[len(asks)-1]
	return "last, at " + last.End.Format(time.RFC3339Nano) + ": " + last.Answer.Kind.String() + " " + last.Answer.Reason
}

// told looks for states and refunds that were never told of, and counts what was told more than once.
func (f *facts) told(r *Result) {
	for _, n := range f.Events {
		r.Duplicates += n - 1
	}
	for id, o := range f.Orders {
		for _, moved := range o.History {
			if f.Events[Event{Order: id, State: moved.State, Version: moved.Version}] == 0 {
				r.found(EventsMissing, 1, "order %s reached %s as version %d, and nobody was told", id, moved.State, moved.Version)
			}
		}
	}
	for id, p := range f.Payments {
		for _, refund := range p.Refunds {
			if refund.State == "DONE" && f.Events[Event{Order: id, Refund: refund.ID}] == 0 {
				r.found(EventsMissing, 1, "the refund %s of order %s was never told", refund.ID, id)
			}
		}
	}
	for event := range f.Events {
		o := f.Orders[event.Order]
		untrue := event.Refund == "" && !slices.ContainsFunc(o.history(), func(m Moved) bool { return m.State == event.State && m.Version == event.Version })
		if untrue {
			r.found(EventsMissing, 1, "told that order %s is %s as version %d, and its history is %+v", event.Order, event.State, event.Version, o.history())
		}
	}
}

func (o *Order) history() []Moved {
	if o == nil {
		return nil
	}
	return o.History
}
