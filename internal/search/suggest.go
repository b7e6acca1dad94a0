package search

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

const (
	// MaxSuggestions and DefaultSuggestions are suggestions of one answer.
	MaxSuggestions, DefaultSuggestions = 20, 8
	// How many of them are queries and categories at most; the rest are products.
	maxQueries, maxCategories = 3, 2
)

// Typed is what a shopper has typed so far.
type Typed struct {
	Text  string // up to MaxText characters; empty asks for what is popular
	Store string // a slug: whose assortment and availability count
	Limit int    // 1 to MaxSuggestions; 0 means DefaultSuggestions
}

// SuggestionKind is what a suggestion leads to.
type SuggestionKind int

const (
	SuggestedQuery SuggestionKind = iota + 1
	SuggestedCategory
	SuggestedProduct
)

// Suggestion is one thing that a shopper may mean. Fields behind Text are those of its kind, see the contract.
type Suggestion struct {
	Kind                            SuggestionKind
	Text                            string
	CategoryID, ProductID, ImageURI string
	Available                       bool
}

// Beginning is a question to the index: what begins with these words.
type Beginning struct {
	Text, Store string
	Limit       int
	Correct     bool // suggest other beginnings for those that no product has
}

// Begun is the index's answer.
type Begun struct {
	Products   []Hit        // one of each name
	Categories []FacetValue // of products in a category that begins so, those with most products first
	// Correction is the text with those beginnings that no product has replaced; empty if there is none.
	Correction string
}

// Suggest completes what was typed. Each word is a beginning, in any order. If nothing begins so, the nearest beginnings that
// something has are tried. Errors: UNAVAILABLE.
func (s *Service) Suggest(ctx context.Context, t Typed) ([]Suggestion, error) {
	if t.Limit == 0 {
		t.Limit = DefaultSuggestions
	}
	t.Text = tidy(t.Text)
	key := fmt.Sprintf("%q %q %d", t.Store, t.Text, t.Limit)
	found, err := s.begun.get(ctx, key, func(ctx context.Context) (completed, error) { return s.complete(ctx, t) })
	if err != nil {
		return nil, err
	}
	begun, text := found.begun, found.text
	var out []Suggestion
	for _, query := range s.popular.beginning(t.Store, text, maxQueries) {
		out = append(out, Suggestion{Kind: SuggestedQuery, Text: query})
	}
	categories := 0
	for _, c := range begun.Categories {
		// A category is counted with those above and below it, of which the words say nothing.
		if categories < maxCategories && begins(c.Label, text) {
			out = append(out, Suggestion{Kind: SuggestedCategory, Text: c.Label, CategoryID: c.Value})
			categories++
		}
	}
	for _, p := range begun.Products {
		out = append(out, Suggestion{Kind: SuggestedProduct, Text: p.Name, ProductID: p.ProductID, ImageURI: p.ImageURI, Available: p.Available})
	}
	return slices.Clip(out[:min(t.Limit, len(out))]), nil
}

// completed is what begins with a text: the one that was typed, or its correction.
type completed struct {
	begun Begun
	text  string
}

// complete asks the index.
func (s *Service) complete(ctx context.Context, t Typed) (completed, error) {
	begun, err := s.index.Begin(ctx, Beginning{Text: t.Text, Store: t.Store, Limit: t.Limit, Correct: len(words(t.Text)) <= maxMisspelt})
	if err != nil || len(begun.Products) > 0 || begun.Correction == "" {
		return completed{begun, t.Text}, err
	}
	text := begun.Correction
	begun, err = s.index.Begin(ctx, Beginning{Text: text, Store: t.Store, Limit: t.Limit})
	return completed{begun, text}, err
}

// begins tells whether each word of a text begins a word of a label.
func begins(label, text string) bool {
	own := words(Fold(label))
	for _, word := range words(Fold(text)) {
		if word != "and" && !slices.ContainsFunc(own, func(of string) bool { return strings.HasPrefix(of, word) }) {
			return false
		}
	}
	return true
}
