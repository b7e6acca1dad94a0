package checkout_test

import (
	"testing"
	"time"

	checkoutpb "larder.dev/api/checkout/v1"
	"larder.dev/internal/checkout"
	"larder.dev/internal/fault"
	"larder.dev/internal/payment"
	"larder.dev/internal/pricing"
	"larder.dev/internal/stock"
)

// slot opens one that begins after a time.
func (s *shop) slot(id string, begins time.Duration, capacity int64) {
	s.t.Helper()
	start := time.Now().Add(begins).Truncate(time.Second).UTC()
	_, err := s.stock.PutSlot(s.t.Context(), s.store, stock.Slot{ID: id, Start: start, End: start.Add(time.Hour), Capacity: capacity}, time.Now(), "test")
	if err != nil {
		s.t.Fatal(err)
	}
}

// inSlot is a request for the morning.
func (s *shop) inSlot(key, card string) checkout.Request {
	r := s.request(key, card)
	r.SlotID = "morning"
	return r
}

// wantSlot compares what is free of the morning, in the virtual stock and in the ledger.
func (s *shop) wantSlot(free int64) {
	s.t.Helper()
	want := map[string]int64{"slot:morning": free}
	s.wantStock(want, want)
}

// wantSlotRefused looks for the alternatives in the detail.
func (s *shop) wantSlotRefused(err error, slot string, alternatives ...string) {
	s.t.Helper()
	s.wantRefused(err, fault.SlotUnavailable)
	for _, detail := range fault.From(err).Status().Details() {
		told, ok := detail.(*checkoutpb.SlotUnavailable)
		if !ok {
			continue
		}
		if told.GetSlotId() != slot || len(told.GetAlternatives()) != len(alternatives) {
			s.t.Fatalf("told %v, want %v instead of %s", told, alternatives, slot)
		}
		for i, other := range told.GetAlternatives() {
			if other.GetSlotId() != alternatives[i] || !other.GetEndTime().AsTime().After(other.GetStartTime().AsTime()) {
				s.t.Errorf("alternative %d is %v, want %s", i, other, alternatives[i])
			}
		}
		return
	}
	s.t.Fatal("the refusal has no detail")
}

func TestSlotFills(t *testing.T) {
	s := open(t)
	for i, id := range []string{"evening", "night", "noon", "late", "later", "latest"} {
		s.slot(id, time.Duration(24-i)*time.Hour, 3)
	}
	s.slot("full", 2*time.Hour, 0)
	s.slot("morning", time.Hour, 1)
	s.restock("pears", 5)

	first := s.inSlot("key-1", visa)
	for range 2 {
		outcome, err := s.Checkout(t.Context(), first)
		s.want(outcome, err, checkout.Confirmed)
	}
	s.wantSlot(0)
	sold, err := s.books.Order(t.Context(), first.ID)
	if err != nil || sold.GetDeliverySlot().GetSlotId() != "morning" || !sold.GetDeliverySlot().GetStartTime().AsTime().After(time.Now()) {
		t.Errorf("sold for %v, %v", sold.GetDeliverySlot(), err)
	}

	second := s.inSlot("key-2", visa)
	_, err = s.Checkout(t.Context(), second)
	s.wantSlotRefused(err, "morning", "latest", "later", "late", "noon", "night") // the next five
	s.wantStates(second.ID, "ABANDONED", "")
	s.wantStock(map[string]int64{"apples": 8, "pears": 9}, map[string]int64{"apples": 8, "pears": 9})
	s.wantIntents(map[payment.IntentStatus]int{payment.IntentAuthorized: 1})

	// The same key gets the same answer, also when there is room again: the cancelled order's place.
	s.mustCancel(first.ID)
	s.hear(first.ID)
	s.wantSlot(1)
	_, err = s.Checkout(t.Context(), second)
	s.wantSlotRefused(err, "morning", "latest", "later", "late", "noon", "night")
	outcome, err := s.Checkout(t.Context(), s.inSlot("key-3", visa))
	s.want(outcome, err, checkout.Confirmed)
	s.wantSlot(0)

	// Without a slot there is no limit.
	outcome, err = s.Checkout(t.Context(), s.request("key-4", visa))
	s.want(outcome, err, checkout.Confirmed)
}

func TestSlotIsRefused(t *testing.T) {
	s := open(t)
	s.slot("morning", time.Hour, 5)
	unknown := s.request("key-1", visa)
	unknown.SlotID = "midnight"
	_, err := s.Checkout(t.Context(), unknown)
	s.wantSlotRefused(err, "midnight", "morning")

	s.now = time.Now().Add(90 * time.Minute)
	_, err = s.Checkout(t.Context(), s.inSlot("key-2", visa))
	s.wantSlotRefused(err, "morning")
	s.now = time.Now()

	// What the price has become comes first: a slot is chosen for what is bought.
	dear := s.inSlot("key-3", visa)
	dear.ExpectedTotal.Minor++
	_, err = s.Checkout(t.Context(), dear)
	s.wantRefused(err, fault.PriceChanged)
	s.wantSlot(5)
	s.wantStock(full, full)
	s.wantIntents(map[payment.IntentStatus]int{})
}

// With goods short as well, the goods are told, and they alone: the cart has to change anyhow.
func TestSlotAndGoodsShort(t *testing.T) {
	s := open(t)
	s.slot("morning", time.Hour, 0)
	s.fill(pricing.Line{ProductID: "apples", Quantity: 11}, pricing.Line{ProductID: "pears", Quantity: 5})
	_, err := s.Checkout(t.Context(), s.inSlot("key-1", visa))
	s.wantRefused(err, fault.OutOfStock)
	for _, detail := range fault.From(err).Status().Details() {
		if told, ok := detail.(*checkoutpb.OutOfStock); ok &&
			(len(told.GetShortages()) != 1 || told.GetShortages()[0].GetProductId() != "apples" || told.GetShortages()[0].GetAvailable() != 10) {
			t.Errorf("told %v", told)
		}
	}
	s.wantSlot(0)
	s.wantStock(full, full)
}

// A checkout that fails gives its place back; one that waits keeps it, through a rebuild as well.
func TestSlotIsHeld(t *testing.T) {
	s := open(t)
	s.slot("morning", time.Hour, 1)
	_, err := s.Checkout(t.Context(), s.inSlot("key-1", "pm_card_chargeDeclinedInsufficientFunds"))
	s.wantRefused(err, fault.PaymentDeclined)
	s.wantSlot(1)

	waiting := s.inSlot("key-2", "pm_card_threeDSecure2Required")
	outcome, err := s.Checkout(t.Context(), waiting)
	s.want(outcome, err, checkout.RequiresAction)
	_, err = s.Checkout(t.Context(), s.inSlot("key-3", visa))
	s.wantSlotRefused(err, "morning")

	s.act(waiting.ID, "complete")
	s.flush()
	outcome, err = s.Poll(t.Context(), waiting.ID, s.user)
	s.want(outcome, err, checkout.Confirmed)
	s.wantSlot(0)
	sold, err := s.books.Order(t.Context(), waiting.ID)
	if err != nil || sold.GetDeliverySlot().GetSlotId() != "morning" {
		t.Errorf("sold for %v, %v", sold.GetDeliverySlot(), err)
	}

	// The place went to another while Redis had forgotten: no order, no charge.
	s.slot("noon", 2*time.Hour, 1)
	late := s.request("key-4", "pm_card_threeDSecure2Required")
	late.SlotID = "noon"
	outcome, err = s.Checkout(t.Context(), late)
	s.want(outcome, err, checkout.RequiresAction)
	s.act(late.ID, "complete")
	s.flush()
	quick := s.request("key-5", visa)
	quick.SlotID = "noon"
	outcome, err = s.Checkout(t.Context(), quick)
	s.want(outcome, err, checkout.Confirmed)
	_, err = s.Poll(t.Context(), late.ID, s.user)
	s.wantSlotRefused(err, "noon")
	s.wantStates(late.ID, "ABANDONED", payment.Voided)
}
