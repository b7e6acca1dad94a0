package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	cartpb "larder.dev/api/cart/v1"
	checkoutpb "larder.dev/api/checkout/v1"
	orderpb "larder.dev/api/order/v1"
	paymentpb "larder.dev/api/payment/v1"
	productpb "larder.dev/api/product/v1"
	stockpb "larder.dev/api/stock/v1"
	typepb "larder.dev/api/type/v1"
	userpb "larder.dev/api/user/v1"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
)

const (
	orderID = "832bd3c6-6200-5d31-b1dc-34a77ee5eccb"
	ada     = "7a1c3a52-5b0e-4bd4-9a49-2f6d7e8f0001"
)

// order is one as events have it.
func order() *orderpb.Order {
	pence := func(n int64) *typepb.Money { return &typepb.Money{Currency: "GBP", MinorUnits: n} }
	return &orderpb.Order{
		OrderId: orderID, UserId: ada, StoreId: "soho", State: orderpb.Order_CONFIRMED,
		Lines: []*orderpb.OrderLine{
			{ProductId: "bananas", Name: "Bananas & <b>nuts</b>", Quantity: 3, UnitPrice: pence(120), LineTotal: pence(360), TaxRateBps: 0},
			{ProductId: "oat-milk", Name: "Oat milk", Quantity: 1, UnitPrice: pence(199), LineTotal: pence(199), TaxRateBps: 2000},
		},
		Totals:       &typepb.Totals{Lines: pence(559), Discounts: pence(0), DeliveryFee: pence(399), Total: pence(958), Tax: pence(99)},
		Address:      &typepb.Address{Recipient: "Ada Lovelace", Line1: "12 St James's Square", City: "London", Postcode: "SW1Y 4JH", Country: "GB"},
		DeliverySlot: &typepb.Slot{SlotId: "thu-10", StartTime: timestamppb.New(at("2026-07-02T09:00:00Z")), EndTime: timestamppb.New(at("2026-07-02T10:00:00Z"))},
	}
}

var providerEvent = &paymentpb.ProviderEvent{
	EventId: "evt_1", Type: "payment_intent.amount_capturable_updated", CreateTime: timestamppb.New(at("2026-07-01T09:00:00Z")), IntentId: "pi_1", OrderId: orderID,
}

var adjusted = &stockpb.StockAdjusted{StoreId: "soho", Adjustments: []*stockpb.Adjustment{{ProductId: "bananas", Quantity: 12}}, Reason: "delivery 4711"}

// takes is a function that events are pushed to: what it does with a good one, and what it can't take.
type takes struct {
	function, topic string
	good            proto.Message
	// wants are the calls that a good event leads to, in their order.
	wants []want
	// bad is a good event's data spoilt against the rules of its proto; empty where the proto has none.
	bad string
	// refuses is what a service may answer for good to the first call.
	refuses fault.Reason
}

type want struct {
	method  string
	request proto.Message
}

// limit is what is counted of a shopper's limit.
const limit = "limit:2026-07-01:bananas:" + ada

var table = []takes{
	{
		function: "CapturePayment", topic: event.OrderEvents, good: &orderpb.OrderPacked{Order: order(), Version: 3},
		wants:   []want{{"CapturePayment", &paymentpb.CapturePaymentRequest{OrderId: orderID}}},
		refuses: fault.OrderNotFound,
	},
	{
		function: "VoidPayment", topic: event.OrderEvents, good: &orderpb.OrderCancelled{Order: order(), Version: 2},
		wants:   []want{{"VoidPayment", &paymentpb.VoidPaymentRequest{OrderId: orderID}}},
		refuses: fault.OrderNotFound,
	},
	{
		function: "ApplyStock", topic: event.OrderEvents,
		good: &orderpb.OrderCancelled{
			Order: order(), Version: 2, StockEntryId: "cancellation:" + orderID, StockEpoch: 1_790_000_000_123_456_789,
			StockTaken: []*orderpb.StockTaken{{ProductId: "bananas", Quantity: 2}, {ProductId: limit, Quantity: 2}},
		},
		wants: []want{{"ApplyStockEntry", &stockpb.ApplyStockEntryRequest{
			StoreId: "soho", EntryId: "cancellation:" + orderID, Epoch: 1_790_000_000_123_456_789,
			Changes: []*stockpb.StockChange{{ProductId: "bananas", Quantity: 2}, {ProductId: limit, Quantity: 2}},
		}}},
		refuses: fault.StoreNotFound,
	},
	{
		function: "ApplyStock", topic: event.OrderEvents,
		good: &orderpb.OrderPacked{
			Order: order(), Version: 3, StockEntryId: "packing:" + orderID, StockEpoch: 1_790_000_000_123_456_789,
			StockChanges: []*orderpb.StockChanged{{ProductId: "bananas", Quantity: 2}, {ProductId: "plantains", Quantity: -1}},
		},
		wants: []want{{"ApplyStockEntry", &stockpb.ApplyStockEntryRequest{
			StoreId: "soho", EntryId: "packing:" + orderID, Epoch: 1_790_000_000_123_456_789,
			Changes: []*stockpb.StockChange{{ProductId: "bananas", Quantity: 2}, {ProductId: "plantains", Quantity: -1}},
		}}},
		refuses: fault.StoreNotFound,
	},
	{
		function: "ClearCart", topic: event.OrderEvents, good: &orderpb.OrderConfirmed{Order: order(), CartId: ada, CartEtag: "17", Version: 1},
		wants:   []want{{"ClearCart", &cartpb.ClearCartRequest{CartId: ada, Etag: "17"}}},
		refuses: fault.CartNotFound,
	},
	{
		function: "NotifyShopper", topic: event.OrderEvents, good: &orderpb.OrderDelivered{Order: order(), Version: 5},
		wants:   []want{{"BeginNotice", &userpb.BeginNoticeRequest{UserId: ada, EventId: "good"}}}, // which answers that it was sent
		refuses: fault.InvalidArgument,
	},
	{
		function: "ApplyPaymentEvent", topic: event.PaymentEvents, good: providerEvent,
		wants: []want{
			{"ApplyProviderEvent", &paymentpb.ApplyProviderEventRequest{Event: providerEvent}},
			{"ResumeCheckout", &checkoutpb.ResumeCheckoutRequest{CheckoutId: orderID}},
		},
		bad:     `{"event_id":"evt_1","type":"t","create_time":"2026-07-01T09:00:00Z","intent_id":"pi_1","order_id":"none"}`,
		refuses: fault.OrderNotFound,
	},
	{
		function: "AdjustStock", topic: event.StockAdjustments, good: adjusted,
		wants: []want{{"AdjustStock", &stockpb.AdjustStockRequest{
			StoreId: "soho", Adjustments: []*stockpb.Adjustment{{ProductId: "bananas", Quantity: 12}}, Reason: "delivery 4711",
		}}},
		bad:     `{"store_id":"soho","adjustments":[{"product_id":"bananas","quantity":"0"}],"reason":"delivery 4711"}`,
		refuses: fault.StockUnderflow,
	},
	{
		function: "UpdateAvailability", topic: event.StockEvents,
		good: &stockpb.AvailabilityChanged{StoreId: "soho", Epoch: 9, Changes: []*stockpb.ProductAvailability{{ProductId: "bananas", Available: true, Sequence: 4}}},
		wants: []want{{"UpdateAvailability", &productpb.UpdateAvailabilityRequest{
			StoreId: "soho", Epoch: 9, Changes: []*productpb.Availability{{ProductId: "bananas", Available: true, Sequence: 4}},
		}}},
		bad:     `{"store_id":"soho","epoch":"0","changes":[{"product_id":"bananas"}]}`,
		refuses: fault.StoreNotFound,
	},
	{ // an event of the release before, which doesn't tell what was taken
		function: "ApplyStock", topic: event.OrderEvents,
		good: &orderpb.OrderCancelled{Order: order(), Version: 2, StockEntryId: "cancellation:" + orderID, StockEpoch: 1_790_000_000_123_456_789},
		wants: []want{{"ApplyStockEntry", &stockpb.ApplyStockEntryRequest{
			StoreId: "soho", EntryId: "cancellation:" + orderID, Epoch: 1_790_000_000_123_456_789,
			Changes: []*stockpb.StockChange{{ProductId: "bananas", Quantity: 3}, {ProductId: "oat-milk", Quantity: 1}, {ProductId: "slot:thu-10", Quantity: 1}},
		}}},
		refuses: fault.StoreNotFound,
	},
	{
		function: "ForgetUser", topic: event.UserEvents, good: &userpb.UserDeleted{UserId: ada, DeleteTime: timestamppb.New(at("2026-07-01T09:00:00Z"))},
		wants:   []want{{"ForgetCart", &cartpb.ForgetCartRequest{UserId: ada}}, {"ForgetUser", &orderpb.ForgetUserRequest{UserId: ada}}},
		bad:     `{"user_id":"ada"}`,
		refuses: fault.InvalidArgument,
	},
	{
		function: "ForgetUser", topic: event.OrderEvents, good: &orderpb.OrderDelivered{Order: order(), Version: 5},
		wants:   []want{{"ForgetOrder", &orderpb.ForgetOrderRequest{OrderId: orderID}}},
		refuses: fault.InvalidArgument,
	},
	{
		function: "ForgetUser", topic: event.OrderEvents, good: &orderpb.OrderCancelled{Order: order(), Version: 2},
		wants:   []want{{"ForgetOrder", &orderpb.ForgetOrderRequest{OrderId: orderID}}},
		refuses: fault.InvalidArgument,
	},
}

// begin starts a row's function behind its topic.
func (c takes) begin(t *testing.T) *rig {
	t.Helper()
	r := running(t, c.function)
	r.push(c.topic)
	return r
}

// running starts a function, with services that answer what makes a good event go all the way.
func running(t *testing.T, function string) *rig {
	t.Helper()
	r := newRig(t)
	r.start(function)
	r.services.answers("ApplyProviderEvent", func(context.Context, proto.Message) (proto.Message, error) {
		return &paymentpb.ApplyProviderEventResponse{ResumeCheckout: true}, nil
	})
	r.services.answers("BeginNotice", func(context.Context, proto.Message) (proto.Message, error) {
		return &userpb.BeginNoticeResponse{State: userpb.BeginNoticeResponse_SENT}, nil
	})
	return r
}

func eachTaker(t *testing.T, do func(t *testing.T, c takes, r *rig)) {
	for _, c := range table {
		t.Run(c.function, func(t *testing.T) { do(t, c, c.begin(t)) })
	}
}

// acknowledged waits until a delivery of a message was answered with 204, and returns how each was answered.
func (r *rig) acknowledged(message string) (outcomes []int) {
	r.t.Helper()
	r.await("the acknowledgement of "+message, func() bool {
		outcomes = r.outcomes(message)
		return len(outcomes) > 0 && outcomes[len(outcomes)-1] == http.StatusNoContent
	})
	return outcomes
}

// letter waits for the dead letter of a message.
func (r *rig) letter(message string) (found letter) {
	r.t.Helper()
	r.await("the dead letter of "+message, func() bool {
		for _, m := range r.collected() {
			if m.Attributes["dead_letter_message_id"] == message {
				found = m
			}
		}
		return found.Message != nil
	})
	return found
}

// A good event leads to its calls, in the function's own name and under the event's trace; the same event again, though it comes late, to
// the very same calls, key included. Events for others are acknowledged and lead to nothing.
func TestGoodEvents(t *testing.T) {
	eachTaker(t, func(t *testing.T, c takes, r *rig) {
		const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
		good := happened(t, "good", c.good)
		good.TraceParent = "00-" + traceID + "-00f067aa0ba902b7-01"
		others := r.sendEvent(c.topic, happened(t, "others", &orderpb.OrderPicking{Order: order(), Version: 2}))
		if n := len(r.acknowledged(others)); n != 1 || len(r.services.got("")) != 0 {
			t.Fatalf("an event for others was delivered %d times and led to %v", n, r.services.got(""))
		}
		r.acknowledged(r.sendEvent(c.topic, good))
		once := r.services.got("")
		r.acknowledged(r.sendEvent(c.topic, good))
		twice := r.services.got("")
		if len(once) != len(c.wants) || len(twice) != 2*len(c.wants) {
			t.Fatalf("%d calls, with the same event again %d, want %d and twice as many", len(once), len(twice), len(c.wants))
		}
		for i, got := range twice {
			want := c.wants[i%len(c.wants)]
			if got.method != want.method || !proto.Equal(got.request, want.request) {
				t.Errorf("call %d is %s %v, want %s %v", i, got.method, got.request, want.method, want.request)
			}
			if got.caller != callerOf(c.function) || got.trace != traceID || got.key != twice[i%len(c.wants)].key {
				t.Errorf("call %d is by %s, key %q, trace %s", i, got.caller, got.key, got.trace)
			}
		}
		if c.function == "AdjustStock" {
			other := happened(t, "good", c.good)
			other.Source = "//another.example/warehouse"
			r.acknowledged(r.sendEvent(c.topic, other))
			last := r.services.got("")[2]
			if !idempotencyKey.MatchString(last.key) || last.key == once[0].key {
				t.Errorf("the key is %q; that of an event of the same id from another source is %q", once[0].key, last.key)
			}
		}
		if letters := r.collected(); len(letters) > 0 {
			t.Errorf("dead letters: %v", letters[0].Attributes)
		}
	})
}

// bad is a message that is put aside, and how.
type bad struct {
	name           string
	attributes     map[string]string
	data           string
	reason, detail string
}

// What can never be taken in is put aside as it came, with its reason, and acknowledged at once; nothing is done with it.
func TestBadEvents(t *testing.T) {
	eachTaker(t, func(t *testing.T, c takes, r *rig) {
		good := happened(t, "good", c.good)
		spoilt := func(name, value string) map[string]string {
			attributes := good.Attributes()
			if attributes[name] = value; value == "" {
				delete(attributes, name)
			}
			return attributes
		}
		rows := []bad{
			{"no JSON", good.Attributes(), "\x00\xff{", "MALFORMED_EVENT", "data: "},
			{"no data", good.Attributes(), "", "MALFORMED_EVENT", "data: "},
			{"another form", good.Attributes(), `[1]`, "MALFORMED_EVENT", "data: "},
			{"a field of another kind", good.Attributes(), `{"order":7,"store_id":7,"event_id":7,"user_id":7}`, "MALFORMED_EVENT", "data: "},
			{"no id", spoilt("ce-id", ""), string(good.Data), "MALFORMED_EVENT", "attribute ce-id is missing"},
			{"no type", spoilt("ce-type", ""), string(good.Data), "MALFORMED_EVENT", "attribute ce-type is missing"},
			{"another version", spoilt("ce-specversion", "0.3"), string(good.Data), "MALFORMED_EVENT", `attribute ce-specversion is "0.3"`},
			{"no time", spoilt("ce-time", "yesterday"), string(good.Data), "MALFORMED_EVENT", "attribute ce-time"},
			{"no event at all", map[string]string{"hello": "world"}, "hello", "MALFORMED_EVENT", "attribute ce-source is missing"},
		}
		if c.bad != "" {
			rows = append(rows, bad{"against the rules", good.Attributes(), c.bad, "INVALID_EVENT", "the request has invalid fields; "})
		} else {
			rows = append(rows, bad{"control characters", good.Attributes(), `{"order":{"order_id":"a\u0007b"}}`, "INVALID_EVENT", "order.order_id: has control characters"})
		}
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				message := r.send(c.topic, row.attributes, []byte(row.data))
				letter := r.letter(message)
				if n := len(r.acknowledged(message)); n != 1 {
					t.Errorf("it was delivered %d times", n)
				}
				a := letter.Attributes
				if a["dead_letter_reason"] != row.reason || !strings.Contains(a["dead_letter_detail"], row.detail) {
					t.Errorf("the reason is %s: %s", a["dead_letter_reason"], a["dead_letter_detail"])
				}
				if a["dead_letter_function"] != c.function || !strings.HasSuffix(a["dead_letter_subscription"], "/function-"+c.topic) || at(a["dead_letter_time"]).IsZero() {
					t.Errorf("attributes %v", a)
				}
				for name, value := range row.attributes {
					if a[name] != value {
						t.Errorf("attribute %s is %q, was %q", name, a[name], value)
					}
				}
				if letter.topic != c.topic+"-dead-letters" || string(letter.Data) != row.data || len(a) != len(row.attributes)+6 {
					t.Errorf("the letter in %s is %v with %q", letter.topic, a, letter.Data)
				}
			})
		}
		if calls := r.services.got(""); len(calls) > 0 {
			t.Errorf("services were called: %v", calls)
		}
	})
}

// An event that a service refuses for good is put aside with the service's reason; what it only can't do now is done when it can, and
// nothing is lost.
func TestRefusalsAndOutages(t *testing.T) {
	eachTaker(t, func(t *testing.T, c takes, r *rig) {
		method := c.wants[0].method
		r.services.answers(method, func(context.Context, proto.Message) (proto.Message, error) {
			return nil, c.refuses.New("it can't be").WithViolation("field", "is what it is").WithCause(fmt.Errorf("secret"))
		})
		poison := r.sendEvent(c.topic, happened(t, "poison", c.good))
		letter := r.letter(poison)
		if n := len(r.acknowledged(poison)); n != 1 || len(r.services.got(method)) != 1 {
			t.Errorf("a refused event was delivered %d times", n)
		}
		if a := letter.Attributes; a["dead_letter_reason"] != c.refuses.Name || a["dead_letter_detail"] != "it can't be; field: is what it is" || a["ce-id"] != "poison" {
			t.Errorf("the letter is %v", a)
		}

		troubles := []func() error{
			func() error { return fault.Unavailable.New("away") },
			func() error { return fault.Overloaded.New("too much") },
			func() error { panic("out of order") },
			func() error { return fault.StockRebuilding.New("loading") },
		}
		var calls atomic.Int64
		r.services.answers(method, func(context.Context, proto.Message) (proto.Message, error) {
			if n := int(calls.Add(1)); n <= len(troubles) {
				return nil, troubles[n-1]()
			}
			if method == "BeginNotice" {
				return &userpb.BeginNoticeResponse{State: userpb.BeginNoticeResponse_GONE}, nil
			}
			return nil, nil
		})
		before := len(r.services.got(method))
		var late []string
		for i := range troubles {
			late = append(late, r.sendEvent(c.topic, happened(t, fmt.Sprintf("late-%d", i), c.good)))
		}
		refusals := 0
		for _, message := range late {
			outcomes := r.acknowledged(message)
			for _, status := range outcomes[:len(outcomes)-1] {
				if refusals++; status != http.StatusServiceUnavailable {
					t.Errorf("a delivery was answered %d", status)
				}
			}
		}
		if n := len(r.services.got(method)) - before; refusals != len(troubles) || n != 2*len(troubles) {
			t.Errorf("%d deliveries were sent back and %d calls made, through %d troubles of as many events", refusals, n, len(troubles))
		}
		if n := len(r.collected()); n != 1 {
			t.Errorf("%d dead letters, want one", n)
		}
	})
}

// callerOf is the account that a function calls by.
func callerOf(function string) string { return strings.ToLower(function) }
