package main

// Calls of the payment provider. Each is done at once, whatever becomes of its answer.

// Answers of a cancellation.
const (
	cancelled = iota
	stillProcessing
	isCaptured
)

// create makes an intent, or answers that of the key.
func (m *model) create(s *state, o int) (intent uint8) {
	if m.oneCharge {
		return 1
	}
	if s.key[o] == 0 {
		i := 0
		for i < maxIntents-1 && s.intents[o][i] != intentNone {
			i++
		}
		s.intents[o][i] = intentCreated
		s.key[o] = uint8(i + 1)
	}
	return s.key[o]
}

// cancelIntent is 7b.
func (m *model) cancelIntent(s *state, o int, intent uint8) int {
	if intent == 0 {
		return cancelled
	}
	switch i := &s.intents[o][intent-1]; {
	case m.oneCharge && *i == intentNone: // a charge without an intent leaves no handle
	case *i == intentProcessing && !m.processingIsCancelled:
		return stillProcessing
	case *i == intentProcessing:
	case *i == intentCaptured && !m.capturedIsCancelled:
		return isCaptured
	case *i == intentCaptured:
	case *i == intentAction && m.actionGoesOn:
	default:
		*i = intentCancelled
	}
	return cancelled
}

// refundRest gives back what is left, of the row's intent. It tells whether that was done.
func (m *model) refundRest(s *state, o int, amount uint8) bool {
	if m.keyWithoutAmount {
		if s.voidKey == 0 {
			s.voidKey = amount
		}
		if s.voidKey != amount { // a key is for one request
			return false
		}
	}
	switch left := captured - s.given[o]; {
	case left == 0: // a twin did so
		return !m.refundInFull
	case amount > left:
		return false
	}
	s.given[o] += amount
	return true
}

// giveRefund is a call for an operator's refund, of the first order, by the refund's key. It tells whether the refund was given, now or before.
func (m *model) giveRefund(s *state, refund uint8) bool {
	switch amount := m.amounts[refund]; {
	case bit(s.paid, int(refund)) != 0 && !m.refundNewKey:
		return true
	case amount > captured-s.given[0]:
		return false
	default:
		s.given[0] += amount
		setBit(&s.paid, int(refund), 1)
		return true
	}
}

// stepProvider is what the provider and the shopper do without any process of ours.
func (m *model) stepProvider(s *state, emit emitter) {
	for o := range m.orders() {
		for i, was := range s.intents[o] {
			becomes := func(is uint8, what string, spend func(t *state)) {
				t := *s
				t.intents[o][i] = is
				if spend != nil {
					spend(&t)
				}
				emit(t, step{who: provider, what: what, of: uint8(o)})
			}
			switch was {
			case intentAction:
				becomes(intentAuthorized, "the shopper completes the action: authorised", nil)
				becomes(intentCreated, "the shopper fails the action", nil)
				if s.processings > 0 {
					becomes(intentProcessing, "the shopper completes the action: processing", func(t *state) { t.processings-- })
				}
			case intentProcessing:
				becomes(intentAuthorized, "processing ends: authorised", nil)
				becomes(intentCreated, "processing ends: failed", nil)
			case intentAuthorized:
				if s.expiries > 0 {
					becomes(intentCancelled, "the authorisation expires", func(t *state) { t.expiries-- })
				}
			}
		}
	}
}
