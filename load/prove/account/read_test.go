package account

import (
	"errors"
	"strings"
	"testing"
	"time"

	"larder.dev/load/prove/shop"
)

const info = "# Replication\r\nrole:master\r\nmaster_replid:def456\r\nmaster_replid2:000\r\n"

func TestReadVirtual(t *testing.T) {
	fields := map[string]string{
		"ep": "01700000000000000001|def456", "seq": "9", "applied": "1", "applied:sale:x": "1", "stock:figs": "3", "stock:slot:noon": "-1",
		"hold:order": "01700000000000000001|4|1700000000999|figs=2,limit:2026-03-01:figs:ann=2/5,slot:noon=1",
	}
	v, err := readVirtual(fields, info)
	if err != nil {
		t.Fatal(err)
	}
	if v.Elsewhere {
		t.Error("read as another server's")
	}
	hold := v.Holds["order"]
	if v.Stock["figs"] != 3 || v.Stock["slot:noon"] != -1 || !v.Applied["sale:x"] || v.Epoch.UnixNano() != 1700000000000000001 {
		t.Errorf("read %+v", v)
	}
	if hold.Token != 4 || !hold.Epoch.Equal(v.Epoch) || len(hold.Lines) != 3 || hold.Lines[0] != (shop.Line{Product: "figs", Quantity: 2}) ||
		hold.Lines[1].Quantity != 2 || hold.Lines[2].Product != "slot:noon" {
		t.Errorf("read the hold %+v", hold)
	}
	fields["ep"] = "01700000000000000001|other"
	if v, err := readVirtual(fields, info); err != nil || !v.Elsewhere || v.Stock["figs"] != 3 {
		t.Errorf("another server's: %+v, %v", v, err)
	}
	if _, err := readVirtual(fields, strings.Replace(info, "role:master", "role:slave", 1)); !errors.Is(err, errNotLoaded) {
		t.Errorf("a replica's: %v, want %v", err, errNotLoaded)
	}
	delete(fields, "ep")
	if _, err := readVirtual(fields, info); !errors.Is(err, errNotLoaded) {
		t.Errorf("flushed: %v, want %v", err, errNotLoaded)
	}
	for _, broken := range []string{"", "1|2|3", "x|2|3|figs=1", "1|x|3|figs=1", "1|2|3|figs=x"} {
		if hold, err := readHold(broken); err == nil {
			t.Errorf("%q was read as %+v", broken, hold)
		}
	}
}

func TestReadEvent(t *testing.T) {
	attributes := func(kind, order string) map[string]string {
		return map[string]string{"ce-id": "1", "ce-type": "larder.order.v1.Order" + kind, "ce-subject": "orders/" + order}
	}
	for name, test := range map[string]struct {
		attributes map[string]string
		data       string
		want       Event
		fails      bool
	}{
		"confirmed": {attributes("Confirmed", "a"), `{"order":{"order_id":"a","state":"CONFIRMED"},"cart_id":"c","version":"1"}`,
			Event{Order: "a", State: "CONFIRMED", Version: 1}, false},
		"refunded":      {attributes("Refunded", "a"), `{"order_id":"a","refund_id":"r","amount":{}}`, Event{Order: "a", Refund: "r"}, false},
		"other state":   {attributes("Packed", "a"), `{"order":{"order_id":"a","state":"PICKING"},"version":"2"}`, Event{}, true},
		"other subject": {attributes("Packed", "b"), `{"order":{"order_id":"a","state":"PACKED"},"version":"2"}`, Event{}, true},
		"no version":    {attributes("Packed", "a"), `{"order":{"order_id":"a","state":"PACKED"}}`, Event{}, true},
		"no JSON":       {attributes("Packed", "a"), `{`, Event{}, true},
		"other type":    {map[string]string{"ce-type": "larder.user.v1.UserRegistered"}, `{"version":"1"}`, Event{}, true},
	} {
		got, err := readEvent(test.attributes, []byte(test.data))
		if (err != nil) != test.fails || got != test.want {
			t.Errorf("%s: read %+v, %v", name, got, err)
		}
	}
}

func TestCompare(t *testing.T) {
	v := func(stock int64) *Virtual {
		return &Virtual{Epoch: time.Unix(1, 0), Stock: map[string]int64{"figs": stock, limitOfAnn: -3}}
	}
	line := func(quantity int64) shop.Line { return shop.Line{Product: "figs", Quantity: quantity} }
	for name, test := range map[string]struct {
		stock, sum, held int64
		late             []shop.Line
		want             int64
	}{
		"the same":                      {10, 10, 0, nil, 0},
		"held":                          {7, 10, 3, nil, 0},
		"given away twice":              {7, 10, 0, nil, -3},
		"given back twice":              {13, 10, 0, nil, 3},
		"on its way":                    {10, 15, 0, []shop.Line{line(5)}, 0},
		"applied, and nobody remembers": {15, 15, 0, []shop.Line{line(5)}, 5},
		"held to be taken away":         {8, 10, 2, nil, 0},
		"taken away, and still held":    {8, 8, 2, []shop.Line{line(-2)}, 0},
		"taken away, and not held":      {8, 8, 0, []shop.Line{line(-2)}, -2},
	} {
		got := compare(store, v(test.stock), map[string]int64{"figs": test.sum, limitOfAnn: -3}, map[string]int64{"figs": test.held}, test.late)
		if drift := got["figs"]; drift.difference() != test.want || len(got) > 1 || (len(got) == 1) != (test.want != 0) {
			t.Errorf("%s: %v, want a difference of %d", name, got, test.want)
		}
	}
}
