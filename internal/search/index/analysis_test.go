package index

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/elastic/go-elasticsearch/v8"
)

type match struct{ field, query, analyzer string }

func (m match) body() any {
	clause := map[string]any{"query": m.query, "operator": "and"}
	if m.analyzer != "" {
		clause["analyzer"] = m.analyzer
	}
	return map[string]any{"match": map[string]any{m.field: clause}}
}

func TestTextMatches(t *testing.T) {
	es := connect(t)
	product := func(id, name, brand, size string, more ...string) map[string]any {
		return map[string]any{"product_id": id, "name": name, "brand": brand, "size": size, "category_names": more}
	}
	index := create(t, es,
		product("bananas", "Bananas", "Larder Market", "per kg", "Fruit & Veg", "Fruit"),
		product("split", "Strawberry Cheese Cake", "Cocoa Lantern", "450 g", "Cakes"),
		product("joined", "Lemon Cheesecake", "Cocoa Lantern", "450g", "Cakes"),
		product("scattered", "Cake with Cheese", "Cocoa Lantern", "1 kg", "Cakes"),
		product("cola", "Cola", "Fizzwick", "2 l", "Soft Drinks"),
		product("cans", "Diet Cola", "Fizzwick", "6 x 330 ml", "Soft Drinks"),
		product("cookies", "Rosie's Crème Fraîche Cookies", "Rosie's", "12 Pack", "Biscuits"),
		product("courgettes", "Courgettes", "Larder Market", "500 grams", "Vegetables"),
		product("roll", "Quilted Toilet Roll", "Softly", "9 pack", "Household"),
		product("bags", "Bin Liners", "Toughbag", "20 pack", "Household"),
	)
	for _, c := range []struct {
		tier string
		match
		want []string
	}{
		{"exact", match{field: "name.exact", query: "BANANAS"}, []string{"bananas"}},
		{"exact folds signs and accents", match{field: "name.exact", query: "rosies creme  fraiche cookies"}, []string{"cookies"}},
		{"exact is the whole name", match{field: "name.exact", query: "cookies"}, nil},
		{"whole in any order and number", match{field: "name.whole", query: "the cheese CAKES strawberry"}, []string{"split"}},
		{"whole is the whole name", match{field: "name.whole", query: "cheese cake"}, []string{"scattered"}},
		{"whole value of several", match{field: "category_names.whole", query: "vegetable"}, []string{"courgettes"}},
		{"head is the last word", match{field: "name.head", query: "rolls"}, []string{"roll"}},
		{"head is not the first", match{field: "name.head", query: "quilted"}, nil},
		{"head stands before what is aside", match{field: "name.head", query: "cake"}, []string{"scattered", "split"}},
		{"glued finds joined and split", match{field: "name.glued", query: "cheese cake"}, []string{"joined", "split"}},
		{"glued finds split by joined", match{"name.glued", "cheesecake", Stemmed}, []string{"joined", "split"}},
		{"glued with other words", match{"name.glued", "strawberry cheesecakes", Stemmed}, []string{"split"}},
		{"glued plural", match{field: "name.glued", query: "cheese cakes"}, []string{"joined", "split"}},
		{"stemmed", match{field: "name.stemmed", query: "banana"}, []string{"bananas"}},
		{"stemmed plural that the stemmer leaves", match{field: "name.stemmed", query: "toilet rolls"}, []string{"roll"}},
		{"stemmed drops stop words", match{field: "name.stemmed", query: "some of the bananas"}, []string{"bananas"}},
		{"stemmed any order", match{field: "name.stemmed", query: "cake cheese"}, []string{"scattered", "split"}},
		{"brand and name mixed", match{field: "words.stemmed", query: "cola fizzwick diet"}, []string{"cans"}},
		{"category and brand", match{field: "words.stemmed", query: "larder market fruit"}, []string{"bananas"}},
		{"amount glued", match{field: "words.stemmed", query: "2l cola"}, []string{"cola"}},
		{"amount spelt", match{field: "words.stemmed", query: "2 Litre cola"}, []string{"cola"}},
		{"amount in grams", match{field: "words.stemmed", query: "courgettes 500g"}, []string{"courgettes"}},
		{"multiples", match{field: "words.stemmed", query: "cola 6x330ml"}, []string{"cans"}},
		{"packs", match{field: "words.stemmed", query: "cookies 12pk"}, []string{"cookies"}},
		{"synonym", match{"words.stemmed", "zucchini", Synonyms}, []string{"courgettes"}},
		{"synonym plural", match{"name.stemmed", "zucchinis", Synonyms}, []string{"courgettes"}},
		{"synonym of several words", match{"name.stemmed", "quilted loo roll", Synonyms}, []string{"roll"}},
		{"synonym with a word that is no stop word", match{"name.stemmed", "bin bag", Synonyms}, []string{"bags"}},
		{"synonym in the category", match{"category_names", "veg", Synonyms}, []string{"bananas", "courgettes"}},
		{"prefix", match{field: "name.prefix", query: "ban"}, []string{"bananas"}},
		{"prefix of two words", match{field: "words.prefix", query: "fizz col"}, []string{"cans", "cola"}},
		{"accents", match{field: "name", query: "creme fraiche"}, []string{"cookies"}},
		{"and is a sign", match{field: "words.stemmed", query: "fruit and veg"}, []string{"bananas"}},
		{"nothing but stop words", match{field: "words.stemmed", query: "of the"}, nil},
	} {
		t.Run(c.tier, func(t *testing.T) {
			got := find(t, es, index, c.body())
			if !slices.Equal(got, append([]string{}, c.want...)) {
				t.Errorf("%s %q finds %v, want %v", c.field, c.query, got, c.want)
			}
		})
	}
	fuzzy := map[string]any{"match": map[string]any{"name": map[string]any{"query": "banannas", "fuzziness": 1}}}
	if got := find(t, es, index, fuzzy); !slices.Equal(got, []string{"bananas"}) {
		t.Errorf("one edit finds %v, want bananas", got)
	}
	if got := suggested(t, es, index, "banannas"); !slices.Contains(got, "bananas") {
		t.Errorf("suggested for banannas: %v, want bananas", got)
	}
}

// Each rule has to work: by what stands on its left side, what stands on its right is found.
func TestSynonymRules(t *testing.T) {
	es := connect(t)
	all := rules(synonyms)
	if len(all) < 80 {
		t.Errorf("%d rules, want 80 at least", len(all))
	}
	var definition struct {
		Settings struct {
			Analysis struct {
				Filter struct {
					Stop struct {
						Stopwords []string `json:"stopwords"`
					} `json:"stop"`
				} `json:"filter"`
			} `json:"analysis"`
		} `json:"settings"`
	}
	body, err := render("any", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &definition); err != nil {
		t.Fatal(err)
	}
	stop := definition.Settings.Analysis.Filter.Stop.Stopwords
	if len(stop) == 0 {
		t.Fatal("no stop words found in the definition")
	}
	type pair struct{ rule, from, to string }
	var pairs []pair
	var docs []map[string]any
	for _, rule := range all {
		left, right, directed := strings.Cut(rule, "=>")
		if !directed {
			right = left
		}
		for _, word := range strings.Fields(strings.NewReplacer(",", " ", "=>", " ").Replace(rule)) {
			if slices.Contains(stop, word) {
				t.Errorf("rule %q: %q is a stop word", rule, word)
			}
		}
		for _, to := range strings.Split(right, ",") {
			docs = append(docs, map[string]any{"product_id": fmt.Sprint(len(docs)), "name": strings.TrimSpace(to)})
			for _, from := range strings.Split(left, ",") {
				pairs = append(pairs, pair{rule, strings.TrimSpace(from), docs[len(docs)-1]["product_id"].(string)})
			}
		}
	}
	index := create(t, es, docs...)
	var searches strings.Builder
	for _, p := range pairs {
		query, err := json.Marshal(map[string]any{"size": 1, "_source": false, "query": map[string]any{"bool": map[string]any{
			"must":   match{"name.stemmed", p.from, Synonyms}.body(),
			"filter": map[string]any{"ids": map[string]any{"values": []string{p.to}}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&searches, "{}\n%s\n", query)
	}
	answer, err := call(es.Msearch(strings.NewReader(searches.String()), es.Msearch.WithIndex(index)))
	if err != nil {
		t.Fatal(err)
	}
	var found struct {
		Responses []struct {
			Hits struct {
				Hits []json.RawMessage `json:"hits"`
			} `json:"hits"`
		} `json:"responses"`
	}
	if err := json.Unmarshal(answer, &found); err != nil {
		t.Fatal(err)
	}
	if len(found.Responses) != len(pairs) {
		t.Fatalf("%d answers to %d searches", len(found.Responses), len(pairs))
	}
	for i, r := range found.Responses {
		if len(r.Hits.Hits) != 1 {
			t.Errorf("rule %q: %q doesn't find document %s", pairs[i].rule, pairs[i].from, pairs[i].to)
		}
	}
}

// suggested returns what the term suggester proposes for one word.
func suggested(t *testing.T, es *elasticsearch.Client, index, word string) []string {
	t.Helper()
	body := fmt.Sprintf(`{"suggest":{"s":{"text":%q,"term":{"field":"words","suggest_mode":"missing","prefix_length":0}}}}`, word)
	answer, err := call(es.Search(es.Search.WithIndex(index), es.Search.WithBody(strings.NewReader(body))))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Suggest map[string][]struct {
			Options []struct {
				Text string `json:"text"`
			} `json:"options"`
		} `json:"suggest"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, o := range got.Suggest["s"] {
		for _, option := range o.Options {
			out = append(out, option.Text)
		}
	}
	return out
}
