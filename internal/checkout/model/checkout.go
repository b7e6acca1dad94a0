package main

// stepCheckout is the saga: look, reserve, create, initiate, confirm, commit, settle.
func (m *model) stepCheckout(s *state, i int, emit emitter) {
	c, who := s.checkouts[i], uint8(checkoutA+i)
	o := int(c.order)
	switch c.pc {
	case atLook:
		m.look(s, i, emit)
	case atQuote:
		m.quote(s, i, emit)
	case atReserve:
		m.stepReserve(s, i, emit)
	case atCreate:
		t := *s
		intent := m.create(&t, o)
		m.lose(s, &t, step{who: who, what: "create an intent"}, emit)
		t.checkouts[i].intent = intent
		t.checkouts[i].pc = atInitiate
		if m.noRow {
			t.checkouts[i].pc = atConfirm
		}
		emit(t, step{who: who, what: "create an intent"})
	case atInitiate:
		m.initiate(s, i, emit)
	case atAdopt:
		m.adopt(s, i, emit)
	case atConfirm:
		m.confirm(s, i, emit)
	case atRead:
		m.readIntent(s, i, emit)
	case atCommit:
		m.stepCommit(s, i, emit)
	case atDeclined:
		m.decline(s, i, emit)
	default:
		m.stepAbandon(s, who, emit)
	}
}

// look reads order and payment, under the courtesy lock if there is one: whether this is an ordinary checkout, or a re-entry (rule 10).
func (m *model) look(s *state, i int, emit emitter) {
	who, o := uint8(checkoutA+i), int(s.checkouts[i].order)
	if m.isWebhook(i) && s.payment[o] == payNone && s.order[o] == orderNone {
		return // it is ignored; a later one isn't
	}
	t := *s
	if m.locks && (!m.isWebhook(i) || s.order[o] == orderNone) {
		if s.lock[o] != 0 {
			return
		}
		t.lock[o], t.checkouts[i].locks = 1, 1
	}
	c := &t.checkouts[i]
	switch {
	case sold(s.order[o]):
		t.tell(who, toldSuccess)
		t.goTo(who, atSettle)
		emit(t, step{who: who, what: "look: sold, SUCCESS"})
	case s.order[o] == orderAbandoned || s.payment[o] == payVoiding || s.payment[o] == payVoided:
		u := t
		m.abandon(&u, who)
		emit(u, step{who: who, what: "look: abandoned"})
		if s.payment[o] == payInitiated { // the two rows are read one by one: the order perhaps before it had its tombstone
			m.reenter(&t, i, emit)
		}
	case s.payment[o] == payNone:
		c.pc, c.then = atReserve, atCreate
		if m.cart != cartFixed {
			c.pc = atQuote
		}
		emit(t, step{who: who, what: "look: nothing"})
	default:
		m.reenter(&t, i, emit)
	}
}

// reenter goes on with what the row says. It changes t.
func (m *model) reenter(t *state, i int, emit emitter) {
	who, o := uint8(checkoutA+i), int(t.checkouts[i].order)
	c := &t.checkouts[i]
	c.pc, c.then, c.intent, c.lines = atReserve, atRead, t.rowIntent[o], bit(t.frozenLines, o)
	if m.cartsLines && m.cart != cartFixed {
		c.lines = t.cart
	}
	if m.unheld {
		c.pc, c.then, c.epoch = atRead, 0, t.epoch
	}
	emit(*t, step{who: who, what: "look: open"})
}

// quote prices the cart, and refuses it if it has changed (rule 6).
func (m *model) quote(s *state, i int, emit emitter) {
	who, o := uint8(checkoutA+i), int(s.checkouts[i].order)
	t := *s
	t.checkouts[i].pc = atReserve
	what := "quote"
	switch {
	case m.cart == cartTaken:
		t.checkouts[i].lines = s.cart
		if s.cart != 0 {
			what = "quote: changed lines"
		}
	case s.cart == 0:
	case m.refusalReads && sold(s.order[o]):
		t.tell(who, toldSuccess)
		t.goTo(who, atSettle)
		what = "quote: changed, but the order is sold: SUCCESS"
	case m.refusalReads || m.refusalAtOnce:
		t.tell(who, toldFailure)
		t.finish(who)
		what = "quote: changed, FAILED"
	default:
		m.abandon(&t, who)
		what = "quote: changed, to be refused"
	}
	emit(t, step{who: who, what: what})
}

func (m *model) stepReserve(s *state, i int, emit emitter) {
	who, o := uint8(checkoutA+i), int(s.checkouts[i].order)
	for _, on := range s.servers() {
		t := *s
		c := &t.checkouts[i]
		answer, epoch, token := m.reserve(t.server(on), o, c.lines, c.epoch, who+1)
		switch answer {
		case held:
			m.lose(s, &t, step{who: who, what: "reserve: held", on: on}, emit)
			c.pc, c.then, c.epoch, c.token = c.then, 0, epoch, token
			emit(t, step{who: who, what: "reserve: held", on: on})
		case insufficient:
			m.sellOut(&t, i)
			emit(t, step{who: who, what: "reserve: insufficient", on: on})
		case otherLines:
			if m.otherLinesFailed {
				t.tell(who, toldFailure)
			}
			t.finish(who)
			emit(t, step{who: who, what: "reserve: held with other lines, TRY_AGAIN", on: on})
		case needsRebuild: // it waits for one
		}
	}
}

// sellOut is what comes of a shortage: the tombstone, and then FAILED.
func (m *model) sellOut(t *state, i int) {
	who, o := uint8(checkoutA+i), t.checkouts[i].order
	ordinary := t.checkouts[i].then == atCreate
	switch {
	case ordinary && m.insufficientReads && sold(t.order[o]):
		t.tell(who, toldSuccess)
		t.goTo(who, atSettle)
	case ordinary && (m.insufficientAtOnce || m.insufficientReads):
		t.tell(who, toldFailure)
		t.finish(who)
	default:
		m.abandon(t, who)
	}
}

// initiate inserts the payment's row, which has the one intent that may be confirmed, and the lines (rule 10).
func (m *model) initiate(s *state, i int, emit emitter) {
	who, o := uint8(checkoutA+i), int(s.checkouts[i].order)
	t := *s
	c := &t.checkouts[i]
	does := func(what string) { emit(t, step{who: who, what: what}) }
	switch {
	case m.initiateLooks && sold(s.order[o]):
		t.tell(who, toldSuccess)
		t.goTo(who, atSettle)
		does("initiate: sold, SUCCESS")
	case m.initiateLooks && s.order[o] == orderAbandoned:
		m.abandon(&t, who)
		does("initiate: abandoned")
	case s.payment[o] == payNone:
		t.payment[o], t.rowIntent[o] = payInitiated, c.intent
		setBit(&t.frozenLines, o, c.lines)
		m.lose(s, &t, step{who: who, what: "initiate: inserted"}, emit)
		c.pc = atConfirm
		does("initiate: inserted")
	default:
		c.pc = atAdopt
		does("initiate: there is a row")
	}
}

// adopt is for a row that was there: what it says counts.
func (m *model) adopt(s *state, i int, emit emitter) {
	who, o := uint8(checkoutA+i), int(s.checkouts[i].order)
	t := *s
	c := &t.checkouts[i]
	does := func(what string) { emit(t, step{who: who, what: what}) }
	switch {
	case sold(s.order[o]):
		t.tell(who, toldSuccess)
		t.goTo(who, atSettle)
		does("look at the row: sold, SUCCESS")
	case s.order[o] == orderAbandoned || s.payment[o] == payVoiding || s.payment[o] == payVoided:
		m.abandon(&t, who)
		does("look at the row: abandoned")
	case bit(s.frozenLines, o) != c.lines && !m.linesAgreed:
		m.abandon(&t, who)
		does("look at the row: other lines")
	default:
		if !m.confirmsOwn {
			c.intent = s.rowIntent[o]
		}
		c.pc = atConfirm
		does("look at the row: its intent is taken")
	}
}

// confirm asks for the authorisation.
func (m *model) confirm(s *state, i int, emit emitter) {
	who, o := uint8(checkoutA+i), int(s.checkouts[i].order)
	intent := s.checkouts[i].intent - 1
	does := func(what string, change func(t *state)) {
		t := *s
		change(&t)
		emit(t, step{who: who, what: what})
	}
	switch s.intents[o][intent] {
	case intentAction, intentProcessing:
		does("confirm: under way, TRY_AGAIN", func(t *state) { t.finish(who) })
		return
	case intentAuthorized, intentCaptured:
		does("confirm: authorised", func(t *state) { t.checkouts[i].pc = atCommit })
		return
	case intentCancelled:
		does("confirm: cancelled", func(t *state) { m.abandon(t, who) })
		return
	}
	does("confirm: authorised", func(t *state) {
		t.intents[o][intent] = intentAuthorized
		t.checkouts[i].pc = atCommit
		if m.successEarly {
			t.tell(who, toldSuccess)
		}
	})
	does("confirm: authorised, the reply is lost", func(t *state) { t.intents[o][intent] = intentAuthorized })
	if s.actions > 0 {
		does("confirm: needs the shopper's action, TRY_AGAIN", func(t *state) {
			t.actions--
			t.intents[o][intent] = intentAction
			t.finish(who)
		})
	}
	if s.processings > 0 {
		does("confirm: processing, TRY_AGAIN", func(t *state) {
			t.processings--
			t.intents[o][intent] = intentProcessing
			t.finish(who)
		})
	}
	if s.declines > 0 {
		does("confirm: declined", func(t *state) {
			t.declines--
			if m.declinedState {
				t.goTo(who, atDeclined)
			} else {
				m.abandon(t, who)
			}
		})
	}
}

// readIntent is what a re-entry does with its reservation.
func (m *model) readIntent(s *state, i int, emit emitter) {
	who, o := uint8(checkoutA+i), int(s.checkouts[i].order)
	t := *s
	c := &t.checkouts[i]
	switch s.intents[o][c.intent-1] {
	case intentAuthorized, intentCaptured:
		c.pc = atCommit
		emit(t, step{who: who, what: "read the intent: authorised"})
	case intentAction, intentProcessing:
		t.finish(who)
		emit(t, step{who: who, what: "read the intent: under way, TRY_AGAIN"})
	case intentCancelled:
		m.abandon(&t, who)
		emit(t, step{who: who, what: "read the intent: cancelled"})
	default:
		c.pc = atConfirm
		emit(t, step{who: who, what: "read the intent: failed, tries again"})
		t = *s
		m.abandon(&t, who)
		emit(t, step{who: who, what: "read the intent: failed, gives up"})
	}
}

func (m *model) stepCommit(s *state, i int, emit emitter) {
	who, o := uint8(checkoutA+i), int(s.checkouts[i].order)
	t := *s
	c := &t.checkouts[i]
	own := *c
	switch m.commit(&t, o, c.epoch, c.token, c.lines) {
	case committed:
		m.lose(s, &t, step{who: who, what: "commit: CONFIRMED"}, emit)
		t.tell(who, toldSuccess)
		t.goTo(who, atSettle)
		m.keepOwn(c, own)
		emit(t, step{who: who, what: "commit: CONFIRMED"})
	case soldBefore:
		t.tell(who, toldSuccess)
		t.goTo(who, atSettle)
		m.keepOwn(c, own)
		emit(t, step{who: who, what: "commit: sold before"})
	case abandoned:
		m.abandon(&t, who)
		emit(t, step{who: who, what: "commit: abandoned"})
	case otherEpoch: // rule 4
		c.pc, c.then, c.token = atReserve, atCommit, 0
		switch {
		case m.anyEpoch:
			c.epoch = 0
		case c.epoch > s.epoch && !m.storesMinimum:
			c.epoch++
		default:
			c.epoch = s.epoch
		}
		emit(t, step{who: who, what: "commit: another epoch"})
	}
}

// keepOwn is of a mutation: settle with the caller's own hold.
func (m *model) keepOwn(c *checkout, own checkout) {
	if m.settleOwn {
		c.epoch, c.token = own.epoch, own.token
	}
}

// decline is of a mutation: a declined payment gets a state of its own.
func (m *model) decline(s *state, i int, emit emitter) {
	who, o := uint8(checkoutA+i), s.checkouts[i].order
	t := *s
	if sold(s.order[o]) && !m.declinedNoTombstone {
		t.tell(who, toldSuccess)
		t.goTo(who, atSettle)
		emit(t, step{who: who, what: "DECLINED: sold, SUCCESS"})
		return
	}
	if s.payment[o] == payInitiated || s.payment[o] == payAuthorized {
		t.payment[o] = payDeclined
	}
	if s.order[o] == orderNone && !m.declinedNoTombstone {
		t.order[o] = orderAbandoned
	}
	t.tell(who, toldFailure)
	t.goTo(who, atRelease)
	emit(t, step{who: who, what: "DECLINED"})
}
