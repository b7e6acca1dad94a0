package spanner

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

	"larder.dev/internal/fault"
	"larder.dev/internal/spannerdb"
	"larder.dev/internal/stock"
)

//go:embed slots.sql
var slotsSQL string

// slotReference is what the entries of slots' capacities belong to.
const slotReference = "slot"

// Slot implements stock.Ledger.
func (l *Ledger) Slot(ctx context.Context, store, id string) (stock.Slot, bool, error) {
	return readSlot(ctx, l.client.Single(), store, id)
}

func readSlot(ctx context.Context, txn spannerdb.Reader, store, id string) (slot stock.Slot, ok bool, err error) {
	row, err := txn.ReadRow(ctx, "DeliverySlots", spanner.Key{store, id}, []string{"StartTime", "EndTime", "Capacity", "UpdateTime"})
	if spanner.ErrCode(err) == codes.NotFound {
		return stock.Slot{}, false, nil
	}
	slot = stock.Slot{ID: id}
	if err == nil {
		err = row.Columns(&slot.Start, &slot.End, &slot.Capacity, &slot.UpdateTime)
	}
	if err != nil {
		return stock.Slot{}, false, fmt.Errorf("read slot %s of %s: %w", id, store, err)
	}
	return slot, true, nil
}

// Slots implements stock.Ledger.
func (l *Ledger) Slots(ctx context.Context, store string, after time.Time, limit int) ([]stock.Slot, error) {
	statement := spanner.Statement{SQL: slotsSQL, Params: map[string]any{"store": store, "after": after, "limit": int64(limit)}}
	var slots []stock.Slot
	err := l.client.Single().Query(ctx, statement).Do(func(row *spanner.Row) error {
		var slot stock.Slot
		err := row.Columns(&slot.ID, &slot.Start, &slot.End, &slot.Capacity)
		slots = append(slots, slot)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the slots of %s: %w", store, err)
	}
	return slots, nil
}

// PutSlot implements stock.Ledger: the row, and the change of capacity as an adjustment, have one commit timestamp.
func (l *Ledger) PutSlot(ctx context.Context, store string, to stock.SlotChange) (last stock.Entry, epoch stock.Epoch, err error) {
	slot := to.Slot
	_, err = l.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		last = stock.Entry{} // of an attempt before
		old, ok, err := readSlot(ctx, txn, store, slot.ID)
		switch {
		case err != nil:
			return err
		case ok && (!old.Start.Equal(slot.Start) || !old.End.Equal(slot.End)):
			return fault.AlreadyExists.New("the slot %s is from %s to %s", slot.ID, old.Start.Format(time.RFC3339), old.End.Format(time.RFC3339))
		case ok && old.Capacity == slot.Capacity:
			last, err = entryAt(ctx, txn, store, stock.SlotLine(slot.ID).ProductID, old.UpdateTime)
			return err
		}
		if epoch, err = Epoch(ctx, txn, store); err != nil || epoch == 0 || (to.Under != 0 && to.Under != epoch) {
			return err
		}
		if !old.UpdateTime.Equal(to.Since) {
			return stock.ErrCapacityMoved
		}
		change := stock.Line{ProductID: stock.SlotLine(slot.ID).ProductID, Quantity: slot.Capacity - old.Capacity}
		first, err := balances(ctx, txn, store, []stock.Line{change})
		if err != nil {
			return err
		}
		if !ok && len(first) == 0 {
			// The row is deleted some time after the slot's end, what was booked of it stays in the ledger.
			return fault.AlreadyExists.New("there was a slot %s already", slot.ID)
		}
		last = stock.Entry{ID: to.EntryID, ProductID: change.ProductID, Quantity: change.Quantity, Epoch: epoch}
		return txn.BufferWrite(append(append(first,
			entries(store, to.EntryID, epoch, []stock.Line{change}, stock.KindAdjustment, slotReference, to.Actor, "capacity")...),
			adjustment(store, to.EntryID, []byte{}, epoch, []stock.Line{change}),
			spanner.InsertOrUpdateMap("DeliverySlots", map[string]any{
				"StoreId": store, "SlotId": slot.ID, "StartTime": slot.Start, "EndTime": slot.End, "Capacity": slot.Capacity,
				"UpdateTime": spanner.CommitTimestamp,
			})))
	})
	if err != nil {
		return stock.Entry{}, 0, err
	}
	return last, epoch, nil
}

// entryAt finds the adjustment of a product with a commit timestamp.
func entryAt(ctx context.Context, txn rangeReader, store, product string, at time.Time) (stock.Entry, error) {
	found, err := readEntries(ctx, txn, spanner.Key{store, product, at}.AsPrefix())
	if err != nil {
		return stock.Entry{}, err
	}
	for _, entry := range found {
		if entry.Kind == stock.KindAdjustment {
			return entry, nil
		}
	}
	return stock.Entry{}, errors.New("the ledger has no entry of the slot's capacity")
}
