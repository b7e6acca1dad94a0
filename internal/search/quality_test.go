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

// Floors in percent, of each half of the judged queries.
const (
	floorFirst    = 90 // success@1: a right answer stands first; nonsense finds nothing
	floorTen      = 96 // success@10
	floorNonsense = 95
)

// kindFloors are floors of success@1 of the half that the query was tuned on; a kind without one has floorFirst.
var kindFloors = map[string]int{"exact": 100, "plural": 100, "accents": 100, "barcode": 100, "nonsense": floorNonsense}

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

// judgements reads a file of testdata.
func judgements(t *testing.T, name string) []judged {
	t.Helper()
	file, err := os.Open("testdata/" + name)
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
			t.Fatalf("%s: %q has %d columns, want 3", name, lines.Text(), len(parts))
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

// score counts queries, and those with a right answer first, among the first five and among the first ten.
type score struct{ asked, first, five, ten int }

func (s *score) add(at int) {
	s.asked++
	for limit, counted := range map[int]*int{1: &s.first, 5: &s.five, 10: &s.ten} {
		if at < limit {
			*counted++
		}
	}
}

func (s *score) sum(o *score) {
	s.asked, s.first, s.five, s.ten = s.asked+o.asked, s.first+o.first, s.five+o.five, s.ten+o.ten
}

func (s *score) row(kind string) string {
	percent := func(n int) float64 { return 100 * float64(n) / float64(max(1, s.asked)) }
	return fmt.Sprintf("%-12s %3d queries  success@1 %5.1f %%  @5 %5.1f %%  @10 %5.1f %%\n", kind, s.asked, percent(s.first), percent(s.five), percent(s.ten))
}

// TestSearchQuality asks the judged queries, in a store of the seed. One half was looked at while the query was made, the other wasn't, and
// what that one misses isn't told: who reads it would tune on it.
func TestSearchQuality(t *testing.T) {
	docs := seed(t)
	s := openFull(t)
	known := map[string]document{}
	for _, d := range docs {
		if prices, _ := d["prices"].(map[string]int64); prices["camden"] > 0 {
			known[d["product_id"].(string)] = d
		}
	}
	asked := map[string]bool{}
	for _, half := range []struct {
		name, file string
		tuned      bool
		least      int // queries
	}{{"tuned on", "queries.tsv", true, 250}, {"held out", "heldout.tsv", false, 130}} {
		scores := map[string]*score{}
		var kinds []string
		for _, j := range judgements(t, half.file) {
			for _, right := range j.right {
				one := judged{right: []string{right}}
				if !slices.ContainsFunc(docs, func(d document) bool { return known[d["product_id"].(string)] != nil && one.answers(d) }) {
					t.Errorf("%s: %q: the seed has no %s", half.name, j.query, right)
				}
			}
			if asked[j.query] {
				t.Errorf("%s: %q is asked twice", half.name, j.query)
			}
			asked[j.query] = true
			if scores[j.kind] == nil {
				scores[j.kind] = &score{}
				kinds = append(kinds, j.kind)
			}
			r := s.ask(search.Query{Text: j.query, Store: "camden", PageSize: 10})
			got := ids(r)
			at := slices.IndexFunc(got, func(id string) bool { return j.answers(known[id]) })
			switch {
			case len(j.right) == 0 && len(got) == 0:
				at = 0
			case at < 0:
				at = 10
			}
			scores[j.kind].add(at)
			if at > 0 && half.tuned {
				t.Logf("%s %q (did you mean %q): %v, want %v", j.kind, j.query, r.DidYouMean, got[:min(3, len(got))], j.right)
			}
		}
		var table strings.Builder
		all := &score{}
		for _, kind := range kinds {
			k := scores[kind]
			all.sum(k)
			table.WriteString(k.row(kind))
			least, ok := kindFloors[kind]
			if !ok {
				least = floorFirst
			}
			if half.tuned && 100*k.first < least*k.asked {
				t.Errorf("%s, %s: success@1 is %d of %d, want %d %%", half.name, kind, k.first, k.asked, least)
			}
		}
		table.WriteString(all.row("all"))
		t.Logf("%s (%s)\n%s", half.name, half.file, table.String())
		if len(kinds) < 12 || all.asked < half.least {
			t.Errorf("%s: %d queries of %d kinds, want %d or more of 12", half.name, all.asked, len(kinds), half.least)
		}
		if 100*all.first < floorFirst*all.asked || 100*all.ten < floorTen*all.asked {
			t.Errorf("%s: success@1 %d, @10 %d of %d, want %d and %d %%", half.name, all.first, all.ten, all.asked, floorFirst, floorTen)
		}
		if n := scores["nonsense"]; n == nil || 100*n.first < floorNonsense*n.asked {
			t.Errorf("%s: nonsense finds nothing in too few cases: %+v, want %d %%", half.name, n, floorNonsense)
		}
	}
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
	s := openFull(t)
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
