package main

import (
	"strings"
	"testing"
	"time"
)

func TestGrown(t *testing.T) {
	first := func() reading {
		return reading{
			memory: map[string]int64{"search": 200 << 20, "order": 30 << 20}, pids: map[string][]int{"search": {7}, "order": {8, 9}},
			goroutines: map[string]float64{"search": 100, "order": 30},
		}
	}
	for _, test := range []struct {
		name  string
		later func(r *reading)
		want  string // empty: nothing has grown
	}{
		{"as it was", func(r *reading) { r.pids["order"] = []int{9, 8} }, ""},
		{"a little more of everything", func(r *reading) {
			r.memory["search"], r.memory["order"], r.goroutines["search"], r.goroutines["order"] = 239<<20, 53<<20, 119, 49
		}, ""},
		{"a leak of memory", func(r *reading) { r.memory["search"] = 241 << 20 }, "search grew from 200 MiB to 241 MiB"},
		{"a leak of goroutines", func(r *reading) { r.goroutines["search"] = 121 }, "search had 100 goroutines, then 121"},
		{"started anew", func(r *reading) { r.pids["order"] = []int{8, 10} }, "order was started anew"},
		{"gone", func(r *reading) { delete(r.pids, "order") }, "order was started anew"},
	} {
		later := first()
		test.later(&later)
		got := strings.Join(grown(first(), later), "; ")
		if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// asked is a phase in which of each kind so many of a hundred are good and the others refused.
func asked(rate int, good map[string]int, retryAfter bool) *phase {
	f := &phase{rate: rate, from: time.UnixMilli(startMS), to: time.UnixMilli(startMS).Add(10 * time.Second)}
	for _, of := range attackMix {
		n := int(of.part * float64(rate) * 10)
		for i := range n {
			r := request{kind: of.kind, start: f.from.Add(time.Duration(i) * 10 * time.Second / time.Duration(n)), took: 20 * time.Millisecond, status: 200, good: true}
			if i%100 >= good[of.kind] {
				r.status, r.good = 429, false
				f.refusals = append(f.refusals, refusal{of.kind, r.took, retryAfter})
			}
			f.requests = append(f.requests, r)
		}
	}
	f.scores = scores(f.requests, nil, 10*time.Second)
	return f
}

func TestOverloaded(t *testing.T) {
	all := func(n int) map[string]int { return map[string]int{search: n, suggest: n, cart: n, checkout: n} }
	peak := asked(100, all(100), true)
	after := asked(50, all(100), true)
	for _, test := range []struct {
		name string
		over *phase
		want string
	}{
		{"as it is to be", asked(500, map[string]int{checkout: 60, cart: 30, search: 15, suggest: 5}, true), ""},
		{"little is done", asked(500, map[string]int{checkout: 60, cart: 20, search: 5, suggest: 5}, true), "good answers a second"},
		{"nobody is told when to come again", asked(500, all(20), false), "don't say when to come again"},
		{"carts before checkouts", asked(500, map[string]int{checkout: 10, cart: 40, search: 20, suggest: 5}, true), "of checkout 12 % were answered well, of cart"},
	} {
		got := strings.Join(overloaded(peak, test.over, after), "; ")
		if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestRecovery(t *testing.T) {
	since := time.UnixMilli(startMS)
	var requests []request
	for i := range 300 {
		r := request{kind: search, start: since.Add(time.Duration(i) * 100 * time.Millisecond), took: 10 * time.Millisecond, status: 200, good: true}
		if i < 40 {
			r.took = time.Second // 4 seconds in which all are late
		}
		requests = append(requests, r)
	}
	if got := recovery(requests, since); got != 4*time.Second {
		t.Errorf("all is well after %s, want 4s", got)
	}
	requests[119].good = false // one of ten in the twelfth second
	if got := recovery(requests, since); got != 12*time.Second {
		t.Errorf("all is well after %s, want 12s", got)
	}
}
