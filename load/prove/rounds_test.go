package main

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"larder.dev/load/prove/account"
	"larder.dev/load/prove/shop"
	"larder.dev/load/prove/world"
)

func TestRounds(t *testing.T) {
	for _, c := range []struct {
		duration, limit time.Duration
		want            int
	}{
		{28 * time.Minute, 5 * time.Minute, 5},
		{3 * time.Minute, 5 * time.Minute, 1},
		{time.Second, 5 * time.Minute, 1},
		{10 * time.Minute, time.Minute, 5},
	} {
		got := rounds(c.duration, c.limit)
		if storm := c.duration/time.Duration(got) - besides; got != c.want || storm > c.limit {
			t.Errorf("%s by %s: %d rounds with storms of %s, want %d", c.duration, c.limit, got, storm, c.want)
		}
	}
}

// The last line is read by machines: what it says, and what it means for the exit code.
func TestLastLine(t *testing.T) {
	const zeros = "oversold=0 lost=0 double_charged=0 orphaned_charges=0 wrong_amount=0 stock_drift=0 stuck=0 events_missing=0"
	all := []string{"a", "b"}
	for name, c := range map[string]struct {
		points map[string]int
		orders int
		counts map[string]int
		want   string
		proved bool
	}{
		"proved":        {map[string]int{"a": 2, "b": 3}, 7, nil, "prove: orders=7 faults=9 crash_points=2/2 " + zeros, true},
		"a point short": {map[string]int{"a": 2, "b": 1}, 7, nil, "prove: orders=7 faults=9 crash_points=1/2 " + zeros, false},
		"nothing sold":  {map[string]int{"a": 2, "b": 2}, 0, nil, "prove: orders=0 faults=9 crash_points=2/2 " + zeros, false},
		"found": {
			map[string]int{"a": 2, "b": 2}, 7, map[string]int{account.Oversold: 1, account.Stuck: 2},
			"prove: orders=7 faults=9 crash_points=2/2 " + strings.Replace(strings.Replace(zeros, "oversold=0", "oversold=1", 1), "stuck=0", "stuck=2", 1), false,
		},
	} {
		var out strings.Builder
		p := newRun(options{hits: 2}, nil, slog.New(slog.DiscardHandler), &out)
		p.tally = world.Tally{Faults: 9, Points: c.points, AllPoints: all}
		p.result = account.Result{Orders: c.orders, Counts: c.counts}
		err := p.last()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if got := lines[len(lines)-1]; got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
		if (err == nil) != c.proved || err != nil && !errors.Is(err, errFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTroubles(t *testing.T) {
	if all, err := troubles("all"); err != nil || !slices.Equal(all, world.Troubles) {
		t.Errorf("%v, %v", all, err)
	}
	if some, err := troubles("kills, loss"); err != nil || !slices.Equal(some, []world.Trouble{world.Kills, world.Loss}) {
		t.Errorf("%v, %v", some, err)
	}
	if _, err := troubles("rain"); err == nil {
		t.Error("there is no such trouble, and no error")
	}
	if none, err := troubles(""); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
}

func TestEnough(t *testing.T) {
	for name, c := range map[string]struct {
		ordeal ordeal
		enough bool
	}{
		"all answered":       {ordeal{world.Loss, shop.Outcomes{Checkouts: 200, Answered: 199}}, true},
		"too few answered":   {ordeal{world.Loss, shop.Outcomes{Checkouts: 200, Answered: 197}}, false},
		"too few to tell":    {ordeal{world.Loss, shop.Outcomes{Checkouts: 49, Answered: 49}}, false},
		"a process was away": {ordeal{world.Kills, shop.Outcomes{Checkouts: 30, Answered: 20}}, true},
		"nobody came at all": {ordeal{world.Freezes, shop.Outcomes{}}, false},
	} {
		if err := c.ordeal.enough(); (err == nil) != c.enough {
			t.Errorf("%s: %v", name, err)
		}
	}
}
