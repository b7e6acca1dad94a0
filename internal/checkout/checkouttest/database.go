// Package checkouttest has stand-ins for what checkouts and orders keep and pay with: a database in memory in Spanner's place, and a provider in
// memory in Stripe's. With them the rooms' own code is measured, and nothing else (docs/performance.md).
//
// They are no lighter than they may be: the database keeps the fences of the transactions that it stands in for, the epoch that a commit
// compares, the order's id that is inserted once, and the payment's row with its one intent; it encodes the same events, and each
// transaction has a commit timestamp of its own. Both pass the tests of internal/checkout that Spanner's adapters and Stripe's pass
// (TestStandIn). What a table never has asked of it by a checkout or an order isn't there: refunds, the inbox, audits.
package checkouttest

import (
	"sync"
	"time"

	"larder.dev/internal/checkout"
	"larder.dev/internal/order"
	"larder.dev/internal/outbox"
	"larder.dev/internal/payment"
	"larder.dev/internal/stock"
)

// Database is Spanner's stand-in. Its parts, Books, Ledger, Orders and Payments, may be used by any number at once: every transaction holds the
// one lock.
type Database struct {
	mu sync.Mutex
	// last is the newest commit timestamp.
	last time.Time

	orders map[string]*orderRow
	// byUser has a shopper's orders, in the order of their commits.
	byUser    map[string][]string
	forgotten map[string]bool
	payments  map[string]*paymentRow
	events    []outbox.Event

	epochs   map[string]stock.Epoch
	rebuilds map[string][]stock.Rebuilt
	// entries are a product's in the order of their commits; a product that was ever stocked has its key.
	entries     map[inStore][]stock.Entry
	adjustments map[inStore]adjustment
	slots       map[inStore]stock.Slot
}

// inStore is the key of what a store has.
type inStore struct{ store, id string }

// orderRow is an order or a tombstone. The order's payment stands in its own row.
type orderRow struct {
	order.Order
	fingerprint, refusal []byte
	hold                 stock.Hold
}

// paymentRow is a payment with its history; attendAfter is zero where nobody attends to it.
type paymentRow struct {
	payment.Record
	history     []payment.HistoryEntry
	attendAfter time.Time
}

// adjustment is an entry that is applied once.
type adjustment struct {
	stock.Withdrawal
	fingerprint []byte
}

// NewDatabase makes one without anything in it.
func NewDatabase() *Database {
	return &Database{
		orders: map[string]*orderRow{}, byUser: map[string][]string{}, forgotten: map[string]bool{}, payments: map[string]*paymentRow{},
		epochs: map[string]stock.Epoch{}, rebuilds: map[string][]stock.Rebuilt{}, entries: map[inStore][]stock.Entry{},
		adjustments: map[inStore]adjustment{}, slots: map[inStore]stock.Slot{},
	}
}

// commit is a commit timestamp: as Spanner's in whole microseconds, and later than every one before.
func (db *Database) commit() time.Time {
	at := time.Now().UTC().Truncate(time.Microsecond)
	if !at.After(db.last) {
		at = db.last.Add(time.Microsecond)
	}
	db.last = at
	return at
}

// Events are those of a type about a subject, in the order of their commits; an empty subject is any.
func (db *Database) Events(eventType, subject string) []outbox.Event {
	db.mu.Lock()
	defer db.mu.Unlock()
	var found []outbox.Event
	for _, e := range db.events {
		if e.Type == eventType && (subject == "" || e.Subject == subject) {
			found = append(found, e)
		}
	}
	return found
}

// Attended tells when the last of the payments that are attended to will be, and how many there are.
func (db *Database) Attended() (last time.Time, n int64) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, row := range db.payments {
		if !row.attendAfter.IsZero() {
			n++
			if row.attendAfter.After(last) {
				last = row.attendAfter
			}
		}
	}
	return last, n
}

// whole is an order with its payment. Errors: ORDER_NOT_FOUND.
func (db *Database) whole(id string) (order.Order, error) {
	row := db.orders[id]
	if row == nil {
		return order.Order{}, order.ErrNotFound()
	}
	found := row.Order
	if paid := db.payments[id]; paid != nil {
		found.Payment = order.Payment{
			State: order.PaymentState(paid.State), Authorized: paid.Amount, Captured: paid.Captured, Refunded: paid.Refunded,
		}
	}
	return found, nil
}

// look is what stands of a checkout.
func (db *Database) look(id string) (standing checkout.Standing) {
	if row := db.orders[id]; row != nil {
		standing.Order = &checkout.Order{
			UserID: row.UserID, StoreID: row.StoreID, State: row.State, Sold: row.hold, Fingerprint: row.fingerprint, Refusal: row.refusal,
		}
	}
	if row := db.payments[id]; row != nil {
		record := row.Record
		standing.Payment = &record
	}
	return standing
}

// insert adds an order or a tombstone, whose id is nobody's yet.
func (db *Database) insert(row *orderRow) {
	db.orders[row.ID] = row
	if row.State != order.Abandoned {
		db.byUser[row.UserID] = append(db.byUser[row.UserID], row.ID)
	}
}

// step writes an order as it is after a step that order.Take has allowed.
func (db *Database) step(after order.Order, at time.Time) {
	row := db.orders[after.ID]
	row.Order = after
	row.UpdateTime, row.History[len(row.History)-1].Time = at, at // Take has made a history of its own
}

// pay moves a payment on. Errors: PAYMENT_STATE_CONFLICT.
func (row *paymentRow) pay(step payment.Step, at, attendAfter time.Time) error {
	if err := payment.Next(row.State, step); err != nil {
		return err
	}
	row.State, row.UpdateTime, row.attendAfter = step.To, at, time.Time{}
	if step.To.Open() {
		row.attendAfter = attendAfter
	}
	row.history = append(row.history, payment.HistoryEntry{State: step.To, Time: at, Actor: step.By, Reason: step.Reason})
	return nil
}
