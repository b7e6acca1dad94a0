package elastic

import (
	"maps"
	"strings"

	"larder.dev/internal/search"
	"larder.dev/internal/search/index"
)

// The body of a search is a plain value, the shape of which is Elasticsearch's search API.
type (
	object = map[string]any
	list   = []any
)

// Classes of text relevance. Each is worth more than everything that is added within the one below it.
const (
	exactName   = 600 // the name as it is written, case and accents aside; a barcode
	wholeName   = 500 // all words of the name and no others, in any order and number
	inName      = 400 // all words in the name, or the name of the category
	inWords     = 300 // all words in name, brand, size, category and tags, or by synonyms
	beginnings  = 200 // all words are beginnings of words
	edits       = 100 // all words with an edit or two
	classWidth  = 100
	maxNearness = max(literal+headNoun+2*inPart, headNoun+supported+itemised)
)

// Nearness within a class. What is nearer stands before what is dearer or more popular, and behind what is in stock.
const (
	headNoun      = 3 // the name names what the query names: "onion" are Brown Onions, not Onion Crisps
	wholeCategory = 3 // the query is a category's name
	supported     = 2 // the category says so too: "milk" in Milk & Cream is no chocolate bar
	itemised      = 2 // and it is one of the things that the category lists: "cream" in Milk, Cream & Eggs is no ice cream
	literal       = 2 // the words themselves, no synonyms; a name that begins so
	inPart        = 1 // some words in the name, or all in the description
)

// maxGlued is how many words a query may have for its neighbouring words to be tried as one.
const maxGlued = 5

// body translates a lookup.
func body(l search.Lookup, w search.Weights) object {
	b := object{
		"query":            query(l, w),
		"size":             l.Limit,
		"sort":             order(l),
		"track_total_hits": 10_000,
		"_source":          shown(l),
		"aggs":             facets(l),
	}
	if selected := all(selections(l, "")); selected != nil {
		b["post_filter"] = selected
	}
	if l.After != nil {
		b["search_after"] = after(l)
	}
	if l.Suggest {
		b["suggest"] = suggest("words", l.Words)
	}
	return b
}

// shown are the fields that are read. What isn't public is read for operators only.
func shown(l search.Lookup) []string {
	fields := []string{"product_id", "name", "brand", "size", "category_id", "image_uri", "currency", price(l.Store), "available_in", "tags"}
	if l.Explain {
		fields = append(fields, "margin_permille", "popularity")
	}
	return fields
}

// query finds the store's products by the words and scores them: class, nearness, then what they are worth to the shop.
func query(l search.Lookup, w search.Weights) object {
	among := sold(l.Store)
	if len(l.Products) > 0 {
		among = append(among, object{"terms": object{"product_id": l.Products}})
	}
	found := object{"bool": object{"filter": among}}
	if l.Words != "" {
		found = object{"bool": object{"filter": among, "must": object{"dis_max": object{"queries": tiers(l)}}}}
	}
	if l.Sort != search.ByRelevance {
		return found
	}
	worth := list{available(l.Store, w.Available), popularity(w.Popularity)}
	if l.Words != "" {
		worth = append(worth, object{"field_value_factor": object{"field": "margin_permille", "factor": 0.001, "missing": 0}, "weight": w.Margin})
	}
	return scored(found, worth)
}

// sold are the filters that leave what the store sells.
func sold(store string) list {
	return list{
		object{"term": object{"status": "active"}},
		object{"term": object{"deleted": false}},
		object{"exists": object{"field": price(store)}},
	}
}

// scored adds to a query's score what hits are worth.
func scored(found object, worth list) object {
	return object{"function_score": object{"query": found, "functions": worth, "score_mode": "sum", "boost_mode": "sum"}}
}

func available(store string, weight float64) object {
	return object{"filter": object{"term": object{"available_in": store}}, "weight": weight}
}

func popularity(weight float64) object {
	return object{"field_value_factor": object{"field": "popularity", "modifier": "log1p", "missing": 0}, "weight": weight}
}

// tier is one way in which words find a product, with a constant score: scores by term statistics would put a rare misspelling
// above a frequent exact match. The names tell an operator what matched.
type tier struct {
	name  string
	score float64
	query object
	// What else matches, and adds to the score.
	signs []sign
}

type sign struct {
	name  string
	score float64
	query object
}

// clause is the tier as a query, which tells by its names what matched if that is to be explained.
func (t tier) clause(explain bool) object {
	must := constant(t.score, t.query, t.name, explain)
	if t.signs == nil {
		return must
	}
	var should list
	for _, s := range t.signs {
		should = append(should, constant(s.score, s.query, t.name+signOf+s.name, explain))
	}
	return object{"bool": object{"must": must, "should": should}}
}

// signOf stands between a tier's name and a sign's.
const signOf = ": "

// tiers are the ways of which the best one counts.
func tiers(l search.Lookup) list {
	var clauses list
	for _, t := range ways(l) {
		clauses = append(clauses, t.clause(l.Explain))
	}
	return clauses
}

func ways(l search.Lookup) []tier {
	q := l.Words
	if l.Edits {
		return []tier{
			{"name, one edit a word", edits + literal + inPart, fuzzy("name", q, oneEdit), nil},
			{"words, one edit each", edits + literal, fuzzy("words", q, oneEdit), nil},
			{"name, two edits a word", edits + inPart, fuzzy("name", q, twoEdits), nil},
			{"words, two edits each", edits, fuzzy("words", q, twoEdits), nil},
			{"name, two edits in five letters", edits + inPart, fuzzy("name", q, twoEditsInFive, object{"prefix_length": 2}), nil},
			{"words, two edits in five letters", edits, fuzzy("words", q, twoEditsInFive, object{"prefix_length": 2}), nil},
		}
	}
	head := sign{"what the name names", headNoun, match("name.head", q)}
	headBySynonym := sign{"what the name names, by a synonym", headNoun, match("name.head", q, index.Synonyms)}
	headBegins := sign{"what the name names begins so", headNoun, object{"match_bool_prefix": object{"name.head": q}}}
	ways := []tier{
		{"exact name", exactName, object{"term": object{"name.exact": q}}, nil},
		{"whole name in any order", wholeName, match("name.whole", q), nil},
		{"all words in the name", inName, match("name.stemmed", q), []sign{
			head, {"in the category's name", supported, match("category_names", q)}, {"listed by the category", itemised, match("category_names.items", q)},
		}},
		{"the category's name", inName + wholeCategory, match("category_names.whole", q), nil},
		{"all words in some field", inWords + literal, match("words.stemmed", q), []sign{
			head, {"some in the name", inPart, object{"match": object{"name.stemmed": q}}}, {"all in the description", inPart, match("description", q)},
		}},
		{"all words in the name, by synonyms", inWords + inPart, match("name.stemmed", q, index.Synonyms), []sign{headBySynonym}},
		{"all words in some field, by synonyms", inWords, match("words.stemmed", q, index.Synonyms), []sign{headBySynonym}},
		{"beginnings in the name", beginnings + inPart, match("name.prefix", q), []sign{
			headBegins, {"the name begins so", literal, object{"prefix": object{"name.exact": q}}},
		}},
		{"beginnings in some field", beginnings, match("words.prefix", q), []sign{headBegins}},
	}
	if codes := barcodes(q); codes != nil {
		ways = append(ways, tier{"barcode", exactName, object{"terms": object{"gtin": codes}}, nil})
	}
	return append(ways, compounds(q)...)
}

// compounds match words that are one for some and two for others: "cheese cake" finds Cheesecake by the query with
// neighbours glued, one pair at a time; "cheesecake" finds Cheese Cake because the index holds glued neighbours too.
func compounds(q string) []tier {
	name := list{match("name.glued", q, index.Stemmed)}
	words := list{match("words.glued", q, index.Stemmed)}
	var whole list
	split := strings.Fields(q)
	for i := 1; i < len(split) && len(split) <= maxGlued; i++ {
		glued := strings.Join(split[:i], " ") + strings.Join(split[i:], " ")
		name = append(name, match("name.glued", glued, index.Stemmed))
		words = append(words, match("words.glued", glued, index.Stemmed))
		whole = append(whole, match("name.whole", glued))
	}
	ways := []tier{
		{"glued words in the name", inName, anyOf(name), nil},
		{"glued words in some field", inWords + literal, anyOf(words), nil},
	}
	if whole != nil {
		ways = append(ways, tier{"whole name of glued words", wholeName, anyOf(whole), nil})
	}
	return ways
}

// barcodes are the forms in which a query that is a barcode may be stored: GTINs of 8, 12, 13 and 14 digits are the same
// number with more or fewer zeros before it (GS1 General Specifications). Nil if it is none.
func barcodes(q string) []string {
	digits := strings.NewReplacer(" ", "", "-", "").Replace(q)
	if len(digits) < 8 || len(digits) > 14 || strings.Trim(digits, "0123456789") != "" {
		return nil
	}
	number := strings.TrimLeft(digits, "0")
	var forms []string
	for _, length := range []int{8, 12, 13, 14} {
		if len(number) <= length {
			forms = append(forms, strings.Repeat("0", length-len(number))+number)
		}
	}
	return forms
}

// Edits by a word's length: none in words below three letters, which one edit turns into anything.
const (
	oneEdit  = "AUTO:3,256"
	twoEdits = "AUTO:3,6"
	// Two edits make one word of five letters out of many others, so their first two are taken for granted.
	twoEditsInFive = "AUTO:3,5"
)

// fuzzy matches unstemmed words: an edit of a stem is another edit than one of the word. No first letter is taken for
// granted, unless more says so.
func fuzzy(field, q, edits string, more ...object) object {
	clause := object{"query": q, "operator": "and", "fuzziness": edits, "prefix_length": 0, "max_expansions": 50}
	for _, m := range more {
		maps.Copy(clause, m)
	}
	return object{"match": object{field: clause}}
}

func match(field, q string, analyzer ...string) object {
	clause := object{"query": q, "operator": "and"}
	if len(analyzer) > 0 {
		clause["analyzer"] = analyzer[0]
	}
	return object{"match": object{field: clause}}
}

func constant(score float64, filter object, name string, named bool) object {
	clause := object{"filter": filter, "boost": score}
	if named {
		clause["_name"] = name
	}
	return object{"constant_score": clause}
}

func anyOf(clauses list) object { return object{"bool": object{"should": clauses}} }

// suggest asks for the nearest word of a field for each word that it doesn't have. accuracy is 1 - edits/length: one edit
// in words of three to five letters, two in longer ones.
func suggest(field, q string) object {
	return object{"nearest": object{"text": q, "term": object{
		"field": field, "suggest_mode": "missing", "size": 1, "max_edits": 2, "prefix_length": 0,
		"min_word_length": 3, "accuracy": 0.62,
	}}}
}

// selections are the filters that a shopper chose, without those of one facet.
func selections(l search.Lookup, without string) list {
	var chosen list
	for _, f := range facetFields {
		if values := f.selected(l.Query); len(values) > 0 && f.name != without {
			chosen = append(chosen, object{"terms": object{f.field: values}})
		}
	}
	if without == priceRange {
		return chosen
	}
	bounds := object{}
	if l.MinPrice > 0 {
		bounds["gte"] = l.MinPrice
	}
	if l.MaxPrice > 0 {
		bounds["lte"] = l.MaxPrice
	}
	if len(bounds) > 0 {
		chosen = append(chosen, object{"range": object{price(l.Store): bounds}})
	}
	return chosen
}

func all(filters list) object {
	if len(filters) == 0 {
		return nil
	}
	return object{"bool": object{"filter": filters}}
}

// facetField is a facet: what is counted, and which fields of a product tell a value's label.
type facetField struct {
	name, field string
	size        int
	selected    func(search.Query) []string
	labels      []string
}

var facetFields = []facetField{
	{"category", "category_path", 100, func(q search.Query) []string { return q.Categories }, []string{"category_path", "category_names"}},
	{"brand", "brand_id", 100, func(q search.Query) []string { return q.Brands }, []string{"brand"}},
	{"tag", "tags", 30, func(q search.Query) []string { return q.Tags }, nil},
}

// matched counts what the words find before filters: facets narrow by themselves, because filters come after the query. It is asked for
// only if there are filters.
const matched = "matched"

// priceRange is the name under which the lowest and the highest price are asked for.
const priceRange = "price"

func facets(l search.Lookup) object {
	aggs := object{priceRange: of(others(l, priceRange), object{"stats": object{"field": price(l.Store)}})}
	for _, f := range facetFields {
		aggs[f.name] = of(others(l, f.name), f.values())
	}
	if selections(l, "") != nil {
		aggs[matched] = object{"filter": object{"match_all": object{}}}
	}
	return aggs
}

// of is an aggregation of what a filter leaves; the filter may be nil.
func of(filter, aggregation object) object {
	if filter == nil {
		return aggregation
	}
	return object{"filter": filter, "aggs": object{"values": aggregation}}
}

// others are the selections without one facet's; nil if there are none.
func others(l search.Lookup, without string) object { return all(selections(l, without)) }

// values counts a facet's values.
func (f facetField) values() object {
	return object{"terms": object{"field": f.field, "size": f.size}}
}

// order ends with the id, so that no two hits stand in the same place.
func order(l search.Lookup) list {
	id := object{"product_id": "asc"}
	switch l.Sort {
	case search.ByPriceAscending, search.ByPriceDescending:
		direction := "asc"
		if l.Sort == search.ByPriceDescending {
			direction = "desc"
		}
		// A store without prices has no such field.
		return list{object{price(l.Store): object{"order": direction, "unmapped_type": "long"}}, id}
	case search.ByName:
		return list{object{"name.exact": "asc"}, id}
	default:
		return list{object{"_score": "desc"}, id}
	}
}

func after(l search.Lookup) list {
	switch l.Sort {
	case search.ByPriceAscending, search.ByPriceDescending:
		return list{l.After.Price, l.After.ProductID}
	case search.ByName:
		return list{l.After.Name, l.After.ProductID}
	default:
		return list{l.After.Score, l.After.ProductID}
	}
}

func price(store string) string { return "prices." + store }
