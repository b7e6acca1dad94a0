package main

// abandon sends a checkout or a worker on the one way for a checkout to fail (rule 7).
func (m *model) abandon(t *state, who uint8) {
	if m.failureEarly {
		t.tell(who, toldFailure)
	}
	t.goTo(who, atTombstone)
	if m.cancelFirst {
		t.goTo(who, atCancelFirst)
	}
}

// stepAbandon is what checkouts and workers have in common: to settle, to abandon, and to void a payment.
func (m *model) stepAbandon(s *state, who uint8, emit emitter) {
	k := s.task(who)
	o := int(k.order)
	switch k.pc {
	case atSettle:
		for _, on := range s.servers() {
			t := *s
			epoch, token := s.soldEpoch[o], s.soldToken[o]
			if m.settleOwn && who < workerA && s.checkouts[who].epoch != 0 {
				epoch, token = s.checkouts[who].epoch, s.checkouts[who].token
			}
			m.settle(t.server(on), o, epoch, token)
			m.lose(s, &t, step{who: who, what: "settle O%d", of: k.order, on: on}, emit)
			t.finish(who)
			emit(t, step{who: who, what: "settle O%d", of: k.order, on: on})
		}
	case atTombstone:
		m.tombstone(s, who, emit)
	case atRelease:
		for _, on := range s.servers() {
			t := *s
			m.release(t.server(on), o)
			m.lose(s, &t, step{who: who, what: "release O%d", of: k.order, on: on}, emit)
			if k.arg != 0 && !m.releaseLast {
				t.goTo(who, atCancel)
			} else {
				t.finish(who)
			}
			emit(t, step{who: who, what: "release O%d", of: k.order, on: on})
		}
	case atCancel, atRest, atRefund, atVoided:
		m.void(s, who, emit)
	case atCancelFirst:
		t := *s
		m.cancelIntent(&t, o, s.rowIntent[o])
		t.goTo(who, atTombstone)
		emit(t, step{who: who, what: "cancel the intent of O%d", of: k.order})
	}
}

// tombstone is 7a. What follows is d, b, c or, for the model's sake, b, c, d.
func (m *model) tombstone(s *state, who uint8, emit emitter) {
	t := *s
	k := t.task(who)
	o := int(k.order)
	if m.entomb(&t, o) {
		t.tell(who, toldSuccess)
		t.goTo(who, atSettle)
		emit(t, step{who: who, what: "tombstone: O%d is sold", of: uint8(o)})
		return
	}
	t.tell(who, toldFailure)
	open := t.payment[o] == payVoiding
	switch {
	case open && m.cancelFirst, open && m.voidedFirst:
		t.goTo(who, atVoided)
	case open && m.releaseLast:
		t.goTo(who, atCancel)
	case open:
		t.goTo(who, atRelease)
		t.task(who).arg = 1
	default:
		t.goTo(who, atRelease)
	}
	emit(t, step{who: who, what: "tombstone: O%d is ABANDONED", of: uint8(o)})
}

// void is 7b, by its calls, and 7c.
func (m *model) void(s *state, who uint8, emit emitter) {
	t := *s
	k := t.task(who)
	o, arg := int(k.order), k.arg
	does := func(what string) { emit(t, step{who: who, what: what, of: uint8(o)}) }
	switch k.pc {
	case atCancel:
		switch m.cancelIntent(&t, o, s.rowIntent[o]) {
		case cancelled:
			t.goTo(who, atVoided)
			if m.voidedFirst {
				t.finish(who)
			}
			does("cancel the intent of O%d: done")
		case stillProcessing:
			t.finish(who)
			does("cancel the intent of O%d: refused, processing")
		case isCaptured:
			if m.noRefund {
				t.finish(who)
			} else {
				t.goTo(who, atRest)
			}
			does("cancel the intent of O%d: refused, captured")
		}
	case atRest:
		rest := captured - s.given[o]
		if rest == 0 {
			t.goTo(who, atVoided)
			t.task(who).arg = captured
			does("read the intent of O%d: nothing is left of it")
			return
		}
		if m.refundInFull {
			rest = captured
		}
		t.goTo(who, atRefund)
		t.task(who).arg = rest
		does("read the intent of O%d: something is left of it")
	case atRefund:
		done := m.refundRest(&t, o, arg)
		m.lose(s, &t, step{who: who, what: "give back what is left of O%d: done", of: uint8(o)}, emit)
		if done {
			t.goTo(who, atRest)
			does("give back what is left of O%d: done")
			return
		}
		t.finish(who)
		does("give back what is left of O%d: refused")
	case atVoided:
		if s.payment[o] == payVoiding {
			t.payment[o] = payVoided
			if !m.amountsUnrecorded {
				t.refunded[o] = arg
			}
		}
		switch {
		case m.voidedFirst:
			t.goTo(who, atCancel)
		case m.releaseLast && s.order[o] == orderAbandoned, m.cancelFirst:
			t.goTo(who, atRelease)
		default:
			t.finish(who)
		}
		does("the payment of O%d is VOIDED")
	}
}
