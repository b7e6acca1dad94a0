package main

// stepCapturer is rule 12: look, capture, record. An event of the provider's does the same.
func (m *model) stepCapturer(s *state, i int, emit emitter) {
	k, who := s.capturers[i], uint8(capturerA+i)
	o := k.order
	t := *s
	does := func(pc uint8, what string) {
		t.capturers[i] = task{pc: pc}
		if pc != atEnd {
			t.capturers[i].order = o
		}
		emit(t, step{who: who, what: what, of: o})
	}
	switch k.pc {
	case atLook:
		if i > 0 && s.capturers[i-1].pc == atLook {
			return // the other does the same
		}
		for order := range m.orders() {
			t, o = *s, uint8(order)
			capturable := s.order[o] == orderConfirmed && (s.payment[o] == payAuthorized || s.payment[o] == payCaptureFailed)
			switch {
			case !sold(s.order[o]):
			case capturable || m.captureUnseen:
				does(atCapture, "look at O%d: to be captured")
			default:
				does(atEnd, "look at O%d: not to be captured")
			}
		}
	case atCapture:
		switch intent := &t.intents[o][s.rowIntent[o]-1]; *intent {
		case intentAuthorized, intentCaptured:
			*intent = intentCaptured
			does(atCaptured, "capture O%d: done")
		case intentCancelled:
			does(atCaptureFailed, "capture O%d: refused, cancelled or expired")
		default:
			does(atEnd, "capture O%d: refused")
		}
	case atCaptured:
		if m.captureBlind || s.payment[o] == payAuthorized || s.payment[o] == payCaptureFailed {
			t.payment[o] = payCaptured
		}
		does(atEnd, "record that O%d is captured")
	case atCaptureFailed:
		if s.payment[o] == payAuthorized && !m.expiredUncounted {
			t.payment[o] = payCaptureFailed
		}
		if m.refusedAtOnce && s.order[o] == orderConfirmed && s.epoch != 0 {
			m.cancelOrder(&t, int(o))
		}
		does(atEnd, "record that O%d can't be captured")
	}
}

// stepRefunder is an operator's refund of a part of the first order: request, give, finish.
func (m *model) stepRefunder(s *state, i int, emit emitter) {
	k, who := s.refunders[i], uint8(refunderA+i)
	refund := k.order
	t := *s
	does := func(pc uint8, what string) {
		t.refunders[i].pc = pc
		if pc == atEnd {
			t.refunders[i].order = 0
		}
		emit(t, step{who: who, what: what, of: refund})
	}
	loses := func(what string) { m.lose(s, &t, step{who: who, what: what, of: refund}, emit) }
	switch k.pc {
	case atLook:
		switch {
		case s.refund[refund] == refundRequested:
			does(atGive, "refund %d: was requested")
		case s.refund[refund] != refundNone:
			does(atEnd, "refund %d: is finished")
		case s.payment[0] == payCaptured && m.amounts[refund] <= m.left(s):
			if !m.refundUnrecorded {
				t.refund[refund] = refundRequested
				loses("refund %d: REQUESTED")
			}
			does(atGive, "refund %d: REQUESTED")
		}
	case atGive:
		given := m.giveRefund(&t, refund)
		if t != *s { // given, and the reply is lost
			u := t
			if m.unknownIsFailed {
				u.refunders[i].pc, u.refunders[i].arg = atFinish, refundFailed
			}
			emit(u, step{who: who, what: "refund %d: given, the reply is lost", of: refund})
		}
		t.refunders[i].arg = refundFailed
		what := "refund %d: refused by the provider"
		if given || m.refusedIsDone {
			t.refunders[i].arg = refundDone
		}
		if given {
			what = "refund %d: given"
		}
		does(atFinish, what)
	case atFinish:
		m.finishRefund(&t, refund, k.arg)
		loses("record refund %d")
		t.refunders[i].arg = 0
		does(atEnd, "record refund %d")
	}
}

// left is what may still be given back of the first order, by our books.
func (m *model) left(s *state) uint8 {
	left := captured - s.refunded[0]
	for refund, is := range s.refund {
		if is == refundRequested && !m.refundOverdrawn {
			left -= m.amounts[refund]
		}
	}
	return left
}

// finishRefund records what became of a refund. Of a payment that is VOIDED the row's amount has it already.
func (m *model) finishRefund(s *state, refund, outcome uint8) {
	if s.refund[refund] != refundRequested && !m.refundUnrecorded {
		return
	}
	s.refund[refund] = outcome
	if outcome == refundDone && (s.payment[0] != payVoided || m.refundAfterVoided) {
		s.refunded[0] += m.amounts[refund]
	}
}
