package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"time"
)

// maxPendingEvents bounds the webhook events that wait for delivery.
const maxPendingEvents = 10_000

// change is what one API call does, and one line of the journal.
type change struct {
	Intents   []*Intent `json:"intents,omitempty"`
	Refunds   []*Refund `json:"refunds,omitempty"`
	Answers   []*answer `json:"answers,omitempty"`
	Events    []*event  `json:"events,omitempty"`
	Delivered []string  `json:"delivered,omitempty"` // events that are done with

	sim     *Simulator
	now     time.Time
	request *http.Request // nil when time is the cause
	key     string        // the call's idempotency key
}

// answer is what an idempotency key replays.
type answer struct {
	Key         string          `json:"key"`
	Fingerprint string          `json:"fingerprint"`
	Intent      string          `json:"intent"` // the one the call was about
	Status      int             `json:"status"`
	Body        json.RawMessage `json:"body"`
	Created     time.Time       `json:"created"`
}

func (c *change) empty() bool {
	return len(c.Intents)+len(c.Refunds)+len(c.Answers)+len(c.Events)+len(c.Delivered) == 0
}

// intent finds an intent as time has left it; nil when there is none. What it returns may be changed after put.
func (c *change) intent(id string) *Intent {
	for _, in := range c.Intents {
		if in.ID == id {
			return in
		}
	}
	stored := c.sim.state.intents[id]
	if stored == nil {
		return nil
	}
	in := stored.clone()
	if c.settle(in) {
		c.put(in)
	}
	return in
}

// put makes an intent part of the change.
func (c *change) put(in *Intent) {
	if !slices.Contains(c.Intents, in) {
		c.Intents = append(c.Intents, in)
	}
}

// state is everything the provider knows. Simulator.mu guards it.
type state struct {
	maxIntents int
	seq        int64
	intents    map[string]*Intent
	order      []created // by seq; forgotten intents leave gaps
	finished   []string  // oldest first
	refunds    map[string]*Refund
	refundIDs  []string // oldest first; forgotten ones leave gaps
	answers    map[string]*answer
	keysOf     map[string][]string // idempotency keys by intent
	events     map[string]*event   // waiting for delivery
}

type created struct {
	seq int64
	id  string
}

func newState(maxIntents int) *state {
	return &state{
		maxIntents: maxIntents, intents: map[string]*Intent{}, refunds: map[string]*Refund{},
		answers: map[string]*answer{}, keysOf: map[string][]string{}, events: map[string]*event{},
	}
}

// full reports that there is no room and nothing may be forgotten.
func (st *state) full() bool { return len(st.intents) >= st.maxIntents && len(st.finished) == 0 }

// apply makes a change real, live or replayed, and returns how many events found no room.
func (st *state) apply(c *change) (dropped int) {
	for _, in := range c.Intents {
		old := st.intents[in.ID]
		if old == nil {
			st.order = append(st.order, created{in.Seq, in.ID})
			st.seq = max(st.seq, in.Seq)
		}
		if in.finished() && (old == nil || !old.finished()) {
			st.finished = append(st.finished, in.ID)
		}
		st.intents[in.ID] = in
	}
	for _, r := range c.Refunds {
		if st.refunds[r.ID] == nil {
			st.refundIDs = append(st.refundIDs, r.ID)
		}
		st.refunds[r.ID] = r
	}
	for _, a := range c.Answers {
		if st.answers[a.Key] == nil {
			st.keysOf[a.Intent] = append(st.keysOf[a.Intent], a.Key)
		}
		st.answers[a.Key] = a
	}
	for _, e := range c.Events {
		if len(st.events) >= maxPendingEvents {
			dropped++
			continue
		}
		st.events[e.ID] = e
	}
	for _, id := range c.Delivered {
		delete(st.events, id)
	}
	for len(st.intents) > st.maxIntents && len(st.finished) > 0 {
		st.forget(st.finished[0])
		st.finished = st.finished[1:]
	}
	return dropped
}

func (st *state) forget(id string) {
	in := st.intents[id]
	delete(st.intents, id)
	for _, r := range in.Refunds {
		delete(st.refunds, r)
	}
	for _, key := range st.keysOf[id] {
		delete(st.answers, key)
	}
	delete(st.keysOf, id)
	if len(st.order) > 2*len(st.intents)+64 {
		st.order = slices.DeleteFunc(st.order, func(o created) bool { return st.intents[o.id] == nil })
	}
	if len(st.refundIDs) > 2*len(st.refunds)+64 {
		st.refundIDs = slices.DeleteFunc(st.refundIDs, func(id string) bool { return st.refunds[id] == nil })
	}
}

// forgetKeys drops idempotency keys past their time.
func (st *state) forgetKeys(now time.Time) {
	for key, a := range st.answers {
		if now.Before(a.Created.Add(keyLifetime)) {
			continue
		}
		delete(st.answers, key)
		left := slices.DeleteFunc(st.keysOf[a.Intent], func(k string) bool { return k == key })
		if len(left) == 0 {
			delete(st.keysOf, a.Intent)
			continue
		}
		st.keysOf[a.Intent] = left
	}
}

// newest walks the intents from the newest to the oldest, beginning just below the one with the sequence number before
// (0: from the top), until visit says no.
func (st *state) newest(before int64, visit func(*Intent) bool) {
	i := len(st.order)
	if before > 0 {
		i = sort.Search(len(st.order), func(i int) bool { return st.order[i].seq >= before })
	}
	for i--; i >= 0; i-- {
		if in := st.intents[st.order[i].id]; in != nil && !visit(in) {
			return
		}
	}
}

func (st *state) pendingEvents() []*event {
	out := make([]*event, 0, len(st.events))
	for _, e := range st.events {
		out = append(out, e)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Seq < out[j].Seq })
	return out
}

// snapshot is the whole state as changes that rebuild it, for a compact journal.
func (st *state) snapshot(now time.Time) []*change {
	var out []*change
	for _, o := range st.order {
		in := st.intents[o.id]
		if in == nil {
			continue
		}
		c := &change{Intents: []*Intent{in}}
		for _, id := range in.Refunds {
			c.Refunds = append(c.Refunds, st.refunds[id])
		}
		for _, key := range st.keysOf[in.ID] {
			if a := st.answers[key]; now.Before(a.Created.Add(keyLifetime)) {
				c.Answers = append(c.Answers, a)
			}
		}
		out = append(out, c)
	}
	if events := st.pendingEvents(); len(events) > 0 {
		out = append(out, &change{Events: events})
	}
	return out
}
