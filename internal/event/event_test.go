package event_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/event"
)

// What is published is what is read, and a reader knows an event of another type from its own.
func TestRoundTrip(t *testing.T) {
	at := time.Date(2026, 11, 26, 10, 0, 0, 123456789, time.UTC)
	told := &orderpb.OrderPacked{Order: &orderpb.Order{OrderId: "4711", State: orderpb.Order_PACKED}, Version: 3}
	sent, err := event.New("4711-3", "//larder.dev/outbox", "orders/4711", at, told)
	if err != nil {
		t.Fatal(err)
	}
	sent.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	got, err := event.FromMessage(sent.Attributes(), sent.Data)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != sent.ID || got.Type != "larder.order.v1.OrderPacked" || !got.Time.Equal(at) || got.Subject != sent.Subject || got.TraceParent != sent.TraceParent {
		t.Errorf("got %+v", got)
	}
	var read orderpb.OrderPacked
	if err := got.Decode(&read); err != nil || !proto.Equal(&read, told) {
		t.Errorf("%v, %v", &read, err)
	}
	if err := got.Decode(new(orderpb.OrderDelivered)); err == nil {
		t.Error("an OrderPacked was read as an OrderDelivered")
	}
	newer := got
	newer.Data = []byte(`{"version":"3","field_of_next_year":{"x":1}}`)
	if err := newer.Decode(&read); err != nil || read.GetVersion() != 3 {
		t.Errorf("a field of a newer producer: %v, %v", &read, err)
	}
}

func TestMalformedAttributes(t *testing.T) {
	good := func() map[string]string {
		return map[string]string{"ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-specversion": "1.0"}
	}
	if _, err := event.FromMessage(good(), nil); err != nil {
		t.Errorf("the least that CloudEvents needs: %v", err)
	}
	for name, value := range map[string]string{
		"ce-id": "", "ce-source": " ", "ce-type": "", "ce-specversion": "0.3", "ce-time": "yesterday",
	} {
		attributes := good()
		attributes[name] = value
		if _, err := event.FromMessage(attributes, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%q: %v", name, value, err)
		}
	}
}
