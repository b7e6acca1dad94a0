package main

// model is a scenario under rules.
type model struct {
	variant
	scenario
}

// step says what happened, for a trace. of is the order, entry or epoch that it happened to, as what says.
type step struct {
	who, of, on uint8
	what        string
	lost        bool
}

// emitter takes a state that follows, and what led to it. States are passed as values: so none of them is allocated.
type emitter func(t state, by step)

// start is the state that all begins with.
func (m *model) start() state {
	s := state{epoch: 1, highest: 1, sum: m.stock, nextInstance: 2}
	s.current = server{instance: 1, virtual: virtual{epoch: 1, loadedOn: 1, stock: m.stock}}
	for i := range s.checkouts {
		switch {
		case i < len(m.requests):
			s.checkouts[i].order = m.requests[i]
		case i < m.processes():
			s.checkouts[i].order = m.webhooks[i-len(m.requests)]
		default:
			s.checkouts[i].pc = atEnd
		}
	}
	for i := range s.capturers {
		if i >= m.capturers {
			s.capturers[i].pc = atEnd
		}
	}
	for i := range s.refunders {
		if i >= len(m.refunders) {
			s.refunders[i].pc = atEnd
		} else {
			s.refunders[i].order = m.refunders[i]
		}
	}
	for i := range s.withdrawers {
		if i >= m.withdrawers {
			s.withdrawers[i].pc = atEnd
		}
	}
	if m.cart != cartFixed {
		s.cartChanges = 1
	}
	s.flushes, s.restarts, s.failovers, s.failbacks, s.swaps, s.redisFaults = m.flushes, m.restarts, m.failovers, m.failbacks, m.swaps, m.faults
	s.keysForgotten, s.declines, s.actions, s.processings, s.expiries = m.keysForgotten, m.declines, m.actions, m.processings, m.expiries
	s.strays, s.lostReplies, s.resets, s.locksLost = m.strays, m.lostReplies, m.resets, m.locksLost
	return s
}

// next calls emit for each state that may follow. Any process may be the next to go on: one that never does has died, and one that does so
// late is a zombie.
func (m *model) next(s *state, emit emitter) {
	for i := range m.processes() {
		m.stepCheckout(s, i, emit)
	}
	for i := range m.workers {
		m.stepWorker(s, i, emit)
	}
	for i := range m.rebuilders {
		m.stepRebuilder(s, i, emit)
	}
	for i := range m.capturers {
		m.stepCapturer(s, i, emit)
	}
	for i := range m.refunders {
		m.stepRefunder(s, i, emit)
	}
	for i := range m.withdrawers {
		m.stepWithdrawer(s, i, emit)
	}
	m.stepStock(s, emit)
	m.stepProvider(s, emit)
	m.stepFault(s, emit)
}

// canonical sorts processes that are alike, so that states that differ only in which of them is which are one.
func (m *model) canonical(s *state) {
	if m.callersToken {
		return
	}
	for i := 1; i < m.processes(); i++ {
		for j := i; j > 0 && m.isWebhook(j) == m.isWebhook(j-1) && s.checkouts[j].before(s.checkouts[j-1]); j-- {
			s.checkouts[j], s.checkouts[j-1] = s.checkouts[j-1], s.checkouts[j]
		}
	}
	if w := &s.workers; m.workers == 2 && w[1].number() < w[0].number() {
		w[0], w[1] = w[1], w[0]
	}
	if k := &s.capturers; m.capturers == 2 && k[1].number() < k[0].number() {
		k[0], k[1] = k[1], k[0]
	}
	if r := &s.refunders; len(m.refunders) == 2 && m.refunders[0] == m.refunders[1] && r[1].number() < r[0].number() {
		r[0], r[1] = r[1], r[0]
	}
	if w := &s.withdrawers; m.withdrawers == 2 && (w[1].pc < w[0].pc || (w[1].pc == w[0].pc && w[1].epoch < w[0].epoch)) {
		w[0], w[1] = w[1], w[0]
	}
	if b := &s.rebuilders; m.rebuilders == 2 && (b[1].pc < b[0].pc || (b[1].pc == b[0].pc && b[1].epoch < b[0].epoch)) {
		b[0], b[1] = b[1], b[0]
	}
}

// lose emits a step that had its effect, and whose reply didn't arrive: the process is where it was, and will do it again.
func (m *model) lose(s, after *state, by step, emit emitter) {
	if s.lostReplies == 0 || *after == *s {
		return
	}
	t := *after
	t.lostReplies--
	by.lost = true
	emit(t, by)
}
