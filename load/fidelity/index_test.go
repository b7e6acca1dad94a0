package main

import (
	"encoding/json"
	"testing"
	"time"
)

// shelfOf is a small catalogue: a product with everything, one with little, and one that was deleted.
func shelfOf() *journal {
	j := newJournal()
	j.putBrand("b", "Greenlatch")
	j.putCategory("food", category{name: "Food"})
	j.putCategory("fruit", category{name: "Fruit", parent: "food"})
	j.put(
		&product{
			id: "fid-1", name: "Figs", brand: "b", category: "fruit", description: "Dried", size: "1 kg", gtin: "0000000000017", tags: []string{"vegan"},
			image: "/x.svg", status: "active", cost: 50, everyday: 120, tax: 2000, popularity: 7,
			prices: map[string]int64{"camden": 99, "soho": 1}, sold: map[string]bool{"camden": true, "brixton": true},
			available: map[string]bool{"brixton": true, "soho": true},
		},
		&product{id: "fid-2", name: "Plums", category: "food", status: "draft"},
		&product{id: "fid-3", deleted: true},
	)
	return j
}

// indexed are the documents as an index has them.
func indexed(t *testing.T) map[string]map[string]any {
	t.Helper()
	var documents map[string]map[string]any
	err := json.Unmarshal([]byte(`{
		"fid-1": {"product_id": "fid-1", "revision": 4, "update_time": "2026-01-01T00:00:00Z", "deleted": false, "status": "active", "name": "Figs",
			"brand": "Greenlatch", "brand_id": "b", "description": "Dried", "size": "1 kg", "gtin": "0000000000017", "category_id": "fruit",
			"category_path": ["food", "fruit"], "category_names": ["Food", "Fruit"], "tags": ["vegan"], "image_uri": "/x.svg", "currency": "GBP",
			"tax_rate_bps": 2000, "price": 120, "prices": {"brixton": 120, "camden": 99}, "available_in": ["brixton"], "margin_permille": 500, "popularity": 7},
		"fid-2": {"product_id": "fid-2", "revision": 1, "update_time": "2026-01-01T00:00:00Z", "deleted": false, "status": "draft", "name": "Plums",
			"description": "", "size": "", "gtin": "", "category_id": "food", "category_path": ["food"], "category_names": ["Food"], "tags": [],
			"image_uri": "", "currency": "GBP", "tax_rate_bps": 0, "prices": {}, "available_in": [], "margin_permille": 0, "popularity": 0},
		"fid-3": {"product_id": "fid-3", "revision": 9, "deleted": true}
	}`), &documents)
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

// Each fault that is planted into an index is found, as what it is.
func TestDifferences(t *testing.T) {
	for name, c := range map[string]struct {
		plant                              func(map[string]map[string]any)
		missing, stale, extra, resurrected int
	}{
		"faithful":                   {func(map[string]map[string]any) {}, 0, 0, 0, 0},
		"the deleted one is gone":    {func(d map[string]map[string]any) { delete(d, "fid-3") }, 0, 0, 0, 0},
		"a document is dropped":      {func(d map[string]map[string]any) { delete(d, "fid-2") }, 1, 0, 0, 0},
		"a living one is deleted":    {func(d map[string]map[string]any) { d["fid-2"] = map[string]any{"product_id": "fid-2", "deleted": true} }, 1, 0, 0, 0},
		"an old name":                {func(d map[string]map[string]any) { d["fid-1"]["name"] = "Fig" }, 0, 1, 0, 0},
		"a field too many":           {func(d map[string]map[string]any) { d["fid-2"]["cost"] = 3.0 }, 0, 1, 0, 0},
		"a price of a store too few": {func(d map[string]map[string]any) { d["fid-1"]["prices"] = map[string]any{"brixton": 120.0} }, 0, 1, 0, 0},
		"a deleted one is back":      {func(d map[string]map[string]any) { d["fid-3"]["deleted"] = false }, 0, 0, 0, 1},
		"one that never was":         {func(d map[string]map[string]any) { d["fid-4"] = map[string]any{"product_id": "fid-4"} }, 0, 0, 1, 0},
	} {
		have := indexed(t)
		c.plant(have)
		f := &found{}
		f.differences("products-1", shelfOf().documents(), have)
		if f.missing != c.missing || f.stale != c.stale || f.extra != c.extra || f.resurrected != c.resurrected {
			t.Errorf("%s: %+v", name, f)
		}
		if f.any() != (len(f.details) > 0) {
			t.Errorf("%s: it is told %q", name, f.details)
		}
	}
}

func TestQuantile(t *testing.T) {
	all := lags{}
	if all.quantile(0.5) != time.Minute {
		t.Error("nothing was found, and that is quick")
	}
	for i := range 100 {
		all = append(all, time.Duration(i)*time.Millisecond)
	}
	if all.quantile(0.5) != 50*time.Millisecond || all.quantile(0.99) != 99*time.Millisecond || all.quantile(1) != 99*time.Millisecond {
		t.Errorf("%v %v %v", all.quantile(0.5), all.quantile(0.99), all.quantile(1))
	}
}
