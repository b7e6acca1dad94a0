package search

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	// leastAsked is how often a query must have been asked to be suggested to others.
	leastAsked = 5
	// maxPopular is how many queries are counted in one store, maxStores in how many.
	maxPopular, maxStores = 2000, 1000
	// halfLife is after how long an asking counts for half.
	halfLife = time.Hour
)

// popular counts the queries of each store that found something as they were typed: so what one shopper shows to others are words
// of the catalogue and nothing else. Each process counts for itself and starts with none. It is safe for concurrent use.
type popular struct {
	now    func() time.Time
	mu     sync.Mutex
	stores map[string]*tally
}

type tally struct {
	halved time.Time
	asked  map[string]*asking // by the folded text
}

type asking struct {
	text  string
	count int
}

func newPopular(now func() time.Time) *popular {
	return &popular{now: now, stores: map[string]*tally{}}
}

// add counts a query.
func (p *popular) add(store, text string) {
	text = plain(text)
	key := Fold(text)
	if key == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.stores[store]
	if t == nil {
		if len(p.stores) >= maxStores {
			return
		}
		t = &tally{halved: p.now(), asked: map[string]*asking{}}
		p.stores[store] = t
	}
	t.age(p.now())
	if a := t.asked[key]; a != nil {
		a.count++
		return
	}
	for len(t.asked) >= maxPopular {
		t.halve()
	}
	t.asked[key] = &asking{text: text, count: 1}
}

// beginning lists the store's popular queries that begin so and go on, most popular first.
func (p *popular) beginning(store, text string, limit int) []string {
	prefix := Fold(plain(text))
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.stores[store]
	if t == nil {
		return nil
	}
	t.age(p.now())
	var found []*asking
	for key, a := range t.asked {
		if a.count >= leastAsked && len(key) > len(prefix) && strings.HasPrefix(key, prefix) {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b *asking) int { return cmp.Or(b.count-a.count, strings.Compare(a.text, b.text)) })
	var out []string
	for _, a := range found[:min(limit, len(found))] {
		out = append(out, a.text)
	}
	return out
}

// age halves the counts as often as half-lives went by.
func (t *tally) age(now time.Time) {
	for len(t.asked) > 0 && now.Sub(t.halved) >= halfLife {
		t.halve()
		t.halved = t.halved.Add(halfLife)
	}
	if len(t.asked) == 0 {
		t.halved = now
	}
}

// halve forgets what was asked once.
func (t *tally) halve() {
	for key, a := range t.asked {
		if a.count /= 2; a.count == 0 {
			delete(t.asked, key)
		}
	}
}

// plain is a query's text as others may see it: lower case, words and the signs inside of them.
func plain(text string) string {
	return tidy(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune(" '’&-.", r) {
			return unicode.ToLower(r)
		}
		return ' '
	}, text))
}

// Fold takes case and accents away.
func Fold(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsMark(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(text))
}
