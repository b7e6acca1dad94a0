package stock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"

	"larder.dev/internal/fault"
	"larder.dev/internal/stock"
)

// noon is a slot's time, far enough ahead.
var noon = time.Now().UTC().Truncate(time.Hour).Add(48 * time.Hour)

func (s shop) put(t *testing.T, id string, start time.Time, capacity int64) (stock.Slot, error) {
	t.Helper()
	return s.PutSlot(t.Context(), s.store, stock.Slot{ID: id, Start: start, End: start.Add(time.Hour), Capacity: capacity}, time.Now(), "operator")
}

func (s shop) mustPut(t *testing.T, id string, start time.Time, capacity int64) stock.Slot {
	t.Helper()
	slot, err := s.put(t, id, start, capacity)
	if err != nil {
		t.Fatal(err)
	}
	return slot
}

func TestSlotsLife(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 10})
	if slot := s.mustPut(t, "noon", noon, 2); slot.Capacity != 2 || slot.Available != 2 {
		t.Errorf("opened: %+v", slot)
	}

	// An order holds its slot with its lines, or neither.
	if _, err := s.reserve(t.Context(), "o1", line("apples", 1), stock.SlotLine("noon")); err != nil {
		t.Fatal(err)
	}
	s.wantSlot(t, "noon", 2, 1)
	s.mustPut(t, "noon", noon, 2) // the same again
	s.wantSlot(t, "noon", 2, 1)

	if _, err := s.put(t, "noon", noon, 0); !fault.Is(err, fault.StockUnderflow) {
		t.Errorf("lowered below what is booked: %v", err)
	}
	if _, err := s.put(t, "noon", noon.Add(time.Hour), 2); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("another time: %v", err)
	}
	s.wantSlot(t, "noon", 2, 1)

	s.mustPut(t, "noon", noon, 1) // as many as are booked
	_, err := s.reserve(t.Context(), "o2", line("apples", 1), stock.SlotLine("noon"))
	if err == nil || !slices.Equal(shortOf(err), []string{"slot:noon"}) {
		t.Errorf("a full slot: %v", err)
	}
	s.want(t, map[string]int64{"apples": 9})
	s.mustPut(t, "noon", noon, 3)
	s.wantSlot(t, "noon", 3, 2)
	if err := s.Release(t.Context(), s.store, "o1"); err != nil {
		t.Fatal(err)
	}
	s.wantSlot(t, "noon", 3, 3)

	// What is free is in the ledger, and comes back with a rebuild.
	s.flush(t)
	s.wantSlot(t, "noon", 3, 3)
	if _, ok, err := s.Slot(t.Context(), s.store, "midnight"); ok || err != nil {
		t.Errorf("a slot that isn't there: %t, %v", ok, err)
	}
	listed, err := s.List(t.Context(), s.store, "", 10)
	if err != nil || !slices.Equal(listed, []stock.Line{line("apples", 10)}) {
		t.Errorf("the stock's list has %v, %v; slots are no products", listed, err)
	}
}

func (s shop) wantSlot(t *testing.T, id string, capacity, available int64) {
	t.Helper()
	slot, ok, err := s.Slot(t.Context(), s.store, id)
	if err != nil || !ok || slot.Capacity != capacity || slot.Available != available {
		t.Errorf("%s: %+v, %t, %v; want %d of %d free", id, slot, ok, err, available, capacity)
	}
}

// shortOf lists what couldn't be had.
func shortOf(err error) (products []string) {
	var short *stock.InsufficientError
	if errors.As(err, &short) {
		for _, shortage := range short.Shortages {
			products = append(products, shortage.ProductID)
		}
	}
	return products
}

func TestSlotsByTime(t *testing.T) {
	s := open(t)
	for i, id := range []string{"c", "a", "b", "full", "over"} {
		s.mustPut(t, id, noon.Add(time.Duration(i)*time.Hour), 1)
	}
	s.mustPut(t, "empty", noon, 0)
	if _, err := s.reserve(t.Context(), "o1", stock.SlotLine("full")); err != nil {
		t.Fatal(err)
	}
	ids := func(slots []stock.Slot) (ids []string) {
		for _, slot := range slots {
			ids = append(ids, slot.ID)
		}
		return ids
	}
	for _, c := range []struct {
		name  string
		now   time.Time
		limit int
		all   []string
		free  []string
	}{
		{"all", noon.Add(-time.Second), 10, []string{"c", "empty", "a", "b", "full", "over"}, []string{"c", "a", "b", "over"}},
		{"what has begun is left out", noon, 10, []string{"a", "b", "full", "over"}, []string{"a", "b", "over"}},
		{"a few", noon, 2, []string{"a", "b"}, []string{"a", "b"}},
		{"none left", noon.Add(99 * time.Hour), 10, nil, nil},
	} {
		all, err := s.Slots(t.Context(), s.store, c.now, c.limit)
		if err != nil || !slices.Equal(ids(all), c.all) {
			t.Errorf("%s: %v, %v; want %v", c.name, ids(all), err, c.all)
		}
		free, err := s.FreeSlots(t.Context(), s.store, c.now, c.limit)
		if err != nil || !slices.Equal(ids(free), c.free) {
			t.Errorf("%s: free are %v, %v; want %v", c.name, ids(free), err, c.free)
		}
	}
}

func TestSlotsTimes(t *testing.T) {
	s := open(t)
	now := time.Now()
	for name, slot := range map[string]stock.Slot{
		"no length":     {ID: "a", Start: noon, End: noon},
		"backwards":     {ID: "a", Start: noon, End: noon.Add(-time.Hour)},
		"over a day":    {ID: "a", Start: noon, End: noon.Add(24*time.Hour + time.Second)},
		"over one year": {ID: "a", Start: now.AddDate(1, 0, 2), End: now.AddDate(1, 0, 2).Add(time.Hour)},
	} {
		if _, err := s.PutSlot(t.Context(), s.store, slot, now, "operator"); !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A slot that many want at once, opened by several operators, is booked to its capacity and no further.
func TestHotSlot(t *testing.T) {
	s := open(t)
	const capacity, shoppers = 10, 60
	var opened sync.WaitGroup
	for range 4 {
		opened.Go(func() {
			if _, err := s.put(t, "noon", noon, capacity); err != nil {
				t.Error(err)
			}
		})
	}
	opened.Wait()
	s.wantSlot(t, "noon", capacity, capacity)
	var held atomic.Int64
	var wg sync.WaitGroup
	for i := range shoppers {
		wg.Go(func() {
			_, err := s.reserve(t.Context(), fmt.Sprint("o", i), stock.SlotLine("noon"))
			switch {
			case err == nil:
				held.Add(1)
			case len(shortOf(err)) != 1:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if held.Load() != capacity {
		t.Errorf("%d of %d places are held", held.Load(), capacity)
	}
	s.wantSlot(t, "noon", capacity, 0)
}

// A change of capacity that was entered and never applied is applied by the same call again.
func TestSlotIsBroughtToItsEnd(t *testing.T) {
	s := open(t)
	s.mustPut(t, "noon", noon, 1)
	if _, _, err := s.ledger.PutSlot(t.Context(), s.store, s.change(t, "noon", 5)); err != nil {
		t.Fatal(err)
	}
	s.wantSlot(t, "noon", 5, 1) // the process died here
	for range 2 {
		if slot := s.mustPut(t, "noon", noon, 5); slot.Available != 5 {
			t.Errorf("%d are free, want 5", slot.Available)
		}
	}
}

// change is a change of a slot of an hour, computed from the slot as it is.
func (s shop) change(t *testing.T, id string, capacity int64) stock.SlotChange {
	t.Helper()
	slot, ok, err := s.Slot(t.Context(), s.store, id)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	since := slot.UpdateTime
	slot.Capacity = capacity
	return stock.SlotChange{Slot: slot, Since: since, EntryID: uuid.NewString(), Actor: "operator"}
}

// away is a ledger that takes in no change of a slot, as long as it is so.
type away struct {
	stock.Ledger
	times *int
}

func (l away) PutSlot(ctx context.Context, store string, to stock.SlotChange) (stock.Entry, stock.Epoch, error) {
	if *l.times > 0 {
		*l.times--
		return stock.Entry{}, 0, fault.Unavailable.New("away")
	}
	return l.Ledger.PutSlot(ctx, store, to)
}

// Who asks again to lower a capacity has the hold of the time before, however often the ledger was away: places aren't held twice.
func TestLoweringIsHeldOnce(t *testing.T) {
	s := open(t)
	s.mustPut(t, "noon", noon, 8)
	times := 3
	service := stock.NewService(s.virtual, away{s.ledger, &times})
	lowered := stock.Slot{ID: "noon", Start: noon, End: noon.Add(time.Hour), Capacity: 6}
	for times > 0 {
		if _, err := service.PutSlot(t.Context(), s.store, lowered, time.Now(), "operator"); !fault.Is(err, fault.Unavailable) {
			t.Fatal(err)
		}
		s.wantSlot(t, "noon", 8, 6)
	}
	if slot, err := service.PutSlot(t.Context(), s.store, lowered, time.Now(), "operator"); err != nil || slot.Available != 6 {
		t.Errorf("%+v, %v", slot, err)
	}
	if found := s.reconcile(t); len(found.Drifts) > 0 || found.Holds > 0 {
		t.Errorf("afterwards: %+v", found)
	}
}

// Who lowers a capacity while a twin does the same, and another operator changes it once more, leaves no hold and takes nothing twice.
func TestLoweringsTwinWasFaster(t *testing.T) {
	for name, then := range map[string]int64{"and that's all": 0, "and it was raised since": 9, "and it was raised, and lowered again": 6} {
		s := open(t)
		s.mustPut(t, "noon", noon, 8)
		done := false
		virtual := between{s.virtual, false, func() {
			if done {
				return
			}
			done = true
			s.mustPut(t, "noon", noon, 6)
			if then > 0 {
				s.mustPut(t, "noon", noon, 9)
				s.mustPut(t, "noon", noon, then)
			}
		}}
		lowered := stock.Slot{ID: "noon", Start: noon, End: noon.Add(time.Hour), Capacity: 6}
		if _, err := stock.NewService(virtual, s.ledger).PutSlot(t.Context(), s.store, lowered, time.Now(), "operator"); err != nil {
			t.Errorf("a twin was faster, %s: %v", name, err)
		}
		s.wantSlot(t, "noon", 6, 6)
		if found := s.reconcile(t); len(found.Drifts) > 0 || found.Holds > 0 {
			t.Errorf("a twin was faster, %s: %+v", name, found)
		}
	}
}

// A twin enters the lowered capacity and dies before it is applied, and another operator raises it since: who comes to that applies what the
// twin entered, and doesn't give its hold back.
func TestLoweringsTwinDied(t *testing.T) {
	s := open(t)
	s.mustPut(t, "noon", noon, 8)
	done := false
	virtual := between{s.virtual, false, func() {
		if done {
			return
		}
		done = true
		held, err := s.virtual.Overdue(t.Context(), s.store, time.Now().Add(time.Hour), 2)
		if err != nil || len(held) != 1 {
			t.Fatal(held, err)
		}
		change := s.change(t, "noon", 6)
		change.EntryID = strings.TrimPrefix(held[0], stock.WithdrawalHold(""))
		if _, _, err := s.ledger.PutSlot(t.Context(), s.store, change); err != nil {
			t.Fatal(err)
		}
		s.mustPut(t, "noon", noon, 9)
	}}
	lowered := stock.Slot{ID: "noon", Start: noon, End: noon.Add(time.Hour), Capacity: 6}
	if _, err := stock.NewService(virtual, s.ledger).PutSlot(t.Context(), s.store, lowered, time.Now(), "operator"); err != nil {
		t.Error(err)
	}
	s.wantSlot(t, "noon", 6, 6)
	if found := s.reconcile(t); len(found.Drifts) > 0 || found.Holds > 0 {
		t.Errorf("afterwards: %+v", found)
	}
}

// The row of a slot is deleted some weeks after its end, what was booked of it stays in the ledger: its id is not opened anew.
func TestSlotIsNotOpenedTwice(t *testing.T) {
	s := open(t)
	s.mustPut(t, "noon", noon, 3)
	if _, err := s.database.Apply(t.Context(), []*spanner.Mutation{spanner.Delete("DeliverySlots", spanner.Key{s.store, "noon"})}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.put(t, "noon", noon, 3); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("the id of a slot that was: %v", err)
	}
}
