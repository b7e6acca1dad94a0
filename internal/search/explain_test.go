package search_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	searchpb "larder.dev/api/search/v1"
	"larder.dev/internal/identity"
	"larder.dev/internal/search"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
)

// The parts are all that a place is made of, whatever way a hit was found.
func TestExplanationsAddUp(t *testing.T) {
	s := openFull(t)
	for text, want := range map[string]struct{ question, part string }{
		"bananas":           {"as typed", "exact name"},
		"milk":              {"as typed", "all words in the name"},
		"milk semi skimmed": {"as typed", "whole name in any order"},
		"fizzwick cola":     {"as typed", "all words in some field"},
		"cheese cake":       {"as typed", "glued words in the name"},
		"zucchini":          {"as typed", "all words in the name, by synonyms"},
		"strawb":            {"as typed", "beginnings in the name"},
		"banannas":          {"did you mean", "exact name"},
		"parmigano":         {"did you mean", "all words in the name"},
		"2000001000014":     {"as typed", "barcode"},
		"tofoo":             {"with edits", "name, two edits in five letters"},
		"":                  {"as typed", "in stock"},
	} {
		r := s.ask(search.Query{Text: text, Store: "camden", Explain: true})
		if len(r.Hits) == 0 {
			t.Errorf("%q finds nothing", text)
			continue
		}
		for i, h := range r.Hits {
			sum, has := 0.0, false
			for _, p := range h.Explanation.Parts {
				sum += p.Points
				has = has || p.What == want.part
			}
			if math.Abs(sum-h.Explanation.Score) > 0.01 || h.Explanation.Question != want.question || i == 0 && !has {
				t.Errorf("%q, %s: %+v, want %q by %q", text, h.ProductID, h.Explanation, want.question, want.part)
				break
			}
		}
	}
	for _, h := range s.ask(search.Query{Text: "milk", Store: "camden"}).Hits {
		if h.Explanation != nil {
			t.Errorf("%s is explained to nobody", h.ProductID)
		}
	}
}

// secured starts the service where callers are verified, and returns what asks it with a role's token; an empty role: none.
func secured(t *testing.T, s *search.Service) func(role, target string) (*http.Response, string) {
	t.Helper()
	issuer := servetest.NewIssuer(t)
	server := issuer.Start(t, "search", func(ctx context.Context, app *serve.App) error {
		return app.Register(ctx, &searchpb.SearchService_ServiceDesc, search.NewServer(s),
			func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
				return searchpb.RegisterSearchServiceHandlerClient(ctx, mux, searchpb.NewSearchServiceClient(conn))
			})
	})
	return func(role, target string) (*http.Response, string) {
		t.Helper()
		var header []string
		if role != "" {
			caller := identity.Caller{UserID: uuid.NewString(), SessionID: "s", Roles: []string{role}}
			header = []string{"Authorization", "Bearer " + issuer.Token(t, caller, time.Minute)}
		}
		return request(t, server.URL, target, header...)
	}
}

func TestOnlyOperatorsHaveExplanations(t *testing.T) {
	ask := secured(t, open(t, product("plums", "Plums", document{"margin_permille": 417, "popularity": 99})).Service)
	for role, want := range map[string]int{
		"": http.StatusUnauthorized, identity.RoleShopper: http.StatusForbidden, identity.RoleMerchandiser: http.StatusForbidden, identity.RoleOperator: http.StatusOK,
	} {
		res, body := ask(role, "/v1/search?store=camden&q=plums&explain=true")
		if res.StatusCode != want {
			t.Errorf("as %q: status %d: %s, want %d", role, res.StatusCode, body, want)
		}
		if told := strings.Contains(body, "417"); told != (want == http.StatusOK) {
			t.Errorf("as %q the margin is told: %t: %s", role, told, body)
		}
	}
	if res, body := ask(identity.RoleOperator, "/v1/search?store=camden&q=plums"); res.StatusCode != http.StatusOK || strings.Contains(body, "explanation") {
		t.Errorf("unasked: status %d: %s", res.StatusCode, body)
	}
}

// Two catalogues that differ in what isn't public, and not in the order that it makes, look the same from outside.
func TestNothingPublicTellsMarginsOrPopularity(t *testing.T) {
	shopOf := func(margin, popularity int) string {
		var docs []document
		for i := range 5 {
			docs = append(docs, product(fmt.Sprintf("p-%d", i), "Plums", document{"margin_permille": margin - i, "popularity": popularity - i, "cost": margin}))
		}
		return serving(t, open(t, docs...).Service)
	}
	token := regexp.MustCompile(`"next_page_token":"([^"]+)"`)
	low, high := shopOf(101, 7), shopOf(987, 654321)
	for _, target := range []string{
		"/v1/search?store=camden&q=plums&page_size=2", "/v1/search?store=camden&q=plumss&page_size=2", "/v1/search?store=camden&page_size=2",
		"/v1/search?store=camden&q=plums&page_size=2&sort=PRICE_ASCENDING", "/v1/search?store=camden&q=plums&page_token=x",
		"/v1/search:suggest?store=camden&q=pl",
	} {
		_, one := request(t, low, target)
		_, other := request(t, high, target)
		tokens := slices.Concat(token.FindStringSubmatch(one), token.FindStringSubmatch(other))
		one, other = token.ReplaceAllString(one, ""), token.ReplaceAllString(other, "")
		hideID := regexp.MustCompile(`"request_id":\s*"[^"]+"`)
		if hideID.ReplaceAllString(one, "") != hideID.ReplaceAllString(other, "") {
			t.Errorf("%s:\n%s\n%s", target, one, other)
		}
		if len(tokens) == 4 && len(tokens[1]) != len(tokens[3]) {
			t.Errorf("%s: the tokens' lengths tell something: %d and %d", target, len(tokens[1]), len(tokens[3]))
		}
		if strings.Contains(target, "page_size") && len(tokens) != 4 {
			t.Errorf("%s: no second page: %s", target, one)
		}
	}
}

func TestNamesAreHighlighted(t *testing.T) {
	s := openFull(t)
	for text, want := range map[string]string{
		"banana":            "[Bananas]",
		"milk semi skimmed": "[Semi]-[Skimmed] [Milk]",
		"creme fraiche":     "[Crème] [Fraîche]",
		"jalap":             "[Jalapeños]",
		"zucchini":          "[Courgettes]",
		"banannas":          "[Bananas]",
		"firm tofoo":        "[Firm] [Tofu]",
		"beanfold tempeh":   "[Tempeh]",
		"2000001000014":     "",
		"":                  "",
	} {
		var marked strings.Builder
		for _, p := range s.ask(search.Query{Text: text, Store: "camden", PageSize: 1}).Hits[0].NameParts {
			if p.Matched {
				marked.WriteString("[" + p.Text + "]")
			} else {
				marked.WriteString(p.Text)
			}
		}
		if marked.String() != want {
			t.Errorf("%q: %s, want %s", text, marked.String(), want)
		}
	}
}

func TestPriceRange(t *testing.T) {
	s := open(t, dairy()...)
	for _, c := range []struct {
		what     string
		q        search.Query
		min, max int64
	}{
		{"all that match", search.Query{Text: "milk", Store: "camden"}, 100, 400},
		{"its own bounds don't narrow it", search.Query{Text: "milk", Store: "camden", MinPrice: 200, MaxPrice: 300}, 100, 400},
		{"even if nothing is left", search.Query{Text: "milk", Store: "camden", MinPrice: 2000}, 100, 400},
		{"other filters do", search.Query{Text: "milk", Store: "camden", Categories: []string{"cheese"}}, 300, 400},
		{"another store", search.Query{Text: "milk", Store: "soho"}, 1, 1},
	} {
		if p := s.ask(c.q).Prices; p == nil || p.Min != c.min || p.Max != c.max || p.Currency != "GBP" {
			t.Errorf("%s: %+v, want %d to %d", c.what, p, c.min, c.max)
		}
	}
	for _, q := range []search.Query{{Text: "xqzv", Store: "camden"}, {Text: "milk", Store: "atlantis"}} {
		if p := s.ask(q).Prices; p != nil {
			t.Errorf("nothing matches, prices %+v", p)
		}
	}
	_, body := get(t, serving(t, s.Service), "q=milk&store=camden")
	var got struct {
		PriceRange struct {
			Min, Max struct {
				MinorUnits string `json:"minor_units"`
			}
		} `json:"price_range"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.PriceRange.Min.MinorUnits != "100" || got.PriceRange.Max.MinorUnits != "400" {
		t.Errorf("%v: %s", err, body)
	}
}
