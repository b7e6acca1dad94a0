package main

// invariant is what must hold at every state that can be reached.
type invariant int

// Invariants.
const (
	oversold       invariant = iota // I1: the ledger of a product is below zero
	falseSuccess                    // I2: success was told, and there is no order, or no entry
	wrongMoney                      // I3: once all is quiet, a confirmed order without its money, or money without one
	holdLeft                        // I3: once all is quiet, a hold
	stockDiffers                    // I3: once all is quiet, Redis and ledger differ
	twoAuthorised                   // I4: two intents of an order hold money
	failedThenSold                  // I5: failure was told, and the order is sold
	stuck                           // I6: a process can't come to its end, though nothing disturbs it
	otherLinesSold                  // I7: other lines were sold than the payment's row froze
	refundsDiffer                   // I8: what was given back is not what our books say, or more than was captured
	heldTwice                       // C1: a sold order holds stock a second time; no fault, and asked for only where the courtesy lock is
	invariants
)

var invariantNames = [invariants]string{
	"I1 oversold", "I2 false success", "I3 money", "I3 hold left", "I3 stock differs", "I4 two authorised", "I5 failed, then sold", "I6 stuck",
	"I7 other lines sold", "I8 refunds differ", "C1 held twice",
}

func (i invariant) String() string { return invariantNames[i] }

// set is a set of invariants.
type set uint16

func of(some ...invariant) (s set) {
	for _, i := range some {
		s |= 1 << i
	}
	return s
}

func (s set) has(i invariant) bool { return s>>i&1 != 0 }

// asked are those that hold in a scenario by the rules. That an order holds stock once is a courtesy, and needs the lock.
func (m *model) asked() set {
	all := set(1<<heldTwice - 1)
	if m.locks && m.locksLost == 0 {
		all |= of(heldTwice)
	}
	return all
}

// broken returns those of the asked invariants that don't hold. Some are about what becomes of the state: I3 lets every process die right
// here and then lets workers, applier and rebuilders bring all to rest; I6 lets each process go on by itself.
func (m *model) broken(s *state, asked set) (bad set) {
	bad = m.brokenNow(s)
	if asked&of(wrongMoney, holdLeft, stockDiffers, refundsDiffer) != 0 {
		t := *s
		if !m.recover(&t) {
			bad |= of(holdLeft)
		}
		bad |= m.brokenAtRest(&t)
	}
	if asked.has(stuck) && !m.allEnd(s) {
		bad |= of(stuck)
	}
	return bad & asked
}

func (m *model) brokenNow(s *state) (bad set) {
	for p := range maxProducts {
		if s.sum[p] < 0 {
			bad |= of(oversold)
		}
	}
	if s.toldWithdrawal&toldSuccess != 0 && s.entry[withdrawal] == 0 {
		bad |= of(falseSuccess)
	}
	if s.toldWithdrawal&toldFailure != 0 { // underflow was told of one that was entered at that moment
		bad |= of(failedThenSold)
	}
	for o := range m.orders() {
		if s.told[o]&toldSuccess != 0 && !sold(s.order[o]) {
			bad |= of(falseSuccess)
		}
		if s.told[o] == toldSuccess|toldFailure || (s.told[o]&toldFailure != 0 && sold(s.order[o])) {
			bad |= of(failedThenSold)
		}
		if s.holding(o)+s.taken(o) > 1 {
			bad |= of(twoAuthorised)
		}
		if sold(s.order[o]) && bit(s.frozenLines, o) != bit(s.soldLines, o) {
			bad |= of(otherLinesSold)
		}
		if s.given[o] > captured {
			bad |= of(refundsDiffer)
		}
		if m.heldTwice(s, o) {
			bad |= of(heldTwice)
		}
	}
	for refund, is := range s.refund {
		if is == refundDone && bit(s.paid, refund) == 0 {
			bad |= of(refundsDiffer)
		}
	}
	return bad
}

// heldTwice: the order is sold, and what it holds now is not what it was sold under.
func (m *model) heldTwice(s *state, o int) bool {
	v := &s.current
	return sold(s.order[o]) && m.valid(v) && v.epoch == s.epoch && v.hold[o] != 0 &&
		(v.epoch != s.soldEpoch[o] || v.hold[o] != s.soldToken[o])
}

// holding counts the intents of an order that are authorised; taken, those that are captured.
func (s *state) holding(o int) int { return s.count(o, intentAuthorized) }
func (s *state) taken(o int) int   { return s.count(o, intentCaptured) }

func (s *state) count(o int, is uint8) (n int) {
	for _, intent := range s.intents[o] {
		if intent == is {
			n++
		}
	}
	return n
}

// brokenAtRest is for a state in which all is quiet.
func (m *model) brokenAtRest(s *state) (bad set) {
	for o := range m.orders() {
		if !m.moneyRight(s, o) {
			bad |= of(wrongMoney)
		}
		if s.current.hold[o] != 0 {
			bad |= of(holdLeft)
		}
	}
	if !m.refundsRight(s) {
		bad |= of(refundsDiffer)
	}
	if s.current.withdrawn != 0 {
		bad |= of(holdLeft)
	}
	if s.current.stock != s.sum {
		bad |= of(stockDiffers)
	}
	return bad
}

// moneyRight: a confirmed order has one intent that is authorised, or, where orders are captured, captured and recorded so. Any other has
// none, all that was captured is given back, and nothing is left that the shopper or the provider may still complete.
func (m *model) moneyRight(s *state, o int) bool {
	holding, taken := s.holding(o), s.taken(o)
	if s.order[o] == orderConfirmed {
		if m.capturers > 0 && (s.payment[o] != payCaptured || s.intents[o][s.rowIntent[o]-1] != intentCaptured) {
			return false
		}
		return holding+taken == 1
	}
	if holding > 0 || (taken > 0 && s.given[o] != captured) {
		return false
	}
	for i, intent := range s.intents[o] {
		confirmable := intent == intentCreated && int(s.rowIntent[o]) == i+1
		if m.actions+m.processings > 0 && (intent == intentAction || intent == intentProcessing || confirmable) {
			return false
		}
	}
	return true
}

// refundsRight: the row's amount is what the provider gave. As long as the order stands, that is the refunds that are DONE. Each refund is
// finished, and was given if and only if it is DONE.
func (m *model) refundsRight(s *state) bool {
	for o := range m.orders() {
		if s.taken(o) > 0 && s.refunded[o] != s.given[o] {
			return false
		}
	}
	done := uint8(0)
	for refund, is := range s.refund {
		if is == refundRequested || (is == refundDone) != (bit(s.paid, refund) != 0) {
			return false
		}
		if is == refundDone {
			done += m.amounts[refund]
		}
	}
	return s.order[0] != orderConfirmed || s.given[0] == done
}
