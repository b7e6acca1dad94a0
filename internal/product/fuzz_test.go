package product

import (
	"strings"
	"testing"
	"unicode/utf8"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/fault"
)

// Whatever a file's first line and a further one are, they are read or refused as the caller's fault, with fields that can be told.
func FuzzImportLines(f *testing.F) {
	const names = "product_id,name,category_id,price.minor_units"
	for _, line := range []string{
		"quince-paste,Quince Paste,fruit,329", `medlar-jelly,"Medlar Jelly, ""old style""",fruit,449`, "", ",,,", `a,"open`, "a,b,c,9999999999999999999", "\xff\xfe", "a,b,c,1,5",
		"a,b,c,-1", "\x00,b,c,1", strings.Repeat("é,", 200),
	} {
		f.Add(names, line)
		f.Add(line, line)
	}
	f.Add("product_id,name,category_id,price.minor_units,store_ids,tags,max_per_shopper,tax_rate_bps,cost.minor_units,cost.currency,status", "a,b,c,1,soho camden,x y,2,0,5,GBP,ACTIVE")
	f.Fuzz(func(t *testing.T, first, line string) {
		columns, err := columnsOf([]byte(first))
		told(t, err)
		if err != nil {
			return
		}
		told(t, readCells(&productpb.Product{}, columns, []byte(line)))
	})
}

// told holds an error against what a caller may be told.
func told(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	coded := fault.From(err)
	if coded.Reason().HTTP >= 500 {
		t.Fatalf("a fault of ours: %v", err)
	}
	for _, v := range coded.Violations() {
		if !utf8.ValidString(v.GetField()) || !utf8.ValidString(v.GetDescription()) || v.GetDescription() == "" {
			t.Fatalf("a violation that can't be told: %q", v)
		}
	}
}

// A page token is this list's own, or refused; each that a list gives leads back to its place.
func FuzzPageToken(f *testing.F) {
	for _, order := range []Order{ByID, ByName, Latest} {
		f.Add(Product{ID: "bananas", Name: "Bananas"}.token("fruit", order), "fruit", string(order), "bananas", "Bananas")
	}
	f.Add("", "", "", "", "")
	f.Add("%%%", "fruit", "name", "a", "\x00")
	f.Add("YS5i", "fruit", string(Latest), "a b", "é 1")
	f.Fuzz(func(t *testing.T, token, query, orderName, id, name string) {
		order := Order(orderName)
		if _, err := placeOf(token, query, order); err != nil && !fault.Is(err, fault.InvalidPageToken) {
			t.Fatalf("refused otherwise: %v", err)
		}
		if strings.ContainsAny(id, " \x00") || strings.ContainsRune(name, 0) || !utf8.ValidString(id+name) || order == Latest {
			return // no product has these; a time has its own form
		}
		place, err := placeOf(Product{ID: id, Name: name}.token(query, order), query, order)
		if err != nil || place.ID != id || order == ByName && place.Name != name {
			t.Fatalf("a token of %q %q leads to %+v, %v", id, name, place, err)
		}
	})
}
