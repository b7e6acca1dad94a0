package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"larder.dev/load/prove/account"
	"larder.dev/load/prove/shop"
)

// names of 50,000 products, as different as a shop's.
func items(n int) []item {
	all := make([]item, n)
	for i := range all {
		all[i] = item{
			ID: fmt.Sprintf("p-%d", i), Name: fmt.Sprintf("Origin%d Kind%d Cheddar%d", i%40, i/2000, i%2000), Brand: fmt.Sprintf("b-%d", i%30), Stores: []string{"soho"},
		}
	}
	return all
}

func TestQueries(t *testing.T) {
	brands := map[string]string{}
	for i := range 30 {
		brands[fmt.Sprintf("b-%d", i)] = fmt.Sprintf("Maker%d Foods", i)
	}
	words, err := vocabulary(rand.New(rand.NewPCG(1, 0)), items(50_000), brands, distinctQueries)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(slices.Compact(slices.Sorted(slices.Values(words)))); got != distinctQueries {
		t.Errorf("%d different queries, want %d", got, distinctQueries)
	}
	if _, err := vocabulary(rand.New(rand.NewPCG(1, 0)), items(3), brands, distinctQueries); err == nil {
		t.Error("three products have 20,000 different queries")
	}

	const n = 200_000
	drawn := drawQueries(rand.New(rand.NewPCG(2, 0)), words, n)
	count, typos := map[string]int{}, 0
	known := map[string]int{}
	for i, w := range words {
		known[w] = i
	}
	for _, q := range drawn {
		if _, ok := known[q]; !ok {
			typos++
		}
		count[q]++
	}
	// Zipf's law: the first is asked ten times as often as the tenth, and by the harmonic number of all, of which four fifths are spelt right.
	if first := float64(count[words[0]]); first < 0.7*n/10.48 || first > n/10.48 {
		t.Errorf("the first is asked %v times of %d", first, n)
	}
	if ratio := float64(count[words[0]]) / float64(count[words[9]]); ratio < 8 || ratio > 12.5 {
		t.Errorf("the first is asked %.1f times as often as the tenth", ratio)
	}
	if share := float64(typos) / n; share < 0.19 || share > 0.201 {
		t.Errorf("%.3f are misspelt, want %.1f", share, typoShare)
	}
	if again := drawQueries(rand.New(rand.NewPCG(2, 0)), words, n); !slices.Equal(drawn, again) {
		t.Error("the same seed draws others")
	}
}

func TestGoods(t *testing.T) {
	all := items(4)
	all[1].Limit = 2
	all[2].Stores = []string{"camden"}
	line := func(product string, n int64) shop.Line { return shop.Line{Product: product, Quantity: n} }
	opening := []*shop.Adjustment{{Store: "soho", Lines: []shop.Line{line("p-0", 9), line("p-1", 9), line("p-2", 9), line("p-3", 4), line("other", 9)}}}
	got := drawGoods(rand.New(rand.NewPCG(1, 0)), opening, all, 5)
	if len(got) != 1 || got[0] != (good{"soho", "p-0"}) {
		t.Errorf("%+v can be bought; others are limited, not sold there, or too few", got)
	}
}

func requests(kind string, n int, took time.Duration, status int) []request {
	all := make([]request, n)
	for i := range all {
		all[i] = request{kind: kind, took: took, status: status, good: status == 200}
	}
	return all
}

func TestLimits(t *testing.T) {
	fine := requests(search, 10_000, 20*time.Millisecond, 200)
	for _, test := range []struct {
		name    string
		more    []request
		dropped map[string]int
		want    string // in what is broken; empty: all is kept
	}{
		{"nine are refused", requests(search, 9, time.Millisecond, 429), nil, ""},
		{"eleven are refused", requests(search, 11, time.Millisecond, 429), nil, "11 of 10011"},
		{"eleven fail", requests(cart, 11, time.Millisecond, 503), nil, "11 of 10011"},
		{"eleven are dropped", nil, map[string]int{checkout: 11}, "11 of 10011"},
		{"one of each is too many together", slices.Concat(requests(search, 5, 0, 429), requests(cart, 3, 0, 0)), map[string]int{search: 3}, "11 of 10011"},
		{"a few are slow", requests(search, 90, time.Second, 200), nil, ""},
		{"too many are slow", requests(search, 110, time.Second, 200), nil, "search p99 is 1000 ms"},
		{"the few checkouts are slow", requests(checkout, 20, 201*time.Millisecond, 200), nil, "checkout p99 is 201 ms"},
		{"just in time", requests(checkout, 20, 200*time.Millisecond, 200), nil, ""},
	} {
		got := strings.Join(limits(scores(slices.Concat(fine, test.more), test.dropped, time.Minute)), "; ")
		if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: broken is %q, want %q", test.name, got, test.want)
		}
	}
	if got := limits(nil); len(got) == 0 {
		t.Error("nothing was asked, and all is kept")
	}
}

func TestHighest(t *testing.T) {
	for _, test := range []struct{ first, capacity int }{{40, 250}, {40, 7}, {40, 40}, {500, 33}, {1, 1}, {40, 0}} {
		tried := map[int]bool{}
		got, err := highest(t.Context(), test.first, func(_ context.Context, rate int) (bool, error) {
			if tried[rate] || rate < 1 {
				t.Errorf("from %d for %d: tried %d, again or in vain", test.first, test.capacity, rate)
				return false, errors.New("stop")
			}
			tried[rate] = true
			return rate <= test.capacity, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got > test.capacity || float64(test.capacity-got) > max(1, closeEnough*float64(test.capacity+1)*1.2) {
			t.Errorf("from %d: found %d, want nearly %d", test.first, got, test.capacity)
		}
	}
	broken := errors.New("k6 doesn't run")
	if _, err := highest(t.Context(), 40, func(context.Context, int) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestMix(t *testing.T) {
	for _, m := range []mix{{80, 15, 4}, {85, 9, 6}, {80, 15, 5}} {
		if err := m.check(); (err == nil) != (m == mix{80, 15, 5}) {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

func TestDropped(t *testing.T) {
	got, err := readDropped([]byte(`{"iterations":{"values":{"count":9}},"dropped_iterations{scenario:search}":{"values":{"count":7,"rate":0.1}}}`))
	if err != nil || got[search] != 7 || got[checkout] != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := readDropped([]byte(`{}`)); err == nil {
		t.Error("a summary of nothing has none dropped")
	}
}

func TestShares(t *testing.T) {
	at := time.UnixMilli(startMS)
	cpu := func(search, elastic time.Duration) map[string]time.Duration {
		return map[string]time.Duration{"search": search, "elasticsearch": elastic}
	}
	all, busy := shares([]sample{
		{at: at, machine: time.Minute, cpu: cpu(time.Second, time.Second)},
		{at: at.Add(5 * time.Second), machine: time.Minute + 4*time.Second, cpu: cpu(2*time.Second, 3*time.Second)},
		{at: at.Add(10 * time.Second), machine: time.Minute + 15*time.Second, cpu: cpu(3*time.Second, 7*time.Second)},
	})
	if busy != 1.5 || len(all) != 2 || all[0].name != "elasticsearch" || all[0].cores != 0.6 || all[1].cores != 0.2 {
		t.Errorf("%+v of %.1f", all, busy)
	}
}

// The page has every table's numbers, a chart with its lines, and what was found, with its markup escaped.
func TestReport(t *testing.T) {
	at := time.UnixMilli(startMS)
	o := &outcome{
		burst: burst{rate: 123, lasts: 20 * time.Second, mix: mix{80, 15, 5}}, from: at, to: at.Add(20 * time.Second), tape: &tape{},
		shares: []share{{"elasticsearch", 0.75, 512 << 20}}, answers: map[string]float64{"kept": 30, "index": 70},
		samples: []sample{{at: at}, {at: at.Add(10 * time.Second), machine: 15 * time.Second, cpu: map[string]time.Duration{"elasticsearch": 7 * time.Second}}},
	}
	for i, r := range requests(search, 400, 250*time.Millisecond, 200) {
		r.start = at.Add(time.Duration(i) * 50 * time.Millisecond)
		o.tape.requests = append(o.tape.requests, r)
	}
	o.scores = scores(o.tape.requests, nil, o.lasts)
	result := account.Result{Orders: 4, Counts: map[string]int{account.Lost: 1}, Details: map[string][]string{account.Lost: {"order <x> is gone"}}}
	var page strings.Builder
	if err := render(&page, "load", []*outcome{o}, &result); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"123 requests a second", "80:15:5", "<td>250 ms</td>", "lost=1", "order &lt;x&gt; is gone", "search p99 is 250 ms", "30.0 % hits", "<td>0.75</td>", "<td>512 MiB</td>",
		"Good answers, up to 20 a second", `stroke="#000"`, `points="80.0,0.0 240.0,0.0`,
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page has no %q", want)
		}
	}
}
