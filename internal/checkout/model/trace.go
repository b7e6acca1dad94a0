package main

import (
	"fmt"
	"slices"
	"strings"
)

// trace tells the steps that lead to a state.
func (e *explorer) trace(m *model, number uint32) []string {
	var path []uint16
	for ; number != 1; number = e.parents[number] {
		path = append(path, e.steps[number])
	}
	slices.Reverse(path)
	now, known := m.start(), m.start()
	m.canonical(&known)
	lines := make([]string, 0, len(path))
	for _, which := range path {
		nth := uint16(0)
		var next state
		m.next(&known, func(t state, _ step) {
			if nth++; nth == which {
				next = t
			}
		})
		m.canonical(&next)
		after, did := m.same(&now, &next)
		lines = append(lines, m.describe(&now, &after, did))
		now, known = after, next
	}
	return lines
}

// same finds the step to a state that is known in its canonical form: so each process keeps its name in a trace.
func (m *model) same(s, canonical *state) (after state, did step) {
	m.next(s, func(t state, by step) {
		c := t
		if m.canonical(&c); c == *canonical {
			after, did = t, by
		}
	})
	return after, did
}

// describe tells a step and what matters of the state after it.
func (m *model) describe(before, after *state, by step) string {
	what := by.what
	if strings.Contains(what, "%d") {
		what = fmt.Sprintf(what, by.of)
	}
	switch {
	case before.old.instance == 0:
	case by.on == onCurrent:
		what += " [new server]"
	case by.on == onOld:
		what += " [old server]"
	}
	if by.lost {
		what += " (the reply is lost)"
	}
	v := &after.current
	holds := strings.Trim(fmt.Sprintf("%d", v.hold[:m.orders()]), "[]")
	if m.withdrawers > 0 {
		holds += fmt.Sprintf(" W%d", v.withdrawn)
	}
	return fmt.Sprintf("%s: %s   {epoch %d ledger %d; ep %d/%d on %d, stock %d, holds %s}",
		m.actor(before, by.who), what, after.epoch, after.sum[0], v.epoch, v.loadedOn, v.instance, v.stock[0], holds)
}

// actor names who did a step.
func (m *model) actor(s *state, who uint8) string {
	switch {
	case who < workerA && m.isWebhook(int(who)):
		return fmt.Sprintf("webhook %c of O%d", 'A'+who, s.checkouts[who].order)
	case who < workerA:
		return fmt.Sprintf("checkout %c of O%d", 'A'+who, s.checkouts[who].order)
	case who < rebuilderA:
		return fmt.Sprintf("worker %d", who-workerA+1)
	case who < capturerA:
		return fmt.Sprintf("rebuilder %d", who-rebuilderA+1)
	case who < refunderA:
		return fmt.Sprintf("capture %d", who-capturerA+1)
	case who < withdrawerA:
		return fmt.Sprintf("refunder %d", who-refunderA+1)
	case who < stockRoom:
		return fmt.Sprintf("withdrawal %c", 'A'+who-withdrawerA)
	}
	return map[uint8]string{stockRoom: "stock", folder: "fold", provider: "provider", fault: "FAULT"}[who]
}
