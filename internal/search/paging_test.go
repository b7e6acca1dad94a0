package search_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"larder.dev/internal/fault"
	"larder.dev/internal/search"
)

func TestPagesAreComplete(t *testing.T) {
	s := openFull(t)
	for _, q := range []search.Query{
		{Store: "camden"},
		{Store: "camden", Sort: search.ByPriceAscending},
		{Store: "camden", Sort: search.ByPriceDescending},
		{Store: "camden", Sort: search.ByName},
		{Store: "brixton", Categories: []string{"drinks", "frozen"}},
		{Store: "camden", Text: "chocolate"},
		{Store: "camden", Text: "choclate"}, // the did-you-mean has pages too
		{Store: "camden", Text: "milk", Sort: search.ByName},
	} {
		q.PageSize = 100
		whole := s.all(q)
		if total := s.ask(q).Total; int(total) != len(whole) {
			t.Errorf("%+v: %d products, total_size %d", q, len(whole), total)
		}
		for _, size := range []int{37, 23, 7, 1} {
			if len(whole) > 60*size {
				continue // nothing new, many requests
			}
			q.PageSize = size
			equal(t, fmt.Sprintf("%+v", q), s.all(q), whole...)
		}
		sorted := slices.Sorted(slices.Values(whole))
		if len(sorted) == 0 || len(slices.Compact(sorted)) != len(whole) {
			t.Errorf("%+v: %d products, or some twice", q, len(whole))
		}
	}
}

func TestSorts(t *testing.T) {
	s := open(t,
		product("c", "Éclairs", document{"prices": map[string]int64{"camden": 30, "soho": 1}}),
		product("a", "zest", document{"prices": map[string]int64{"camden": 10, "soho": 3}}),
		product("b", "Apples", document{"prices": map[string]int64{"camden": 20, "soho": 2}}),
	)
	for _, c := range []struct {
		store string
		sort  search.Sort
		want  []string
	}{
		{"camden", search.ByPriceAscending, []string{"a", "b", "c"}},
		{"camden", search.ByPriceDescending, []string{"c", "b", "a"}},
		{"soho", search.ByPriceAscending, []string{"c", "b", "a"}},
		{"camden", search.ByName, []string{"b", "c", "a"}},
	} {
		equal(t, fmt.Sprint(c.store, c.sort), ids(s.ask(search.Query{Store: c.store, Sort: c.sort})), c.want...)
	}
}

// What doesn't change is neither lost nor shown twice while other products come, go and change.
func TestPagesWhileTheIndexChanges(t *testing.T) {
	var docs []document
	for i := range 40 {
		docs = append(docs, product(fmt.Sprintf("p-%02d", i), fmt.Sprintf("Plum %02d", i), nil))
	}
	s := open(t, docs...)
	q := search.Query{Text: "plum", Store: "camden", PageSize: 10}
	var got []string
	for page := range 4 {
		r := s.ask(q)
		got = append(got, ids(r)...)
		q.PageToken = r.NextPageToken
		s.put(product(fmt.Sprintf("a-new-%d", page), "Plum", nil), // before what was shown
			product(fmt.Sprintf("p-%02d", page), "Plum", document{"revision": page + 2, "deleted": true}))
	}
	want := []string{}
	for _, d := range docs {
		want = append(want, d["product_id"].(string))
	}
	equal(t, "four pages", got, want...)
}

func TestPageTokens(t *testing.T) {
	s := openFull(t)
	q := search.Query{Text: "milk", Store: "camden", Brands: []string{"hollinbeck", "cocoa-lantern"}, PageSize: 2}
	token := s.ask(q).NextPageToken
	if token == "" || len(token) > 2000 {
		t.Fatalf("token %q", token)
	}
	q.PageToken = token
	rest := s.ask(q)
	q.PageSize = 3
	q.Brands = []string{"cocoa-lantern", "hollinbeck"}
	if got := s.ask(q); len(got.Hits) == 0 || got.Hits[0].ProductID != rest.Hits[0].ProductID {
		t.Errorf("with another page size and order of values: %v, want %v first", ids(got), ids(rest))
	}
	for what, change := range map[string]func(*search.Query){
		"another text":     func(q *search.Query) { q.Text = "butter" },
		"another store":    func(q *search.Query) { q.Store = "soho" },
		"another filter":   func(q *search.Query) { q.Brands = []string{"hollinbeck"} },
		"another category": func(q *search.Query) { q.Categories = []string{"dairy-and-eggs"} },
		"another tag":      func(q *search.Query) { q.Tags = []string{"vegan"} },
		"another bound":    func(q *search.Query) { q.MinPrice = 1 },
		"another sort":     func(q *search.Query) { q.Sort = search.ByName },
		"cut":              func(q *search.Query) { q.PageToken = token[:len(token)-4] },
		"edited":           func(q *search.Query) { q.PageToken = swap(token, len(token)-6) },
		"edited checksum":  func(q *search.Query) { q.PageToken = swap(token, 3) },
		"no base64":        func(q *search.Query) { q.PageToken = "!" + token },
		"line ends":        func(q *search.Query) { q.PageToken = token + "\n" },
		"short":            func(q *search.Query) { q.PageToken = "AAAA" },
		"long":             func(q *search.Query) { q.PageToken = strings.Repeat("A", 2000) },
	} {
		bad := q
		change(&bad)
		if _, err := s.Search(t.Context(), bad); !fault.Is(err, fault.InvalidPageToken) {
			t.Errorf("%s: error = %v, want INVALID_PAGE_TOKEN", what, err)
		}
	}
}

func swap(token string, at int) string {
	other := "A"
	if token[at] == 'A' {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}
