package checkout_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/checkout"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
	"larder.dev/internal/payment"
	"larder.dev/internal/stock"
)

// buy makes an order and returns its id.
func (s *shop) buy(key string) string {
	s.t.Helper()
	r := s.request(key, visa)
	outcome, err := s.Checkout(s.t.Context(), r)
	s.want(outcome, err, checkout.Confirmed)
	return r.ID
}

func (s *shop) cancel(id string, by order.Actor) error {
	return s.Cancel(s.t.Context(), id, checkout.Cancellation{Step: order.Step{To: order.Cancelled, By: by, Reason: "too late"}, For: s.user})
}

func (s *shop) mustCancel(id string) {
	s.t.Helper()
	if err := s.cancel(id, order.Shopper); err != nil {
		s.t.Fatal(err)
	}
}

// told reads the one event of a cancelled order.
func (s *shop) told(id string) *orderpb.OrderCancelled {
	s.t.Helper()
	told := &orderpb.OrderCancelled{}
	events := s.events("orders/"+id, told)
	if len(events) != 1 {
		s.t.Fatalf("%d events of the cancellation", len(events))
	}
	if err := events[0].Decode(told); err != nil {
		s.t.Fatal(err)
	}
	return told
}

// events are those that were told about a subject, of a message's type.
func (s *shop) events(subject string, message proto.Message) (events []event.Event) {
	s.t.Helper()
	if s.memory != nil {
		for _, e := range s.memory.Events(event.TypeOf(message), subject) {
			events = append(events, event.Event{ID: e.ID, Type: e.Type, Data: e.Data})
		}
		return events
	}
	statement := spanner.Statement{
		SQL:    "SELECT EventId, Type, Data FROM Outbox WHERE Subject = @subject AND Type = @type",
		Params: map[string]any{"subject": subject, "type": event.TypeOf(message)},
	}
	err := s.database.Single().Query(s.t.Context(), statement).Do(func(row *spanner.Row) error {
		var e event.Event
		err := row.Columns(&e.ID, &e.Type, &e.Data)
		events = append(events, e)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return events
}

// hear does what the function ApplyStock does with the event.
func (s *shop) hear(id string) {
	s.t.Helper()
	told := s.told(id)
	var lines []stock.Line
	for _, taken := range told.GetStockTaken() {
		lines = append(lines, stock.Line{ProductID: taken.GetProductId(), Quantity: taken.GetQuantity()})
	}
	if err := s.stock.Apply(s.t.Context(), s.store, told.GetStockEntryId(), stock.Epoch(told.GetStockEpoch()), lines); err != nil {
		s.t.Fatal(err)
	}
}

// Goods and money come back once, however often it is asked for and told.
func TestCancel(t *testing.T) {
	s := open(t)
	id := s.buy("key-1")
	for range 2 {
		s.mustCancel(id)
		s.wantStates(id, "CANCELLED", payment.Voiding)
		s.wantStock(oneSold, full) // the virtual stock hears of it by the event
	}
	for range 2 {
		s.hear(id)
		s.wantStock(full, full)
	}
	s.now = s.now.Add(time.Minute)
	if n, err := s.Reconcile(t.Context(), 10); n != 1 || err != nil {
		t.Errorf("%d payments were looked after, %v", n, err)
	}
	s.wantStates(id, "CANCELLED", payment.Voided)
	s.wantIntents(map[payment.IntentStatus]int{payment.IntentCancelled: 1})
	s.mustCancel(id)

	// The same request still leads to the order that it made.
	outcome, err := s.Checkout(t.Context(), s.request("key-1", visa))
	s.want(outcome, err, checkout.Confirmed)
	s.later()
	s.wantStates(id, "CANCELLED", payment.Voided)
	s.wantStock(full, full)
}

func TestCancelIsRefused(t *testing.T) {
	s := open(t)
	tombstone := s.request("key-1", visa)
	tombstone.ExpectedTotal.Minor++
	_, err := s.Checkout(t.Context(), tombstone)
	s.wantRefused(err, fault.PriceChanged)
	s.wantRefused(s.cancel(tombstone.ID, order.Operator), fault.OrderNotFound)
	s.wantRefused(s.cancel(uuid.NewString(), order.Operator), fault.OrderNotFound)

	id := s.buy("key-2")
	if _, err := s.orders.Move(t.Context(), id, order.Step{To: order.Picking, By: order.Operator}, s.now); err != nil {
		t.Fatal(err)
	}
	s.wantRefused(s.cancel(id, order.Shopper), fault.OrderStateConflict)
	s.wantStates(id, "PICKING", payment.Authorized)
	s.wantStock(oneSold, oneSold)
	if err := s.cancel(id, order.System); err != nil {
		t.Error(err)
	}
	s.wantStates(id, "CANCELLED", payment.Voiding)
}

// Money that was taken already is given back in full (rule 7b).
func TestCancelAfterCapture(t *testing.T) {
	s := open(t)
	id := s.buy("key-1")
	standing, err := s.books.Look(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	s.pick(id)
	s.pack(id)
	if state, err := s.payments.Capture(t.Context(), id, payment.Step{By: payment.System}); state != payment.Captured || err != nil {
		t.Fatal(state, err)
	}
	if err := s.cancel(id, order.Operator); err != nil {
		t.Fatal(err)
	}
	s.later()
	s.wantStates(id, "CANCELLED", payment.Voided)
	intent, err := s.provider.Get(t.Context(), standing.Payment.IntentID)
	if err != nil || intent.Refunded != standing.Payment.Amount {
		t.Errorf("%s of %s was given back, %v", intent.Refunded, standing.Payment.Amount, err)
	}
	if standing, err = s.books.Look(t.Context(), id); err != nil || standing.Payment.Refunded != intent.Refunded {
		t.Errorf("the books have %s given back, %v", standing.Payment.Refunded, err)
	}
}

// A hold that the sale has left behind is settled, not released: the entry gives the goods back, and nothing else may.
func TestCancelBeforeSettle(t *testing.T) {
	for _, first := range []string{"the event", "the reaper", "a rebuild"} {
		t.Run("first "+first, func(t *testing.T) {
			s := open(t)
			s.stocks.before = func(method string) error {
				if method == "settle" {
					return errBroken
				}
				return nil
			}
			id := s.buy("key-1")
			s.stocks.before = nil
			s.mustCancel(id)
			switch first {
			case "the event":
				s.hear(id)
				s.wantStock(full, full)
				s.later()
			case "the reaper":
				s.later()
				s.wantStock(oneSold, full)
				s.hear(id)
			default:
				if _, _, err := s.stock.Rebuild(t.Context(), s.store); err != nil {
					t.Fatal(err)
				}
				s.wantStock(full, full)
				s.hear(id)
				s.later()
			}
			s.wantStock(full, full)
		})
	}
}

// Cancellations amid rebuilds: whether a load has an entry, its epoch tells (rules 8 and 9).
func TestCancelAmidRebuilds(t *testing.T) {
	s := open(t)
	var ids []string
	for i := range 5 {
		ids = append(ids, s.buy(fmt.Sprint("key-", i)))
	}
	s.wantStock(map[string]int64{"apples": 0, "pears": 0}, map[string]int64{"apples": 0, "pears": 0})
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 5 {
			if _, _, err := s.stock.Rebuild(t.Context(), s.store); err != nil {
				t.Error(err)
			}
		}
	})
	for _, id := range ids {
		wg.Go(func() {
			if err := s.cancel(id, order.Operator); err != nil {
				t.Error(err)
				return
			}
			s.hear(id)
		})
	}
	wg.Wait()
	s.wantStock(full, full)
}
