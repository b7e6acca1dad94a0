// Package index defines the Elasticsearch index of the catalogue: its mapping, its analysis and its names.
//
// An index is one generation, products-<n>. Three names lead to it:
//
//	products-1        the index itself
//	products-1-write  the alias that its pipelines write through; see [WriteAlias]
//	products          the alias that search reads; it points to exactly one generation
//
// A document is a row of products.catalog_documents as it is: _id is the product's id, the version is external
// and equal to the row's revision, and a deleted product stays as a marked document, because Elasticsearch
// forgets the version of a real deletion after index.gc_deletes (60 s) while a late copy of an older change
// can arrive days after.
//
// index.json holds settings and mapping. Fields not named there are kept in _source and not indexed. For text:
//
//	name, words        every word as it is written: fuzzy matches and the term suggester
//	.exact             the whole value, case, accents, signs and spaces folded (keyword)
//	.whole             the set of the value's words, stemmed: all of them, in any order and number, and no other
//	.items             each thing that a name lists ("Milk, Cream & Eggs" are three), stemmed: the whole query is one of them
//	.head              what a name names: its last word, stemmed ("Cheese & Onion Crisps" are crisps), or the
//	                   last one before "in", "with" or "for" ("Chickpeas in Water")
//	.glued             a match query finds "cheesecake" by "cheese cake": a query's neighbouring words are
//	                   glued in pairs (a single word stays). With the query analyzer [Stemmed] and operator and
//	                   the same field finds "Cheese Cake" by "cheesecake"
//	.stemmed           words stemmed (plurals; those that the stemmer's dictionary takes for words of their own,
//	                   such as "rolls", are listed as irregular), the query's stop words dropped. With the query
//	                   analyzer [Synonyms] the query is widened by synonyms.txt; several words of a rule match as a phrase
//	.prefix            each word's beginnings, so that what is being typed matches
//
// words holds name, brand, size, category names and tags together, so that a query that mixes them can ask for
// all of its words in one field. Amounts are one word everywhere: "2 l", "2L" and "2 litres" are "2l".
//
// Scoring by term statistics is not wanted (a rare misspelling outranks an exact match), so norms are off, and
// positions are kept only where the several words of a synonym are matched as a phrase.
package index

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// Alias is the name that search reads.
const Alias = "products"

// Names of analyzers that a query may set in place of its field's own.
const (
	Plain        = "plain_search"   // words as written, stop words dropped
	Stemmed      = "stemmed_search" // words stemmed, stop words dropped
	Synonyms     = "synonyms"       // words stemmed and widened by the synonym rules, stop words dropped
	GluedInPairs = "glued_search"   // neighbouring words glued in pairs, nothing else
)

var (
	//go:embed index.json
	definition []byte
	//go:embed synonyms.txt
	synonyms string
)

// Name returns the index of a generation, counted from 1.
func Name(generation int) string { return generationOf(Alias, generation) }

// WriteAlias returns the name to write an index through. A bulk request that demands an alias
// (require_alias=true) can't create an index by accident, without a mapping, when the index is gone.
func WriteAlias(index string) string { return index + "-write" }

// Options of an index that are not part of its definition.
type Options struct {
	Replicas int    // copies of each shard, 0 or more; one machine has no place for any
	Alias    string // the alias to read by; empty means [Alias]
}

// Ensure creates the index of a generation, if it is missing, and the alias [Alias], if it points nowhere yet.
func Ensure(ctx context.Context, es *elasticsearch.Client, generation int) error {
	return EnsureIndex(ctx, es, Name(generation), Options{})
}

// EnsureIndex creates an index with its write alias if it is missing, and points the read alias to it if that
// points nowhere yet. It changes nothing that is there, neither an existing index's mapping nor an alias
// (see [Current]). It is idempotent, and safe for concurrent callers, also with different indices: one of them
// gets the read alias.
func EnsureIndex(ctx context.Context, es *elasticsearch.Client, index string, o Options) error {
	if o.Alias == "" {
		o.Alias = Alias
	}
	body, err := render(index, o.Replicas)
	if err != nil {
		return err
	}
	var missing *Error
	_, err = call(es.Indices.Exists([]string{index}, es.Indices.Exists.WithContext(ctx)))
	switch {
	case err == nil:
	case errors.As(err, &missing) && missing.Status == http.StatusNotFound:
		_, err = call(es.Indices.Create(index, es.Indices.Create.WithContext(ctx), es.Indices.Create.WithBody(bytes.NewReader(body))))
		if err != nil && !isType(err, "resource_already_exists_exception") {
			return fmt.Errorf("create index %s: %w", index, err)
		}
	default:
		return fmt.Errorf("look for index %s: %w", index, err)
	}
	if err := claimAlias(ctx, es, index, o.Alias); err != nil {
		return fmt.Errorf("point alias %s to index %s: %w", o.Alias, index, err)
	}
	return nil
}

// claimAlias adds the alias unless it exists. Elasticsearch has no "add if absent"; but an alias can have only one
// write index, so of two callers that add one at the same time, the second is refused. Nobody writes through it.
func claimAlias(ctx context.Context, es *elasticsearch.Client, index, alias string) error {
	if exists, err := aliasExists(ctx, es, alias); err != nil || exists {
		return err
	}
	actions, err := json.Marshal(map[string]any{"actions": []any{
		map[string]any{"add": map[string]any{"index": index, "alias": alias, "is_write_index": true}},
	}})
	if err != nil {
		return err
	}
	_, err = call(es.Indices.UpdateAliases(bytes.NewReader(actions), es.Indices.UpdateAliases.WithContext(ctx)))
	if err == nil {
		return nil
	}
	if exists, lookErr := aliasExists(ctx, es, alias); lookErr == nil && exists {
		return nil
	}
	return err
}

func aliasExists(ctx context.Context, es *elasticsearch.Client, alias string) (bool, error) {
	_, err := call(es.Indices.ExistsAlias([]string{alias}, es.Indices.ExistsAlias.WithContext(ctx)))
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// Current reports whether an index was made by this definition. One that was not serves on; to change its
// mapping, a new generation is built.
func Current(ctx context.Context, es *elasticsearch.Client, index string) (bool, error) {
	body, err := call(es.Indices.GetMapping(es.Indices.GetMapping.WithContext(ctx), es.Indices.GetMapping.WithIndex(index)))
	if err != nil {
		return false, fmt.Errorf("read the mapping of index %s: %w", index, err)
	}
	var got map[string]struct {
		Mappings struct {
			Meta struct {
				Fingerprint string `json:"fingerprint"`
			} `json:"_meta"`
		} `json:"mappings"`
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return false, fmt.Errorf("read the mapping of index %s: %w", index, err)
	}
	return got[index].Mappings.Meta.Fingerprint == fingerprint(), nil
}

// render returns the body that creates an index.
func render(index string, replicas int) ([]byte, error) {
	var d struct {
		Settings map[string]any `json:"settings"`
		Mappings map[string]any `json:"mappings"`
		Aliases  map[string]any `json:"aliases"`
	}
	if err := json.Unmarshal(definition, &d); err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	d.Settings["index"].(map[string]any)["number_of_replicas"] = replicas         //nolint:errcheck // index.json's own form, which the tests load
	filters := d.Settings["analysis"].(map[string]any)["filter"].(map[string]any) //nolint:errcheck // the same
	filters["synonyms"].(map[string]any)["synonyms"] = rules(synonyms)            //nolint:errcheck // the same
	d.Mappings["_meta"] = map[string]string{"fingerprint": fingerprint()}
	d.Aliases = map[string]any{WriteAlias(index): struct{}{}}
	return json.Marshal(d)
}

// rules returns the lines of a synonym file that are rules.
func rules(file string) []string {
	var out []string
	for line := range strings.Lines(file) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// Rule is a synonym rule: each phrase of Of stands for all those of To.
type Rule struct{ Of, To []string }

// Rules are the synonym rules.
func Rules() []Rule {
	phrases := func(text string) []string {
		parts := strings.Split(text, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		return parts
	}
	var out []Rule
	for _, rule := range rules(synonyms) {
		of, to, directed := strings.Cut(rule, "=>")
		if !directed {
			to = of
		}
		out = append(out, Rule{Of: phrases(of), To: phrases(to)})
	}
	return out
}

// StopWords are the words that a query may have and no search looks for.
func StopWords() []string {
	var d struct {
		Settings struct {
			Analysis struct {
				Filter struct {
					Stop struct{ Stopwords []string }
				}
			}
		}
	}
	if err := json.Unmarshal(definition, &d); err != nil {
		panic("index.json: " + err.Error()) // a fault of the build: it is part of the program
	}
	return d.Settings.Analysis.Filter.Stop.Stopwords
}

// Vocabulary lists the words of the synonym rules, as they are written there. Many are no product's, but a query may have them.
func Vocabulary() []string {
	var words []string
	for _, rule := range rules(synonyms) {
		words = append(words, strings.Fields(strings.NewReplacer(",", " ", "=>", " ").Replace(rule))...)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// fingerprint identifies the definition: settings, mapping and synonyms.
func fingerprint() string {
	h := sha256.New()
	h.Write(definition)
	h.Write([]byte(strings.Join(rules(synonyms), "\n")))
	return hex.EncodeToString(h.Sum(nil))
}

// Error is an answer of Elasticsearch other than success.
type Error struct {
	Status int    // HTTP status
	Type   string // Elasticsearch's error type, "" if it named none
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("elasticsearch answered %d %s %s", e.Status, e.Type, e.Reason)
}

func isType(err error, t string) bool {
	var e *Error
	return errors.As(err, &e) && e.Type == t
}

// call reads an answer of Elasticsearch whole and turns a refusal into an [Error].
func call(res *esapi.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if !res.IsError() {
		return body, nil
	}
	e := &Error{Status: res.StatusCode}
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	var detail struct{ Type, Reason string }
	if json.Unmarshal(body, &answer) == nil && json.Unmarshal(answer.Error, &detail) == nil {
		e.Type, e.Reason = detail.Type, detail.Reason
	} else {
		e.Reason = string(body[:min(len(body), 200)])
	}
	return nil, e
}
