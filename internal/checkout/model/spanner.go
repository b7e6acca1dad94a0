package main

// Transactions of Spanner. Each is done at once.

// Answers of commit.
const (
	committed = iota
	otherEpoch
	soldBefore
	abandoned
)

// commit is rule 5.
func (m *model) commit(s *state, o int, epoch, token, lines uint8) int {
	switch {
	case sold(s.order[o]):
		return soldBefore
	case s.order[o] == orderAbandoned && !m.noOrderCheck:
		return abandoned
	case s.epoch != epoch && !m.noEpochCheck:
		return otherEpoch
	}
	s.order[o], s.soldEpoch[o], s.soldToken[o] = orderConfirmed, epoch, token
	for p := range maxProducts {
		s.sum[p] -= m.line(o, p, lines)
	}
	setBit(&s.soldLines, o, lines)
	s.payment[o] = payAuthorized
	if m.noRow {
		s.rowIntent[o] = 1
	}
	if m.cart != cartFixed {
		s.cart = 1 // what was bought is taken out of the cart
	}
	return committed
}

// entomb is rule 7a. It tells whether the order is sold.
func (m *model) entomb(s *state, o int) bool {
	if s.order[o] == orderConfirmed {
		return true
	}
	if s.order[o] == orderNone && !m.noTombstone {
		s.order[o] = orderAbandoned
	}
	if s.payment[o] != payNone && s.payment[o] != payVoided {
		s.payment[o] = payVoiding
	}
	return s.order[o] == orderCancelled
}

// cancelOrder is that of rule 8.
func (m *model) cancelOrder(s *state, o int) {
	s.order[o], s.payment[o] = orderCancelled, payVoiding
	s.enter(cancellation+o, m.quantity(s, cancellation+o))
}

// enter inserts a ledger entry of the present epoch.
func (s *state) enter(entry int, quantity [maxProducts]int8) {
	s.entry[entry], s.entryEpoch[entry] = 1, s.epoch
	for p := range maxProducts {
		s.sum[p] += quantity[p]
	}
}

// quantity is that of an entry.
func (m *model) quantity(s *state, entry int) (q [maxProducts]int8) {
	switch entry {
	case restock:
		q[0] = m.scenario.restock
	case withdrawal:
		q[0] = -m.withdrawn
	default:
		o := entry - cancellation
		for p := range maxProducts {
			q[p] = m.line(o, p, bit(s.soldLines, o))
		}
	}
	return q
}

// ledger calls do for each row of the ledger: its mark in folded, its epoch and quantity.
func (m *model) ledger(s *state, do func(mark, epoch uint8, quantity [maxProducts]int8)) {
	for entry := range maxEntries {
		if s.entry[entry] != 0 {
			do(1<<entry, s.entryEpoch[entry], m.quantity(s, entry))
		}
	}
	for o := range m.orders() {
		if sold(s.order[o]) {
			quantity := m.quantity(s, cancellation+o)
			for p := range maxProducts {
				quantity[p] = -quantity[p]
			}
			do(1<<(maxEntries+o), s.soldEpoch[o], quantity)
		}
	}
}

// bump gives the store a new epoch and, by the rules, reads the ledger at that very moment.
func (m *model) bump(s *state, b *rebuilder) {
	switch {
	case m.epochCounts:
		s.epoch++
	case m.epochFromSeen:
		s.epoch = max(s.epoch, s.current.epoch) + 1
	default:
		s.epoch = s.highest + 1 // a commit timestamp: never one that was before
	}
	s.highest = max(s.highest, s.epoch)
	*b = rebuilder{pc: atSum, epoch: s.epoch}
	if m.sum == sumAtBump {
		m.sumUp(s, b)
	}
}

func (m *model) sumUp(s *state, b *rebuilder) {
	if m.sum == sumLaterAgain && s.balanceEpoch >= b.epoch {
		*b = rebuilder{}
		return
	}
	b.pc, b.sum = atLoad, s.sum
	if m.sum != sumLaterOlder && m.sum != sumLaterAgain {
		return
	}
	m.ledger(s, func(mark, epoch uint8, quantity [maxProducts]int8) {
		if s.folded&mark == 0 && epoch >= b.epoch {
			for p := range maxProducts {
				b.sum[p] -= quantity[p]
			}
		}
	})
}
