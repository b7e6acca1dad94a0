package elastic

import (
	"context"
	"fmt"
	"slices"
	"time"

	"larder.dev/internal/search"
)

// What the values of facets are called is asked once for all answers: to have a product tell each label in each answer costs
// Elasticsearch more than the search itself.

const (
	// labelsFor is how old labels may be. Keep renews them long before.
	labelsFor = time.Minute
	// labelsAgain is how soon they are asked again for a value that they don't have.
	labelsAgain = time.Second
	// maxLabels is how many categories, and how many brands, have labels.
	maxLabels = 5000
)

// labelSet is a moment's labels.
type labelSet struct {
	names    map[string]map[string]string // by facet and value
	currency string                       // ISO 4217, of all products
	loaded   time.Time
}

// name is a value's label, and the value itself where there is none.
func (s *labelSet) name(facet, value string) string {
	if name, ok := s.names[facet][value]; ok {
		return name
	}
	return value
}

// complete tells whether all is there that an answer needs.
func (s *labelSet) complete(a answer) bool {
	if a.values(priceRange).Min != nil && s.currency == "" {
		return false
	}
	for _, field := range facetFields {
		for _, b := range a.values(field.name).Buckets {
			if _, ok := s.names[field.name][b.Key]; !ok && field.labels != nil {
				return false
			}
		}
	}
	return true
}

// labelsOf returns labels for an answer's values. Errors: as Find.
func (x *Index) labelsOf(ctx context.Context, a answer) (*labelSet, error) {
	if set := x.labels.Load(); set != nil && set.complete(a) && time.Since(set.loaded) < labelsFor {
		return set, nil
	}
	if none := new(labelSet); none.complete(a) {
		return none, nil
	}
	x.labelling.Lock() // one asks for all
	defer x.labelling.Unlock()
	set := x.labels.Load()
	if set != nil && (time.Since(set.loaded) < labelsAgain || set.complete(a) && time.Since(set.loaded) < labelsFor) {
		return set, nil
	}
	return x.loadLabels(ctx)
}

// loadLabels asks each value's newest product.
func (x *Index) loadLabels(ctx context.Context) (*labelSet, error) {
	aggs := object{}
	for _, f := range facetFields {
		if f.labels != nil {
			newest := object{"size": 1, "_source": f.labels, "sort": list{object{"update_time": object{"order": "desc", "unmapped_type": "date"}}}}
			aggs[f.name] = object{"terms": object{"field": f.field, "size": maxLabels}, "aggs": object{"label": object{"top_hits": newest}}}
		}
	}
	raw, err := x.question(ctx, object{
		"query": object{"term": object{"deleted": false}}, "size": 1, "_source": []string{"currency"}, "track_total_hits": false, "aggs": aggs,
	}, []string{"hits.hits._source", "aggregations.*.buckets.key", "aggregations.*.buckets.label.hits.hits._source"}, false)
	if err != nil {
		return nil, err
	}
	a, err := read(raw)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	set := &labelSet{names: map[string]map[string]string{}, loaded: time.Now()}
	for _, f := range facetFields {
		set.names[f.name] = map[string]string{}
		for _, b := range a.Aggregations[f.name].Buckets {
			set.names[f.name][b.Key] = b.name(f.name)
		}
	}
	if len(a.Hits.Hits) > 0 {
		set.currency = a.Hits.Hits[0].Source.Currency
	}
	x.labels.Store(set)
	return set, nil
}

// name is what a product that has the value calls it.
func (b bucket) name(facet string) string {
	if len(b.Label.Hits.Hits) == 0 {
		return b.Key
	}
	p := b.Label.Hits.Hits[0].Source
	switch i := slices.Index(p.CategoryPath, b.Key); {
	case facet == "brand" && p.Brand != "":
		return p.Brand
	case facet == "category" && i >= 0 && i < len(p.CategoryNames):
		return p.CategoryNames[i]
	default:
		return b.Key
	}
}

// facetsOf reads an answer's facets.
func facetsOf(a answer, labels *labelSet) []search.Facet {
	facets := make([]search.Facet, 0, len(facetFields))
	for _, field := range facetFields {
		facet := search.Facet{Field: field.name}
		for _, b := range a.values(field.name).Buckets {
			facet.Values = append(facet.Values, search.FacetValue{Value: b.Key, Label: labels.name(field.name, b.Key), Count: b.Count})
		}
		facets = append(facets, facet)
	}
	return facets
}
