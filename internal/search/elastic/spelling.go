package elastic

import (
	"strings"

	"larder.dev/internal/search/index"
)

// synonymWords are what the index's suggester can't know: "zucchini" is in no product's name, but in a rule.
var synonymWords = letters(index.Vocabulary())

func letters(words []string) [][]rune {
	var out [][]rune
	for _, word := range words {
		out = append(out, []rune(word))
	}
	return out
}

// nearerSynonym returns the word of the synonym rules that is nearer to a word than the suggested one; else the suggested one. Both may be
// empty. One edit in words of four letters or more, two from seven on; the first letter is taken for granted. A word of the rules has none nearer.
func nearerSynonym(word, suggested string) string {
	typed := []rune(word)
	if len(typed) < 4 {
		return suggested
	}
	least := 2
	if len(typed) >= 7 {
		least = 3
	}
	if suggested != "" {
		least = min(least, distance(typed, []rune(suggested)))
	}
	nearest := suggested
	for _, other := range synonymWords {
		if other[0] != typed[0] || len(other) > len(typed)+2 || len(other)+2 < len(typed) {
			continue
		}
		s := string(other)
		switch d := distance(typed, other); {
		case d == 0:
			return suggested
		case strings.HasPrefix(s, word) || strings.HasPrefix(word, s):
			// Another form of the same word, which the stemmer knows.
		case d < least:
			least, nearest = d, s
		}
	}
	return nearest
}

// distance counts the edits from one word to another: letters left out, put in, replaced, and neighbours swapped (optimal string
// alignment, as Elasticsearch's suggester counts).
func distance(a, b []rune) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
