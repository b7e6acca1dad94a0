package stock_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	checkoutspanner "larder.dev/internal/checkout/spanner"
	"larder.dev/internal/fault"
	"larder.dev/internal/stock"
)

func (s shop) adjustment(lines ...stock.Line) stock.Adjustment {
	return stock.Adjustment{ID: uuid.NewString(), StoreID: s.store, Lines: lines, Actor: "test", Reason: "test", Fingerprint: make([]byte, 32)}
}

// lowest is the lowest that the ledger ever had of a product.
func (s shop) lowest(t *testing.T, product string) int64 {
	t.Helper()
	entries, err := s.Entries(t.Context(), s.store, product, stock.Newest, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var sum, low int64
	for _, entry := range slices.Backward(entries) {
		sum += entry.Quantity
		low = min(low, sum)
	}
	return low
}

// buy is a checkout, from its reservation to its end; short tells that there was too little.
func (s shop) buy(ctx context.Context, lines ...stock.Line) (short bool, err error) {
	order := uuid.NewString()
	hold, err := s.reserve(ctx, order, lines...)
	if err == nil {
		err = s.commit(ctx, order, hold, lines...)
	}
	var insufficient *stock.InsufficientError
	switch {
	case errors.As(err, &insufficient):
		return true, nil
	case err != nil:
		return false, errors.Join(err, s.Release(ctx, s.store, order))
	default:
		return false, s.Settle(ctx, s.store, order, hold)
	}
}

func TestAdjustmentsAndShoppersAtOnce(t *testing.T) {
	s := open(t)
	const units, each = 60, 50
	s.adjust(t, map[string]int64{"apples": units})
	var sold, taken atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	watched := make(chan int64, 1)
	go func() {
		var low int64
		for ctx.Err() == nil {
			if n, err := s.raw.HGet(ctx, s.key(), "stock:apples").Int64(); err == nil {
				low = min(low, n)
			}
		}
		watched <- low
	}()
	var work sync.WaitGroup
	for range each {
		work.Go(func() {
			short, err := s.buy(t.Context(), line("apples", 1))
			if err != nil {
				t.Error(err)
			} else if !short {
				sold.Add(1)
			}
		})
		work.Go(func() {
			a := s.adjustment(line("apples", -1))
			err := s.Adjust(t.Context(), a)
			if err == nil {
				err = s.Adjust(t.Context(), a) // the same again
			}
			if err == nil {
				taken.Add(1)
			} else if !fault.Is(err, fault.StockUnderflow) {
				t.Error(err)
			}
		})
	}
	work.Wait()
	stop()
	if low := <-watched; low < 0 {
		t.Errorf("the virtual stock was seen at %d", low)
	}
	if low := s.lowest(t, "apples"); low < 0 {
		t.Errorf("the ledger was at %d", low)
	}
	if sold.Load()+taken.Load() != units {
		t.Errorf("%d sold and %d taken away of %d", sold.Load(), taken.Load(), units)
	}
	s.want(t, map[string]int64{"apples": 0})
	if found := s.reconcile(t); len(found.Drifts) > 0 || found.Holds > 0 {
		t.Errorf("afterwards: %+v", found)
	}
}

// between lets something happen after an adjustment is held, or, where holds are built out, was only compared.
type between struct {
	stock.Virtual
	without bool
	happens func()
}

func (v between) Reserve(
	ctx context.Context, store, order string, lines []stock.Line, deadline time.Time, minimum stock.Epoch,
) (hold stock.Hold, err error) {
	hold, err = v.Virtual.Reserve(ctx, store, order, lines, deadline, minimum)
	if v.without && err == nil {
		err = v.Release(ctx, store, order)
	}
	if err == nil {
		v.happens()
	}
	return hold, err
}

// The last unit goes to the adjustment or to a shopper, and never to both. Without the hold it does.
func TestWhatIsTakenAwayIsHeldFirst(t *testing.T) {
	for without, want := range map[bool]int64{false: 0, true: -1} {
		s := open(t)
		s.adjust(t, map[string]int64{"apples": 1})
		virtual := between{s.virtual, without, func() {
			if short, err := s.buy(t.Context(), line("apples", 1)); err != nil || short == without {
				t.Errorf("holds built out: %t; a shopper at the same time: short %t, %v", without, short, err)
			}
		}}
		if err := stock.NewService(virtual, s.ledger).Adjust(t.Context(), s.adjustment(line("apples", -1))); err != nil {
			t.Fatal(err)
		}
		if low := s.lowest(t, "apples"); low != want {
			t.Errorf("holds built out: %t; the ledger was at %d, want %d", without, low, want)
		}
		s.want(t, map[string]int64{"apples": want})
	}
}

// halt is an adjustment whose process has died: it is held, and past its deadline.
func (s shop) halt(t *testing.T, a stock.Adjustment) stock.Hold {
	t.Helper()
	var taken []stock.Line
	for _, l := range a.Lines {
		if l.Quantity < 0 {
			taken = append(taken, line(l.ProductID, -l.Quantity))
		}
	}
	hold, err := s.Reserve(t.Context(), s.store, stock.WithdrawalHold(a.ID), taken, time.Now().Add(-time.Second), 0)
	if err != nil {
		t.Fatal(err)
	}
	return hold
}

func (s shop) withdraw(t *testing.T, a stock.Adjustment, under stock.Epoch) (entered stock.Epoch) {
	t.Helper()
	entered, _, err := s.ledger.Withdraw(t.Context(), a, under)
	if err != nil {
		t.Fatal(err)
	}
	return entered
}

func TestAdjustmentDiesBeforeItsEntry(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 5, "pears": 5})
	a := s.adjustment(line("apples", -3), line("pears", 2))
	hold := s.halt(t, a)
	s.want(t, map[string]int64{"apples": 2, "pears": 5})
	if orders, err := s.Overdue(t.Context(), s.store, time.Now(), 10); err != nil || len(orders) > 0 {
		t.Errorf("overdue orders: %v, %v; an adjustment is none", orders, err)
	}
	if err := s.Check(t.Context(), s.store); err != nil {
		t.Fatal(err)
	}
	s.want(t, map[string]int64{"apples": 5, "pears": 5})
	if entered := s.withdraw(t, a, hold.Epoch); entered != 0 {
		t.Error("the dead process came back, and entered what isn't held any more")
	}
	if err := s.Adjust(t.Context(), a); err != nil { // it is sent again
		t.Fatal(err)
	}
	s.want(t, map[string]int64{"apples": 2, "pears": 7})
	if found := s.reconcile(t); len(found.Drifts) > 0 || found.Holds > 0 {
		t.Errorf("afterwards: %+v", found)
	}
}

func TestAdjustmentDiesBeforeItIsApplied(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 5, "pears": 5})
	a := s.adjustment(line("apples", -3), line("pears", 2))
	hold := s.halt(t, a)
	if entered := s.withdraw(t, a, hold.Epoch); entered != hold.Epoch {
		t.Fatalf("entered under %s, want the hold's %s", entered, hold.Epoch)
	}
	s.want(t, map[string]int64{"apples": 2, "pears": 5})
	for range 2 {
		if err := s.Check(t.Context(), s.store); err != nil {
			t.Fatal(err)
		}
		s.want(t, map[string]int64{"apples": 2, "pears": 7})
	}
	if epoch := s.epoch(t); epoch != hold.Epoch {
		t.Error("the store was rebuilt for it")
	}
	if found := s.reconcile(t); len(found.Drifts) > 0 || found.Holds > 0 {
		t.Errorf("afterwards: %+v", found)
	}
}

// A twin holds again what was entered by the first one: apply gives that back, whatever the virtual stock has of the entry.
func TestAdjustmentIsHeldAgain(t *testing.T) {
	for name, rebuild := range map[string]bool{"applied": false, "loaded": true} {
		s := open(t)
		s.adjust(t, map[string]int64{"apples": 5})
		a := s.adjustment(line("apples", -2))
		if err := s.Adjust(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if rebuild {
			if _, _, err := s.Rebuild(t.Context(), s.store); err != nil {
				t.Fatal(err)
			}
		}
		hold := s.halt(t, a)
		s.want(t, map[string]int64{"apples": 1})
		if found := s.reconcile(t); len(found.Drifts) > 0 || found.Holds != 1 {
			t.Errorf("%s, and held again: %+v", name, found)
		}
		entered := s.withdraw(t, a, hold.Epoch)
		if err := s.Apply(t.Context(), s.store, a.ID, entered, a.Lines); err != nil {
			t.Fatal(err)
		}
		s.want(t, map[string]int64{"apples": 3})
	}
}

// A twin has taken the last ones away meanwhile: the adjustment was entered, and isn't short.
func TestAdjustmentsTwinWasFaster(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 2})
	a := s.adjustment(line("apples", -2))
	virtual := before{s.virtual, func() {
		if err := s.Adjust(t.Context(), a); err != nil {
			t.Error(err)
		}
	}}
	if err := stock.NewService(virtual, s.ledger).Adjust(t.Context(), a); err != nil {
		t.Error(err)
	}
	s.want(t, map[string]int64{"apples": 0})
	other := a
	other.ID, other.Lines = uuid.NewString(), []stock.Line{line("apples", -1)}
	if err := s.Adjust(t.Context(), other); !fault.Is(err, fault.StockUnderflow) {
		t.Errorf("nothing is left: %v", err)
	}
}

// before lets something happen before a reservation.
type before struct {
	stock.Virtual
	happens func()
}

func (v before) Reserve(
	ctx context.Context, store, order string, lines []stock.Line, deadline time.Time, minimum stock.Epoch,
) (stock.Hold, error) {
	v.happens()
	return v.Virtual.Reserve(ctx, store, order, lines, deadline, minimum)
}

// The same key with another content, while the first one is at work.
func TestAdjustmentsKeyIsInUse(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 5})
	a := s.adjustment(line("apples", -1))
	s.halt(t, a)
	a.Lines, a.Fingerprint = []stock.Line{line("apples", -2)}, append([]byte{1}, make([]byte, 31)...)
	if err := s.Adjust(t.Context(), a); !fault.Is(err, fault.IdempotencyKeyReused) {
		t.Errorf("%v", err)
	}
}

// A store that was never loaded has nothing to take away, and what it has after its epoch changed under the hold is held again.
func TestAdjustmentsEpoch(t *testing.T) {
	s := open(t)
	if err := s.Adjust(t.Context(), s.adjustment(line("apples", -1))); !fault.Is(err, fault.StockUnderflow) {
		t.Errorf("a new store: %v", err)
	}
	s.adjust(t, map[string]int64{"apples": 5})
	bumps := 0
	virtual := between{s.virtual, false, func() {
		if bumps++; bumps == 1 {
			if _, err := s.ledger.Bump(t.Context(), s.store, "test"); err != nil {
				t.Error(err)
			}
		}
	}}
	if err := stock.NewService(virtual, s.ledger).Adjust(t.Context(), s.adjustment(line("apples", -2))); err != nil || bumps != 2 {
		t.Errorf("%v, held %d times, want twice", err, bumps)
	}
	s.want(t, map[string]int64{"apples": 3})
}

// entriesAreOld is a ledger whose entries were all made long ago.
type entriesAreOld struct{ stock.History }

func (entriesAreOld) Between(context.Context, string, []string, time.Time, time.Time) ([]stock.Entry, error) {
	return nil, nil
}

// However long an adjustment waits at one of its steps, it is no drift.
func TestReconcileAnAdjustmentAtEachStep(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 5, "pears": 5})
	clean := func(state string, holds int) {
		t.Helper()
		reconciler := stock.NewReconciler(s.Service, entriesAreOld{s.ledger}, checkoutspanner.NewSales(s.database))
		found, err := reconciler.Reconcile(t.Context(), s.store)
		if err != nil || len(found.Drifts) > 0 || found.Holds != holds {
			t.Errorf("%s: %+v, %v", state, found, err)
		}
	}
	a := s.adjustment(line("apples", -3), line("pears", 2))
	hold := s.halt(t, a)
	clean("held", 1)
	s.withdraw(t, a, hold.Epoch)
	clean("entered", 1)
	if err := s.Apply(t.Context(), s.store, a.ID, hold.Epoch, a.Lines); err != nil {
		t.Fatal(err)
	}
	clean("applied", 0)
}

// A place that is taken away isn't booked at the same time.
func TestLoweredWhileItIsBooked(t *testing.T) {
	s := open(t)
	const capacity, to = 30, 10
	s.mustPut(t, "noon", noon, capacity)
	var booked, lowered atomic.Int64
	lowered.Store(capacity)
	var work sync.WaitGroup
	for range 40 {
		work.Go(func() {
			short, err := s.buy(t.Context(), stock.SlotLine("noon"))
			if err != nil {
				t.Error(err)
			} else if !short {
				booked.Add(1)
			}
		})
	}
	work.Go(func() {
		for next := int64(capacity - 1); next >= to; next-- {
			switch _, err := s.put(t, "noon", noon, next); {
			case err == nil:
				lowered.Store(next)
			case !fault.Is(err, fault.StockUnderflow):
				t.Error(err)
			}
		}
	})
	work.Wait()
	if booked.Load() != lowered.Load() {
		t.Errorf("%d are booked of %d", booked.Load(), lowered.Load())
	}
	if low := s.lowest(t, "slot:noon"); low < 0 {
		t.Errorf("the ledger was at %d", low)
	}
	s.wantSlot(t, "noon", lowered.Load(), 0)
}

// Operators who change a slot at once come to one of their capacities, and what they held for another is given back. One who finds held what
// another is about to take away may be told that it isn't free.
func TestOperatorsAtOnce(t *testing.T) {
	s := open(t)
	s.mustPut(t, "noon", noon, 20)
	var work sync.WaitGroup
	for capacity := range int64(8) {
		work.Go(func() {
			_, err := s.put(t, "noon", noon, capacity+10)
			if err != nil && !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.StockUnderflow) {
				t.Error(err)
			}
		})
	}
	work.Wait()
	slot, ok, err := s.Slot(t.Context(), s.store, "noon")
	if err != nil || !ok || slot.Available != slot.Capacity || slot.Capacity < 10 || slot.Capacity > 20 {
		t.Errorf("%+v, %t, %v", slot, ok, err)
	}
	if found := s.reconcile(t); len(found.Drifts) > 0 || found.Holds > 0 {
		t.Errorf("afterwards: %+v", found)
	}
	if _, err := s.put(t, "noon", noon.Add(time.Hour), 1); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("another time: %v", err)
	}
	s.wantSlot(t, "noon", slot.Capacity, slot.Capacity)
}

// A change of capacity that died with its hold, before its entry and after.
func TestLoweringDies(t *testing.T) {
	s := open(t)
	s.mustPut(t, "noon", noon, 5)
	change := s.change(t, "noon", 2)
	held := s.adjustment(line("slot:noon", -3))
	held.ID = change.EntryID
	for _, c := range []struct {
		entered             bool
		capacity, available int64
	}{{false, 5, 5}, {true, 2, 2}} {
		hold := s.halt(t, held)
		s.wantSlot(t, "noon", 5, 2)
		if c.entered {
			change.Under = hold.Epoch
			if entry, _, err := s.ledger.PutSlot(t.Context(), s.store, change); err != nil || entry.ID != change.EntryID {
				t.Fatalf("%+v, %v", entry, err)
			}
		}
		if err := s.Check(t.Context(), s.store); err != nil {
			t.Fatal(err)
		}
		s.wantSlot(t, "noon", c.capacity, c.available)
	}
}
