package catalogue

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func mustLoad(t *testing.T) *Catalogue {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSizeOfTheSeed(t *testing.T) {
	c := mustLoad(t)
	if n := len(c.Products); n < 1500 {
		t.Errorf("%d products, want 1500 or more", n)
	}
	leaves, deepest, brands := map[string]bool{}, 0, map[string]int{}
	for _, p := range c.Products {
		leaves[p.CategoryID] = true
		brands[p.BrandID]++
	}
	for _, x := range c.Categories {
		deepest = max(deepest, len(c.Path(x.ID)))
	}
	if len(leaves) < 60 || deepest != 3 {
		t.Errorf("%d categories with products, want 60 or more; the deepest is in level %d, want 3", len(leaves), deepest)
	}
	for _, b := range c.Brands {
		if brands[b.ID] == 0 {
			t.Errorf("brand %s makes nothing", b.ID)
		}
	}
	if n := len(c.Offers.PlannedPrices); n < 12 {
		t.Errorf("%d planned prices, want 12 or more", n)
	}
	var stores []string
	for _, s := range c.Stores {
		stores = append(stores, s.ID)
	}
	if want := []string{"soho", "camden", "brixton"}; !slices.Equal(stores, want) {
		t.Errorf("stores %v, want %v", stores, want)
	}
}

// Independent of validGTIN: the check digit computed from the other twelve.
func TestGTINs(t *testing.T) {
	for _, p := range mustLoad(t).Products {
		if len(p.GTIN) != 13 || p.GTIN[0] != '2' {
			t.Errorf("%s: %q is not 13 digits from 20 to 29", p.ID, p.GTIN)
			continue
		}
		odd, even := 0, 0
		for i := 0; i < 12; i += 2 {
			odd += int(p.GTIN[i] - '0')
			even += int(p.GTIN[i+1] - '0')
		}
		if want := (10 - (odd+3*even)%10) % 10; int(p.GTIN[12]-'0') != want {
			t.Errorf("%s: check digit of %s, want %d", p.ID, p.GTIN, want)
		}
	}
}

func TestValidGTIN(t *testing.T) {
	for s, want := range map[string]bool{
		"2000001000014":  true,
		"2000001000015":  false, // check digit
		"2000001000041":  false, // last two swapped
		"4006381333931":  false, // sound, but a country's range
		"200000100001":   false,
		"20000010000144": false,
		"2OOOOO1OOOO14":  false, // letters
		"":               false,
	} {
		if got := validGTIN(s); got != want {
			t.Errorf("validGTIN(%q) = %v, want %v", s, got, want)
		}
	}
}

func TestCategoryTree(t *testing.T) {
	c := mustLoad(t)
	children, products := map[string][]string{}, map[string]int{}
	for _, x := range c.Categories {
		children[x.ParentID] = append(children[x.ParentID], x.ID)
	}
	for _, p := range c.Products {
		products[p.CategoryID]++
	}
	reached := map[string]bool{}
	for todo := children[""]; len(todo) > 0; todo = todo[1:] {
		id := todo[0]
		reached[id] = true
		todo = append(todo, children[id]...)
		if len(children[id]) == 0 && products[id] == 0 {
			t.Errorf("leaf %s is empty", id)
		}
	}
	for _, x := range c.Categories {
		if !reached[x.ID] {
			t.Errorf("%s can't be reached from the top", x.ID)
		}
	}
	var path []string
	for _, x := range c.Path("wine-and-spirits") {
		path = append(path, x.ID)
	}
	if want := []string{"drinks", "beer-wine-and-spirits", "wine-and-spirits"}; !slices.Equal(path, want) {
		t.Errorf("path %v, want %v", path, want)
	}
	if c.Path("nowhere") != nil {
		t.Error("an unknown category has a path")
	}
	for _, p := range c.Products {
		if uri := c.ImageURI(p); uri != "/images/categories/"+c.Path(p.CategoryID)[0].ID+".svg" {
			t.Errorf("%s: image %q", p.ID, uri)
		}
	}
}

// What searches are shown with: typos, plurals, accents, compounds, synonyms.
func TestShowpieces(t *testing.T) {
	c := mustLoad(t)
	for id, name := range map[string]string{
		"bananas": "Bananas", "banana-bread": "Banana Bread", "dried-banana-chips": "Dried Banana Chips",
		"courgettes": "Courgettes", "aubergines": "Aubergines", "coriander": "Coriander",
		"jalapenos": "Jalapeños", "creme-fraiche": "Crème Fraîche", "cheesecake": "Vanilla Cheesecake",
		"semi-skimmed-milk": "Semi-Skimmed Milk", "wholemeal-bread": "Wholemeal Bread",
		"free-range-eggs": "Free Range Eggs", "sea-salt-crisps": "Sea Salt Crisps",
		"loo-roll": "Loo Roll", "bin-bags": "Bin Bags", "cola": "Cola",
	} {
		if got := c.products[id].Name; got != name {
			t.Errorf("product %s is named %q, want %q", id, got, name)
		}
	}
}

func TestStockAndPrices(t *testing.T) {
	c := mustLoad(t)
	for _, s := range c.Stores {
		none, sold := 0, 0
		for _, p := range c.Products {
			units, price := c.Stock(s.ID, p.ID), c.Price(s.ID, p.ID)
			switch {
			case !c.Sold(s.ID, p.ID):
				if units != 0 || price != 0 {
					t.Errorf("%s: %s is not sold, but has stock %d and price %d", s.ID, p.ID, units, price)
				}
				continue
			case units == 0:
				none++
			case units < 20 || units > 400:
				t.Errorf("%s: %d of %s", s.ID, units, p.ID)
			}
			sold++
			if price <= p.Cost {
				t.Errorf("%s: %s at %d, cost %d", s.ID, p.ID, price, p.Cost)
			}
		}
		if none < len(c.Products)/400 || none > len(c.Products)/50 {
			t.Errorf("%s: %d products out of stock, want some and few", s.ID, none)
		}
		if sold == len(c.Products) || sold < len(c.Products)*8/10 {
			t.Errorf("%s sells %d of %d products", s.ID, sold, len(c.Products))
		}
	}
	own := map[string]int{}
	for _, x := range c.Offers.StorePrices {
		own[x.StoreID]++
		if x.StoreID == "soho" && x.Price < c.products[x.ProductID].Price {
			t.Errorf("%s is cheaper in soho than elsewhere", x.ProductID)
		}
	}
	if own["soho"] < 200 || own["camden"] < 50 || own["brixton"] < 200 {
		t.Errorf("stores have prices of their own: %v", own)
	}
	if c.Price("soho", "bananas") <= c.Price("brixton", "bananas") {
		t.Error("bananas have no price of their own in soho")
	}
	if c.Stock("nowhere", "bananas") != 0 || c.Stock("soho", "nothing") != 0 || c.Sold("nowhere", "bananas") {
		t.Error("an unknown store or product is sold")
	}
	// A test or demo that runs before a planned price must not see it.
	for _, x := range c.Offers.PlannedPrices {
		if x.ValidFrom.Before(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("planned price of %s is from %s, too soon", x.ProductID, x.ValidFrom)
		}
	}
}

func TestMargin(t *testing.T) {
	for _, x := range []struct{ price, cost, rate, want int64 }{
		{100, 60, 0, 400},
		{120, 60, 2000, 400},
		{120, 100, 2000, 0},
		{100, 110, 0, -100},
		{0, 10, 0, 0},
	} {
		if got := margin(x.price, x.cost, x.rate); got != x.want {
			t.Errorf("margin(%d, %d, %d) = %d, want %d", x.price, x.cost, x.rate, got, x.want)
		}
	}
}

// Each planted fault is found, and named.
func TestLoadFindsFaults(t *testing.T) {
	for _, x := range []struct{ file, old, new, want string }{
		{"categories.json", `"fruit"`, `"Fruit!"`, `category "Fruit!": the id is not a slug`},
		{"categories.json", `"id": "cheese"`, `"id": "bread"`, `category "bread": the id is used twice`},
		{"categories.json", `"id": "fruit-and-veg", "name": "Fruit & Veg", "parent_id": ""`,
			`"id": "fruit-and-veg", "name": "Fruit & Veg", "parent_id": "fruit"`, `parent "fruit" is not above it`},
		{"categories.json", `"parent_id": "fruit-and-veg", "position": 2`, `"parent_id": "fruit-and-veg", "position": 1`, "position 1 is taken"},
		{"categories.json", `"name": "Cheese"`, `"nmae": "Cheese"`, `unknown field "nmae"`},
		{"brands.json", `"id": "whetmill"`, `"id": "wetmill"`, `unknown brand "whetmill"`},
		{"stores.json", `"W1F"`, `"w1f"`, `"w1f" is not an outward code`},
		{"stores.json", `"GBP"`, `"EUR"`, `currency "EUR"`},
		{"products/fruit-and-veg.json", `"category_id": "fruit"`, `"category_id": "cheese"`, "belongs in dairy-and-eggs.json"},
		{"products/fruit-and-veg.json", `"category_id": "fruit"`, `"category_id": "fruit-and-veg"`, "has children and products"},
		{"products/fruit-and-veg.json", `"category_id": "fruit"`, `"category_id": "nuts"`, `unknown category "nuts"`},
		{"products/fruit-and-veg.json", `"gtin": "2`, `"gtin": "5`, "restricted-circulation GTIN-13"},
		{"products/fruit-and-veg.json", `"price": 95`, `"price": 1`, `product "bananas": cost`},
		{"products/fruit-and-veg.json", `"price": 95`, `"price": 900`, "permille is not in 80 to 550"},
		{"products/fruit-and-veg.json", `"tax_rate_bps": 0`, `"tax_rate_bps": 500`, "tax rate 500"},
		{"products/fruit-and-veg.json", `"vegan"`, `"vegam"`, `unknown tag "vegam"`},
		{"products/fruit-and-veg.json", `"id": "lemons"`, `"id": "bananas"`, `product "bananas": the id is used twice`},
		{"offers.json", `"product_id": "carrots"`, `"product_id": "carrot"`, `store_prices: unknown product "carrot"`},
		{"offers.json", `"store_id": "camden"`, `"store_id": "camdem"`, `store_prices: unknown store "camdem"`},
		{"offers.json", `"price": 65}`, `"price": 5}`, `"carrots" at 5 is below cost`},
		{"offers.json", `"tempeh"`, `"basmati-rice"`, `brixton does not sell "basmati-rice"`},
		{"offers.json", `"2030-06-03T05:00:00Z"`, `"0001-01-01T00:00:00Z"`, `"strawberries" has no valid_from`},
		{"stock.json", `"raspberries": 0`, `"raspberries": -1`, `-1 of "raspberries"`},
		{"stock.json", `"camden": 160, `, ``, `no default for store "camden"`},
		{"spread.json", `"camden":`, `"camdem":`, `spread: nothing for store "camden"`},
		{"spread.json", `"units": [40, 160]`, `"units": [40, 4000]`, `spread: store "soho" has 40 to 4000 units`},
		{"ranges/fruit-and-veg.json", `"Gala Apples: 6 pack 200, `, `"Gala Apples 6 pack 200", "`, `"Gala Apples 6 pack 200": no sizes`},
		{"ranges/fruit-and-veg.json", `6 pack 200`, `6 pack two`, `"two" is not a price`},
		{"ranges/fruit-and-veg.json", `6 pack 200`, `200`, `"200" is not a size and a price`},
		{"ranges/fruit-and-veg.json", `4 pack 150`, `6 pack 150`, `"gala apples, pipwell, 6 pack" is there twice`},
		{"ranges/fruit-and-veg.json", `"pipwell": 100`, `"pipwel": 100`, `unknown brand "pipwel"`},
		{"ranges/fruit-and-veg.json", `"margin_permille": 260`, `"margin_permille": 26`, "permille is not in 80 to 550"},
		{"ranges/fruit-and-veg.json", `"category_id": "fruit"`, `"category_id": "cheese"`, "belongs in dairy-and-eggs.json"},
		{"ranges/fruit-and-veg.json", `"not_sold": ["brixton"]`, `"not_sold": ["brighton"]`, `unknown store "brighton"`},
		{"brands.json", "]\n", "]]\n", "text after the JSON value"},
	} {
		t.Run(x.want, func(t *testing.T) {
			files := copyData(t)
			f := files["data/"+x.file]
			text := strings.Replace(string(f.Data), x.old, x.new, 1)
			if text == string(f.Data) {
				t.Fatalf("%s has no %s to plant the fault in", x.file, x.old)
			}
			f.Data = []byte(text)
			_, err := load(files)
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("error %v, want one with %q", err, x.want)
			}
		})
	}
}

func copyData(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(data, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := data.ReadFile(name)
		files[name] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Diffs of the catalogue are read line by line.
func TestOneProductALine(t *testing.T) {
	for name, f := range copyData(t) {
		if !strings.HasPrefix(name, "data/products/") {
			continue
		}
		var products []json.RawMessage
		if err := json.Unmarshal(f.Data, &products); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(f.Data), "\n"); lines != len(products)+2 {
			t.Errorf("%s has %d products on %d lines", name, len(products), lines-2)
		}
	}
}
