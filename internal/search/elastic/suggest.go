package elastic

import (
	"context"
	"fmt"

	"larder.dev/internal/search"
)

// beginsPopularity is what a factor of ten in popularity is worth among names that begin alike: more than in a search, because less
// is known of what is meant, and less than being in stock.
const beginsPopularity = 1

// begun is what of an answer is read.
var begun = []string{
	"hits.hits._source",
	"aggregations.category.values.buckets.key", "aggregations.category.values.buckets.doc_count",
	"suggest.*.text", "suggest.*.offset", "suggest.*.length", "suggest.*.options.text",
}

// Begin implements search.Index.
func (x *Index) Begin(ctx context.Context, b search.Beginning) (search.Begun, error) {
	raw, err := x.question(ctx, beginning(b, x.Weights()), begun, false)
	if err != nil {
		return search.Begun{}, err
	}
	a, err := read(raw)
	if err != nil {
		return search.Begun{}, fmt.Errorf("suggest: %w", err)
	}
	out := search.Begun{Correction: a.suggestion(b.Text)}
	for _, h := range a.Hits.Hits {
		out.Products = append(out.Products, h.Source.hit(b.Store))
	}
	labels, err := x.labelsOf(ctx, a)
	if err != nil {
		return search.Begun{}, err
	}
	out.Categories = facetsOf(a, labels)[0].Values
	return out, nil
}

// beginning translates. One product of each name is enough: its other sizes and makers are found by the name.
func beginning(b search.Beginning, w search.Weights) object {
	found := object{"filter": sold(b.Store)}
	body := object{
		"size":             b.Limit,
		"sort":             list{object{"_score": "desc"}, object{"product_id": "asc"}},
		"collapse":         object{"field": "name.exact"},
		"track_total_hits": false,
		"_source":          []string{"product_id", "name", "image_uri", "available_in"},
	}
	if b.Text != "" {
		category := facetFields[0]
		found["must"] = object{"dis_max": object{"queries": beginningTiers(b.Text)}}
		body["aggs"] = object{category.name: object{
			"filter": object{"match_bool_prefix": object{"category_names": object{"query": b.Text, "operator": "and"}}},
			"aggs":   object{"values": category.values()},
		}}
		if b.Correct {
			body["suggest"] = suggest("words.prefix", b.Text)
		}
	}
	body["query"] = scored(object{"bool": found}, list{available(b.Store, w.Available), popularity(beginsPopularity)})
	return body
}

func beginningTiers(q string) list {
	ways := []tier{
		{"beginnings in the name", inName, match("name.prefix", q), []sign{
			{"what the name names begins so", headNoun, object{"match_bool_prefix": object{"name.head": q}}},
			{"the name begins so", literal, object{"prefix": object{"name.exact": q}}},
		}},
		{"beginnings in some field", beginnings, match("words.prefix", q), nil},
	}
	if codes := barcodes(q); codes != nil {
		ways = append(ways, tier{"barcode", exactName, object{"terms": object{"gtin": codes}}, nil})
	}
	var clauses list
	for _, t := range ways {
		clauses = append(clauses, t.clause(false))
	}
	return clauses
}
