package product_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"larder.dev/internal/identity"
)

// document is a product's document for the search index, some of its fields.
func (r *rig) document(t *testing.T, id string) string {
	t.Helper()
	return r.text(t, `select concat_ws(' | ', document ->> 'brand', document ->> 'category_path', document ->> 'category_names', deleted::text)
		from products.catalog_documents where product_id = $1`, id)
}

// refused wants a call of a merchandiser refused.
func (r *rig) refused(t *testing.T, method, path, body, want string) {
	t.Helper()
	if got := r.call(t, method, path, r.merchandiser, body); got.refusal(t) != want {
		t.Errorf("%s %s %s: %d %s, want %s", method, path, body, got.status, got.text, want)
	}
}

func TestBrands(t *testing.T) {
	r := newRig(t)
	created := r.must(t, "POST", "/v1/brands", r.merchandiser, `{"brand_id": "amalfi", "name": "Amalfi"}`)
	if read := r.must(t, "GET", "/v1/brands/amalfi", "", ""); !reflect.DeepEqual(read, created) || read["name"] != "Amalfi" {
		t.Errorf("read %v, created %v", read, created)
	}
	r.refused(t, "POST", "/v1/brands", `{"brand_id": "amalfi", "name": "Another"}`, "ALREADY_EXISTS brand.brand_id")
	r.refused(t, "POST", "/v1/brands", `{"brand_id": "blank", "name": "  "}`, "INVALID_ARGUMENT brand.name")
	r.refused(t, "POST", "/v1/brands", `{"brand_id": "NO", "name": ""}`, "INVALID_ARGUMENT brand.brand_id brand.name")

	var ids []string
	for token := ""; ; {
		page := r.must(t, "GET", "/v1/brands?page_size=2&page_token="+token, "", "")
		for _, b := range page["brands"].([]any) {
			ids = append(ids, b.(map[string]any)["brand_id"].(string))
		}
		if token = page["next_page_token"].(string); token == "" {
			break
		}
	}
	if got := strings.Join(ids, " "); got != "amalfi greenlatch hollinbeck" {
		t.Errorf("brands %s", got)
	}

	// A new name is in the products' documents at once; the same name touches nothing.
	r.create(t, "lemons", `{"brand_id": "amalfi"}`)
	changed := r.must(t, "PATCH", "/v1/brands/amalfi", r.merchandiser, fmt.Sprintf(`{"brand_id": "amalfi", "name": "Amalfi Coast", "etag": %q}`, created["etag"]))
	if got := r.document(t, "lemons"); !strings.HasPrefix(got, "Amalfi Coast |") || changed["etag"] == created["etag"] {
		t.Errorf("after the new name %v: %s", changed, got)
	}
	before := r.traces(t)
	if again := r.must(t, "PATCH", "/v1/brands/amalfi", r.merchandiser, `{"name": "Amalfi Coast"}`); !reflect.DeepEqual(again, changed) || r.traces(t) != before {
		t.Errorf("the same name again: %v, %s", again, r.traces(t))
	}
	r.refused(t, "PATCH", "/v1/brands/amalfi", fmt.Sprintf(`{"name": "Late", "etag": %q}`, created["etag"]), "ETAG_MISMATCH")
	r.refused(t, "PATCH", "/v1/brands/amalfi", `{"name": ""}`, "INVALID_ARGUMENT brand.name")
	r.refused(t, "PATCH", "/v1/brands/amalfi?update_mask=colour", `{"name": "x"}`, "INVALID_ARGUMENT update_mask")
	r.refused(t, "PATCH", "/v1/brands/unknown", `{"name": "x"}`, "BRAND_NOT_FOUND")

	// A brand stays while a product has it, and a deleted product lets go of it.
	r.refused(t, "DELETE", "/v1/brands/amalfi", "", "IN_USE")
	r.must(t, "DELETE", "/v1/products/lemons", r.merchandiser, "")
	r.refused(t, "DELETE", "/v1/brands/amalfi?etag=%22old%22", "", "ETAG_MISMATCH")
	r.must(t, "DELETE", "/v1/brands/amalfi", r.merchandiser, "")
	r.refused(t, "DELETE", "/v1/brands/amalfi", "", "BRAND_NOT_FOUND")
	r.refused(t, "GET", "/v1/brands/amalfi", "", "BRAND_NOT_FOUND")
	if got := r.document(t, "lemons"); got != "true" {
		t.Errorf("the document of the deleted product is %s", got)
	}
	if got := r.changes(t, "brand_id=amalfi"); len(got) != 3 || !strings.HasPrefix(got[0], "merchandiser delete brands") {
		t.Errorf("changes of the brand %q", got)
	}
}

func TestCategoriesChange(t *testing.T) {
	r := newRig(t)
	r.create(t, "lemons", "")
	created := r.must(t, "POST", "/v1/categories", r.merchandiser, `{"category_id": "sour", "name": "Sour", "parent_id": "fruit", "position": 7}`)
	if read := r.must(t, "GET", "/v1/categories/sour", "", ""); !reflect.DeepEqual(read, created) || read["position"] != 7.0 {
		t.Errorf("read %v, created %v", read, created)
	}
	r.refused(t, "POST", "/v1/categories", `{"category_id": "sour", "name": "Sour"}`, "ALREADY_EXISTS category.category_id")
	r.refused(t, "POST", "/v1/categories", `{"category_id": "sweet", "name": "Sweet", "parent_id": "nowhere"}`, "CATEGORY_NOT_FOUND category.parent_id")
	r.refused(t, "POST", "/v1/categories", `{"category_id": "sweet", "name": "Sweet", "parent_id": "sweet"}`, "CATEGORY_CYCLE category.parent_id")
	r.refused(t, "POST", "/v1/categories", `{"category_id": "sweet", "name": " "}`, "INVALID_ARGUMENT category.name")

	// Moved and renamed, at the top of what is above the product.
	moved := r.must(t, "PATCH", "/v1/categories/citrus", r.merchandiser, `{"parent_id": "sour"}`)
	r.must(t, "PATCH", "/v1/categories/food", r.merchandiser, `{"name": "Groceries"}`)
	if got := r.document(t, "lemons"); got != `Greenlatch | ["food", "fruit", "sour", "citrus"] | ["Groceries", "Fruit", "Sour", "Citrus"] | false` {
		t.Errorf("the document is %s", got)
	}
	before := r.traces(t)
	if again := r.must(t, "PATCH", "/v1/categories/citrus", r.merchandiser, `{"parent_id": "sour", "name": "Citrus"}`); !reflect.DeepEqual(again, moved) || r.traces(t) != before {
		t.Errorf("the same again: %v, %s", again, r.traces(t))
	}
	for _, parent := range []string{"sour", "citrus"} {
		r.refused(t, "PATCH", "/v1/categories/sour", `{"parent_id": "`+parent+`"}`, "CATEGORY_CYCLE category.parent_id")
	}
	r.refused(t, "PATCH", "/v1/categories/food", `{"parent_id": "citrus"}`, "CATEGORY_CYCLE category.parent_id")
	r.refused(t, "PATCH", "/v1/categories/food", `{"parent_id": "nowhere"}`, "CATEGORY_NOT_FOUND category.parent_id")
	r.refused(t, "PATCH", "/v1/categories/nowhere", `{"name": "x"}`, "CATEGORY_NOT_FOUND")
	r.refused(t, "PATCH", "/v1/categories/sour", `{"name": "x", "etag": "\"old\""}`, "ETAG_MISMATCH")
	r.must(t, "PATCH", "/v1/categories/dairy?update_mask=parent_id", r.merchandiser, `{}`)
	if top := r.must(t, "GET", "/v1/categories/dairy", "", ""); top["parent_id"] != "" {
		t.Errorf("moved to the top: %v", top)
	}

	r.refused(t, "DELETE", "/v1/categories/sour", "", "IN_USE")
	r.refused(t, "DELETE", "/v1/categories/citrus", "", "IN_USE")
	r.must(t, "DELETE", "/v1/products/lemons", r.merchandiser, "")
	r.must(t, "DELETE", "/v1/categories/citrus", r.merchandiser, "")
	r.must(t, "DELETE", "/v1/categories/sour", r.merchandiser, "")
	r.refused(t, "DELETE", "/v1/categories/sour", "", "CATEGORY_NOT_FOUND")
	r.refused(t, "GET", "/v1/categories/sour", "", "CATEGORY_NOT_FOUND")
	if got := r.document(t, "lemons"); got != "true" {
		t.Errorf("the document of the deleted product is %s", got)
	}
}

// Two moves, each sound by itself, that would make a circle together.
func TestCategoriesMovedAtOnce(t *testing.T) {
	r := newRig(t)
	for range 3 { // PostgreSQL takes a second to break a deadlock
		answers := make(chan answer, 2)
		for _, move := range [][2]string{{"fruit", "dairy"}, {"dairy", "fruit"}} {
			go func() {
				answers <- r.call(t, http.MethodPatch, "/v1/categories/"+move[0], r.merchandiser, `{"parent_id": "`+move[1]+`"}`)
			}()
		}
		moved := 0
		for range 2 {
			if a := <-answers; a.status == http.StatusOK {
				moved++
			} else if a.refusal(t) != "CATEGORY_CYCLE category.parent_id" {
				t.Errorf("%d %s", a.status, a.text)
			}
		}
		if moved != 1 {
			t.Errorf("%d moves went through", moved)
		}
		r.must(t, "PATCH", "/v1/categories/fruit", r.merchandiser, `{"parent_id": "food"}`)
		r.must(t, "PATCH", "/v1/categories/dairy", r.merchandiser, `{"parent_id": "food"}`)
	}
}

// A product comes into a category while that is removed: one of the two is refused.
func TestRemovalsMeetProducts(t *testing.T) {
	r := newRig(t)
	for n := range 10 {
		id := fmt.Sprintf("short-lived-%d", n)
		r.must(t, "POST", "/v1/categories", r.merchandiser, `{"category_id": "`+id+`", "name": "Short-lived"}`)
		created, removed := make(chan answer, 1), make(chan answer, 1)
		go func() {
			created <- r.call(t, http.MethodPost, "/v1/products", r.merchandiser,
				`{"product_id": "`+id+`", "name": "P", "category_id": "`+id+`", "price": {"currency": "GBP", "minor_units": 1}}`)
		}()
		go func() { removed <- r.call(t, http.MethodDelete, "/v1/categories/"+id, r.merchandiser, "") }()
		product, category := <-created, <-removed
		switch {
		case product.status == http.StatusOK && category.refusal(t) == "IN_USE":
		case category.status == http.StatusOK && product.refusal(t) == "CATEGORY_NOT_FOUND product.category_id":
		default:
			t.Errorf("product: %d %s, category: %d %s", product.status, product.text, category.status, category.text)
		}
	}
}

func TestStoresChange(t *testing.T) {
	r := newRig(t)
	const kentish = `{"store_id": "kentish", "name": "Larder Kentish Town", "delivery_fee": {"currency": "GBP", "minor_units": 299},
		"postcodes": ["NW5", "N7"], "address_line1": "1 Fortess Road", "city": "London", "postcode": "NW5 1AA"}`
	created := r.must(t, "POST", "/v1/stores", r.merchandiser, kentish)
	read := r.must(t, "GET", "/v1/stores/kentish", "", "")
	if !reflect.DeepEqual(read, created) || read["currency"] != "GBP" || read["city"] != "London" || read["free_delivery_from"] != nil ||
		!reflect.DeepEqual(read["postcodes"], []any{"N7", "NW5"}) {
		t.Errorf("read %v, created %v", read, created)
	}
	if served := r.must(t, "GET", "/v1/stores?postcode=NW5", "", "")["stores"].([]any); len(served) != 1 {
		t.Errorf("NW5 is served by %v", served)
	}
	r.refused(t, "POST", "/v1/stores", kentish, "ALREADY_EXISTS store.store_id")
	store := func(more string) string {
		return `{"store_id": "x1", "name": "X", "delivery_fee": {"currency": "GBP", "minor_units": 1}` + more + `}`
	}
	for more, want := range map[string]string{
		`, "currency": "EUR"`:      "INVALID_ARGUMENT store.delivery_fee.currency",
		`, "currency": "pounds"`:   "INVALID_ARGUMENT store.currency",
		`, "postcodes": ["nw5"]`:   "INVALID_ARGUMENT store.postcodes[0]",
		`, "postcodes": ["N1 1A"]`: "INVALID_ARGUMENT store.postcodes[0]",
		`, "free_delivery_from": {"currency": "GBP", "minor_units": -1}`: "INVALID_ARGUMENT store.free_delivery_from.minor_units",
		`, "free_delivery_from": {"currency": "EUR", "minor_units": 1}`:  "INVALID_ARGUMENT store.free_delivery_from.currency",
	} {
		r.refused(t, "POST", "/v1/stores", store(more), want)
	}
	r.refused(t, "POST", "/v1/stores", `{"store_id": "x1", "name": " ", "delivery_fee": {"currency": "GBP", "minor_units": 1}}`, "INVALID_ARGUMENT store.name")
	r.refused(t, "POST", "/v1/stores", `{"store_id": "x1", "name": "X"}`, "INVALID_ARGUMENT store.delivery_fee")

	changed := r.must(t, "PATCH", "/v1/stores/kentish", r.operator, fmt.Sprintf(
		`{"postcodes": ["NW5", "NW3"], "delivery_fee": {"minor_units": 199}, "free_delivery_from": {"currency": "GBP", "minor_units": 4000}, "etag": %q}`, read["etag"]))
	for field, want := range map[string]any{
		"name": "Larder Kentish Town", "city": "London", "postcodes": []any{"NW3", "NW5"},
		"delivery_fee": map[string]any{"currency": "GBP", "minor_units": "199"}, "free_delivery_from": map[string]any{"currency": "GBP", "minor_units": "4000"},
	} {
		if !reflect.DeepEqual(changed[field], want) {
			t.Errorf("%s is %v, want %v", field, changed[field], want)
		}
	}
	before := r.traces(t)
	if again := r.must(t, "PATCH", "/v1/stores/kentish", r.merchandiser, `{"postcodes": ["NW5", "NW3"]}`); !reflect.DeepEqual(again, changed) || r.traces(t) != before {
		t.Errorf("the same again: %v, %s", again, r.traces(t))
	}
	r.refused(t, "PATCH", "/v1/stores/kentish", fmt.Sprintf(`{"name": "Late", "etag": %q}`, read["etag"]), "ETAG_MISMATCH")
	r.refused(t, "PATCH", "/v1/stores/kentish?update_mask=delivery_fee", `{}`, "INVALID_ARGUMENT store.delivery_fee")
	r.refused(t, "PATCH", "/v1/stores/mars", `{"name": "x"}`, "STORE_NOT_FOUND")
	if none := r.must(t, "PATCH", "/v1/stores/kentish?update_mask=free_delivery_from,postcodes", r.merchandiser, `{}`); none["free_delivery_from"] != nil || len(none["postcodes"].([]any)) != 0 {
		t.Errorf("emptied: %v", none)
	}

	// Sold there, or deleted since.
	r.create(t, "lemons", `{"store_ids": ["kentish", "soho"]}`)
	r.exec(t, `insert into products.prices (product_id, store_id, minor_units) values ('lemons', 'kentish', 90)`)
	r.refused(t, "DELETE", "/v1/stores/kentish", "", "IN_USE")
	r.must(t, "PATCH", "/v1/products/lemons", r.merchandiser, `{"store_ids": ["soho"]}`)
	r.create(t, "limes", `{"store_ids": ["kentish"]}`)
	r.must(t, "DELETE", "/v1/products/limes", r.merchandiser, "")
	r.must(t, "DELETE", "/v1/stores/kentish", r.operator, "")
	r.refused(t, "DELETE", "/v1/stores/kentish", "", "STORE_NOT_FOUND")
	r.refused(t, "GET", "/v1/stores/kentish", "", "STORE_NOT_FOUND")
	if n := r.count(t, `select count(*) from products.prices where store_id is not null`); n != 0 {
		t.Errorf("%d prices of the removed store are left", n)
	}
	for _, want := range []string{"merchandiser insert stores", "operator update stores delivery_fee:299>199 free_delivery_from:<nil>>4000", "operator delete stores"} {
		if got := strings.Join(r.changes(t, "store_id=kentish"), "\n"); !strings.Contains(got, want) {
			t.Errorf("%q isn't among the store's changes\n%s", want, got)
		}
	}
	r.hidden(t)
}

func TestWhoWritesTheRange(t *testing.T) {
	r := newRig(t)
	bodies := map[string]string{
		"brands":     `{"brand_id": "x1", "name": "X"}`,
		"categories": `{"category_id": "x1", "name": "X"}`,
		"stores":     `{"store_id": "x1", "name": "X", "delivery_fee": {"currency": "GBP", "minor_units": 1}}`,
	}
	for kind, body := range bodies {
		for token, want := range map[string]string{"": "UNAUTHENTICATED", r.shopper: "PERMISSION_DENIED", r.expired: "TOKEN_EXPIRED"} {
			for _, c := range [][2]string{{"POST", ""}, {"PATCH", "/x1"}, {"DELETE", "/x1"}} {
				if got := r.call(t, c[0], "/v1/"+kind+c[1], token, body); got.refusal(t) != want {
					t.Errorf("%s %s by %.5q: %d %s", c[0], kind, token, got.status, got.text)
				}
			}
		}
	}
	operator := r.call(t, "POST", "/v1/brands", r.operator, bodies["brands"])
	if operator.refusal(t) != "PERMISSION_DENIED" {
		t.Errorf("an %s wrote a brand: %s", identity.RoleOperator, operator.text)
	}
}

// What is listed whole can't be more than a list tells.
func TestListsAreBounded(t *testing.T) {
	r := newRig(t)
	r.create(t, "lemons", "")
	for _, x := range []struct{ fill, path, body, free string }{
		{
			`insert into products.categories select 'c-' || n, 'C', 'food', n from generate_series(1, 2000 - (select count(*) from products.categories)) n`,
			"/v1/categories", `{"category_id": "sweet", "name": "Sweet"}`, `delete from products.categories where category_id = 'c-1'`,
		},
		{
			`insert into products.stores (store_id, name, currency, delivery_fee) select 's-' || n, 'S', 'GBP', 0
			from generate_series(1, 1000 - (select count(*) from products.stores)) n`,
			"/v1/stores", `{"store_id": "barnet", "name": "Barnet", "currency": "GBP", "delivery_fee": {"currency": "GBP", "minor_units": 299}}`, `delete from products.stores where store_id = 's-1'`,
		},
		{
			`insert into products.prices (product_id, valid_from, minor_units) select 'lemons', '2090-01-01'::timestamptz + n * interval '1 day', n
			from generate_series(1, 1000 - (select count(*) from products.prices where product_id = 'lemons')) n`,
			"/v1/products/lemons/prices", `{"price": {"currency": "GBP", "minor_units": 5}, "start_time": "2089-01-01T00:00:00Z"}`,
			`delete from products.prices where product_id = 'lemons' and minor_units = 7`,
		},
	} {
		r.exec(t, x.fill)
		r.refused(t, "POST", x.path, x.body, "CATALOGUE_FULL")
		r.exec(t, x.free)
		r.must(t, "POST", x.path, r.merchandiser, x.body)
	}
}
