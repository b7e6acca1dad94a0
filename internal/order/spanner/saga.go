// Package spanner keeps orders in Spanner: the tables Orders, OrderLines and OrderHistory. saga.go has the reads and mutations that
// checkout's and payment's transactions compose; store.go, what the room itself reads.
package spanner

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"larder.dev/internal/event"
	"larder.dev/internal/order"
	"larder.dev/internal/outbox"
	"larder.dev/internal/pricing"
	"larder.dev/internal/spannerdb"
)

// Record is an Orders row as the saga needs it.
type Record struct {
	OrderID, UserID, StoreID string
	State                    order.State
	Version                  int64
	// Fingerprint is the hash of the request, nil in a tombstone that no request wrote.
	Fingerprint []byte
	// Epoch and HoldToken name the hold that was sold (rule 5). A tombstone has none.
	Epoch     time.Time
	HoldToken int64
	// Refusal is a tombstone's google.rpc.Status, serialized.
	Refusal []byte
}

// Sold tells that the order was confirmed, whatever became of it since.
func (r *Record) Sold() bool { return r != nil && r.State != order.Abandoned }

// Read returns an Orders row, nil where there is none. In a read-write transaction it locks the row, or its absence.
func Read(ctx context.Context, txn spannerdb.Reader, orderID string) (*Record, error) {
	row, err := txn.ReadRow(ctx, "Orders", spanner.Key{orderID},
		[]string{"OrderId", "UserId", "StoreId", "State", "Version", "Fingerprint", "Epoch", "HoldToken", "Refusal"})
	if spanner.ErrCode(err) == codes.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read order %s: %w", orderID, err)
	}
	var record Record
	var epoch spanner.NullTime
	var token spanner.NullInt64
	err = row.Columns(&record.OrderID, &record.UserID, &record.StoreID, (*string)(&record.State), &record.Version,
		&record.Fingerprint, &epoch, &token, &record.Refusal)
	if err != nil {
		return nil, fmt.Errorf("read order %s: %w", orderID, err)
	}
	record.Epoch, record.HoldToken = epoch.Time, token.Int64
	return &record, nil
}

// Whole reads an order with all that belongs to it, its payment too. In a read-write transaction it locks them all. Errors:
// ORDER_NOT_FOUND; a tombstone is returned.
func Whole(ctx context.Context, txn spannerdb.Reader, orderID string) (order.Order, error) {
	orders, err := load(ctx, txn, []string{orderID})
	if err != nil {
		return order.Order{}, err
	}
	if len(orders) == 0 {
		return order.Order{}, order.ErrNotFound()
	}
	return orders[0], nil
}

// NewOrder is an order to be.
type NewOrder struct {
	OrderID, UserID, StoreID string
	// Epoch and HoldToken name the hold that is sold.
	Epoch       time.Time
	HoldToken   int64
	Fingerprint []byte
	// Lines in the order in which they are to be shown, with positive quantities.
	Lines  []pricing.Line
	Totals pricing.Totals
	// Address is a larder.type.v1.Address as protobuf JSON.
	Address json.RawMessage
	// Slot is the time that was chosen for the delivery, nil for none.
	Slot *order.Slot
}

// InsertConfirmed makes an order, CONFIRMED, version 1. The transaction fails if the id has an order or a tombstone.
func InsertConfirmed(o NewOrder) []*spanner.Mutation {
	var slot struct {
		id         spanner.NullString
		start, end spanner.NullTime
	}
	if o.Slot != nil {
		slot.id = spanner.NullString{StringVal: o.Slot.ID, Valid: true}
		slot.start, slot.end = spanner.NullTime{Time: o.Slot.Start, Valid: true}, spanner.NullTime{Time: o.Slot.End, Valid: true}
	}
	mutations := []*spanner.Mutation{
		spanner.InsertMap("Orders", map[string]any{
			"OrderId": o.OrderID, "UserId": o.UserID, "StoreId": o.StoreID, "State": string(order.Confirmed), "Version": int64(1),
			"Fingerprint": o.Fingerprint, "Epoch": o.Epoch, "HoldToken": o.HoldToken,
			"Totals":  spanner.NullJSON{Value: o.Totals, Valid: true},
			"Address": spanner.NullJSON{Value: o.Address, Valid: true},
			"SlotId":  slot.id, "SlotStart": slot.start, "SlotEnd": slot.end,
			"CreateTime": spanner.CommitTimestamp, "UpdateTime": spanner.CommitTimestamp, "ListedFor": o.UserID,
		}),
		history(o.OrderID, 1, order.Step{To: order.Confirmed, By: order.Shopper}),
	}
	for i, line := range o.Lines {
		mutations = append(mutations, spanner.InsertMap("OrderLines", map[string]any{
			"OrderId": o.OrderID, "LineNumber": int64(i + 1), "ProductId": line.ProductID, "Name": line.Name, "Quantity": line.Quantity,
			"UnitPrice": line.UnitPrice.Minor, "Currency": line.UnitPrice.Currency, "TaxRateBps": line.TaxRateBPS,
			"PieceGrams": spanner.NullInt64{Int64: line.PieceGrams, Valid: line.PieceGrams > 0}, "Substitutable": line.Substitutable,
		}))
	}
	return mutations
}

// InsertAbandoned makes a tombstone (rule 7a). The transaction fails if the id has an order or a tombstone. A tombstone that no
// request wrote has neither fingerprint nor refusal (nil), and user and store as far as they are known.
func InsertAbandoned(id, userID, storeID string, fingerprint, refusal []byte) []*spanner.Mutation {
	return []*spanner.Mutation{spanner.InsertMap("Orders", map[string]any{
		"OrderId": id, "UserId": userID, "StoreId": storeID, "State": string(order.Abandoned), "Version": int64(1),
		"Fingerprint": fingerprint, "Refusal": refusal,
		"CreateTime": spanner.CommitTimestamp, "UpdateTime": spanner.CommitTimestamp,
	})}
}

// UpdateState writes a step that order.Take has allowed of what the same transaction has read; after is the order as it is then.
func UpdateState(after order.Order, step order.Step) []*spanner.Mutation {
	return []*spanner.Mutation{
		spanner.UpdateMap("Orders", map[string]any{
			"OrderId": after.ID, "State": string(after.State), "Version": after.Version, "UpdateTime": spanner.CommitTimestamp,
		}),
		history(after.ID, after.Version, step),
	}
}

// SetReceipt writes what was picked of an order.
func SetReceipt(id string, receipt pricing.Receipt) *spanner.Mutation {
	return spanner.UpdateMap("Orders", map[string]any{"OrderId": id, "Receipt": spanner.NullJSON{Value: receipt, Valid: true}})
}

// Told is the event of the state that an order has reached, for the outbox: its id is the order's with the version.
func Told(ctx context.Context, o order.Order, message proto.Message) (outbox.Event, error) {
	return outbox.New(fmt.Sprintf("%s-%d", o.ID, o.Version), event.OrderEvents, "orders/"+o.ID, event.TraceParent(ctx), message)
}

func history(id string, version int64, step order.Step) *spanner.Mutation {
	return spanner.InsertMap("OrderHistory", map[string]any{
		"OrderId": id, "Version": version, "State": string(step.To), "Actor": string(step.By), "Reason": step.Reason,
		"Time": spanner.CommitTimestamp, "OperatorId": spanner.NullString{StringVal: step.OperatorID, Valid: step.OperatorID != ""},
	})
}
