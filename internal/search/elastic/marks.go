package elastic

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"

	"larder.dev/internal/search"
	"larder.dev/internal/search/index"
)

// Which words of a name match a query is worked out here: Elasticsearch's highlighter costs it as much as the search itself. It is for
// the eye only, so the stemmer need not be the index's own.

// marker marks what matches one lookup's words.
type marker struct {
	words   []word     // of the query, without stop words
	edits   bool       // words match with an edit or two
	phrases [][]string // stems of what the synonym rules put in the place of some of the words
}

// word is a word of a query or a name, folded, and where it stands in the text, bytes.
type word struct {
	text, stem string
	begin, end int
}

var (
	stopWords = index.StopWords()
	synonyms  = stemmedRules()
)

func newMarker(l search.Lookup) marker {
	m := marker{edits: l.Edits}
	for _, w := range split(l.Words) {
		if !slices.Contains(stopWords, w.text) {
			w.stem = stem(w.text)
			m.words = append(m.words, w)
		}
	}
	if m.edits {
		return m
	}
	var stems []string
	for _, w := range m.words {
		stems = append(stems, w.stem)
	}
	for _, rule := range synonyms {
		if slices.ContainsFunc(rule.of, func(phrase []string) bool { return at(stems, phrase) >= 0 }) {
			m.phrases = append(m.phrases, rule.to...)
		}
	}
	return m
}

// parts cuts a name into pieces; nil if nothing in it matches.
func (m marker) parts(name string) []search.NamePart {
	if len(m.words) == 0 {
		return nil
	}
	own := split(name)
	matched := make([]bool, len(own))
	for i := range own {
		next := ""
		if i+1 < len(own) {
			next = own[i+1].text
		}
		one, two := m.matches(&own[i], next)
		matched[i] = matched[i] || one
		if two {
			matched[i+1] = true
		}
	}
	m.markPhrases(own, matched)
	if !slices.Contains(matched, true) {
		return nil
	}
	var parts []search.NamePart
	done := 0
	for i, w := range own {
		if !matched[i] {
			continue
		}
		if done < w.begin {
			parts = append(parts, search.NamePart{Text: name[done:w.begin]})
		}
		parts = append(parts, search.NamePart{Text: name[w.begin:w.end], Matched: true})
		done = w.end
	}
	if done < len(name) {
		parts = append(parts, search.NamePart{Text: name[done:]})
	}
	return parts
}

// matches tells whether a name's word matches a word of the query, and whether it does together with the next one.
func (m marker) matches(w *word, next string) (one, two bool) {
	for i, q := range m.words {
		if m.edits {
			one = one || distance([]rune(q.text), []rune(w.text)) <= editsIn(q.text)
			continue
		}
		switch {
		case strings.HasPrefix(w.text, q.text):
			one = true
		case i+1 < len(m.words) && strings.HasPrefix(w.text, q.text+m.words[i+1].text): // "cheese cake" in Cheesecake
			one = true
		case next != "" && w.text+next == q.text: // "cheesecake" in Cheese Cake
			one, two = true, true
		case w.text[0] == q.text[0]:
			w.stem = stem(w.text)
			one = one || w.stem == q.stem
		}
	}
	return one, two
}

func (m marker) markPhrases(own []word, matched []bool) {
	if len(m.phrases) == 0 {
		return
	}
	stems := make([]string, len(own))
	for i, w := range own {
		stems[i] = w.stem
		if w.stem == "" {
			stems[i] = stem(w.text)
		}
	}
	for _, phrase := range m.phrases {
		for from := 0; ; {
			i := at(stems[from:], phrase)
			if i < 0 {
				break
			}
			for j := range phrase {
				matched[from+i+j] = true
			}
			from += i + len(phrase)
		}
	}
}

// editsIn is twoEditsInFive: how many edits a word of this length is allowed.
func editsIn(word string) int {
	switch n := utf8.RuneCountInString(word); {
	case n < 3:
		return 0
	case n < 5:
		return 1
	default:
		return 2
	}
}

// split finds a text's words: letters and digits, folded. An apostrophe in a word isn't part of it, as in the index.
func split(text string) []word {
	var words []word
	var letters []rune
	begin := -1
	flush := func(end int) {
		if folded := search.Fold(string(letters)); folded != "" {
			words = append(words, word{text: folded, begin: begin, end: end})
		}
		letters, begin = letters[:0], -1
	}
	for i, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if begin < 0 {
				begin = i
			}
			letters = append(letters, r)
		case strings.ContainsRune("'’‘`", r):
		default:
			flush(i)
		}
	}
	flush(len(text))
	return words
}

func stem(word string) string {
	env := snowballstem.NewEnv(word)
	english.Stem(env)
	return env.Current()
}

// at is where a phrase stands in a text's words; -1 if nowhere.
func at(words, phrase []string) int {
	for i := 0; i+len(phrase) <= len(words); i++ {
		if slices.Equal(words[i:i+len(phrase)], phrase) {
			return i
		}
	}
	return -1
}

// stemmedRule is a synonym rule in stems: each of the phrases stands for all of the others.
type stemmedRule struct{ of, to [][]string }

func stemmedRules() []stemmedRule {
	stems := func(phrases []string) [][]string {
		var out [][]string
		for _, phrase := range phrases {
			var words []string
			for _, w := range split(phrase) {
				words = append(words, stem(w.text))
			}
			out = append(out, words)
		}
		return out
	}
	var out []stemmedRule
	for _, rule := range index.Rules() {
		out = append(out, stemmedRule{of: stems(rule.Of), to: stems(rule.To)})
	}
	return out
}
