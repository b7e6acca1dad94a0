package storefront

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"regexp"
	"strings"
)

// Every product has a picture that is drawn from its id and its aisle: no two neighbours look the same, and the same product always does. An
// address holds all that a picture is made of, so it asks nobody and is kept for ever.

// edition is part of a picture's address, and is raised when pictures are drawn otherwise.
const edition = "1"

// pictureURL is where a product's picture is.
func pictureURL(aisle, product string) string {
	return "/pictures/" + aisle + "/" + product + ".svg?v=" + edition
}

var slug = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,62}$`)

func picture(w http.ResponseWriter, r *http.Request) {
	product, svg := strings.CutSuffix(r.PathValue("picture"), ".svg")
	if !svg || !slug.MatchString(product) || !slug.MatchString(r.PathValue("aisle")) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write([]byte(draw(r.PathValue("aisle"), product)))
}

// paint is what a picture is coloured with. Paper is behind it, the others are its body, its dark side and its label.
type paint struct{ paper, body, dark, label string }

// kind is what a thing looks like, and the colours that it comes in.
type kind struct {
	shape  func(paint) string
	paints []paint
}

var (
	reds    = []paint{{"#fdeeea", "#d9483b", "#a8302a", "#fbe3b5"}, {"#fcefe6", "#c8553d", "#97392a", "#f7dfc0"}, {"#fbeaee", "#b83a56", "#87263d", "#f6d8c6"}}
	oranges = []paint{{"#fef2e0", "#ef8b2c", "#c4661a", "#fff3cf"}, {"#fdf0e3", "#e57a44", "#b65629", "#fbe6c0"}}
	yellows = []paint{{"#fef7dc", "#f2c230", "#c9971a", "#fffbe8"}, {"#fdf5e1", "#e9b44c", "#bb8729", "#fdf7e3"}}
	greens  = []paint{{"#eaf5e6", "#5aa34a", "#3a7a32", "#e6f3c9"}, {"#e8f4ec", "#3f8f63", "#286844", "#dcefcf"}, {"#f0f6df", "#84a83a", "#5f7e24", "#f3f5d0"}}
	blues   = []paint{{"#e7f1f8", "#4a8fc4", "#2f6b9b", "#f4f8fb"}, {"#e8eef9", "#5577c0", "#3a5796", "#eff2fb"}, {"#e4f4f4", "#3b9a9c", "#267375", "#e9f7f2"}}
	purples = []paint{{"#f2ebf7", "#8257a5", "#5d3a7c", "#efe3f5"}, {"#f7eaf3", "#a5528d", "#7a3767", "#f8e2ee"}}
	browns  = []paint{{"#f7eee3", "#b07a45", "#83552a", "#f3ddb9"}, {"#f5ece2", "#9a6a42", "#704a2b", "#ecd3ae"}, {"#f8efe0", "#c99a57", "#9c7136", "#f8e7c7"}}
	creams  = []paint{{"#f3f1e6", "#fffaf0", "#d9cfb4", "#5a8f6a"}, {"#ebf1f6", "#ffffff", "#c9d6e2", "#4a86bb"}, {"#f6eeee", "#fffafa", "#dccfcf", "#c25a5a"}}
)

func mixed(all ...[]paint) []paint {
	var out []paint
	for _, some := range all {
		out = append(out, some...)
	}
	return out
}

// look is what things look like whose id has one of the words.
type look struct {
	words string // with spaces
	kind  kind
}

// What is packed looks like its pack, whatever is in it: chopped tomatoes are a tin.
var packs = []look{
	{"tins soups", kind{tin, mixed(reds, greens, oranges, blues)}},
	{"sauces condiments spices", kind{jar, mixed(reds, oranges, greens, purples)}},
	{"oils squash juice", kind{bottle, mixed(yellows, greens, oranges)}},
	{"crisps nuts", kind{bag, mixed(reds, greens, blues)}},
	{"cereals biscuits crackers", kind{box, mixed(oranges, blues, reds, greens)}},
	{"frozen-fruit-and-veg", kind{bag, blues}},
	{"indian asian british", kind{bowl, mixed(oranges, reds, greens)}},
	{"baby-food", kind{jar, mixed(oranges, greens)}},
	{"hair skin", kind{pump, mixed(blues, purples, greens)}},
}

// What is loose, or what everybody knows, looks like itself.
var things = []look{
	{"banana plantain", kind{crescent, yellows}},
	{"lemon lime grapefruit orange clementine satsuma mandarin", kind{slice, mixed(oranges, yellows)}},
	{"berry berries grape cherry cherries", kind{bunch, mixed(purples, reds, blues[:2])}},
	{"carrot parsnip radish", kind{root, oranges}},
	{"eggs", kind{eggs, browns}},
	{"cheddar brie stilton gouda cheese", kind{wedge, yellows}},
	{"butter margarine tofu", kind{block, mixed(yellows, creams)}},
	{"milk drink", kind{carton, creams}},
	{"cream creme fraiche yoghurt skyr hummus houmous custard dip", kind{tub, mixed(creams, blues)}},
	{"pizza quiche", kind{pizza, mixed(reds, yellows)}},
	{"sandwich wrap", kind{sandwich, browns}},
	{"chocolate bar", kind{bar, mixed(browns, purples)}},
	{"coffee tea", kind{cup, mixed(browns, greens, reds)}},
	{"wine prosecco champagne gin vodka whisky rum", kind{wine, mixed(reds, greens, purples)}},
	{"beer lager cider ale cola", kind{can, mixed(oranges, greens, blues)}},
	{"salmon cod haddock tuna mackerel prawn fish", kind{fish, mixed(blues, oranges)}},
	{"ice-cream lolly lollies", kind{cone, mixed(reds, yellows, browns)}},
	{"toilet loo-roll kitchen-roll paper foil", kind{roll, creams}},
	{"mushroom", kind{mushroom, browns}},
	{"potato potatoes onion onions beetroot swede turnip", kind{tuber, browns}},
	{"tomato pepper apple apples", kind{round, mixed(reds, greens)}},
}

// The rest looks like its aisle.
var places = []look{
	{"fruit", kind{round, mixed(reds, oranges, greens, yellows)}},
	{"flowers plants", kind{flower, mixed(reds, purples, yellows)}},
	{"vegetables salad herbs veg", kind{leaf, greens}},
	{"cheese", kind{wedge, yellows}},
	{"dairy milk", kind{carton, creams}},
	{"yoghurt", kind{tub, mixed(creams, blues)}},
	{"puddings desserts cakes pastries party", kind{cake, mixed(reds, browns, purples)}},
	{"bakery bread flatbreads crumpets", kind{loaf, browns}},
	{"meat-free deli", kind{tub, greens}},
	{"fish", kind{fish, mixed(blues, oranges)}},
	{"meat sausages bacon cooked poultry", kind{steak, reds}},
	{"breakfast jars", kind{jar, mixed(reds, oranges, greens, purples)}},
	{"baking cereal-bars", kind{box, mixed(oranges, blues, reds, greens)}},
	{"pasta rice cupboard mexican mediterranean sweets snacks chocolate", kind{bag, mixed(oranges, reds, yellows, greens)}},
	{"beer", kind{can, mixed(oranges, greens, blues)}},
	{"wine spirits", kind{wine, mixed(reds, greens, purples)}},
	{"water soft low-and-no drinks cordials", kind{bottle, mixed(blues, oranges, greens)}},
	{"ice-cream", kind{cone, mixed(reds, yellows, browns)}},
	{"frozen", kind{bag, blues}},
	{"meals pies lunch", kind{bowl, mixed(oranges, reds, greens)}},
	{"washing laundry cleaning bath household", kind{pump, mixed(blues, purples, greens)}},
	{"dental shaving", kind{tube, mixed(blues, reds)}},
	{"vitamins baby health", kind{jar, mixed(oranges, blues, purples)}},
	{"nappies period toiletries", kind{box, mixed(blues, purples)}},
	{"lighting", kind{bulb, yellows}},
	{"dogs pets", kind{bone, browns}},
	{"cats", kind{tin, mixed(purples, oranges)}},
}

var anything = kind{box, mixed(oranges, greens, blues)}

// draw is a product's picture, 240 by 240, below a kilobyte and a half.
func draw(aisle, product string) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(product))
	number := sum.Sum32()
	look := lookOf(aisle, product)
	colours := look.paints[int(number)%len(look.paints)]
	turn := int(number>>8)%13 - 6                      // degrees
	size := 0.94 + float64(number>>16%9)/100           // of a whole
	spot := []int{40, 196, 120, 60, 180}[number>>20%5] // where the light on the paper falls
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 240"><rect width="240" height="240" fill="%s"/>`+
		`<circle cx="%d" cy="70" r="110" fill="#fff" opacity=".45"/><ellipse cx="120" cy="206" rx="66" ry="9" fill="#000" opacity=".08"/>`+
		`<g transform="rotate(%d 120 130) translate(120 124) scale(%.2f) translate(-120 -124)">%s</g></svg>`,
		colours.paper, spot, turn, size, look.shape(colours))
}

func lookOf(aisle, product string) kind {
	for _, in := range []struct {
		looks []look
		id    string
	}{{packs, aisle}, {things, product}, {places, aisle}} {
		for _, look := range in.looks {
			for word := range strings.SplitSeq(look.words, " ") {
				if strings.Contains("-"+in.id+"-", "-"+word+"-") || len(word) > 4 && strings.Contains(in.id, word) {
					return look.kind
				}
			}
		}
	}
	return anything
}

// fill replaces B, D, L and P between braces by the paints' colours.
func fill(p paint, text string) string {
	return strings.NewReplacer("{B}", p.body, "{D}", p.dark, "{L}", p.label, "{P}", p.paper).Replace(text)
}
