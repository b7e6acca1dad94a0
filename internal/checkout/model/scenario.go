package main

// scenario bounds what may happen. One world is explored as far as that.
type scenario struct {
	name string
	// big ones may be stopped at the limit, and have no lost replies.
	big bool
	// stock of each product, and what each order takes of it.
	stock [maxProducts]int8
	lines [maxOrders][maxProducts]int8
	// requests and webhooks are processes for an order each; a poll is like a webhook.
	requests, webhooks []uint8
	// workers reap and reconcile, rebuilders load the store anew up to an epoch.
	workers, rebuilders int
	epochs              uint8

	// flushes of Redis, restarts with nothing, failovers to a replica that has stalled somewhere before, failbacks to the server before
	// the last failover, swaps back to a server that was never demoted; faults bounds their sum. With splitBrain the old server goes on.
	flushes, restarts, failovers, failbacks, swaps, faults uint8
	splitBrain                                             bool
	// lostReplies of Redis and Spanner: the step had its effect, and is done again. strays are late duplicates of reserve commands.
	lostReplies, strays uint8

	// declines of the provider; confirmations that need the shopper's action, or that are processing; authorisations that expire; keys that
	// the provider forgets. A reply of the provider may be lost at any time.
	declines, actions, processings, expiries, keysForgotten uint8

	// What happens to orders: capturers capture, cancels calls them off, refunders give back an operator's refund each, of these amounts.
	capturers int
	cancels   bool
	refunders []uint8
	amounts   [maxRefunders]uint8

	// What happens to stock: units come, and units are taken away by so many processes for one withdrawal. applied never has more entries
	// than remembered; 0 is 1. folds adds single rows to the balance.
	restock     int8
	withdrawn   int8
	withdrawers int
	remembered  int
	folds       bool
	resets      uint8 // Spanner starts anew, empty, while there is no order
	resetsKill  bool  // and all processes with it
	cart        uint8
	locks       bool // the courtesy lock of a shopper's cart, which must keep an order from holding stock twice
	locksLost   uint8
}

// What a changed cart comes to.
const (
	cartFixed   = iota // it doesn't change
	cartRefused        // as a changed price
	cartTaken          // its lines are taken
)

// one is a single unit of the first product for each order.
var one = [maxOrders][maxProducts]int8{{1}, {1}, {1}}

// orders is how many there are.
func (s scenario) orders() int {
	n := 0
	for _, o := range s.requests {
		n = max(n, int(o)+1)
	}
	return n
}

func (s scenario) processes() int { return len(s.requests) + len(s.webhooks) }

func (s scenario) isWebhook(process int) bool { return process >= len(s.requests) }

func (s scenario) remembers() int { return max(s.remembered, 1) }

// named returns the scenario of a name; ok is false where there is none.
func named(name string) (s scenario, ok bool) {
	for _, s := range scenarios() {
		if s.name == name {
			return s, true
		}
	}
	return scenario{}, false
}

// scenarios in groups: the saga under faults of Redis; the shopper's action, processing, capture, folding, a reset Spanner, carts;
// withdrawals; refunds; the courtesy lock.
func scenarios() []scenario {
	one1, one2 := [maxProducts]int8{1}, [maxProducts]int8{2}
	all := []scenario{
		{name: "dup", stock: one1, requests: []uint8{0, 0, 1}, workers: 1, epochs: 1, declines: 1},
		{name: "dup2", stock: one2, requests: []uint8{0, 0, 1}, workers: 1, epochs: 1, declines: 1},
		{name: "dupreb", stock: one2, requests: []uint8{0, 0}, workers: 1, rebuilders: 1, epochs: 3, flushes: 1, restarts: 1, faults: 1, declines: 1},
		{name: "flush", stock: one1, requests: []uint8{0, 1}, workers: 1, rebuilders: 2, epochs: 3, flushes: 1, restarts: 1, faults: 2},
		{name: "failover", stock: one1, requests: []uint8{0, 1}, rebuilders: 1, epochs: 3, failovers: 1, failbacks: 1, faults: 2, splitBrain: true},
		{name: "failoverW", stock: one1, requests: []uint8{0, 1}, workers: 1, rebuilders: 1, epochs: 2, failovers: 1, failbacks: 1, faults: 2, splitBrain: true},
		{name: "restock", stock: one1, requests: []uint8{0, 1}, rebuilders: 2, epochs: 3, restock: 1, flushes: 1, faults: 1},
		{name: "restockfo", stock: one1, requests: []uint8{0}, workers: 1, rebuilders: 1, epochs: 3, restock: 1, failovers: 1, failbacks: 1, flushes: 1, faults: 2, splitBrain: true},
		{name: "cancel", stock: one1, requests: []uint8{0, 1}, workers: 1, rebuilders: 1, epochs: 2, cancels: true, flushes: 1, faults: 1},
		{name: "keyexp", stock: one2, requests: []uint8{0, 0, 0}, workers: 1, epochs: 1, keysForgotten: 1, declines: 1},
		{name: "twoprod", stock: [maxProducts]int8{2, 1}, lines: [maxOrders][maxProducts]int8{{1, 1}, {2, 0}}, requests: []uint8{0, 1}, workers: 1, rebuilders: 1, epochs: 3, flushes: 1, faults: 1},
		{name: "three", stock: one2, requests: []uint8{0, 1, 2}, rebuilders: 1, epochs: 2, flushes: 1, faults: 1},
		{name: "reap2", stock: one1, requests: []uint8{0, 0}, workers: 2, rebuilders: 1, epochs: 2, flushes: 1, faults: 1, declines: 1},
		{name: "stray", stock: one2, requests: []uint8{0, 0}, workers: 1, rebuilders: 1, epochs: 2, strays: 1, declines: 1},
		{name: "big1", big: true, stock: one1, requests: []uint8{0, 0, 1}, workers: 1, rebuilders: 1, epochs: 2, flushes: 1, faults: 1, declines: 1},
		{name: "big2", big: true, stock: one1, requests: []uint8{0, 1}, workers: 1, rebuilders: 2, epochs: 3, failovers: 1, failbacks: 1, swaps: 1, flushes: 1, faults: 2, splitBrain: true},
		{name: "big3", big: true, stock: one1, requests: []uint8{0, 1}, workers: 1, rebuilders: 2, epochs: 3, restock: 1, failovers: 1, failbacks: 1, swaps: 1, flushes: 1, faults: 2, splitBrain: true},
		{name: "big4", big: true, stock: one1, requests: []uint8{0, 1}, workers: 1, rebuilders: 2, epochs: 3, cancels: true, restock: 1, failovers: 1, failbacks: 1, flushes: 1, faults: 1, splitBrain: true},
		{name: "big5", big: true, stock: one2, requests: []uint8{0, 1, 2}, workers: 1, rebuilders: 1, epochs: 2, failovers: 1, flushes: 1, faults: 1, splitBrain: true},

		{name: "act", stock: one1, requests: []uint8{0, 1}, webhooks: []uint8{0}, actions: 1, declines: 1, workers: 1, epochs: 1},
		{name: "actreb", stock: one2, requests: []uint8{0}, webhooks: []uint8{0, 0}, actions: 1, workers: 1, rebuilders: 1, epochs: 3, flushes: 1, restarts: 1, faults: 1},
		{name: "actcomp", stock: one1, requests: []uint8{0, 1}, webhooks: []uint8{0}, actions: 1, workers: 1, rebuilders: 1, epochs: 2, flushes: 1, faults: 1},
		{name: "actretry", stock: one2, requests: []uint8{0, 0}, webhooks: []uint8{0}, actions: 2, workers: 1, keysForgotten: 1, declines: 1, epochs: 1},
		{name: "actfo", stock: one1, requests: []uint8{0}, webhooks: []uint8{0}, actions: 1, workers: 1, rebuilders: 1, epochs: 2, failovers: 1, failbacks: 1, faults: 2, splitBrain: true},
		{name: "proc", stock: one1, requests: []uint8{0, 1}, webhooks: []uint8{0}, actions: 1, processings: 1, workers: 1, epochs: 1},
		{name: "procreb", stock: one1, requests: []uint8{0}, webhooks: []uint8{0}, actions: 1, processings: 2, workers: 2, rebuilders: 1, epochs: 2, flushes: 1, faults: 1, declines: 1},
		{name: "cap", stock: one1, requests: []uint8{0, 0}, capturers: 2, cancels: true, workers: 1, epochs: 1},
		{name: "capreb", stock: one1, requests: []uint8{0}, capturers: 2, cancels: true, workers: 2, rebuilders: 1, epochs: 2, flushes: 1, faults: 1},
		{name: "capact", stock: one1, requests: []uint8{0}, webhooks: []uint8{0}, capturers: 2, cancels: true, workers: 1, actions: 1, processings: 1, epochs: 1},
		{name: "capexp", stock: one1, requests: []uint8{0, 0}, capturers: 2, cancels: true, workers: 1, expiries: 1, epochs: 1},
		{name: "fold", stock: one1, requests: []uint8{0, 1}, restock: 1, rebuilders: 2, epochs: 3, folds: true},
		{name: "foldcanc", stock: one1, requests: []uint8{0}, restock: 1, cancels: true, rebuilders: 2, epochs: 4, folds: true, workers: 1, flushes: 1, faults: 1},
		{name: "reset", stock: one1, requests: []uint8{0, 1}, resets: 1, rebuilders: 2, epochs: 4, flushes: 1, faults: 1},
		{name: "resetW", stock: one1, requests: []uint8{0, 0}, resets: 1, rebuilders: 1, epochs: 4, workers: 1, flushes: 1, restarts: 1, faults: 1},
		{name: "resetkill", stock: one1, requests: []uint8{0, 1}, resets: 1, resetsKill: true, rebuilders: 2, epochs: 4, flushes: 1, faults: 1},
		{name: "resetstock", stock: one1, requests: []uint8{0}, resets: 1, restock: 1, rebuilders: 2, epochs: 4, workers: 1, flushes: 1, faults: 1},
		{name: "applied", stock: one2, requests: []uint8{0, 1}, restock: 1, cancels: true, rebuilders: 1, epochs: 3, flushes: 1, faults: 1},
		{name: "cart", stock: one1, requests: []uint8{0, 0, 1}, cart: cartRefused, workers: 1, declines: 1, epochs: 1},
		{name: "cartreb", stock: one1, requests: []uint8{0, 0}, cart: cartRefused, workers: 1, rebuilders: 1, epochs: 3, flushes: 1, faults: 1, declines: 1},
		{name: "cartlines", stock: one2, requests: []uint8{0, 0}, cart: cartTaken, workers: 1, rebuilders: 1, epochs: 2, flushes: 1, faults: 1},
		{name: "cartact", stock: one2, requests: []uint8{0, 0}, webhooks: []uint8{0}, cart: cartTaken, actions: 1, workers: 1, rebuilders: 1, epochs: 2, flushes: 1, faults: 1},
		{name: "big6", big: true, stock: one1, requests: []uint8{0, 1}, webhooks: []uint8{0}, actions: 1, processings: 1, capturers: 1, cancels: true, workers: 1, rebuilders: 1, epochs: 2, flushes: 1, faults: 1},
		{name: "big7", big: true, stock: one1, requests: []uint8{0}, webhooks: []uint8{0}, actions: 1, capturers: 1, cancels: true, restock: 1, workers: 1, rebuilders: 2, epochs: 3, folds: true, failovers: 1, failbacks: 1, flushes: 1, faults: 1, splitBrain: true},

		{name: "wd", stock: one1, requests: []uint8{0}, withdrawers: 2, withdrawn: 1, workers: 1, rebuilders: 1, epochs: 3},
		{name: "wdreb", stock: one2, requests: []uint8{0}, withdrawers: 2, withdrawn: 1, workers: 1, rebuilders: 1, epochs: 3, flushes: 1, restarts: 1, faults: 1},
		{name: "wdorders", stock: one1, requests: []uint8{0, 1}, withdrawers: 1, withdrawn: 1, workers: 1, rebuilders: 1, epochs: 2, flushes: 1, faults: 1},
		{name: "wdfo", stock: one1, requests: []uint8{0}, withdrawers: 2, withdrawn: 1, rebuilders: 1, epochs: 3, failovers: 1, failbacks: 1, faults: 2, splitBrain: true},
		{name: "wdfoW", stock: one1, requests: []uint8{0}, withdrawers: 2, withdrawn: 1, workers: 1, rebuilders: 1, epochs: 2, failovers: 1, failbacks: 1, faults: 2, splitBrain: true},
		{name: "wdstray", stock: one2, requests: []uint8{0}, withdrawers: 2, withdrawn: 1, workers: 1, rebuilders: 1, epochs: 2, strays: 1},
		{name: "wdfold", stock: one1, requests: []uint8{0}, withdrawers: 2, withdrawn: 1, remembered: 2, restock: 1, cancels: true, rebuilders: 2, epochs: 3, folds: true, flushes: 1, faults: 1},
		{name: "wdfull", stock: one2, requests: []uint8{0}, withdrawers: 2, withdrawn: 1, restock: 1, cancels: true, workers: 1, rebuilders: 1, epochs: 3},
		{name: "wdreset", stock: one1, requests: []uint8{0}, withdrawers: 2, withdrawn: 1, resets: 1, rebuilders: 2, epochs: 4, flushes: 1, faults: 1},
		{name: "wdslot", stock: one1, requests: []uint8{0}, withdrawers: 1, withdrawn: 1, workers: 1, rebuilders: 2, epochs: 3, failovers: 1, flushes: 1, faults: 1, splitBrain: true, strays: 1},
		{name: "wdone", stock: one1, requests: []uint8{0}, withdrawers: 1, withdrawn: 1, workers: 1, rebuilders: 1, epochs: 2, strays: 1, flushes: 1, faults: 1},
		{name: "big8", big: true, stock: one1, requests: []uint8{0, 1}, withdrawers: 2, withdrawn: 1, workers: 1, rebuilders: 2, epochs: 3, failovers: 1, flushes: 1, faults: 1, splitBrain: true},

		{name: "refund", stock: one1, requests: []uint8{0}, capturers: 1, cancels: true, refunders: []uint8{0, 1}, amounts: [maxRefunders]uint8{1, 2}, workers: 2, epochs: 1},
		{name: "refundtwin", stock: one1, requests: []uint8{0}, capturers: 2, cancels: true, refunders: []uint8{0, 0}, amounts: [maxRefunders]uint8{1}, workers: 1, epochs: 1},
		{name: "refundover", stock: one1, requests: []uint8{0}, capturers: 1, cancels: true, refunders: []uint8{0, 1}, amounts: [maxRefunders]uint8{2, 2}, workers: 1, epochs: 1},
		{name: "refundexp", stock: one1, requests: []uint8{0}, capturers: 2, cancels: true, expiries: 1, refunders: []uint8{0, 1}, amounts: [maxRefunders]uint8{1, 1}, workers: 1, rebuilders: 1, epochs: 2, flushes: 1, faults: 1},

		{name: "nolock", stock: one2, requests: []uint8{0}, webhooks: []uint8{0}, actions: 1, workers: 1, epochs: 1},
		{name: "lock", stock: one2, requests: []uint8{0, 0}, webhooks: []uint8{0}, actions: 1, workers: 1, rebuilders: 1, epochs: 2, flushes: 1, faults: 1, locks: true},
	}
	for i := range all {
		if all[i].lines == ([maxOrders][maxProducts]int8{}) {
			all[i].lines = one
		}
	}
	return all
}
