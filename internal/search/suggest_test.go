package search_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"larder.dev/internal/search"
)

// suggested lists suggestions as "query text", "category id" and "product id".
func (s shop) suggested(typed search.Typed) []string {
	s.t.Helper()
	suggestions, err := s.Suggest(s.t.Context(), typed)
	if err != nil {
		s.t.Fatalf("suggest %q: %v", typed.Text, err)
	}
	out := []string{}
	for _, g := range suggestions {
		switch g.Kind {
		case search.SuggestedQuery:
			out = append(out, "query "+g.Text)
		case search.SuggestedCategory:
			out = append(out, "category "+g.CategoryID)
		case search.SuggestedProduct:
			out = append(out, "product "+g.ProductID)
		default:
			s.t.Errorf("%+v", g)
		}
	}
	return out
}

func TestSuggestions(t *testing.T) {
	s := openFull(t)
	for typed, want := range map[string]string{
		"ban":            "product bananas",
		"BANAN":          "product bananas",
		"bananas":        "product bananas",
		"semi ski":       "product semi-skimmed-milk",
		"skimmed se":     "product semi-skimmed-milk",
		"creme fr":       "product creme-fraiche",
		"Crème fr":       "product creme-fraiche",
		"jalap":          "product jalapenos",
		"jalapeñ":        "product jalapenos",
		"bannan":         "product bananas",
		"brocol":         "product broccoli",
		"strwberr":       "product strawberries",
		"semi skimed mi": "product semi-skimmed-milk",
		"veget":          "category vegetables",
		"frozen":         "category frozen",
		"fruit & v":      "category fruit-and-veg",
		"fruit and veg":  "category fruit-and-veg",
		"fizzwick co":    "product cola",
		"2000001000014":  "product bananas",
		"cola 2 l":       "product cola",
	} {
		got := s.suggested(search.Typed{Text: typed, Store: "camden"})
		if len(got) == 0 || len(got) > search.DefaultSuggestions || !slices.Contains(got[:min(3, len(got))], want) {
			t.Errorf("%q: %q, want %q among the first three", typed, got, want)
		}
	}
	for _, typed := range []string{"xqzv", "!!!", "*", "b*", "name:ban", strings.Repeat("ban ", 50), strings.Repeat("x", 200), "牛乳"} {
		if got := s.suggested(search.Typed{Text: typed, Store: "camden"}); len(got) > 0 && !strings.HasPrefix(typed, "b") {
			t.Errorf("%.30q suggests %q", typed, got)
		}
	}
	if got := s.suggested(search.Typed{Store: "camden"}); len(got) != search.DefaultSuggestions || got[0] != "product bananas" {
		t.Errorf("nothing typed: %q, want what is popular", got)
	}
}

func TestSuggestionsAreOfTheStore(t *testing.T) {
	s := open(t,
		product("here", "Quince Jam", nil),
		product("here-larger", "Quince jam", document{"size": "2 each", "popularity": 5}),
		product("away", "Quince Jelly", document{"available_in": []string{}, "popularity": 1000}),
		product("soho", "Quince Cheese", document{"prices": map[string]int64{"soho": 1}, "category_id": "cheese", "category_path": []string{"cheese"}, "category_names": []string{"Quality Cheese"}}),
		product("draft", "Quince Paste", document{"status": "draft"}),
		product("deleted", "Quince Tart", document{"deleted": true}),
	)
	equal(t, "in camden", s.suggested(search.Typed{Text: "qui", Store: "camden"}), "product here-larger", "product away")
	equal(t, "in soho", s.suggested(search.Typed{Text: "qu", Store: "soho", Limit: 2}), "category cheese", "product away")
	equal(t, "in no store", s.suggested(search.Typed{Text: "qui", Store: "atlantis"}))
	for _, g := range first(s.Suggest(t.Context(), search.Typed{Text: "quince", Store: "camden"})) {
		if g.Available != (g.ProductID == "here-larger") || g.ImageURI == "" || g.Text == "" {
			t.Errorf("%+v", g)
		}
	}
}

func first[T any](value T, _ error) T { return value }

// What several shoppers asked and found is suggested to others, in the store where they asked.
func TestPopularQueriesAreSuggested(t *testing.T) {
	s := open(t, product("plums", "Victoria Plums", nil), product("jam", "Plum Jam", nil))
	ask := func(times int, q search.Query) {
		for range times {
			s.ask(q)
		}
	}
	ask(5, search.Query{Text: "Plum  JAM", Store: "camden"})
	ask(6, search.Query{Text: "victoria plums!", Store: "camden"})
	ask(4, search.Query{Text: "plums", Store: "camden"})                               // too few
	ask(9, search.Query{Text: "pluns", Store: "camden"})                               // misspelt
	ask(9, search.Query{Text: "vict", Store: "camden"})                                // half a word
	ask(9, search.Query{Text: "plumbing", Store: "camden"})                            // finds nothing
	ask(9, search.Query{Text: "plum", Store: "camden", Tags: []string{"vegan"}})       // finds nothing after filters
	ask(9, search.Query{Text: "plum", Store: "camden", Sort: search.ByPriceAscending}) // another order
	queries := func(typed, store string) []string {
		return slices.DeleteFunc(s.suggested(search.Typed{Text: typed, Store: store}), func(g string) bool { return !strings.HasPrefix(g, "query") })
	}
	equal(t, "pl", queries("pl", "camden"), "query plum jam")
	equal(t, "nothing typed", queries("", "camden"), "query victoria plums", "query plum jam")
	equal(t, "a misspelt beginning", queries("vixtor", "camden"), "query victoria plums")
	equal(t, "what is typed already", queries("Plum jam", "camden"))
	equal(t, "another store", queries("pl", "soho"))
}

func TestSuggestREST(t *testing.T) {
	base := serving(t, openFull(t).Service)
	res, body := request(t, base, "/v1/search:suggest?store=camden&q=ban&limit=2")
	var got struct {
		Suggestions []struct {
			Kind, Text string
			ProductID  string `json:"product_id"`
			Available  bool
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || res.StatusCode != http.StatusOK || len(got.Suggestions) != 2 {
		t.Fatalf("status %d, %v: %s", res.StatusCode, err, body)
	}
	if g := got.Suggestions[0]; g.Kind != "PRODUCT" || g.Text != "Bananas" || g.ProductID != "bananas" || !g.Available {
		t.Errorf("%+v", g)
	}
	for query, field := range map[string]string{
		"q=ban": "store", "store=So%20ho&q=ban": "store", "store=camden&q=" + strings.Repeat("x", 201): "q", "store=camden&q=a%00": "q",
		"store=camden&limit=21": "limit", "store=camden&limit=-1": "limit", "store=camden&limit=x": "limit", "store=camden&page_size=3": "page_size",
	} {
		res, body := request(t, base, "/v1/search:suggest?"+query)
		if res.StatusCode != http.StatusBadRequest || !strings.Contains(body, "INVALID_ARGUMENT") || !strings.Contains(body, field) {
			t.Errorf("%.60s: status %d %s, want 400 naming %s", query, res.StatusCode, body, field)
		}
	}
	for _, text := range []string{"*", "ban*", "{\"match_all\":{}}", "\"", "\\", "/.*/", "\u202eban", strings.Repeat("🍌", 200), strings.Repeat("a ", 100)} {
		if res, body := request(t, base, "/v1/search:suggest?store=camden&q="+url.QueryEscape(text)); res.StatusCode != http.StatusOK {
			t.Errorf("%.40q: status %d: %.200s", text, res.StatusCode, body)
		}
	}
}
