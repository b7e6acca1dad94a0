package main

// Bounds of a state. A scenario uses a part of it.
const (
	maxOrders      = 3 // orders, which are checkouts
	maxProducts    = 2
	maxIntents     = 2 // at the provider, an order; the second only after the idempotency key is forgotten
	maxCheckouts   = 4 // processes
	maxWorkers     = 2 // reapers and reconcilers
	maxRebuilders  = 2
	maxCapturers   = 2
	maxRefunders   = 2
	maxWithdrawers = 2
)

// Entries of the ledger besides sales.
const (
	restock      = 0
	cancellation = 1 // and the order's number
	withdrawal   = 1 + maxOrders
	maxEntries   = 2 + maxOrders
)

// States of an order's row.
const (
	orderNone = iota
	orderConfirmed
	orderAbandoned // the tombstone
	orderCancelled
)

// States of a payment's row. REQUIRES_ACTION is INITIATED here, and what is refunded in part or in full is CAPTURED: no rule tells them
// apart.
const (
	payNone = iota
	payInitiated
	payAuthorized
	payCaptured
	payCaptureFailed
	payVoiding
	payVoided
	payDeclined // of a mutation: the rules have no such state
)

// States of an intent at the provider.
const (
	intentNone    = iota
	intentCreated // also after a decline: it may be confirmed again
	intentAction  // waits for the shopper, 3-D Secure
	intentProcessing
	intentAuthorized
	intentCaptured
	intentCancelled // or expired
)

// States of an operator's refund in Spanner.
const (
	refundNone = iota
	refundRequested
	refundDone
	refundFailed
)

// captured is what is captured of each order, in units of money; enough for two refunds and a rest.
const captured = 3

// Where a process stands: the step that it does next. Zero is where each begins: a checkout or a withdrawal by a look at Spanner; a
// worker, capturer, refunder or rebuilder with nothing in hand.
const (
	atLook = iota
	atEnd
	// A checkout.
	atQuote
	atReserve
	atCreate
	atInitiate
	atAdopt
	atConfirm
	atRead // the intent, on re-entry
	atCommit
	atSettle
	// Abandoning a checkout, and voiding a payment (rule 7). Checkouts and workers do it by the same steps.
	atTombstone
	atRelease
	atCancel
	atRest   // reads what is left of a captured intent
	atRefund // gives it back
	atVoided
	// A worker.
	atCancelOrder // the payment can't be captured any more
	atApplyOverdue
	// Capture, and an operator's refund.
	atCapture
	atCaptured
	atCaptureFailed
	atGive
	atFinish
	// A withdrawal; it has atReserve in common with checkouts.
	atEnter
	atLookAgain
	atApply
	// A rebuild.
	atSum
	atLoad
	atLoadAgain
	// Of mutations.
	atDeclined
	atCancelFirst
	atReleaseOverdue
	atReleaseOwn
)

// Everything below is made of single bytes without gaps, so that a state is hashed and compared as one piece of memory.

// virtual is a store's hash in Redis.
type virtual struct {
	epoch, loadedOn uint8 // ep; epoch 0 is none
	stock           [maxProducts]int8
	hold            [maxOrders]uint8 // the hold's token, 0 for none
	changedLines    uint8            // bit set by order: the hold has the changed cart's lines
	withdrawn       uint8            // the token of the withdrawal's hold, 0 for none
	seq             uint8
	applied         uint8 // bit set by entry
}

// server is a Redis server.
type server struct {
	instance uint8 // 0: there is none
	virtual
}

// task is what is common to processes that end checkouts and payments.
type task struct {
	pc    uint8
	order uint8 // of a refunder: the refund
	arg   uint8 // what the next step has to know: an amount, or whether there is a payment to void
}

// checkout is one request, poll or webhook at work on a checkout.
type checkout struct {
	task
	then   uint8 // where it goes from a reservation
	epoch  uint8 // of its hold; before a reservation, the least epoch that it asks for
	token  uint8
	intent uint8 // from 1; 0 for none
	lines  uint8 // 1: the changed cart's
	locks  uint8 // 1: it has the courtesy lock
}

// number is a task as a number, to sort by.
func (t task) number() uint32 { return uint32(t.pc)<<16 | uint32(t.order)<<8 | uint32(t.arg) }

// before is an order among checkouts of one order.
func (c checkout) before(d checkout) bool {
	if c.order != d.order {
		return false
	}
	number := func(c checkout) uint64 {
		return uint64(c.then)<<40 | uint64(c.epoch)<<32 | uint64(c.token)<<24 | uint64(c.intent)<<16 | uint64(c.lines)<<8 | uint64(c.locks)
	}
	if c.task != d.task {
		return c.number() < d.number()
	}
	return number(c) < number(d)
}

// withdrawer is one request at work on the withdrawal.
type withdrawer struct{ pc, epoch uint8 }

type rebuilder struct {
	pc, epoch uint8
	sum       [maxProducts]int8
}

// state is the whole world at one moment.
type state struct {
	// Redis: the server that clients are sent to; one that goes on after a failover, split off; a replica that no longer hears of writes.
	current, old server
	replica      virtual
	stalled      uint8 // 1: the replica is that
	before       uint8 // instance of the server before the last failover
	nextInstance uint8

	// Spanner.
	epoch, highest       uint8 // the store's epoch, 0 for none; the highest ever
	order                [maxOrders]uint8
	soldEpoch, soldToken [maxOrders]uint8
	payment, rowIntent   [maxOrders]uint8
	refunded             [maxOrders]uint8 // the row's amount
	frozenLines          uint8            // bit set by order: the row has the changed cart's lines
	soldLines            uint8            // the same of what was sold
	sum                  [maxProducts]int8
	entry                [maxEntries]uint8 // 0 none, 1 entered, 2 and known to be applied
	entryEpoch           [maxEntries]uint8
	folded               uint8 // bit set: entries, then the orders' sales
	balanceEpoch         uint8 // the highest that is folded
	refund               [maxRefunders]uint8

	// The provider.
	key     [maxOrders]uint8 // the intent that the idempotency key stands for
	intents [maxOrders][maxIntents]uint8
	given   [maxOrders]uint8 // given back of the row's intent
	paid    uint8            // bit set: refunds that were given, by their keys
	voidKey uint8            // of a mutation: the amount that the key of voiding stands for

	// Processes.
	checkouts   [maxCheckouts]checkout
	workers     [maxWorkers]task
	rebuilders  [maxRebuilders]rebuilder
	capturers   [maxCapturers]task
	refunders   [maxRefunders]task
	withdrawers [maxWithdrawers]withdrawer
	lock        [maxOrders]uint8 // 1: somebody has the courtesy lock

	// What was told: bits toldSuccess and toldFailure.
	told           [maxOrders]uint8
	toldWithdrawal uint8
	cart           uint8 // 1: the cart or a price has changed

	// How often each may still happen.
	flushes, restarts, failovers, failbacks, swaps, redisFaults uint8
	keysForgotten, declines, actions, processings, expiries     uint8
	strays, lostReplies, resets, cartChanges, locksLost         uint8
}

const (
	toldSuccess = 1 << iota
	toldFailure
)

// Who does a step. Processes of a kind follow each other.
const (
	checkoutA   = 0
	workerA     = 10
	rebuilderA  = 20
	capturerA   = 30
	refunderA   = 40
	withdrawerA = 50
	stockRoom   = 60 // restocks, cancellations of orders, the applier
	folder      = 61
	provider    = 62 // and the shopper
	fault       = 63
)

// task returns that of a checkout or a worker.
func (s *state) task(who uint8) *task {
	if who < workerA {
		return &s.checkouts[who].task
	}
	return &s.workers[who-workerA]
}

// finish ends what a checkout or a worker does. A worker looks for something else.
func (s *state) finish(who uint8) {
	if who >= workerA {
		s.workers[who-workerA] = task{}
		return
	}
	c := &s.checkouts[who]
	if c.locks != 0 {
		s.lock[c.order] = 0
	}
	*c = checkout{task: task{pc: atEnd, order: c.order}}
}

// goTo sends a checkout or a worker to a step for which it needs to know nothing but the order.
func (s *state) goTo(who, pc uint8) {
	order := s.task(who).order
	if who < workerA {
		s.checkouts[who] = checkout{locks: s.checkouts[who].locks}
	}
	*s.task(who) = task{pc: pc, order: order}
}

// tell answers the client, if there is one.
func (s *state) tell(who, answer uint8) {
	if who < workerA {
		s.told[s.task(who).order] |= answer
	}
}

// server returns the current one, or the old one.
func (s *state) server(i uint8) *server {
	if i == onOld {
		return &s.old
	}
	return &s.current
}

// servers lists those that answer.
func (s *state) servers() []uint8 {
	if s.old.instance != 0 {
		return both[:]
	}
	return both[:1]
}

const (
	onCurrent = 1
	onOld     = 2
)

var both = [2]uint8{onCurrent, onOld}

func setBit(set *uint8, i int, v uint8) {
	*set &^= 1 << i
	*set |= v << i
}

func bit(set uint8, i int) uint8 { return set >> i & 1 }

func sold(order uint8) bool { return order == orderConfirmed || order == orderCancelled }
