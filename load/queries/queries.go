// Package queries makes what shoppers type to find products, for measurements.
package queries

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// Of is what somebody asks who wants a product: one word or some of its name, with its maker, or the whole name; in small letters.
func Of(r *rand.Rand, name, brand string) string {
	words, makers := strings.Fields(name), strings.Fields(brand)
	if len(words) == 0 {
		return ""
	}
	last := words[len(words)-1]
	var q string
	switch n := r.IntN(10); {
	case n == 0:
		q = name
	case n == 1 && len(makers) > 0:
		q = makers[0] + " " + last
	case n <= 5:
		q = strings.Join(words[max(0, len(words)-2):], " ")
	default:
		q = last
	}
	return strings.ToLower(q)
}

// Misspelt leaves out, doubles or swaps a letter of a text that is long enough.
func Misspelt(r *rand.Rand, text string) string {
	letters := []rune(text)
	if len(letters) < 5 {
		return text
	}
	i := 1 + r.IntN(len(letters)-3)
	switch r.IntN(3) {
	case 0:
		return string(slices.Delete(letters, i, i+1))
	case 1:
		return string(slices.Insert(letters, i, letters[i]))
	default:
		letters[i], letters[i+1] = letters[i+1], letters[i]
		return string(letters)
	}
}
