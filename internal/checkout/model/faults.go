package main

// stepFault is what goes wrong, as often as the scenario allows.
func (m *model) stepFault(s *state, emit emitter) {
	for o := range m.orders() {
		if s.keysForgotten > 0 && s.key[o] != 0 {
			t := *s
			t.keysForgotten--
			t.key[o] = 0
			emit(t, step{who: fault, what: "the provider forgets the key of O%d", of: uint8(o)})
		}
		if s.locksLost > 0 && s.lock[o] != 0 {
			t := *s
			t.locksLost--
			t.lock[o] = 0
			for i := range t.checkouts {
				if int(t.checkouts[i].order) == o {
					t.checkouts[i].locks = 0
				}
			}
			emit(t, step{who: fault, what: "the lock of O%d is lost", of: uint8(o)})
		}
	}
	if s.cartChanges > 0 && s.cart == 0 {
		t := *s
		t.cartChanges--
		t.cart = 1
		emit(t, step{who: fault, what: "the cart or a price changes"})
	}
	if s.strays > 0 {
		m.stray(s, emit)
	}
	if s.resets > 0 {
		m.reset(s, emit)
	}
	if s.redisFaults > 0 {
		m.redisFault(s, emit)
	}
}

// stray executes a late duplicate of a reserve command.
func (m *model) stray(s *state, emit emitter) {
	for _, on := range s.servers() {
		for i := range m.processes() {
			c := s.checkouts[i]
			if c.pc == atLook || c.pc == atQuote || c.pc == atReserve {
				continue
			}
			t := *s
			t.strays--
			if answer, _, _ := m.reserve(t.server(on), int(c.order), c.lines, 0, uint8(i+1)); answer == held {
				emit(t, step{who: fault, what: "a late reserve of O%d", of: c.order, on: on})
			}
		}
		for i := range m.withdrawers {
			if w := s.withdrawers[i]; w.pc == atLook || w.pc == atReserve {
				continue
			}
			t := *s
			t.strays--
			if answer, _ := m.withdraw(t.server(on), 0); answer == held {
				emit(t, step{who: fault, what: "a late reserve of the withdrawal", on: on})
			}
		}
	}
}

// reset starts Spanner anew, empty: while it has nothing to lose but the epoch.
func (m *model) reset(s *state, emit emitter) {
	empty := s.order == [maxOrders]uint8{} && s.payment == [maxOrders]uint8{} && s.entry == [maxEntries]uint8{}
	if !empty || s.intents != [maxOrders][maxIntents]uint8{} {
		return
	}
	t := *s
	t.resets--
	t.epoch = 0
	if m.oldEpochBack || m.epochCounts || m.epochFromSeen {
		t.epoch = 1
	}
	if m.resetsKill {
		fresh := m.start()
		t.checkouts, t.withdrawers, t.rebuilders = fresh.checkouts, fresh.withdrawers, fresh.rebuilders
	}
	emit(t, step{who: fault, what: "Spanner starts anew, empty, with epoch %d", of: t.epoch})
}

// redisFault flushes a server, restarts it, and moves clients from one to another.
func (m *model) redisFault(s *state, emit emitter) {
	does := func(what string, change func(t *state)) {
		t := *s
		t.redisFaults--
		change(&t)
		emit(t, step{who: fault, what: what, of: t.current.instance})
	}
	if s.swaps > 0 && s.old.instance != 0 {
		does("clients go back to instance %d, never demoted", func(t *state) {
			t.swaps--
			t.current, t.old = t.old, t.current
		})
	}
	if s.flushes > 0 && s.current.virtual != (virtual{}) {
		does("FLUSHALL", func(t *state) {
			t.flushes--
			t.current.virtual = virtual{}
		})
	}
	if s.restarts > 0 {
		does("Redis restarts with nothing, as instance %d", func(t *state) {
			t.restarts--
			t.current = t.boot(virtual{})
		})
	}
	if s.failovers > 0 && s.stalled == 0 {
		t := *s
		t.replica, t.stalled = s.current.virtual, 1
		emit(t, step{who: fault, what: "replication stalls here"})
	}
	if s.failovers > 0 && s.stalled != 0 {
		does("failover to the stale replica, instance %d", func(t *state) {
			t.failovers--
			t.before = t.current.instance
			if m.splitBrain {
				t.old = t.current
			}
			t.current = t.boot(t.replica)
			t.replica, t.stalled = virtual{}, 0
		})
	}
	if s.failbacks > 0 && s.before != 0 {
		does("failback, instance %d", func(t *state) {
			t.failbacks--
			data := t.current.virtual // it has resynchronised from the new master
			if t.stalled != 0 {
				data = t.replica
				t.replica, t.stalled = virtual{}, 0
			}
			if m.runIDOnly {
				t.current = server{instance: t.before, virtual: data}
			} else {
				t.current = t.boot(data)
			}
			t.before, t.old = 0, server{}
		})
	}
}

// boot makes a server with an identity that was never before.
func (s *state) boot(data virtual) server {
	s.nextInstance++
	return server{instance: s.nextInstance - 1, virtual: data}
}
