package search_test

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"larder.dev/internal/search"
)

// Floors of success@1 in percent, over the seed catalogue; a kind without one has floor.
const floor = 90

var floors = map[string]int{"exact": 100, "plural": 100, "accents": 100, "barcode": 100, "nonsense": 95}

type judged struct {
	kind, query string
	right       []string // none: nothing may be found
}

// answers says whether a product is one of the right answers.
func (j judged) answers(d document) bool {
	return slices.ContainsFunc(j.right, func(right string) bool {
		category, words, wider := strings.Cut(right, "/")
		name, _ := d["name"].(string)
		return d["product_id"] == right || wider && d["category_id"] == category && strings.Contains(strings.ToLower(name), words)
	})
}

// judgements reads testdata/queries.tsv.
func judgements(t *testing.T) []judged {
	t.Helper()
	file, err := os.Open("testdata/queries.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out []judged
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		parts := strings.Split(lines.Text(), "\t")
		if len(parts) != 3 {
			t.Fatalf("testdata/queries.tsv: %q has %d columns, want 3", lines.Text(), len(parts))
		}
		j := judged{kind: parts[0], query: parts[1]}
		if parts[2] != "" {
			j.right = strings.Split(parts[2], "|")
		}
		out = append(out, j)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestQueriesFindWhatTheyMean(t *testing.T) {
	docs := seed(t)
	s := open(t, docs...)
	known := map[string]document{}
	for _, d := range docs {
		if prices, _ := d["prices"].(map[string]int64); prices["camden"] > 0 {
			known[d["product_id"].(string)] = d
		}
	}
	type score struct{ asked, first, ten int }
	scores := map[string]*score{}
	var kinds []string
	for _, j := range judgements(t) {
		for _, right := range j.right {
			one := judged{right: []string{right}}
			if !slices.ContainsFunc(docs, func(d document) bool { return known[d["product_id"].(string)] != nil && one.answers(d) }) {
				t.Errorf("%q: the seed has no %s", j.query, right)
			}
		}
		if scores[j.kind] == nil {
			scores[j.kind] = &score{}
			kinds = append(kinds, j.kind)
		}
		k := scores[j.kind]
		k.asked++
		r := s.ask(search.Query{Text: j.query, Store: "camden", PageSize: 10})
		got := ids(r)
		right := func(id string) bool { return j.answers(known[id]) }
		switch {
		case len(j.right) == 0 && len(got) == 0, len(got) > 0 && right(got[0]):
			k.first++
			k.ten++
			continue
		case slices.ContainsFunc(got, right):
			k.ten++
		}
		t.Logf("%s %q (did you mean %q): %v, want %v", j.kind, j.query, r.DidYouMean, got[:min(3, len(got))], j.right)
	}
	if len(kinds) < 12 {
		t.Errorf("%d kinds of queries, want 12 or more", len(kinds))
	}
	var table strings.Builder
	for _, kind := range kinds {
		k := scores[kind]
		fmt.Fprintf(&table, "%-12s %3d queries  success@1 %3d %%  success@10 %3d %%\n", kind, k.asked, 100*k.first/k.asked, 100*k.ten/k.asked)
		least, ok := floors[kind]
		if !ok {
			least = floor
		}
		if 100*k.first < least*k.asked {
			t.Errorf("%s: success@1 is %d of %d, want %d %%", kind, k.first, k.asked, least)
		}
	}
	t.Logf("\n%s", table.String())
}

func TestDidYouMean(t *testing.T) {
	s := open(t, append(seed(t), product("emoji", "🍌 Smoothie", nil))...)
	for _, c := range []struct{ query, want, first string }{
		{"banannas", "bananas", "bananas"},
		{"BANANNAS", "bananas", "bananas"},
		{"  bananna \t\n bread ", "banana bread", "banana-bread"},
		{"Crème frraiche", "Crème fraiche", "creme-fraiche"},
		{"sage & onoin bangers", "sage & onion bangers", "sage-and-onion-bangers"},
		{"🍌 smothie", "🍌 smoothie", "emoji"}, // characters of two UTF-16 code units
		{"bananas", "", "bananas"},
		{"ban", "", "bananas"},          // being typed, not misspelt
		{"banannas & motorway", "", ""}, // nothing better to offer
		{"xqzvwk", "", ""},
	} {
		r := s.ask(search.Query{Text: c.query, Store: "camden"})
		first := ""
		if len(r.Hits) > 0 {
			first = r.Hits[0].ProductID
		}
		if first != c.first || r.DidYouMean != c.want {
			t.Errorf("%q: %q first, did you mean %q, want %q and %q", c.query, first, r.DidYouMean, c.first, c.want)
		}
	}
}

// A filter that leaves nothing of what the words find is no misspelling.
func TestFiltersAreNoReasonForOtherWords(t *testing.T) {
	s := open(t, seed(t)...)
	for _, q := range []search.Query{
		{Text: "milk", Store: "camden", Brands: []string{"fizzwick"}},
		{Text: "milk", Store: "camden", MinPrice: 1_000_000},
	} {
		r := s.ask(q)
		if len(r.Hits) != 0 || r.Total != 0 || r.DidYouMean != "" {
			t.Errorf("%+v finds %v, did you mean %q, want nothing", q, ids(r), r.DidYouMean)
		}
	}
}
