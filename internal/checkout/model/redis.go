package main

import "math/bits"

// Scripts of Redis. Each runs on one server, at once.

// Answers of reserve.
const (
	held = iota
	insufficient
	needsRebuild
	otherLines
)

// valid is rule 1.
func (m *model) valid(v *server) bool {
	return v.epoch != 0 && (m.noInstance || v.loadedOn == v.instance)
}

// line is how much an order takes of a product. A changed cart has one more of the first.
func (m *model) line(o, p int, changed uint8) int8 {
	q := m.lines[o][p]
	if changed != 0 && p == 0 {
		q++
	}
	return q
}

// reserve is rule 3. caller is a token of the caller's own, for a mutation.
func (m *model) reserve(v *server, o int, lines, least, caller uint8) (answer int, epoch, token uint8) {
	if !m.valid(v) || (v.epoch < least && !m.anyEpoch) {
		return needsRebuild, 0, 0
	}
	if v.hold[o] != 0 {
		if bit(v.changedLines, o) != lines {
			return otherLines, 0, 0
		}
		return held, v.epoch, v.hold[o]
	}
	for p := range maxProducts {
		if v.stock[p] < m.line(o, p, lines) {
			return insufficient, 0, 0
		}
	}
	for p := range maxProducts {
		v.stock[p] -= m.line(o, p, lines)
	}
	setBit(&v.changedLines, o, lines)
	v.seq++
	v.hold[o] = v.seq
	if m.callersToken {
		v.hold[o] = caller
	}
	return held, v.epoch, v.hold[o]
}

// settle is the end of rule 5.
func (m *model) settle(v *server, o int, epoch, token uint8) {
	if v.hold[o] == 0 || (m.releaseChecksEpoch && !m.valid(v)) {
		return
	}
	if m.plainSettle || (v.epoch == epoch && (m.settleByEpoch || v.hold[o] == token)) {
		v.hold[o] = 0
		setBit(&v.changedLines, o, 0)
		return
	}
	m.release(v, o)
}

// release is rule 7d.
func (m *model) release(v *server, o int) {
	if (v.hold[o] == 0 && !m.releaseBlind) || (m.releaseChecksEpoch && !m.valid(v)) {
		return
	}
	for p := range maxProducts {
		v.stock[p] += m.line(o, p, bit(v.changedLines, o))
	}
	v.hold[o] = 0
	setBit(&v.changedLines, o, 0)
}

// load is that of rule 9.
func (m *model) load(v *server, b *rebuilder) {
	if m.loadCompares && m.valid(v) && v.epoch >= b.epoch {
		return
	}
	holds, withdrawn := v.hold, v.withdrawn
	v.virtual = virtual{epoch: b.epoch, loadedOn: v.instance, stock: b.sum}
	if m.loadKeepsHolds {
		v.hold, v.withdrawn = holds, withdrawn
	}
}

// apply is that of rule 8. It tells whether the entry, of an epoch, is done.
func (m *model) apply(v *server, entry int, epoch uint8, quantity [maxProducts]int8) bool {
	mark := uint8(1) << entry
	full := bits.OnesCount8(v.applied) >= m.remembers()
	switch {
	case !m.valid(v), v.epoch < epoch && !m.appliesAnyEpoch:
		return false
	case v.epoch > epoch && !m.appliesLoaded:
		if !m.loadedKeepsHold {
			m.replace(v, entry)
		}
		return true
	case v.applied&mark != 0:
		if !m.appliedKeepsHold {
			m.replace(v, entry)
		}
		return true
	case full && !m.appliedForgets:
		if m.notDoneDropsHold {
			m.replace(v, entry)
		}
		return false
	case full:
		v.applied = 0
	}
	for p := range maxProducts {
		v.stock[p] += quantity[p]
	}
	if !m.appliesTwice {
		v.applied |= mark
	}
	if !m.applyKeepsHold {
		m.replace(v, entry)
	}
	return true
}

// replace gives back the hold of a withdrawal, whose entry stands in its place from now on.
func (m *model) replace(v *server, entry int) {
	if entry == withdrawal && v.withdrawn != 0 {
		v.stock[0] += m.withdrawn
		v.withdrawn = 0
	}
}

// withdraw is reserve for the withdrawal.
func (m *model) withdraw(v *server, least uint8) (answer int, epoch uint8) {
	switch {
	case !m.valid(v) || v.epoch < least:
		return needsRebuild, 0
	case v.withdrawn != 0:
		return held, v.epoch
	case v.stock[0] < m.withdrawn:
		return insufficient, 0
	}
	v.stock[0] -= m.withdrawn
	v.seq++
	v.withdrawn = v.seq
	return held, v.epoch
}
