package stock

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/chaos"
	"larder.dev/internal/fault"
)

// A delivery slot is counted like stock, as a product of the ledger of its own: its capacity is the sum of its adjustments, an
// order that is delivered in it takes one unit, and what may still be promised is what is free. So an order holds its slot with its
// lines, all or nothing, and gives it back with them. The prefix keeps slots from being asked for as products, and out of what
// is told of products: no product's id has a colon.
const slotPrefix = "slot:"

// Slot is a time in which a store's van delivers.
type Slot struct {
	ID         string
	Start, End time.Time
	// Capacity is how many orders it takes in all, Available how many more.
	Capacity, Available int64
	// UpdateTime is when its capacity was last changed.
	UpdateTime time.Time
}

// SlotLine is what an order takes of its delivery slot.
func SlotLine(id string) Line { return Line{ProductID: slotPrefix + id, Quantity: 1} }

// SlotOf returns the slot that is counted as a product; ok is false for an ordinary product.
func SlotOf(productID string) (id string, ok bool) { return strings.CutPrefix(productID, slotPrefix) }

// What an operator may open.
const (
	longestSlot  = 24 * time.Hour
	farthestSlot = 366 * 24 * time.Hour
)

// upcoming bounds how many slots of a store are looked at for free ones: some weeks.
const upcoming = 500

// Slot returns a slot of a store as it is now; ok is false where there is none.
func (s *Service) Slot(ctx context.Context, store, id string) (slot Slot, ok bool, err error) {
	slot, ok, err = s.ledger.Slot(ctx, store, id)
	if err != nil || !ok {
		return Slot{}, false, err
	}
	slots := []Slot{slot}
	if err := s.count(ctx, store, slots); err != nil {
		return Slot{}, false, err
	}
	return slots[0], true, nil
}

// Slots returns the slots of a store that haven't begun, by time, at most limit.
func (s *Service) Slots(ctx context.Context, store string, now time.Time, limit int) ([]Slot, error) {
	slots, err := s.ledger.Slots(ctx, store, now, limit)
	if err != nil || len(slots) == 0 {
		return nil, err
	}
	return slots, s.count(ctx, store, slots)
}

// FreeSlots returns those of them that take another order.
func (s *Service) FreeSlots(ctx context.Context, store string, now time.Time, limit int) ([]Slot, error) {
	slots, err := s.Slots(ctx, store, now, upcoming)
	if err != nil {
		return nil, err
	}
	var free []Slot
	for _, slot := range slots {
		if slot.Available > 0 && len(free) < limit {
			free = append(free, slot)
		}
	}
	return free, nil
}

// count looks up what is free.
func (s *Service) count(ctx context.Context, store string, slots []Slot) error {
	products := make([]string, len(slots))
	for i, slot := range slots {
		products[i] = SlotLine(slot.ID).ProductID
	}
	free, err := s.Available(ctx, store, products)
	if err != nil {
		return err
	}
	for i, product := range products {
		slots[i].Available = max(free[product], 0)
	}
	return nil
}

// SlotChange is a slot as it is to be.
type SlotChange struct {
	Slot
	// Since is the UpdateTime of the slot that the change is computed from; zero for a slot that isn't there.
	Since time.Time
	// EntryID is the id of the change's entry.
	EntryID, Actor string
	// Under is the epoch that the change is entered under; zero: whichever the store has.
	Under Epoch
}

// ErrCapacityMoved: somebody else has changed the slot's capacity.
var ErrCapacityMoved = errors.New("the slot's capacity was changed meanwhile")

// PutSlot opens a slot, or changes the capacity of one that is open, as Adjust does: what a lower one takes away is held first. The
// same again changes nothing, and brings what the first one may have left undone to its end. Errors: INVALID_ARGUMENT,
// STOCK_UNDERFLOW for a capacity below what is booked, ALREADY_EXISTS for another time, STOCK_REBUILDING, UNAVAILABLE while others
// change it.
func (s *Service) PutSlot(ctx context.Context, store string, slot Slot, now time.Time, actor string) (Slot, error) {
	if err := checkSlot(slot, now); err != nil {
		return Slot{}, err
	}
	entry, err := s.enterSlot(ctx, store, slot, actor)
	if err != nil {
		return Slot{}, fmt.Errorf("enter slot %s: %w", slot.ID, err)
	}
	chaos.At(chaos.StockEntered)
	if err := s.Apply(ctx, store, entry.ID, entry.Epoch, []Line{{ProductID: entry.ProductID, Quantity: entry.Quantity}}); err != nil {
		return Slot{}, err
	}
	chaos.At(chaos.StockApplied)
	slots := []Slot{slot}
	if err := s.count(ctx, store, slots); err != nil {
		return Slot{}, err
	}
	return slots[0], nil
}

// slotEntries is the namespace of the ids of slots' entries.
var slotEntries = uuid.MustParse("6f1b1d36-7d1c-4c55-9a3c-5d6a0f0f5a11")

// slotEntry is the id of the entry that makes this slot of the one that was last changed at a moment: the same for everybody who asks for
// the same, so that a request that is sent again has the hold of the one before.
func slotEntry(store string, slot Slot, since time.Time) string {
	const layout = time.RFC3339Nano
	name := fmt.Sprintf("%s %s %s %s %d %s", store, slot.ID, slot.Start.UTC().Format(layout), slot.End.UTC().Format(layout),
		slot.Capacity, since.UTC().Format(layout))
	return uuid.NewSHA1(slotEntries, []byte(name)).String()
}

// enterSlot computes the change from the capacity that it finds, anew while others change it.
func (s *Service) enterSlot(ctx context.Context, store string, slot Slot, actor string) (Entry, error) {
	for range withdrawAttempts {
		old, _, err := s.ledger.Slot(ctx, store, slot.ID)
		if err != nil {
			return Entry{}, err
		}
		change := SlotChange{Slot: slot, Since: old.UpdateTime, EntryID: slotEntry(store, slot, old.UpdateTime), Actor: actor}
		var last Entry
		enter := func(under Epoch) (Epoch, Epoch, error) {
			var current Epoch
			var err error
			change.Under = under
			last, current, err = s.ledger.PutSlot(ctx, store, change)
			return last.Epoch, current, err
		}
		taken := takenBy([]Line{{ProductID: SlotLine(slot.ID).ProductID, Quantity: slot.Capacity - old.Capacity}})
		if len(taken) == 0 {
			_, err = s.add(ctx, store, func() (Epoch, error) { epoch, _, err := enter(0); return epoch, err })
		} else {
			_, err = s.withdraw(ctx, store, change.EntryID, taken, enter)
		}
		moved := errors.Is(err, ErrCapacityMoved)
		refused := moved || fault.Is(err, fault.AlreadyExists) || (err == nil && last.ID != change.EntryID)
		if refused && len(taken) > 0 {
			if err := s.endSlotHold(ctx, store, change.EntryID); err != nil {
				return Entry{}, err
			}
		}
		var short *InsufficientError
		switch {
		case errors.As(err, &short):
			// A twin may have been at work: what it entered is missing now.
			if now, _, err := s.ledger.Slot(ctx, store, slot.ID); err != nil || !now.UpdateTime.Equal(old.UpdateTime) {
				if err != nil {
					return Entry{}, err
				}
				continue
			}
			return Entry{}, underflow(short)
		case !moved:
			return last, err
		}
	}
	return Entry{}, fault.Unavailable.New("others are changing the slot %s", slot.ID).WithRetryAfter(time.Second).WithCause(ErrCapacityMoved)
}

// endSlotHold ends the hold of an entry that can no longer be entered, as its slot was changed since: it is applied if a twin
// had entered it before, and else released.
func (s *Service) endSlotHold(ctx context.Context, store, entry string) error {
	entered, err := s.ledger.Withdrawn(ctx, store, []string{entry})
	if err != nil {
		return fmt.Errorf("look for entry %s: %w", entry, err)
	}
	if withdrawal, ok := entered[entry]; ok {
		return s.Apply(ctx, store, entry, withdrawal.Epoch, withdrawal.Lines)
	}
	return s.Release(ctx, store, WithdrawalHold(entry))
}

func checkSlot(slot Slot, now time.Time) error {
	switch {
	case !slot.End.After(slot.Start):
		return fault.Invalid("end_time", "must be after start_time")
	case slot.End.Sub(slot.Start) > longestSlot:
		return fault.Invalid("end_time", "must be within 24 hours of start_time")
	case slot.Start.After(now.Add(farthestSlot)):
		return fault.Invalid("start_time", "must be within a year")
	default:
		return nil
	}
}
