// Package search finds products in spite of typos.
//
// What is found. Only active products that the chosen store sells. A query finds a product if all of its words
// do, in some field and in some form: as the name is written, stemmed, glued ("cheese cake" is "cheesecake"), by
// a synonym, or by a word's beginning. An empty query browses the store. A query without sense finds nothing,
// rather than noise.
//
// How it is looked for. At most three questions are put to the index, each only if the one before found nothing:
// the words as they are; the words with those that no product has replaced by the nearest that one has, which is
// the did-you-mean; the words with an edit or two each. So a misspelt match never stands above a well-spelt one, and only
// misspelt queries pay for being so. Filters don't count in this: a facet that leaves nothing of what the words
// find is no reason to look for other words.
//
// In which order. Text relevance comes first, in classes: the exact name (or the barcode), the whole name in any order
// and number, all words in the name, all words by synonyms or with brand, size, category and tags, beginnings,
// edits. Within a class, what can be bought in the store now stands before what can't, then a nearer match ("onion"
// are Brown Onions rather than Cheese & Onion Crisps), then margin, then popularity. All of these are added up, and a
// class is worth more than everything below it together: what is available and irrelevant never beats what
// is unavailable and exact. [Weights] holds what each is worth. Browsing goes by availability and popularity. Margin is
// used here and told to nobody but operators, who may ask why a hit stands where it does.
//
// Facets. A facet's own selection doesn't narrow its own counts, every other filter does.
//
// Pages. A page token holds the place after the last hit, and is bound to the query; see page.go. The index
// may change between two pages: what doesn't change is neither lost nor shown twice.
//
// Trouble. Answers to queries that are asked all the time are kept for a moment, and given while the index is away; see cache.go.
//
// Suggestions. While a query is typed, each of its words is a beginning; see suggest.go and popular.go.
//
// A query is data. Nothing in it is syntax for the index.
package search

import (
	"context"
	"crypto/cipher"
	"fmt"
	"strings"
	"time"
	"unicode"

	"larder.dev/internal/fault"
)

const (
	// MaxText is how many characters of a query are taken.
	MaxText = 200
	// MaxPageSize and DefaultPageSize are hits.
	MaxPageSize, DefaultPageSize = 100, 20
	// MaxDepth is how many hits of one query can be paged through.
	MaxDepth = 10_000
	// maxFilterValue is the length of a filter's value in bytes; ids and tags are shorter.
	maxFilterValue = 100
	// maxMisspelt is how many words of a query may be looked for with edits, each of which costs like several without.
	maxMisspelt = 12
)

// Sort is an order of hits.
type Sort int

const (
	ByRelevance Sort = iota
	ByPriceAscending
	ByPriceDescending
	ByName
)

// Query is what a shopper asks.
type Query struct {
	Text  string // up to MaxText characters; empty browses
	Store string // a slug: whose prices, assortment and availability count

	// Several values of one filter: any of them. A category includes those below it.
	Categories, Brands, Tags []string
	// Products are ids: nothing else is found, and facets and prices are of them. None: all are.
	Products []string
	// Minor units, inclusive; 0 means no bound.
	MinPrice, MaxPrice int64

	Sort      Sort
	PageSize  int    // 1 to MaxPageSize; 0 means DefaultPageSize
	PageToken string // of the page before; empty for the first
	// Explain asks for each hit's explanation, which tells what isn't public.
	Explain bool
}

// Result is one page.
type Result struct {
	Hits  []Hit
	Total int64 // how many match in all; exact up to 10,000
	// Facets are category, brand and tag, in this order.
	Facets []Facet
	// DidYouMean is what was searched for instead of the query, which finds nothing; else empty.
	DidYouMean    string
	NextPageToken string // empty on the last page
	// Prices are of all matches, bounds of the query aside; nil if there is none.
	Prices *PriceRange
}

// PriceRange is inclusive, in minor units.
type PriceRange struct {
	Currency string // ISO 4217
	Min, Max int64
}

// Hit is a product as the chosen store sells it.
type Hit struct {
	ProductID, Name, Brand, Size, CategoryID, ImageURI string

	Currency  string // ISO 4217
	Price     int64  // minor units, in the chosen store
	Available bool   // in stock in the chosen store
	Tags      []string

	// NameParts are the name in pieces, those that match marked; nil if none does.
	NameParts   []NamePart
	Explanation *Explanation // only if it was asked for

	Place Place
}

// NamePart is a piece of a name.
type NamePart struct {
	Text    string
	Matched bool
}

// Explanation is what a hit's score is made of.
type Explanation struct {
	Question string // how the words were looked for
	Score    float64
	Parts    []Part
}

// Part is one part of a score.
type Part struct {
	What   string
	Points float64
}

// Facet is the values that matches have in one field, most frequent first, with the number of matches.
type Facet struct {
	Field  string
	Values []FacetValue
}

// FacetValue is one value; Label is for people.
type FacetValue struct {
	Value, Label string
	Count        int64
}

// Weights are what the parts of a ranking within a class of text relevance are worth, in points. A nearer match
// within its class is worth 1 to 7 points, the distance of two classes is 100.
type Weights struct {
	// Available is the worth of being in stock in the chosen store.
	Available float64 `env:"RANK_AVAILABLE" envDefault:"10" json:"available"`
	// Margin is the worth of a margin of 1000 permille; less is worth in proportion.
	Margin float64 `env:"RANK_MARGIN" envDefault:"1" json:"margin"`
	// Popularity is the worth of each factor of ten in popularity.
	Popularity float64 `env:"RANK_POPULARITY" envDefault:"0.1" json:"popularity"`
}

// Index is where products are found.
type Index interface {
	// Find answers one question. Errors: fault.Unavailable.
	Find(ctx context.Context, l Lookup) (Found, error)
	// Documents lists documents by id, deleted ones too; see Service.Documents. Errors: fault.Unavailable.
	Documents(ctx context.Context, after, until string, limit int) ([]Document, error)
	// Begin lists what begins with words. Errors: fault.Unavailable.
	Begin(ctx context.Context, b Beginning) (Begun, error)
	// Generations lists what there is of the index, by number. Errors: fault.Unavailable.
	Generations(ctx context.Context) ([]Generation, error)
}

// Lookup is one question to the index.
type Lookup struct {
	Query
	Words   string // what to look for in place of the query's text; empty browses
	Edits   bool   // look for words with an edit or two each, and for no others
	Suggest bool   // suggest other words for those that no product has
	After   *Place // go on after this place; nil starts
	Limit   int    // hits
	// Weights are those of the pages before; nil: those in force.
	Weights *Weights
}

// Found is the index's answer.
type Found struct {
	Hits   []Hit
	Facets []Facet
	Total  int64 // after filters, counted up to 10,000
	Prices *PriceRange
	// Weights are those that the hits were ranked by.
	Weights Weights
	// Any tells whether the words find anything at all, before filters.
	Any bool
	// Begun tells that the first hit has no more than beginnings of the words.
	Begun bool
	// Suggestion is the words with those that no product has replaced; empty if there is none.
	Suggestion string
}

// Config is how a process answers.
type Config struct {
	// Cache is how many answers to queries, and to what is being typed, are kept for a minute at most; 0 keeps none.
	Cache int `env:"SEARCH_CACHE" envDefault:"1000"`
	// TokenKey is a secret that all processes of the service share: page tokens are sealed with it, because they hold scores, and scores
	// hold margins. Empty: who has this code can open them.
	TokenKey string `env:"SEARCH_TOKEN_KEY"`
}

// Service answers queries.
type Service struct {
	index   Index
	sealer  cipher.AEAD
	popular *popular
	// Nil where nothing is kept.
	answers *cache[answer]
	begun   *cache[completed]
}

// New makes a service that keeps no answers.
func New(index Index) *Service {
	return &Service{index: index, sealer: newSealer(""), popular: newPopular(time.Now)}
}

// NewCaching makes a service that keeps answers. Close it in the end. Error: the configuration is wrong.
func NewCaching(index Index, config Config) (*Service, error) {
	s := New(index)
	s.sealer = newSealer(config.TokenKey)
	if config.Cache == 0 {
		return s, nil
	}
	var err error
	if s.answers, err = newCache[answer](config.Cache, time.Now); err != nil {
		return nil, fmt.Errorf("SEARCH_CACHE: %w", err)
	}
	if s.begun, err = newCache[completed](config.Cache, time.Now); err != nil {
		return nil, fmt.Errorf("SEARCH_CACHE: %w", err)
	}
	return s, nil
}

// Close ends questions that nobody waits for any more.
func (s *Service) Close() {
	s.answers.close()
	s.begun.close()
}

// Search answers a query. Errors: INVALID_ARGUMENT, INVALID_PAGE_TOKEN, UNAVAILABLE.
func (s *Service) Search(ctx context.Context, q Query) (Result, error) {
	q, err := checked(q)
	if err != nil {
		return Result{}, err
	}
	var a answer
	if q.PageToken == "" && !q.Explain {
		a, err = s.answers.get(ctx, q.key(), func(ctx context.Context) (answer, error) { return s.answer(ctx, q) })
	} else {
		a, err = s.answer(ctx, q) // later pages are nearly everybody's own
	}
	if err == nil && a.popular {
		s.popular.add(q.Store, q.Text)
	}
	return a.Result, err
}

// answer is a page, and whether its query may be suggested to others.
type answer struct {
	Result
	popular bool
}

// answer asks the index.
func (s *Service) answer(ctx context.Context, q Query) (answer, error) {
	var how reached
	var err error
	if q.PageToken == "" {
		how, err = s.first(ctx, q)
	} else {
		how, err = s.next(ctx, q)
	}
	if err != nil {
		return answer{}, err
	}
	found := how.found
	r := Result{Hits: found.Hits, Total: found.Total, Facets: found.Facets, Prices: found.Prices}
	for _, h := range r.Hits {
		if h.Explanation != nil {
			h.Explanation.Question = how.question()
		}
	}
	if how.Corrected {
		r.DidYouMean = how.Words
	}
	if len(r.Hits) > q.PageSize { // one more was asked for, to know whether there is a next page
		r.Hits = r.Hits[:q.PageSize]
		r.NextPageToken, err = s.seal(q, how.after(r.Hits, found.Weights))
		if err != nil {
			return answer{}, err
		}
	}
	return answer{r, q.bare() && how.typed() && found.Total > 0 && !found.Begun}, nil
}

// bare tells whether a query is words alone, and asks for its first page.
func (q Query) bare() bool {
	filters := len(q.Categories) + len(q.Brands) + len(q.Tags) + len(q.Products)
	return q.Text != "" && filters == 0 && q.MinPrice == 0 && q.MaxPrice == 0 && q.Sort == ByRelevance && q.PageToken == ""
}

// reached is an answer, and how it was reached.
type reached struct {
	cursor
	found Found
}

// typed tells whether the words were found as they were typed.
func (r reached) typed() bool { return !r.Corrected && !r.Edits }

func (r reached) question() string {
	switch {
	case r.Corrected:
		return "did you mean"
	case r.Edits:
		return "with edits"
	default:
		return "as typed"
	}
}

// first puts the questions to the index until one finds something.
func (s *Service) first(ctx context.Context, q Query) (reached, error) {
	misspelt := q.Text != "" && len(words(q.Text)) <= maxMisspelt

	asked := cursor{Words: q.Text}
	found, err := s.find(ctx, q, asked, misspelt)
	if err != nil || found.Any || !misspelt {
		return reached{asked, found}, err
	}
	if found.Suggestion != "" {
		corrected := cursor{Words: found.Suggestion, Corrected: true}
		found, err := s.find(ctx, q, corrected, false)
		if err != nil || found.Any {
			return reached{corrected, found}, err
		}
	}
	edited := cursor{Words: q.Text, Edits: true}
	found, err = s.find(ctx, q, edited, false)
	return reached{edited, found}, err
}

// next puts the question that found the first page again.
func (s *Service) next(ctx context.Context, q Query) (reached, error) {
	c, err := s.unseal(q)
	if err != nil {
		return reached{}, err
	}
	found, err := s.find(ctx, q, c, false)
	return reached{c, found}, err
}

func (s *Service) find(ctx context.Context, q Query, c cursor, suggest bool) (Found, error) {
	return s.index.Find(ctx, Lookup{
		Query: q, Words: c.Words, Edits: c.Edits, Suggest: suggest, After: c.Place, Limit: q.PageSize + 1, Weights: c.Weights,
	})
}

// checked returns the query in its normal form.
func checked(q Query) (Query, error) {
	if q.MinPrice > 0 && q.MaxPrice > 0 && q.MinPrice > q.MaxPrice {
		return q, fault.Invalid("min_price", "must not be above max_price")
	}
	for field, values := range map[string][]string{"category": q.Categories, "brand": q.Brands, "tag": q.Tags} {
		for _, v := range values {
			if len(v) > maxFilterValue {
				return q, fault.Invalid(field, "a value may have %d bytes", maxFilterValue)
			}
		}
	}
	if q.PageSize == 0 {
		q.PageSize = DefaultPageSize
	}
	q.Text = tidy(q.Text)
	return q, nil
}

// tidy makes runs of spaces and control characters one space.
func tidy(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, " "), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
