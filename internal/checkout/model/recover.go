package main

// recover lets every process die where it is, and then brings all to rest, without further faults: rebuilds that are needed, the applier,
// reaper and reconciler, captures of what is confirmed, refunds that are requested. It tells whether all came to rest.
func (m *model) recover(s *state) bool {
	s.old = server{}
	for i := range s.checkouts {
		s.finish(uint8(checkoutA + i))
	}
	s.workers, s.rebuilders = [maxWorkers]task{}, [maxRebuilders]rebuilder{}
	s.capturers, s.refunders = [maxCapturers]task{}, [maxRefunders]task{}
	s.withdrawers = [maxWithdrawers]withdrawer{}
	const rounds = 16
	for range rounds {
		before := *s
		m.recoverStock(s)
		for o := range m.orders() {
			m.recoverOrder(s, o)
		}
		for refund, is := range s.refund {
			if is == refundRequested {
				outcome := uint8(refundFailed)
				if m.giveRefund(s, uint8(refund)) || m.refusedIsDone {
					outcome = refundDone
				}
				m.finishRefund(s, uint8(refund), outcome)
			}
		}
		if *s == before && !m.endProcessing(s) {
			return true
		}
	}
	return false
}

func (m *model) recoverStock(s *state) {
	if m.needsRebuild(s) {
		m.rebuild(s)
	}
	for entry := range withdrawal {
		if s.entry[entry] == 1 && m.apply(&s.current, entry, s.entryEpoch[entry], m.quantity(s, entry)) {
			s.entry[entry] = 2
		}
	}
	switch {
	case s.current.withdrawn == 0 || m.overdueNotAttended:
	case s.entry[withdrawal] != 0:
		m.apply(&s.current, withdrawal, s.entryEpoch[withdrawal], m.quantity(s, withdrawal))
	case m.overdueReleased:
		m.replace(&s.current, withdrawal)
	default:
		m.rebuild(s)
	}
}

// needsRebuild is rule 4: whoever notices. An entry that finds applied full notices as well (rule 8).
func (m *model) needsRebuild(s *state) bool {
	v := s.current
	if !m.valid(&v) || (v.epoch < s.epoch && !m.anyEpoch) || (v.epoch > s.epoch && !m.newerStays) {
		return true
	}
	for entry := range maxEntries {
		waits := s.entry[entry] == 1 && (entry != withdrawal || v.withdrawn != 0)
		if w := v; waits && s.entryEpoch[entry] == v.epoch && !m.apply(&w, entry, v.epoch, m.quantity(s, entry)) {
			return true
		}
	}
	return false
}

func (m *model) rebuild(s *state) {
	var b rebuilder
	m.bump(s, &b)
	m.sumUp(s, &b)
	m.load(&s.current, &b)
}

// recoverOrder lets a worker and a capturer do what there is to do.
func (m *model) recoverOrder(s *state, o int) {
	found := *s
	m.reap(s, workerA, o, func(t state, _ step) { found = t })
	m.finishWork(s, found)
	found = *s
	m.reconcile(s, workerA, o, func(t state, _ step) { found = t })
	m.finishWork(s, found)
	if m.capturers > 0 && s.order[o] == orderConfirmed && s.payment[o] == payAuthorized {
		s.capturers[0] = task{pc: atCapture, order: uint8(o)}
		for s.capturers[0].pc != atEnd {
			m.alone(s, capturerA)
		}
		s.capturers[0] = task{}
	}
}

func (m *model) finishWork(s *state, found state) {
	*s = found
	for s.workers[0].pc != atLook {
		m.alone(s, workerA)
	}
}

// endProcessing lets the provider end what it is processing. It authorises it: the worse of the two.
func (m *model) endProcessing(s *state) (ended bool) {
	for o := range m.orders() {
		for i, intent := range s.intents[o] {
			if intent == intentProcessing {
				s.intents[o][i] = intentAuthorized
				ended = true
			}
		}
	}
	return ended
}

// alone takes the first of the steps that a process may do, which is the one without a fault. It tells whether there is one.
func (m *model) alone(s *state, who uint8) (done bool) {
	t := *s
	first := func(after state, by step) {
		if !done && !by.lost {
			t, done = after, true
		}
	}
	switch {
	case who < workerA:
		m.stepCheckout(s, int(who-checkoutA), first)
	case who < rebuilderA:
		m.stepWorker(s, int(who-workerA), first)
	case who < refunderA:
		m.stepCapturer(s, int(who-capturerA), first)
	default:
		m.stepWithdrawer(s, int(who-withdrawerA), first)
	}
	*s = t
	return done
}

// allEnd tells whether each process that is under way comes to its end by itself, with a rebuild wherever it waits for one.
func (m *model) allEnd(s *state) bool {
	for i := range m.processes() {
		if !m.ends(*s, uint8(checkoutA+i)) {
			return false
		}
	}
	for i := range m.withdrawers {
		if !m.ends(*s, uint8(withdrawerA+i)) {
			return false
		}
	}
	return true
}

func (m *model) ends(s state, who uint8) bool {
	s.old = server{}
	s.lock = [maxOrders]uint8{} // locks expire
	const many = 40
	for range many {
		if m.ended(&s, who) {
			return true
		}
		if !m.alone(&s, who) {
			m.rebuild(&s)
		}
	}
	return false
}

// ended: it has nothing more to do. A webhook of an order that nobody knows is ignored.
func (m *model) ended(s *state, who uint8) bool {
	if who >= withdrawerA {
		return s.withdrawers[who-withdrawerA].pc == atEnd
	}
	c := s.checkouts[who]
	ignored := m.isWebhook(int(who)) && c.pc == atLook && s.payment[c.order] == payNone && s.order[c.order] == orderNone
	return c.pc == atEnd || ignored
}
