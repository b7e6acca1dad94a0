package shop

import (
	"slices"
	"time"
)

// Outcomes tells how the checkouts of a time went for their shoppers.
type Outcomes struct {
	// Checkouts is how many shoppers stayed for an answer, and Answered how many of them got a final one that only goods, prices or their
	// card explain, within the time that they stay.
	Checkouts, Answered int
	// Failed are the others, by what they heard instead.
	Failed map[string]int
}

// Share is the part that was answered, from 0 to 1; 1 where nobody came.
func (o Outcomes) Share() float64 {
	if o.Checkouts == 0 {
		return 1
	}
	return float64(o.Answered) / float64(o.Checkouts)
}

// leaving are the behaviours of those who don't stay, at the bank or at all.
var leaving = []string{"3-D Secure forgotten", "3-D Secure late"}

// Outcomes counts the checkouts that began in a time which ends at least stayFor before their day did.
func (h *History) Outcomes(from, to time.Time) Outcomes {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := Outcomes{Failed: map[string]int{}}
	for _, c := range h.Checkouts {
		began := c.Began()
		if began.Before(from) || began.After(to.Add(-stayFor)) || slices.Contains(leaving, c.Behaviour) {
			continue
		}
		o.Checkouts++
		answer, at, ok := c.Final()
		switch {
		case !ok || at.After(began.Add(stayFor)):
			o.Failed["nothing in time"]++
		case answer.Reason == "CHECKOUT_EXPIRED":
			o.Failed[answer.Reason]++
		default:
			o.Answered++
		}
	}
	return o
}
