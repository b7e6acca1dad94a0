package main

// stepWorker is the reaper and the reconciler (rule 11). A worker may die at any step and begins anew.
func (m *model) stepWorker(s *state, i int, emit emitter) {
	k, who := s.workers[i], uint8(workerA+i)
	switch k.pc {
	case atLook:
		if i > 0 && s.workers[i-1].pc == atLook {
			return // the other does the same
		}
		for o := range m.orders() {
			m.reap(s, who, o, emit)
			m.reconcile(s, who, o, emit)
		}
		m.reapWithdrawal(s, who, emit)
		return
	case atCancelOrder:
		t := *s
		if s.order[k.order] == orderConfirmed && s.payment[k.order] == payCaptureFailed && s.epoch != 0 {
			m.cancelOrder(&t, int(k.order))
		}
		t.finish(who)
		emit(t, step{who: who, what: "cancel O%d, which can't be captured", of: k.order})
	case atApplyOverdue, atReleaseOverdue:
		m.endWithdrawal(s, who, emit)
	default:
		m.stepAbandon(s, who, emit)
	}
	t := *s
	t.workers[i] = task{}
	emit(t, step{who: who, what: "dies, and begins anew"})
}

// reap takes up an order's hold. Its deadline has always passed here.
func (m *model) reap(s *state, who uint8, o int, emit emitter) {
	if m.noReaper || (s.current.hold[o] == 0 && s.old.hold[o] == 0) {
		return
	}
	t := *s
	t.task(who).order = uint8(o)
	switch {
	case s.order[o] == orderCancelled && m.releasesCancelled:
		t.goTo(who, atRelease)
		emit(t, step{who: who, what: "finds the hold of O%d: cancelled", of: uint8(o)})
	case sold(s.order[o]):
		t.goTo(who, atSettle)
		emit(t, step{who: who, what: "finds the hold of O%d: sold", of: uint8(o)})
	default:
		m.abandon(&t, who)
		emit(t, step{who: who, what: "finds the hold of O%d: not sold", of: uint8(o)})
	}
}

// reconcile takes up a payment that is open.
func (m *model) reconcile(s *state, who uint8, o int, emit emitter) {
	open := s.payment[o] == payInitiated || s.payment[o] == payVoiding || s.payment[o] == payAuthorized
	t := *s
	t.task(who).order = uint8(o)
	switch {
	case m.noReconciler:
		return
	case s.order[o] == orderConfirmed && s.payment[o] == payCaptureFailed && !m.refusedStays:
		t.goTo(who, atCancelOrder)
	case s.order[o] == orderCancelled && s.payment[o] == payVoiding:
		t.goTo(who, atCancel)
	case !sold(s.order[o]) && open:
		m.abandon(&t, who)
	default:
		return
	}
	emit(t, step{who: who, what: "finds the payment of O%d", of: uint8(o)})
}

// reapWithdrawal takes up the overdue hold of a withdrawal: one that is entered is applied. For one that isn't, the store is rebuilt:
// rebuilders do so at any time.
func (m *model) reapWithdrawal(s *state, who uint8, emit emitter) {
	if m.overdueNotAttended || (s.current.withdrawn == 0 && s.old.withdrawn == 0) {
		return
	}
	t := *s
	switch {
	case s.entry[withdrawal] != 0:
		t.goTo(who, atApplyOverdue)
		emit(t, step{who: who, what: "finds the hold of the withdrawal: entered"})
	case m.overdueReleased:
		t.goTo(who, atReleaseOverdue)
		emit(t, step{who: who, what: "finds the hold of the withdrawal: not entered"})
	}
}

func (m *model) endWithdrawal(s *state, who uint8, emit emitter) {
	for _, on := range s.servers() {
		t := *s
		v := t.server(on)
		if s.task(who).pc == atReleaseOverdue {
			m.replace(v, withdrawal)
			t.finish(who)
			emit(t, step{who: who, what: "release the withdrawal", on: on})
		} else if m.apply(v, withdrawal, s.entryEpoch[withdrawal], m.quantity(s, withdrawal)) {
			t.finish(who)
			emit(t, step{who: who, what: "apply the withdrawal", on: on})
		}
	}
}

// stepRebuilder is rule 9: bump, sum, load. A rebuild may be asked for at any time.
func (m *model) stepRebuilder(s *state, i int, emit emitter) {
	who := uint8(rebuilderA + i)
	t := *s
	b := &t.rebuilders[i]
	switch s.rebuilders[i].pc {
	case atLook:
		if max(s.epoch, s.highest) >= m.epochs || (i > 0 && s.rebuilders[i-1].pc == atLook) {
			return
		}
		m.bump(&t, b)
		by := step{who: who, what: "bump the epoch to %d", of: t.epoch}
		u := t
		u.rebuilders[i] = rebuilder{}
		m.lose(s, &u, by, emit)
		emit(t, by)
	case atSum:
		m.sumUp(&t, b)
		emit(t, step{who: who, what: "sum up, for epoch %d", of: s.rebuilders[i].epoch})
	case atLoad, atLoadAgain:
		for _, on := range s.servers() {
			t := *s
			b := t.rebuilders[i]
			m.load(t.server(on), &b)
			by := step{who: who, what: "load epoch %d", of: b.epoch, on: on}
			if m.loadTwice && b.pc == atLoad {
				u := t
				u.rebuilders[i].pc = atLoadAgain
				emit(u, by)
			}
			t.rebuilders[i] = rebuilder{}
			emit(t, by)
		}
	}
}

// stepStock is what happens to stock besides: goods come, orders are called off, and the applier brings both to Redis, again and again. It
// stands for the event of a cancellation, and for the repeated request of a restock.
func (m *model) stepStock(s *state, emit emitter) {
	if m.scenario.restock > 0 && s.entry[restock] == 0 && s.epoch != 0 {
		t := *s
		t.enter(restock, m.quantity(s, restock))
		emit(t, step{who: stockRoom, what: "enter a restock"})
	}
	for o := range m.orders() {
		if m.cancels && s.order[o] == orderConfirmed && s.epoch != 0 {
			t := *s
			m.cancelOrder(&t, o)
			emit(t, step{who: stockRoom, what: "cancel O%d", of: uint8(o)})
		}
	}
	for entry := range withdrawal {
		if s.entry[entry] == 0 {
			continue
		}
		for _, on := range s.servers() {
			t := *s
			by := step{who: stockRoom, what: "apply entry %d", of: uint8(entry), on: on}
			if m.apply(t.server(on), entry, s.entryEpoch[entry], m.quantity(s, entry)) {
				if s.entry[entry] == 1 {
					m.lose(s, &t, by, emit)
				}
				t.entry[entry] = 2
			}
			if t != *s {
				emit(t, by)
			}
		}
	}
	if m.folds {
		m.fold(s, emit)
	}
}

// fold adds a single row of the ledger to the balance.
func (m *model) fold(s *state, emit emitter) {
	m.ledger(s, func(mark, epoch uint8, _ [maxProducts]int8) {
		if s.folded&mark != 0 || (m.foldsOld && epoch >= s.epoch) {
			return
		}
		t := *s
		t.folded |= mark
		t.balanceEpoch = max(t.balanceEpoch, epoch)
		emit(t, step{who: folder, what: "fold a row of epoch %d", of: epoch})
	})
}
