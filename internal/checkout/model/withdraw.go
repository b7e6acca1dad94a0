package main

// stepWithdrawer is a withdrawal, a change of stock that takes units away: look, reserve, enter, apply. It takes its units as an order does,
// so that none of them is promised twice; applying its entry replaces the hold by the entry.
func (m *model) stepWithdrawer(s *state, i int, emit emitter) {
	w, who := s.withdrawers[i], uint8(withdrawerA+i)
	entered := s.entry[withdrawal] != 0
	t := *s
	does := func(to withdrawer, what string) {
		t.withdrawers[i] = to
		emit(t, step{who: who, what: what})
	}
	switch w.pc {
	case atLook:
		switch {
		case entered:
			does(withdrawer{pc: atApply}, "look: entered")
		case m.withdrawsUnheld:
			does(withdrawer{pc: atEnter, epoch: s.epoch}, "look: not entered")
		default:
			does(withdrawer{pc: atReserve}, "look: not entered")
		}
	case atReserve:
		m.holdWithdrawal(s, i, emit)
	case atLookAgain:
		if entered {
			does(withdrawer{pc: atApply}, "look again: entered")
			return
		}
		does(withdrawer{pc: atEnd}, "look again: not entered, STOCK_UNDERFLOW")
	case atEnter:
		switch {
		case entered:
			does(withdrawer{pc: atApply, epoch: m.ownEpoch(w)}, "enter: was entered")
		case s.epoch != w.epoch && !m.withdrawsAnyEpoch: // rule 4
			least := s.epoch
			if w.epoch > s.epoch {
				least = w.epoch + 1
			}
			does(withdrawer{pc: atReserve, epoch: least}, "enter: another epoch")
		default:
			t.enter(withdrawal, m.quantity(s, withdrawal))
			t.entryEpoch[withdrawal] = w.epoch
			m.lose(s, &t, step{who: who, what: "enter"}, emit)
			does(withdrawer{pc: atApply, epoch: m.ownEpoch(w)}, "enter")
			if m.releasesOwnHold {
				t = *s
				does(withdrawer{pc: atReleaseOwn}, "enter: no longer wanted")
			}
		}
	case atApply:
		m.applyWithdrawal(s, i, emit)
	case atReleaseOwn:
		for _, on := range s.servers() {
			t := *s
			m.replace(t.server(on), withdrawal)
			t.withdrawers[i] = withdrawer{pc: atEnd}
			emit(t, step{who: who, what: "release", on: on})
		}
	}
}

func (m *model) holdWithdrawal(s *state, i int, emit emitter) {
	who := uint8(withdrawerA + i)
	for _, on := range s.servers() {
		t := *s
		answer, epoch := m.withdraw(t.server(on), s.withdrawers[i].epoch)
		switch {
		case answer == held:
			m.lose(s, &t, step{who: who, what: "reserve: held", on: on}, emit)
			t.withdrawers[i] = withdrawer{pc: atEnter, epoch: epoch}
			emit(t, step{who: who, what: "reserve: held", on: on})
		case answer == insufficient && m.underflowAtOnce:
			t.withdrawers[i] = withdrawer{pc: atEnd}
			if s.entry[withdrawal] != 0 {
				t.toldWithdrawal |= toldFailure
			}
			emit(t, step{who: who, what: "reserve: insufficient, STOCK_UNDERFLOW", on: on})
		case answer == insufficient:
			t.withdrawers[i] = withdrawer{pc: atLookAgain}
			emit(t, step{who: who, what: "reserve: insufficient", on: on})
		}
	}
}

func (m *model) applyWithdrawal(s *state, i int, emit emitter) {
	who := uint8(withdrawerA + i)
	epoch := s.entryEpoch[withdrawal]
	if own := s.withdrawers[i].epoch; own != 0 {
		epoch = own
	}
	for _, on := range s.servers() {
		t := *s
		done := m.apply(t.server(on), withdrawal, epoch, m.quantity(s, withdrawal))
		by := step{who: who, what: "apply", on: on}
		m.lose(s, &t, by, emit)
		if done {
			t.withdrawers[i] = withdrawer{pc: atEnd}
			t.toldWithdrawal |= toldSuccess
		}
		if t != *s {
			emit(t, by)
		}
	}
}

// ownEpoch is of a mutation: apply with the hold's epoch.
func (m *model) ownEpoch(w withdrawer) uint8 {
	if m.appliesHoldsEpoch {
		return w.epoch
	}
	return 0
}
