package shop

import (
	"maps"
	"testing"
	"time"
)

func TestOutcomes(t *testing.T) {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	checkout := func(behaviour string, began, ended int, answer Answer) *Checkout {
		return &Checkout{Behaviour: behaviour, Deed: Deed{Asks: []Ask{{Start: at(began), End: at(ended), Answer: answer}}}}
	}
	done, sold := Answer{Kind: Done}, Answer{Kind: Refused, Reason: "OUT_OF_STOCK"}
	h := &History{Checkouts: []*Checkout{
		checkout("plain", 1, 2, done),
		checkout("plain", 1, 3, sold),
		checkout("declined", 2, 4, Answer{Kind: Refused, Reason: "PAYMENT_DECLINED"}),
		checkout("plain", 2, 4, Answer{Kind: Refused, Reason: "CHECKOUT_EXPIRED"}),
		checkout("plain", 2, 4, Answer{Kind: Processing}),
		checkout("plain", 3, 40, done),
		checkout("3-D Secure late", 3, 4, Answer{Kind: Action}), // stays away by itself
		checkout("plain", -1, 2, Answer{}),                      // before
		checkout("plain", 50, 51, Answer{}),                     // cut off by the end
	}}
	got := h.Outcomes(at(0), at(60))
	if got.Checkouts != 6 || got.Answered != 3 || got.Share() != 0.5 ||
		!maps.Equal(got.Failed, map[string]int{"CHECKOUT_EXPIRED": 1, "nothing in time": 2}) {
		t.Errorf("%+v", got)
	}
	if share := (Outcomes{}).Share(); share != 1 {
		t.Errorf("nobody came, and %v were answered", share)
	}
}
