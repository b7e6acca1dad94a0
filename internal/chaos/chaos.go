// Package chaos lets the prover (load/prove) break the platform from inside: kill or stop a process at a named step, build a fence out, put
// a process's clock wrong.
//
// Only programs built with the tag chaos can be broken. In all others, and so in every image, each function here does nothing, and the
// compiler removes it: off.go is all there is.
//
// A broken program reads CHAOS_DIR, a folder of this process alone:
//
//   - points, written by it at its start, has the names of all points.
//   - <point>, written by the prover: "kill" or "stop". The next goroutine to come by removes the file, and has the process killed or
//     stopped then and there. So the file's absence tells that the point was hit.
//   - clock, written by the prover: how wrong the clock is, a duration.
//
// CHAOS_WITHOUT names the fence that is built out.
package chaos

// Point is a step after which a process may die. Each is right behind something that can't be undone, or right before.
type Point string

// What stands between the steps of the saga, and of those who come after it.
const (
	CheckoutReserved    Point = "checkout.reserved"     // the lines are held
	CheckoutIntended    Point = "checkout.intended"     // the provider has the intent, nobody has recorded it
	CheckoutInitiated   Point = "checkout.initiated"    // the payment's row stands, nothing is confirmed
	CheckoutConfirmed   Point = "checkout.confirmed"    // money may be held, there is no order
	CheckoutCommitted   Point = "checkout.committed"    // there is an order, nobody knows
	CheckoutSettled     Point = "checkout.settled"      // all is done but the answer
	CheckoutTombstoned  Point = "checkout.tombstoned"   // the refusal stands, everything else is to be undone
	CheckoutReleased    Point = "checkout.released"     // the stock is given back, the payment isn't voided
	CheckoutVoided      Point = "checkout.voided"       // all is undone but the answer
	CheckoutCancelled   Point = "checkout.cancelled"    // an order was called off, nothing follows yet
	CheckoutPacked      Point = "checkout.packed"       // an order is packed, nobody knows
	CheckoutReaping     Point = "checkout.reaping"      // a hold that is overdue was found
	CheckoutReconciling Point = "checkout.reconciling"  // an open payment was found
	StockBumped         Point = "checkout.stock-bumped" // a new epoch, nothing loaded
	StockSummed         Point = "checkout.stock-summed" // the ledger was read, nothing loaded
	StockLoaded         Point = "checkout.stock-loaded" // loaded, nobody knows
	StockHeld           Point = "checkout.stock-held"   // what an adjustment takes away is held, nothing entered
	StockEntered        Point = "checkout.stock-entered"
	StockApplied        Point = "checkout.stock-applied"

	PaymentCreated    Point = "payment.created"    // the provider did it, the caller doesn't know; so the others
	PaymentAuthorised Point = "payment.authorised" // or declined
	PaymentCancelled  Point = "payment.cancelled"
	PaymentVoided     Point = "payment.voided"
	PaymentCaptured   Point = "payment.captured" // the provider has it, the books don't
	PaymentBooked     Point = "payment.booked"   // the books have it too
	PaymentRefunded   Point = "payment.refunded" // the provider gave back, the books don't know
	PaymentNoted      Point = "payment.noted"    // a provider's event was taken in

	OrderMoved     Point = "order.moved"
	OrderCancelled Point = "order.cancelled"

	RelayRead      Point = "relay.read"
	RelayPublished Point = "relay.published"
	RelayMoved     Point = "relay.moved"

	FunctionReceived  Point = "function.received"  // an event was read, nothing done
	FunctionDone      Point = "function.done"      // all is done but the acknowledgement
	FunctionPublished Point = "function.published" // the webhook's event is published, the provider doesn't know
)

// Fence is what can be built out, to see whether the prover notices.
type Fence string

// The fences, and what the prover must count without them.
const (
	EpochCheck    Fence = "epoch-check"    // a commit compares epochs (rule 5): oversold
	InstanceCheck Fence = "instance-check" // scripts compare servers (rule 1): oversold
	Tombstone     Fence = "tombstone"      // a refusal is told after its tombstone (rule 6): lost
	RowsIntent    Fence = "rows-intent"    // only the intent of the payment's row is confirmed (rule 10): double_charged
	Voiding       Fence = "voiding"        // an abandoned checkout's payment is voided (rule 7b): orphaned_charges
	FrozenTotal   Fence = "frozen-total"   // what is captured is what was frozen (rules 10, 12): wrong_amount
	SettleToken   Fence = "settle-token"   // settle compares the hold's token (rule 5): stock_drift
	AppliedSet    Fence = "applied-set"    // an entry is applied once (rule 8): stock_drift
	Reconciling   Fence = "reconciling"    // open payments are looked after (rule 11): stuck
	Outbox        Fence = "outbox"         // the event is written by the transaction that it tells of: events_missing
)
