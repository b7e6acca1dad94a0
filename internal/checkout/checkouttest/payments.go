package checkouttest

import (
	"context"
	"slices"
	"time"

	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/order"
	"larder.dev/internal/payment"
)

// Payments are the room payment's transactions as far as a checkout and an order that is captured, cancelled or given up need them. Of the
// others, refunds, the inbox and the audit, it has none: the embedded store is nil, and a call of one panics.
type Payments struct {
	payment.Store
	db *Database
}

// Payments of the database.
func (db *Database) Payments() Payments { return Payments{db: db} }

// row is an order's payment. Errors: ORDER_NOT_FOUND.
func (p Payments) row(order string) (*paymentRow, error) {
	row := p.db.payments[order]
	if row == nil {
		return nil, fault.OrderNotFound.New("there is no such order")
	}
	return row, nil
}

// Read implements payment.Store.
func (p Payments) Read(_ context.Context, order string) (payment.Record, error) {
	p.db.mu.Lock()
	defer p.db.mu.Unlock()
	row, err := p.row(order)
	if err != nil {
		return payment.Record{}, err
	}
	return row.Record, nil
}

// Look implements payment.Store.
func (p Payments) Look(_ context.Context, order string) (payment.Account, error) {
	p.db.mu.Lock()
	defer p.db.mu.Unlock()
	row, err := p.row(order)
	if err != nil {
		return payment.Account{}, err
	}
	return payment.Account{Record: row.Record, History: slices.Clone(row.history)}, nil
}

// Capturable implements payment.Store.
func (p Payments) Capturable(_ context.Context, id string) (payment.Record, bool, error) {
	p.db.mu.Lock()
	defer p.db.mu.Unlock()
	row, err := p.row(id)
	if err != nil {
		return payment.Record{}, false, err
	}
	sold := p.db.orders[id]
	packed := sold != nil && slices.Contains([]order.State{order.Packed, order.Dispatched, order.Delivered}, sold.State)
	return row.Record, packed && (row.State == payment.Authorized || row.State == payment.CaptureFailed), nil
}

// Captured implements payment.Store (rule 12).
func (p Payments) Captured(_ context.Context, order string, step payment.Step, amount money.Money) (payment.State, error) {
	step.To = payment.Captured
	return p.move(order, []payment.State{payment.Authorized, payment.CaptureFailed}, step, time.Time{}, func(row *paymentRow) error {
		row.Captured = amount
		return nil
	})
}

// CaptureFailed implements payment.Store.
func (p Payments) CaptureFailed(_ context.Context, order string, step payment.Step, attendAfter time.Time) (payment.State, error) {
	step.To = payment.CaptureFailed
	return p.move(order, []payment.State{payment.Authorized}, step, attendAfter, func(*paymentRow) error { return nil })
}

// Voided implements payment.Store (rule 7c).
func (p Payments) Voided(_ context.Context, order string, captured, refunded money.Money) (payment.State, error) {
	step := payment.Step{To: payment.Voided, By: payment.System, Reason: "cancelled at the provider"}
	return p.move(order, []payment.State{payment.Voiding}, step, time.Time{}, func(row *paymentRow) error {
		request, err := row.WithoutPerson()
		row.Captured, row.Refunded, row.Request = captured, refunded, request
		return err
	})
}

// move goes to a state from some, which allow it, and leaves any other.
func (p Payments) move(
	id string, from []payment.State, step payment.Step, attendAfter time.Time, change func(*paymentRow) error,
) (payment.State, error) {
	p.db.mu.Lock()
	defer p.db.mu.Unlock()
	row, err := p.row(id)
	if err != nil {
		return "", err
	}
	if !slices.Contains(from, row.State) {
		return row.State, nil
	}
	if err := row.pay(step, p.db.commit(), attendAfter); err != nil {
		return "", err
	}
	return row.State, change(row)
}
