package elastic

import (
	"strings"
	"testing"

	"larder.dev/internal/search"
)

func TestMarks(t *testing.T) {
	for _, c := range []struct {
		words, name, want string
		edits             bool
	}{
		{words: "banana", name: "Bananas", want: "[Bananas]"},
		{words: "bananas", name: "Banana Split", want: "[Banana] Split"},
		{words: "milk semi skimmed", name: "Semi-Skimmed Milk", want: "[Semi]-[Skimmed] [Milk]"},
		{words: "creme fraiche", name: "Crème Fraîche", want: "[Crème] [Fraîche]"},
		{words: "jalap", name: "Sliced Jalapeños", want: "Sliced [Jalapeños]"},
		{words: "zucchini", name: "Courgettes", want: "[Courgettes]"},
		{words: "loo roll", name: "Quilted Toilet Roll", want: "Quilted [Toilet] [Roll]"},
		{words: "loo", name: "Toilet Brush", want: "Toilet Brush"}, // the rule is of "loo roll"
		{words: "cheese cake", name: "Lemon Cheesecake", want: "Lemon [Cheesecake]"},
		{words: "cheesecake", name: "Lemon Cheese Cake", want: "Lemon [Cheese] [Cake]"},
		{words: "larders own", name: "Larder’s Own Tea", want: "[Larder’s] [Own] Tea"},
		{words: "the milk", name: "The Best Milk", want: "The Best [Milk]"},
		{words: "bannanas", name: "Bananas & Figs", want: "[Bananas] & Figs", edits: true},
		{words: "bannanas", name: "Bananas", want: "Bananas"},
		{words: "tea", name: "Sea Salt", want: "[Sea] Salt", edits: true},
		{words: "milk", name: "Ääkköset", want: "Ääkköset"},
		{words: "& mash", name: "Mash", want: "[Mash]"},
		{words: "", name: "Mash", want: "Mash"},
		{words: "milk", name: "", want: ""},
	} {
		var got strings.Builder
		for _, p := range newMarker(search.Lookup{Words: c.words, Edits: c.edits}).parts(c.name) {
			if p.Matched {
				got.WriteString("[" + p.Text + "]")
			} else {
				got.WriteString(p.Text)
			}
		}
		want := c.want
		if !strings.Contains(want, "[") {
			want = ""
		}
		if got.String() != want {
			t.Errorf("%q in %q: %s, want %s", c.words, c.name, got.String(), want)
		}
	}
}

// Whatever a name and a query are, the pieces are the name.
func FuzzMarks(f *testing.F) {
	f.Add("cheese cake", "Lemon Cheesecake ’s", false)
	f.Add("ﬁ ½ ǆ", "ﬁg ½ Ǆ\xff", true)
	f.Fuzz(func(t *testing.T, words, name string, edits bool) {
		parts := newMarker(search.Lookup{Words: words, Edits: edits}).parts(name)
		if parts == nil {
			return
		}
		var whole strings.Builder
		for _, p := range parts {
			whole.WriteString(p.Text)
		}
		if whole.String() != name {
			t.Errorf("the pieces of %q are %v", name, parts)
		}
	})
}
