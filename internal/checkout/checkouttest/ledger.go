package checkouttest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"larder.dev/internal/fault"
	"larder.dev/internal/stock"
)

// Ledger is the truth about stock. Sums read every entry: nothing is folded.
type Ledger struct{ db *Database }

var _ stock.Ledger = Ledger{}

// Ledger of the database.
func (db *Database) Ledger() Ledger { return Ledger{db} }

// enter adds an entry for each line, like the entry that is given.
func (db *Database) enter(store string, lines []stock.Line, like stock.Entry) {
	for _, line := range lines {
		entry, key := like, inStore{store, line.ProductID}
		entry.ProductID, entry.Quantity = line.ProductID, line.Quantity
		db.entries[key] = append(db.entries[key], entry)
	}
}

// Epoch implements stock.Ledger.
func (l Ledger) Epoch(_ context.Context, store string) (stock.Epoch, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	return l.db.epochs[store], nil
}

// Bump implements stock.Ledger.
func (l Ledger) Bump(_ context.Context, store, actor string) (stock.Epoch, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	epoch := stock.EpochAt(l.db.commit())
	l.db.epochs[store] = epoch
	l.db.rebuilds[store] = append(l.db.rebuilds[store], stock.Rebuilt{Epoch: epoch, Actor: actor})
	return epoch, nil
}

// Rebuilds implements stock.Ledger.
func (l Ledger) Rebuilds(_ context.Context, store string, limit int) ([]stock.Rebuilt, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	newest := slices.Clone(l.db.rebuilds[store])
	slices.Reverse(newest)
	return newest[:min(limit, len(newest))], nil
}

// SumAt implements stock.Ledger: what is committed later has a later timestamp, whenever this is asked.
func (l Ledger) SumAt(_ context.Context, store string, epoch stock.Epoch) (map[string]int64, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	from, to := stock.LimitsOver(epoch.Time())
	sums := map[string]int64{}
	for key, entries := range l.db.entries {
		if key.store != store || key.id >= from && key.id < to {
			continue
		}
		for _, entry := range entries {
			if !entry.Time.After(epoch.Time()) {
				sums[key.id] += entry.Quantity
			}
		}
	}
	return sums, nil
}

// Stocked implements stock.Ledger.
func (l Ledger) Stocked(_ context.Context, store string, products []string) ([]string, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(products), func(product string) bool { return len(l.db.entries[inStore{store, product}]) == 0 }), nil
}

// Products implements stock.Ledger.
func (l Ledger) Products(_ context.Context, store, after string, limit int) ([]string, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	var products []string
	for key := range l.db.entries {
		if key.store == store && key.id > after && !strings.Contains(key.id, ":") {
			products = append(products, key.id)
		}
	}
	slices.Sort(products)
	return products[:min(limit, len(products))], nil
}

// Stores implements stock.Ledger.
func (l Ledger) Stores(context.Context) ([]string, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	return slices.Sorted(maps.Keys(l.db.epochs)), nil
}

// Entered implements stock.Ledger.
func (l Ledger) Entered(_ context.Context, a stock.Adjustment) (stock.Epoch, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	return l.db.entered(a)
}

func (db *Database) entered(a stock.Adjustment) (stock.Epoch, error) {
	was, ok := db.adjustments[inStore{a.StoreID, a.ID}]
	if ok && !bytes.Equal(was.fingerprint, a.Fingerprint) {
		return 0, fault.IdempotencyKeyReused.New("the Idempotency-Key was used for another adjustment")
	}
	return was.Epoch, nil
}

// Adjust implements stock.Ledger.
func (l Ledger) Adjust(ctx context.Context, a stock.Adjustment) (stock.Epoch, error) {
	epoch, _, err := l.Withdraw(ctx, a, 0)
	return epoch, err
}

// Withdraw implements stock.Ledger; under zero any epoch is right.
func (l Ledger) Withdraw(_ context.Context, a stock.Adjustment, under stock.Epoch) (entered, current stock.Epoch, err error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	if entered, err = l.db.entered(a); err != nil || entered != 0 {
		return entered, 0, err
	}
	current = l.db.epochs[a.StoreID]
	if current == 0 || (under != 0 && under != current) {
		return 0, current, nil
	}
	l.db.adjust(a.StoreID, a.ID, a.Fingerprint, a.Lines, stock.Entry{
		ID: a.ID, Epoch: current, Kind: stock.KindAdjustment, Reference: a.ID, Actor: a.Actor, Reason: a.Reason, Time: l.db.commit(),
	})
	return current, current, nil
}

// adjust enters lines, and records the entry, so that whoever finds it held can apply it.
func (db *Database) adjust(store, id string, fingerprint []byte, lines []stock.Line, like stock.Entry) {
	db.enter(store, lines, like)
	db.adjustments[inStore{store, id}] = adjustment{stock.Withdrawal{Epoch: like.Epoch, Lines: slices.Clone(lines)}, fingerprint}
}

// Withdrawn implements stock.Ledger.
func (l Ledger) Withdrawn(_ context.Context, store string, entries []string) (map[string]stock.Withdrawal, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	found := map[string]stock.Withdrawal{}
	for _, id := range entries {
		if was, ok := l.db.adjustments[inStore{store, id}]; ok {
			found[id] = was.Withdrawal
		}
	}
	return found, nil
}

// Slot implements stock.Ledger.
func (l Ledger) Slot(_ context.Context, store, id string) (stock.Slot, bool, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	slot, ok := l.db.slots[inStore{store, id}]
	return slot, ok, nil
}

// Slots implements stock.Ledger.
func (l Ledger) Slots(_ context.Context, store string, after time.Time, limit int) ([]stock.Slot, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	var slots []stock.Slot
	for key, slot := range l.db.slots {
		if key.store == store && slot.Start.After(after) {
			slots = append(slots, slot)
		}
	}
	slices.SortFunc(slots, func(a, b stock.Slot) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
	return slots[:min(limit, len(slots))], nil
}

// PutSlot implements stock.Ledger.
func (l Ledger) PutSlot(_ context.Context, store string, to stock.SlotChange) (stock.Entry, stock.Epoch, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	key, product := inStore{store, to.ID}, stock.SlotLine(to.ID).ProductID
	old, ok := l.db.slots[key]
	entries := l.db.entries[inStore{store, product}]
	switch {
	case ok && (!old.Start.Equal(to.Start) || !old.End.Equal(to.End)):
		return stock.Entry{}, 0, fault.AlreadyExists.New("the slot %s is at another time", to.ID)
	case ok && old.Capacity == to.Capacity:
		i := slices.IndexFunc(entries, func(e stock.Entry) bool { return e.Kind == stock.KindAdjustment && e.Time.Equal(old.UpdateTime) })
		return entries[i], 0, nil // there is one: both were written at once
	}
	epoch := l.db.epochs[store]
	if epoch == 0 || (to.Under != 0 && to.Under != epoch) {
		return stock.Entry{}, epoch, nil
	}
	if !old.UpdateTime.Equal(to.Since) {
		return stock.Entry{}, 0, stock.ErrCapacityMoved
	}
	at := l.db.commit()
	like := stock.Entry{
		ID: to.EntryID, Epoch: epoch, Kind: stock.KindAdjustment, Reference: "slot", Actor: to.Actor, Reason: "capacity", Time: at,
	}
	l.db.adjust(store, to.EntryID, []byte{}, []stock.Line{{ProductID: product, Quantity: to.Capacity - old.Capacity}}, like)
	slot := to.Slot
	slot.Available, slot.UpdateTime = 0, at
	l.db.slots[key] = slot
	entries = l.db.entries[inStore{store, product}]
	return entries[len(entries)-1], epoch, nil
}

// Entries implements stock.Ledger.
func (l Ledger) Entries(_ context.Context, store, product string, than stock.Position, limit int) ([]stock.Entry, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	var older []stock.Entry
	for _, entry := range slices.Backward(l.db.entries[inStore{store, product}]) {
		if len(older) < limit && (entry.Time.Before(than.Time) || entry.Time.Equal(than.Time) && entry.ID < than.ID) {
			older = append(older, entry)
		}
	}
	return older, nil
}

// Sales implements stock.Ledger.
func (l Ledger) Sales(_ context.Context, store string, since time.Time, limit int) ([]stock.Line, error) {
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	var sold []stock.Line
	for key, entries := range l.db.entries {
		if key.store != store || strings.Contains(key.id, ":") {
			continue
		}
		line := stock.Line{ProductID: key.id}
		for _, entry := range entries {
			if entry.Kind != stock.KindAdjustment && !entry.Time.Before(since) {
				line.Quantity -= entry.Quantity
			}
		}
		if line.Quantity > 0 {
			sold = append(sold, line)
		}
	}
	slices.SortFunc(sold, func(a, b stock.Line) int {
		return cmp.Or(cmp.Compare(b.Quantity, a.Quantity), cmp.Compare(a.ProductID, b.ProductID))
	})
	return sold[:min(limit, len(sold))], nil
}

// Fold implements stock.Ledger: there is nothing to fold.
func (l Ledger) Fold(context.Context, string, int) (stock.Folded, error) { return stock.Folded{}, nil }
