package elastic

import "testing"

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"plum", "plum", 0}, {"plum", "plums", 1}, {"plum", "pulm", 1}, {"plum", "glum", 1},
		{"crème", "creme", 1}, {"zuchini", "zucchini", 1}, {"ca", "abc", 3}, {"flour", "flower", 2},
	} {
		if got := distance([]rune(c.a), []rune(c.b)); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance([]rune(c.b), []rune(c.a)); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestSynonymsAreSpeltToo(t *testing.T) {
	for _, c := range []struct{ word, suggested, want string }{
		{"eggplamt", "", "eggplant"},
		{"cilentro", "", "cilantro"},
		{"cilantroes", "", ""},              // the stemmer's
		{"cilantro", "", ""},                // well spelt
		{"cilantro", "x", "x"},              // the same: what the index says counts
		{"rutabga", "rutabeg", "rutabaga"},  // nearer
		{"rutabga", "rutabgas", "rutabgas"}, // as near
		{"mottorway", "", ""},
		{"oj", "", ""},
		{"", "", ""},
	} {
		if got := nearerSynonym(c.word, c.suggested); got != c.want {
			t.Errorf("%q with %q suggested: %q, want %q", c.word, c.suggested, got, c.want)
		}
	}
}
