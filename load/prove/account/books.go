package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/spanner"

	"larder.dev/load/prove/shop"
)

// Books is what stands outside of shoppers' memories.
type Books struct {
	Orders   map[string]*Order   // by id, tombstones too
	Payments map[string]*Payment // by order
	Ledger   []Entry             // in the order of their commits
	// Slots are capacities, by store and "slot:<id>".
	Slots   map[Product]int64
	Intents []Intent // the provider's
	// Virtual is the virtual stock by store; one that isn't valid is nil.
	Virtual map[string]*Virtual
	// Unpublished are events in the outbox that no relay has published.
	Unpublished int
	// Events is how often each came.
	Events map[Event]int
	// Drifts were seen while the round went on.
	Drifts []Drift
	// Looks is how often the accountant looked for them.
	Looks int
}

// Product is a product of a store's, or a delivery slot.
type Product struct{ Store, Product string }

func (p Product) String() string { return p.Store + "/" + p.Product }

// Order is an order, or a tombstone: then State is ABANDONED.
type Order struct {
	ID, User, Store, State, Slot string
	Version                      int64
	LinesTotal, Discounts        int64 // minor units, as all amounts
	Fee, Total                   int64
	Headroom                     int64
	// Receipt is what was picked, and Charged what that costs; nil: it isn't packed.
	Receipt []shop.Line
	Charged int64
	Lines   []shop.Line
	History []Moved
}

// due is what is to be captured, once.
func (o *Order) due() int64 {
	if o.Receipt == nil {
		return o.Total
	}
	return o.Charged
}

// missing is what was ordered and not picked, by product.
func (o *Order) missing() map[string]int64 {
	if o == nil || o.Receipt == nil {
		return nil
	}
	missing := units(o.Lines)
	for product, n := range units(o.Receipt) {
		missing[product] -= n
	}
	return missing
}

func (o *Order) sold() bool { return o != nil && o.State != abandoned }

// Names of states that matter here.
const (
	abandoned = "ABANDONED"
	cancelled = "CANCELLED"
)

// Moved is a state that an order reached.
type Moved struct {
	Version      int64
	State, Actor string
}

// Payment is a row of Payments.
type Payment struct {
	Order, State, Intent       string
	Amount, Captured, Refunded int64
	Refunds                    []Refund
}

// Refund is a row of Refunds.
type Refund struct {
	ID, State string
	Amount    int64
}

// Entry is a row of the ledger.
type Entry struct {
	Store, Product, ID, Kind, Reference, Reason string
	Quantity                                    int64
	Time                                        time.Time
}

// Event is what an event told of.
type Event struct {
	Order, State string
	Version      int64
	Refund       string // of a refund, else ""
}

// rows reads all rows of a table.
func rows(ctx context.Context, txn *spanner.ReadOnlyTransaction, table string, columns []string, read func(row *spanner.Row) error) error {
	if err := txn.Read(ctx, table, spanner.AllKeys(), columns).Do(read); err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	return nil
}

// read reads all books. Spanner is read at one moment, the others around it: it is quiet.
func (a *Account) read(ctx context.Context, h *shop.History) (Books, error) {
	b := Books{
		Orders: map[string]*Order{}, Payments: map[string]*Payment{}, Slots: map[Product]int64{}, Virtual: map[string]*Virtual{},
		Events: a.ear.heard(),
	}
	txn := a.spanner.ReadOnlyTransaction()
	defer txn.Close()
	var err error
	for _, part := range []func() error{
		func() error { return b.readOrders(ctx, txn) },
		func() error { return b.readPayments(ctx, txn) },
		func() error { return b.readLedger(ctx, txn) },
		func() error { b.Unpublished, err = count(ctx, txn, unpublishedSQL); return err },
		func() error { b.Intents, err = a.intents(ctx); return err },
	} {
		if err := part(); err != nil {
			return Books{}, err
		}
	}
	for _, store := range h.Stores {
		virtual, err := a.virtual(ctx, store)
		switch {
		case errors.Is(err, errNotLoaded):
		case err != nil:
			return Books{}, err
		default:
			b.Virtual[store] = virtual
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, drift := range a.drifts {
		b.Drifts = append(b.Drifts, drift)
	}
	b.Looks = a.looks
	return b, nil
}

func (b *Books) readOrders(ctx context.Context, txn *spanner.ReadOnlyTransaction) error {
	err := rows(ctx, txn, "Orders", []string{"OrderId", "UserId", "StoreId", "State", "Version", "SlotId", "Totals", "Receipt"}, func(row *spanner.Row) error {
		var o Order
		var slot spanner.NullString
		var totals, receipt spanner.NullJSON
		if err := row.Columns(&o.ID, &o.User, &o.Store, &o.State, &o.Version, &slot, &totals, &receipt); err != nil {
			return err
		}
		o.Slot = slot.StringVal
		if totals.Valid {
			type amount struct{ Minor int64 }
			var t struct {
				Lines, Discounts, Total amount
				Fee                     amount `json:"delivery_fee"`
				Headroom                amount
			}
			if err := json.Unmarshal([]byte(totals.String()), &t); err != nil {
				return fmt.Errorf("totals of %s: %w", o.ID, err)
			}
			o.LinesTotal, o.Discounts, o.Fee, o.Total = t.Lines.Minor, t.Discounts.Minor, t.Fee.Minor, t.Total.Minor
			o.Headroom = t.Headroom.Minor
		}
		if receipt.Valid {
			if err := o.readReceipt(receipt.String()); err != nil {
				return err
			}
		}
		b.Orders[o.ID] = &o
		return nil
	})
	if err != nil {
		return err
	}
	err = rows(ctx, txn, "OrderLines", []string{"OrderId", "ProductId", "Quantity", "UnitPrice"}, func(row *spanner.Row) error {
		var id string
		var line shop.Line
		if err := row.Columns(&id, &line.Product, &line.Quantity, &line.Price); err != nil {
			return err
		}
		if o := b.Orders[id]; o != nil {
			o.Lines = append(o.Lines, line)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return rows(ctx, txn, "OrderHistory", []string{"OrderId", "Version", "State", "Actor"}, func(row *spanner.Row) error {
		var id string
		var moved Moved
		if err := row.Columns(&id, &moved.Version, &moved.State, &moved.Actor); err != nil {
			return err
		}
		if o := b.Orders[id]; o != nil {
			o.History = append(o.History, moved)
		}
		return nil
	})
}

func (o *Order) readReceipt(text string) error {
	type amount struct{ Minor int64 }
	var r struct {
		Lines []struct {
			Product  string `json:"product_id"`
			Quantity int64
			Price    amount `json:"unit_price"`
		}
		Totals struct{ Total amount }
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return fmt.Errorf("receipt of %s: %w", o.ID, err)
	}
	o.Receipt, o.Charged = []shop.Line{}, r.Totals.Total.Minor
	for _, line := range r.Lines {
		o.Receipt = append(o.Receipt, shop.Line{Product: line.Product, Quantity: line.Quantity, Price: line.Price.Minor})
	}
	return nil
}

func (b *Books) readPayments(ctx context.Context, txn *spanner.ReadOnlyTransaction) error {
	err := rows(ctx, txn, "Payments", []string{"OrderId", "State", "IntentId", "Amount", "Captured", "Refunded"}, func(row *spanner.Row) error {
		var p Payment
		err := row.Columns(&p.Order, &p.State, &p.Intent, &p.Amount, &p.Captured, &p.Refunded)
		b.Payments[p.Order] = &p
		return err
	})
	if err != nil {
		return err
	}
	return rows(ctx, txn, "Refunds", []string{"OrderId", "RefundId", "State", "Amount"}, func(row *spanner.Row) error {
		var order string
		var r Refund
		if err := row.Columns(&order, &r.ID, &r.State, &r.Amount); err != nil {
			return err
		}
		if p := b.Payments[order]; p != nil {
			p.Refunds = append(p.Refunds, r)
		}
		return nil
	})
}

func (b *Books) readLedger(ctx context.Context, txn *spanner.ReadOnlyTransaction) error {
	columns := []string{"StoreId", "ProductId", "EntryId", "Kind", "Reference", "Reason", "Quantity", "CommitTime"}
	err := rows(ctx, txn, "StockLedger", columns, func(row *spanner.Row) error {
		var e Entry
		err := row.Columns(&e.Store, &e.Product, &e.ID, &e.Kind, &e.Reference, &e.Reason, &e.Quantity, &e.Time)
		b.Ledger = append(b.Ledger, e)
		return err
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(b.Ledger, func(x, y Entry) int { return x.Time.Compare(y.Time) })
	return rows(ctx, txn, "DeliverySlots", []string{"StoreId", "SlotId", "Capacity"}, func(row *spanner.Row) error {
		var store, slot string
		var capacity int64
		err := row.Columns(&store, &slot, &capacity)
		b.Slots[Product{store, slotPrefix + slot}] = capacity
		return err
	})
}

// slotPrefix marks delivery slots in ledger and virtual stock; limitPrefix, what a shopper has bought of something limited.
const (
	slotPrefix  = "slot:"
	limitPrefix = "limit:"
)

// limited reads "limit:<day>:<product>:<user>"; "" for anything else.
func limited(id string) (product, user string) {
	parts := strings.Split(id, ":")
	if !strings.HasPrefix(id, limitPrefix) || len(parts) != 4 {
		return "", ""
	}
	return parts[2], parts[3]
}
