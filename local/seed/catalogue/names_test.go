package catalogue

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A grocer's range must not be padded by multiplying one product: there are
// sizes, makers and kinds of the same thing (five milks are no padding), but few
// of each. core strips numbers, sizes, adjectives and word order from a name, and
// leaves what the thing is. Products that are written one by one are one thing
// each.

// adjectives are words that only qualify the thing named after them: how it
// looks, was grown, cut, cooked, kept or sold. Words for an ingredient, a flavour
// or a variety (oat, cheese, vanilla, maris piper) make another product and are
// not here.
var adjectives = words(`
	red green yellow brown black white golden dark light pale blue purple pink
	large small medium mini baby giant big little long short thick thin tall
	double single triple extra super
	fresh dried frozen chilled raw ripe smoked unsmoked cured roasted toasted
	baked grilled fried cooked dressed pickled canned tinned salted unsalted
	sweetened unsweetened soured sour sweet bitter sharp mild hot spicy salty
	sticky crunchy smooth chunky creamy crispy crisp soft firm hard clear cloudy
	sparkling still dry wet instant plain flavoured seasoned
	mature mild aged vintage young new old traditional classic original
	organic natural wild free range fairtrade vegan vegetarian meatfree
	low reduced lighter skimmed semi whole full
	wholemeal wholegrain malted seeded seedless boneless skinless
	sliced chopped diced grated minced ground crushed cut peeled flaked leaf flat
	mixed assorted family value everyday finest luxury premium best special
	british english scottish irish welsh italian french greek spanish indian
	style easy ready real pure virgin strong cultured
	all
`)

// particles say nothing about the thing.
var particles = words(`a an and at au de du each in of on the with x`)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

var (
	// A number takes its unit or packing with it.
	number = regexp.MustCompile(`[0-9]+([.,][0-9]+)?\s*((kg|g|ml|cl|l|litres?|pints?|packs?|bags?|rolls?|pots?|bunch)\b)?`)
	letter = regexp.MustCompile(`[a-z]+`)
	accent = strings.NewReplacer("é", "e", "è", "e", "ê", "e", "î", "i", "ñ", "n", "ô", "o", "à", "a", "ç", "c", "'", "", "’", "")
	// Words that mean something else together than one by one.
	glued = strings.NewReplacer("meat-free", "meatfree", "sun-dried", "dried", "easy peeler", "easypeeler", "milk chocolate", "chocolate",
		"gluten-free", "free", "dairy-free", "free", "sugar-free", "free", "low-fat", "low")
)

// core is the set of words that say what a thing is, sorted, in the singular.
// A name made of adjectives only keeps its last word.
func core(name string) string {
	s := glued.Replace(accent.Replace(strings.ToLower(name)))
	all := letter.FindAllString(number.ReplaceAllString(s, " "), -1)
	var kept []string
	for _, w := range all {
		// Before the singular: crisp is an adjective, crisps are a thing.
		if particles[w] || adjectives[w] {
			continue
		}
		if w = singular(w); !slices.Contains(kept, w) {
			kept = append(kept, w)
		}
	}
	if len(kept) == 0 && len(all) > 0 {
		kept = []string{singular(all[len(all)-1])}
	}
	slices.Sort(kept)
	return strings.Join(kept, " ")
}

func singular(w string) string {
	switch {
	case len(w) > 4 && strings.HasSuffix(w, "ies"):
		return w[:len(w)-3] + "y"
	case len(w) > 4 && (strings.HasSuffix(w, "oes") || strings.HasSuffix(w, "shes") || strings.HasSuffix(w, "ches") || strings.HasSuffix(w, "sses")):
		return w[:len(w)-2]
	case len(w) > 3 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss"):
		return w[:len(w)-1]
	}
	return w
}

func TestNamesDifferInWhatTheyName(t *testing.T) {
	c := mustLoad(t)
	single, things := map[string]string{}, map[string]int{}
	for _, p := range c.Products {
		k := core(p.Name)
		things[k]++
		if p.ID != Slug(p.Name) { // of a range, or named by hand
			continue
		}
		if other, ok := single[k]; ok {
			t.Errorf("%q and %q differ only in number, size or adjective (both are %q)", other, p.Name, k)
		}
		single[k] = p.Name
	}
	if len(single) < 200 || len(things) < 1500 {
		t.Errorf("%d things written one by one, %d in all, want 200 and 1500 or more", len(single), len(things))
	}
	for thing, n := range things {
		if n > 10 {
			t.Errorf("%d products are %q, want 10 at most", n, thing)
		}
	}
}

// The rule above is worth what core is worth.
func TestCore(t *testing.T) {
	same := [][2]string{
		{"Bananas", "Large Organic Bananas"},
		{"Free Range Eggs", "6 Medium Eggs"},
		{"Semi-Skimmed Milk", "Whole Milk 2 l"},
		{"Mature Cheddar", "Mild Cheddar 350g"},
		{"Loo Roll", "Loo Rolls 9 pack"},
		{"Cherry Tomatoes", "Tomatoes, Cherry, Fresh"},
		{"Jalapeños", "Jalapenos 80 g"},
		{"Pale Lager 4 x 440 ml", "Strong Lager"},
		{"Double Cream", "Soured Cream"},
		{"Cola", "Sugar-Free Cola 330 ml"},
	}
	for _, pair := range same {
		if core(pair[0]) != core(pair[1]) {
			t.Errorf("%q is %q, %q is %q: want the same", pair[0], core(pair[0]), pair[1], core(pair[1]))
		}
	}
	different := [][2]string{
		{"Bananas", "Banana Bread"},
		{"Vanilla Custard", "Custard Tarts"},
		{"Chicken Thighs", "Chicken Breast Fillets"},
		{"Salted Butter", "Crunchy Peanut Butter"},
	}
	for _, pair := range different {
		if core(pair[0]) == core(pair[1]) {
			t.Errorf("%q and %q are both %q", pair[0], pair[1], core(pair[0]))
		}
	}
}
