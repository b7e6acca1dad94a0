package elastic

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"larder.dev/internal/search"
)

// wanted is what of an answer is read; Elasticsearch leaves out the rest (filter_path).
var wanted = []string{
	"hits.total.value", "hits.hits._source", "hits.hits.sort", "hits.hits.matched_queries",
	"aggregations.matched.doc_count", "aggregations.*.buckets", "aggregations.*.values.buckets",
	"aggregations.*.min", "aggregations.*.max", "aggregations.*.values.min", "aggregations.*.values.max",
	"suggest.*.text", "suggest.*.offset", "suggest.*.length", "suggest.*.options.text",
}

type answer struct {
	Hits struct {
		Total struct {
			Value int64 `json:"value"`
		} `json:"total"`
		Hits []struct {
			Source  product            `json:"_source"`
			Sort    []jsontext.Value   `json:"sort"`
			Matched map[string]float64 `json:"matched_queries"` // of explain only: the score of each named clause
		} `json:"hits"`
	} `json:"hits"`
	Aggregations map[string]aggregation `json:"aggregations"`
	Suggest      struct {
		Nearest []struct {
			Text    string `json:"text"`   // the word as the index folds it
			Offset  int    `json:"offset"` // UTF-16 code units, as Java counts
			Length  int    `json:"length"`
			Options []struct {
				Text string `json:"text"`
			} `json:"options"`
		} `json:"nearest"`
	} `json:"suggest"`
}

// aggregation is a facet or the price range, bare or of what a filter leaves.
type aggregation struct {
	counts
	Count  int64   `json:"doc_count"`
	Values *counts `json:"values"`
}

type counts struct {
	Buckets []bucket `json:"buckets"`
	Min     *float64 `json:"min"`
	Max     *float64 `json:"max"`
}

// values are those of an aggregation, whether it is filtered or not.
func (a answer) values(name string) counts {
	aggregation := a.Aggregations[name]
	if aggregation.Values != nil {
		return *aggregation.Values
	}
	return aggregation.counts
}

// finds tells whether the words find anything, before filters.
func (a answer) finds() bool {
	if before, filtered := a.Aggregations[matched]; filtered {
		return before.Count > 0
	}
	return a.Hits.Total.Value > 0
}

// product is the part of a catalogue document that search shows.
type product struct {
	ProductID     string           `json:"product_id"`
	Name          string           `json:"name"`
	Brand         string           `json:"brand"`
	Size          string           `json:"size"`
	CategoryID    string           `json:"category_id"`
	CategoryPath  []string         `json:"category_path"`
	CategoryNames []string         `json:"category_names"`
	ImageURI      string           `json:"image_uri"`
	Currency      string           `json:"currency"`
	Prices        map[string]int64 `json:"prices"`
	AvailableIn   []string         `json:"available_in"`
	Tags          []string         `json:"tags"`
	// Of explain only.
	Margin     int64 `json:"margin_permille"`
	Popularity int64 `json:"popularity"`
}

type bucket struct {
	Key   string `json:"key"`
	Count int64  `json:"doc_count"`
	Label struct {
		Hits struct {
			Hits []struct {
				Source product `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	} `json:"label"`
}

// found reads the answer to a lookup.
func found(l search.Lookup, w search.Weights, a answer, labels *labelSet) (search.Found, error) {
	f := search.Found{
		Total: a.Hits.Total.Value, Any: a.finds(), Suggestion: a.suggestion(l.Words), Weights: w,
	}
	if p := a.values(priceRange); p.Min != nil && p.Max != nil {
		f.Prices = &search.PriceRange{Currency: labels.currency, Min: int64(*p.Min), Max: int64(*p.Max)}
	}
	marks := newMarker(l)
	f.Hits = make([]search.Hit, 0, len(a.Hits.Hits))
	for _, h := range a.Hits.Hits {
		place, err := place(l, h.Sort)
		if err != nil {
			return search.Found{}, fmt.Errorf("read the place of %s: %w", h.Source.ProductID, err)
		}
		hit := h.Source.hit(l.Store)
		hit.Place, hit.NameParts = place, marks.parts(hit.Name)
		if l.Explain {
			hit.Explanation = explanation(l, w, h.Source, place.Score, h.Matched)
		}
		f.Hits = append(f.Hits, hit)
	}
	f.Begun = l.Sort == search.ByRelevance && len(f.Hits) > 0 && f.Hits[0].Place.Score < inWords
	f.Facets = facetsOf(a, labels)
	return f, nil
}

// explanation tells what a hit's score is made of: the best tier with its signs, then what the hit is worth to the shop.
func explanation(l search.Lookup, w search.Weights, p product, score float64, matched map[string]float64) *search.Explanation {
	e := &search.Explanation{Score: score}
	if l.Sort != search.ByRelevance {
		return e
	}
	var best []search.Part
	most := 0.0
	for _, t := range ways(l) {
		points, ok := matched[t.name]
		if !ok {
			continue
		}
		parts, sum := []search.Part{{What: t.name, Points: points}}, points
		for _, s := range t.signs {
			if points, ok := matched[t.name+signOf+s.name]; ok {
				parts, sum = append(parts, search.Part{What: s.name, Points: points}), sum+points
			}
		}
		if sum > most {
			best, most = parts, sum
		}
	}
	e.Parts = best
	if slices.Contains(p.AvailableIn, l.Store) {
		e.Parts = append(e.Parts, search.Part{What: "in stock", Points: w.Available})
	}
	if l.Words != "" {
		e.Parts = append(e.Parts, search.Part{What: fmt.Sprintf("margin, %d permille", p.Margin), Points: w.Margin * float64(p.Margin) / 1000})
	}
	e.Parts = append(e.Parts, search.Part{What: fmt.Sprintf("popularity, %d", p.Popularity), Points: w.Popularity * math.Log10(1+float64(p.Popularity))})
	return e
}

func read(raw []byte) (answer, error) {
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, fmt.Errorf("read the answer: %w", err)
	}
	return a, nil
}

func (p product) hit(store string) search.Hit {
	return search.Hit{
		ProductID: p.ProductID, Name: p.Name, Brand: p.Brand, Size: p.Size, CategoryID: p.CategoryID, ImageURI: p.ImageURI,
		Currency: p.Currency, Price: p.Prices[store], Available: slices.Contains(p.AvailableIn, store), Tags: p.Tags,
	}
}

// place reads a hit's sort values, in the order that order asks for.
func place(l search.Lookup, values []jsontext.Value) (search.Place, error) {
	var p search.Place
	if len(values) != 2 {
		return p, fmt.Errorf("%d sort values, want 2", len(values))
	}
	var first any = &p.Score
	switch l.Sort {
	case search.ByPriceAscending, search.ByPriceDescending:
		first = &p.Price
	case search.ByName:
		first = &p.Name
	}
	if err := json.Unmarshal(values[0], first); err != nil {
		return p, err
	}
	return p, json.Unmarshal(values[1], &p.ProductID)
}

// suggestion is the text with each word that has a nearer one replaced; empty if none has.
func (a answer) suggestion(text string) string {
	units := utf16.Encode([]rune(text))
	var out strings.Builder
	done, known := 0, false
	for _, word := range a.Suggest.Nearest {
		known = known || len(word.Options) > 0
	}
	for _, word := range a.Suggest.Nearest {
		end := word.Offset + word.Length
		nearest := ""
		switch {
		case len(word.Options) > 0:
			nearest = nearerSynonym(word.Text, word.Options[0].Text)
		case !known: // else the word may be right: one that the index has gets no suggestion either
			nearest = nearerSynonym(word.Text, "")
		}
		if nearest == "" || word.Offset < done || end > len(units) {
			continue
		}
		out.WriteString(string(utf16.Decode(units[done:word.Offset])))
		out.WriteString(nearest)
		done = end
	}
	if done == 0 {
		return ""
	}
	out.WriteString(string(utf16.Decode(units[done:])))
	return out.String()
}
