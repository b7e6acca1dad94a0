package product_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/fault"
)

func TestProductsLife(t *testing.T) {
	r := newRig(t)
	created := r.create(t, "lemons", `{"tags": ["vegan"], "description": "Sour.", "size": "4 pack", "gtin": "2000023000016", "tax_rate_bps": 2000, "max_per_shopper": 3}`)
	if got := created["store_ids"]; !reflect.DeepEqual(got, []any{"camden", "soho"}) {
		t.Errorf("created without stores, it is sold in %v, want all", got)
	}
	read := r.must(t, "GET", "/v1/products/lemons", "", "")
	if !reflect.DeepEqual(read, created) {
		t.Errorf("read\n %v, created\n %v", read, created)
	}
	if read["brand"] != "Greenlatch" || read["status"] != "ACTIVE" || read["max_per_shopper"] != 3.0 || !reflect.DeepEqual(read["price"], map[string]any{"currency": "GBP", "minor_units": "120"}) {
		t.Errorf("read %v", read)
	}

	// Only what the body names changes.
	changed := r.must(t, "PATCH", "/v1/products/lemons", r.merchandiser,
		fmt.Sprintf(`{"name": "Unwaxed Lemons", "description": "", "price": {"currency": "GBP", "minor_units": "150"}, "etag": %q}`, read["etag"]))
	for field, want := range map[string]any{
		"name": "Unwaxed Lemons", "description": "", "price": map[string]any{"currency": "GBP", "minor_units": "150"},
		"size": "4 pack", "max_per_shopper": 3.0, "tags": []any{"vegan"}, "store_ids": []any{"camden", "soho"}, "create_time": read["create_time"],
	} {
		if !reflect.DeepEqual(changed[field], want) {
			t.Errorf("%s is %v after the change, want %v", field, changed[field], want)
		}
	}
	if changed["etag"] == read["etag"] {
		t.Error("the etag is the same after a change")
	}
	stale := r.call(t, "PATCH", "/v1/products/lemons", r.merchandiser, fmt.Sprintf(`{"name": "Limes", "etag": %q}`, read["etag"]))
	if stale.status != http.StatusPreconditionFailed || stale.refusal(t) != "ETAG_MISMATCH" {
		t.Errorf("with an old etag: %d %s", stale.status, stale.text)
	}
	stale = r.call(t, "DELETE", "/v1/products/lemons?etag=%22old%22", r.merchandiser, "")
	if stale.status != http.StatusPreconditionFailed {
		t.Errorf("deleted with an old etag: %d %s", stale.status, stale.text)
	}

	r.must(t, "DELETE", "/v1/products/lemons", r.merchandiser, "")
	for _, method := range []string{"GET", "DELETE", "PATCH"} {
		if gone := r.call(t, method, "/v1/products/lemons", r.merchandiser, `{"name": "Back"}`); gone.status != http.StatusNotFound || gone.refusal(t) != "PRODUCT_NOT_FOUND" {
			t.Errorf("%s of a deleted product: %d %s", method, gone.status, gone.text)
		}
	}
	again := r.call(t, "POST", "/v1/products", r.merchandiser, `{"product_id": "lemons", "name": "Lemons", "category_id": "citrus", "price": {"currency": "GBP", "minor_units": 1}}`)
	if again.status != http.StatusConflict || again.refusal(t) != "ALREADY_EXISTS product.product_id" {
		t.Errorf("the id of a deleted product was taken: %d %s", again.status, again.text)
	}
}

func TestUpdateWithoutAChange(t *testing.T) {
	r := newRig(t)
	created := r.create(t, "lemons", `{"tags": ["vegan"], "size": "4 pack", "max_per_shopper": 3}`)
	before := r.traces(t)
	for _, body := range []string{
		`{}`, `{"name": "Name of lemons"}`, `{"price": {"minor_units": 120}}`, `{"store_ids": ["soho", "camden"]}`,
		`{"cost": {"currency": "GBP", "minor_units": ` + cost + `}}`, `{"brand_id": "greenlatch", "tags": ["vegan"], "size": "4 pack", "max_per_shopper": 3}`,
	} {
		got := r.must(t, "PATCH", "/v1/products/lemons", r.merchandiser, body)
		if got["etag"] != created["etag"] || got["update_time"] != created["update_time"] || r.traces(t) != before {
			t.Errorf("%s changes something: %v", body, got)
		}
	}
	if got := r.must(t, "PATCH", "/v1/products/lemons", r.merchandiser, `{"size": "5 pack"}`); got["etag"] == created["etag"] {
		t.Error("a change keeps the etag")
	}
	r.must(t, "PATCH", "/v1/products/lemons?update_mask=brand_id", r.merchandiser, `{}`)
	before = r.traces(t)
	r.must(t, "PATCH", "/v1/products/lemons?update_mask=brand_id", r.merchandiser, `{}`)
	if got := r.traces(t); got != before {
		t.Errorf("no brand again: %s, was %s", got, before)
	}
}

func TestEtagSeesPriceAndAssortment(t *testing.T) {
	r := newRig(t)
	etag := r.create(t, "lemons", "")["etag"]
	for _, sql := range []string{
		`insert into products.prices (product_id, minor_units) values ('lemons', 125)`,
		`delete from products.store_products where store_id = 'soho'`,
		`update products.products set cost = 1`,
	} {
		if _, err := r.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		now := r.must(t, "GET", "/v1/products/lemons", "", "")["etag"]
		if now == etag {
			t.Errorf("the etag is the same after %s", sql)
		}
		etag = now
	}
}

func TestMasks(t *testing.T) {
	r := newRig(t)
	for i, c := range []struct {
		name, query, body string
		want              map[string]any
	}{
		{"part of a price", "", `{"price": {"minor_units": 99}}`, map[string]any{"price": map[string]any{"currency": "GBP", "minor_units": "99"}}},
		{"nothing", "", `{}`, map[string]any{"name": "Lemons"}},
		{"what was read, sent back", "", `{"product_id": "other", "brand": "x", "create_time": "2020-01-01T00:00:00Z", "name": "N"}`,
			map[string]any{"name": "N", "brand": "Greenlatch"}},
		{"mask over the body's other fields", "?update_mask=size", `{"size": "6 pack", "name": "ignored"}`, map[string]any{"size": "6 pack", "name": "Lemons"}},
		{"masked and not given", "?update_mask=brand_id,size", `{}`, map[string]any{"brand_id": "", "brand": "", "size": ""}},
		{"empty list", "", `{"store_ids": [], "tags": []}`, map[string]any{"store_ids": []any{}, "tags": []any{}}},
		{"other stores", "", `{"store_ids": ["camden"]}`, map[string]any{"store_ids": []any{"camden"}}},
		{"more images", "", `{"more_image_uris": ["/images/b.webp", "https://cdn.example/a.webp"]}`, map[string]any{"image_uri": "", "more_image_uris": []any{"/images/b.webp", "https://cdn.example/a.webp"}}},
		{"status", "", `{"status": "RETIRED"}`, map[string]any{"status": "RETIRED"}},
		{"limit", "", `{"max_per_shopper": 99}`, map[string]any{"max_per_shopper": 99.0, "name": "Lemons"}},
		{"no limit", "?update_mask=max_per_shopper", `{}`, map[string]any{"max_per_shopper": 0.0}},
		{"everything", "?update_mask=*", `{"name": "N", "category_id": "dairy", "status": "ACTIVE", "price": {"currency": "GBP", "minor_units": 7}}`,
			map[string]any{"name": "N", "category_id": "dairy", "brand_id": "", "store_ids": []any{}, "price": map[string]any{"currency": "GBP", "minor_units": "7"}}},
		{"cost", "", `{"cost": {"currency": "GBP", "minor_units": 47119}}`, map[string]any{"name": "Lemons"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := fmt.Sprintf("lemons-%d", i)
			r.create(t, id, `{"name": "Lemons", "size": "4 pack"}`)
			got := r.must(t, "PATCH", "/v1/products/"+id+c.query, r.merchandiser, c.body)
			for field, want := range c.want {
				if !reflect.DeepEqual(got[field], want) {
					t.Errorf("%s is %v, want %v", field, got[field], want)
				}
			}
		})
	}
}

func TestBadInput(t *testing.T) {
	r := newRig(t)
	r.create(t, "lemons", "")
	r.create(t, "secret", `{"status": "DRAFT"}`)
	product := func(more string) string {
		return `{"product_id": "limes", "name": "Limes", "category_id": "citrus", "price": {"currency": "GBP", "minor_units": 1}` + more + `}`
	}
	long := strings.Repeat("x", 201)
	m := r.merchandiser
	for _, c := range []struct {
		method, path, token, body string
		status                    int
		refusal                   string
	}{
		{"POST", "/v1/products", "", product(""), 401, "UNAUTHENTICATED"},
		{"POST", "/v1/products", r.shopper, product(""), 403, "PERMISSION_DENIED"},
		{"POST", "/v1/products", r.expired, product(""), 401, "TOKEN_EXPIRED"},
		{"PATCH", "/v1/products/lemons", r.shopper, `{"name": "x"}`, 403, "PERMISSION_DENIED"},
		{"DELETE", "/v1/products/lemons", "", "", 401, "UNAUTHENTICATED"},

		{"POST", "/v1/products", m, `{`, 400, "INVALID_ARGUMENT body"},
		{"POST", "/v1/products", m, ``, 400, "INVALID_ARGUMENT product.product_id product.name product.category_id product.price"},
		{"POST", "/v1/products", m, product(`, "colour": "green"`), 400, "INVALID_ARGUMENT colour"},
		{"POST", "/v1/products", m, product(`, "size": 7`), 400, "INVALID_ARGUMENT size"},
		{"POST", "/v1/products", m, product(`, "tax_rate_bps": "many"`), 400, "INVALID_ARGUMENT tax_rate_bps"},
		{"POST", "/v1/products", m, product(`, "tax_rate_bps": 10001`), 400, "INVALID_ARGUMENT product.tax_rate_bps"},
		{"POST", "/v1/products", m, product(`, "tax_rate_bps": -1`), 400, "INVALID_ARGUMENT product.tax_rate_bps"},
		{"POST", "/v1/products", m, product(`, "max_per_shopper": -1`), 400, "INVALID_ARGUMENT product.max_per_shopper"},
		{"POST", "/v1/products", m, product(`, "max_per_shopper": 100`), 400, "INVALID_ARGUMENT product.max_per_shopper"},
		{"POST", "/v1/products", m, product(`, "max_per_shopper": 1.5`), 400, "INVALID_ARGUMENT max_per_shopper"},
		{"PATCH", "/v1/products/lemons", m, `{"max_per_shopper": 100}`, 400, "INVALID_ARGUMENT product.max_per_shopper"},
		{"POST", "/v1/products", m, product(`, "gtin": "123"`), 400, "INVALID_ARGUMENT product.gtin"},
		{"POST", "/v1/products", m, product(`, "tags": ["A b"]`), 400, "INVALID_ARGUMENT product.tags[0]"},
		{"POST", "/v1/products", m, product(`, "tags": ["new", "new"]`), 400, "INVALID_ARGUMENT product.tags"},
		{"POST", "/v1/products", m, product(`, "status": 17`), 400, "INVALID_ARGUMENT product.status"},
		{"POST", "/v1/products", m, product(`, "image_uri": "javascript:alert(1)"`), 400, "INVALID_ARGUMENT product.image_uri"},
		{"POST", "/v1/products", m, product(`, "more_image_uris": ["/images/a.webp", "data:text/html,x"]`), 400, "INVALID_ARGUMENT product.more_image_uris[1]"},
		{"POST", "/v1/products", m, product(`, "more_image_uris": ["/a", "/a"]`), 400, "INVALID_ARGUMENT product.more_image_uris"},
		{"POST", "/v1/products", m, product(`, "cost": {"currency": "GBP", "minor_units": -1}`), 400, "INVALID_ARGUMENT product.cost.minor_units"},
		{"POST", "/v1/products", m, product(`, "cost": {"currency": "EUR", "minor_units": 1}`), 400, "INVALID_ARGUMENT product.cost.currency"},
		{"POST", "/v1/products", m, product(`, "description": "a\u0000b"`), 400, "INVALID_ARGUMENT product.description"},
		{"POST", "/v1/products", m, product(`, "brand_id": "nobody"`), 404, "BRAND_NOT_FOUND product.brand_id"},
		{"POST", "/v1/products", m, product(`, "store_ids": ["soho", "mars"]`), 404, "STORE_NOT_FOUND product.store_ids"},
		{"POST", "/v1/products", m, `{"product_id": "limes", "name": "Limes", "category_id": "nowhere", "price": {"currency": "GBP", "minor_units": 1}}`, 404, "CATEGORY_NOT_FOUND product.category_id"},
		{"POST", "/v1/products", m, `{"product_id": "Limes!", "name": "", "category_id": "citrus"}`, 400, "INVALID_ARGUMENT product.product_id product.name product.price"},
		{"POST", "/v1/products", m, `{"product_id": "limes", "name": "` + long + `", "category_id": "citrus", "price": {"currency": "GBP", "minor_units": 1}}`, 400, "INVALID_ARGUMENT product.name"},
		{"POST", "/v1/products", m, `{"product_id": "limes", "name": "  ", "category_id": "citrus", "price": {"currency": "EUR", "minor_units": 0}}`, 400, "INVALID_ARGUMENT product.name product.price.currency product.price.minor_units"},
		{"POST", "/v1/products", m, `{"product_id": "limes", "name": "L", "category_id": "citrus", "price": {"currency": "GBP", "minor_units": 100000000}}`, 400, "INVALID_ARGUMENT product.price.minor_units"},
		{"POST", "/v1/products", m, `{"product_id": "limes", "name": "L", "category_id": "citrus", "price": {"currency": "GBP", "minor_units": "99999999999999999999"}}`, 400, "INVALID_ARGUMENT minor_units"},
		{"POST", "/v1/products", m, `{"product_id": "lemons", "name": "L", "category_id": "citrus", "price": {"currency": "GBP", "minor_units": 1}}`, 409, "ALREADY_EXISTS product.product_id"},

		{"PATCH", "/v1/products/lemons", m, `{"name": ""}`, 400, "INVALID_ARGUMENT product.name"},
		{"PATCH", "/v1/products/lemons", m, `{"name": "` + long + `"}`, 400, "INVALID_ARGUMENT product.name"},
		{"PATCH", "/v1/products/lemons", m, `{"price": {"currency": "GBP", "minor_units": -5}}`, 400, "INVALID_ARGUMENT product.price.minor_units"},
		{"PATCH", "/v1/products/lemons", m, `{"price": {"currency": "USD", "minor_units": 5}}`, 400, "INVALID_ARGUMENT product.price.currency"},
		{"PATCH", "/v1/products/lemons", m, `{"status": "STATUS_UNSPECIFIED"}`, 400, "INVALID_ARGUMENT product.status"},
		{"PATCH", "/v1/products/lemons", m, `{"category_id": "nowhere"}`, 404, "CATEGORY_NOT_FOUND product.category_id"},
		{"PATCH", "/v1/products/lemons", m, `{"brand_id": "nobody"}`, 404, "BRAND_NOT_FOUND product.brand_id"},
		{"PATCH", "/v1/products/lemons", m, `{"store_ids": ["mars"]}`, 404, "STORE_NOT_FOUND product.store_ids"},
		{"PATCH", "/v1/products/lemons", m, `{"colour": "green"}`, 400, "INVALID_ARGUMENT colour"},
		{"PATCH", "/v1/products/lemons?update_mask=colour", m, `{"name": "x"}`, 400, "INVALID_ARGUMENT update_mask"},
		{"PATCH", "/v1/products/lemons?update_mask=cost", m, `{}`, 400, "INVALID_ARGUMENT product.cost"},
		{"PATCH", "/v1/products/UPPER", m, `{"name": "x"}`, 400, "INVALID_ARGUMENT product_id"},
		{"PATCH", "/v1/products/unknown", m, `{"name": "x"}`, 404, "PRODUCT_NOT_FOUND"},
		{"DELETE", "/v1/products/unknown", m, "", 404, "PRODUCT_NOT_FOUND"},

		{"GET", "/v1/products/unknown", "", "", 404, "PRODUCT_NOT_FOUND"},
		{"GET", "/v1/products/UPPER", "", "", 400, "INVALID_ARGUMENT product_id"},
		{"GET", "/v1/products/secret", "", "", 404, "PRODUCT_NOT_FOUND"},
		{"GET", "/v1/products/secret", r.shopper, "", 404, "PRODUCT_NOT_FOUND"},
		{"GET", "/v1/products?category_id=nowhere", "", "", 404, "CATEGORY_NOT_FOUND"},
		{"GET", "/v1/products?category_id=NO", "", "", 400, "INVALID_ARGUMENT category_id"},
		{"GET", "/v1/products?brand_id=NO", "", "", 400, "INVALID_ARGUMENT brand_id"},
		{"GET", "/v1/products?tag=NO", "", "", 400, "INVALID_ARGUMENT tag"},
		{"GET", "/v1/products?store_id=NO", "", "", 400, "INVALID_ARGUMENT store_id"},
		{"GET", "/v1/products?status=SOLD", "", "", 400, "INVALID_ARGUMENT status"},
		{"GET", "/v1/products?page_size=101", "", "", 400, "INVALID_ARGUMENT page_size"},
		{"GET", "/v1/products?page_size=-1", "", "", 400, "INVALID_ARGUMENT page_size"},
		{"GET", "/v1/products?page_size=ten", "", "", 400, "INVALID_ARGUMENT page_size"},
		{"GET", "/v1/products?page_token=junk", "", "", 400, "INVALID_PAGE_TOKEN page_token"},
		{"GET", "/v1/stores?postcode=123", "", "", 400, "INVALID_ARGUMENT postcode"},
		{"GET", "/v1/stores?postcode=ABCDEFGHIJKLM", "", "", 400, "INVALID_ARGUMENT postcode"},
	} {
		got := r.call(t, c.method, c.path, c.token, c.body)
		if refusal := got.refusal(t); got.status != c.status || refusal != c.refusal {
			t.Errorf("%s %s %.120s:\n %d %s, want\n %d %s", c.method, c.path, c.body, got.status, refusal, c.status, c.refusal)
		}
	}
	if r.must(t, "GET", "/v1/products/secret", m, "")["status"] != "DRAFT" {
		t.Error("a merchandiser doesn't see a draft")
	}
	if got := r.must(t, "GET", "/v1/products/lemons", "", "")["name"]; got != "Name of lemons" {
		t.Errorf("a refused change changed the name to %v", got)
	}
	if _, err := r.client.GetProduct(t.Context(), &productpb.GetProductRequest{ProductId: "secret"}); err != nil {
		t.Errorf("a service doesn't see a draft: %v", err)
	}
	r.hidden(t)
}

// hidden fails if anything that was answered tells what products cost.
func (r *rig) hidden(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range r.answered {
		for _, secret := range []string{cost, `"cost"`, "margin"} {
			if strings.Contains(text, secret) {
				t.Errorf("an answer has %s: %s", secret, text)
			}
		}
	}
}

func TestCostIsNeverAnswered(t *testing.T) {
	r := newRig(t)
	r.create(t, "lemons", "")
	r.must(t, "PATCH", "/v1/products/lemons", r.merchandiser, `{"cost": {"currency": "GBP", "minor_units": 47119}}`)
	r.call(t, "PATCH", "/v1/products/lemons", r.merchandiser, `{"cost": {"currency": "GBP", "minor_units": 47119}, "category_id": "nowhere"}`)
	r.call(t, "POST", "/v1/products", r.merchandiser, `{"product_id": "lemons", "name": "L", "category_id": "citrus", "price": {"currency": "GBP", "minor_units": 1}, "cost": {"currency": "GBP", "minor_units": 47119}}`)
	for _, token := range []string{"", r.shopper, r.merchandiser} {
		for _, path := range []string{"/v1/products/lemons", "/v1/products", "/v1/products?category_id=food", "/v1/categories", "/v1/stores"} {
			r.must(t, "GET", path, token, "")
		}
	}
	offers, err := r.client.BatchGetOffers(t.Context(), &productpb.BatchGetOffersRequest{StoreId: "soho", ProductIds: []string{"lemons"}})
	if err != nil {
		t.Fatal(err)
	}
	r.answered = append(r.answered, offers.String())
	r.hidden(t)
	if len(r.answered) != 20 {
		t.Errorf("%d answers were looked at", len(r.answered))
	}
}

func TestListPages(t *testing.T) {
	r := newRig(t)
	for i := range 7 {
		r.create(t, fmt.Sprintf("p-%d", i), fmt.Sprintf(`{"category_id": %q, "brand_id": %q, "tags": [%q, "all"], "store_ids": [%q]}`,
			[]string{"citrus", "dairy"}[i%2], []string{"greenlatch", "hollinbeck"}[i/4], fmt.Sprintf("third-%d", i%3), []string{"soho", "camden"}[i/5]))
	}
	r.create(t, "p-draft", `{"status": "DRAFT"}`)
	r.create(t, "p-retired", `{"status": "RETIRED"}`)
	r.create(t, "p-deleted", "")
	r.must(t, "DELETE", "/v1/products/p-deleted", r.merchandiser, "")

	all := func(query string, between func()) []string { return r.listed(t, query, between) }
	nothing := func() {}
	for query, want := range map[string]string{
		"page_size=3":                       "p-0 p-1 p-2 p-3 p-4 p-5 p-6",
		"page_size=7":                       "p-0 p-1 p-2 p-3 p-4 p-5 p-6",
		"":                                  "p-0 p-1 p-2 p-3 p-4 p-5 p-6",
		"page_size=2&category_id=food":      "p-0 p-1 p-2 p-3 p-4 p-5 p-6",
		"page_size=1&category_id=fruit":     "p-0 p-2 p-4 p-6",
		"page_size=1&category_id=dairy":     "p-1 p-3 p-5",
		"page_size=2&category_id=household": "",
		"page_size=2&brand_id=hollinbeck":   "p-4 p-5 p-6",
		"page_size=2&tag=third-0":           "p-0 p-3 p-6",
		"page_size=1&store_id=camden":       "p-5 p-6",
		"status=RETIRED":                    "p-retired",
		"status=ACTIVE&page_size=3":         "p-0 p-1 p-2 p-3 p-4 p-5 p-6",
		"tag=all&brand_id=greenlatch&category_id=dairy&store_id=soho": "p-1 p-3",
		"brand_id=nobody": "",
	} {
		if got := strings.Join(all(query, nothing), " "); got != want {
			t.Errorf("%s lists %s, want %s", query, got, want)
		}
	}

	if drafts := r.must(t, "GET", "/v1/products?status=DRAFT", r.merchandiser, "")["products"].([]any); len(drafts) != 1 {
		t.Errorf("a merchandiser's drafts are %v", drafts)
	}
	for _, token := range []string{"", r.shopper} {
		if drafts := r.call(t, "GET", "/v1/products?status=DRAFT", token, ""); drafts.refusal(t) != "PERMISSION_DENIED" {
			t.Errorf("others list drafts: %s", drafts.text)
		}
	}

	// Writes between two pages neither repeat nor lose what was there.
	n := 0
	got := strings.Join(all("page_size=2", func() {
		r.create(t, fmt.Sprintf("a-%d", n), "")
		if n == 0 {
			r.must(t, "DELETE", "/v1/products/p-0", r.merchandiser, "")
		}
		n++
	}), " ")
	if got != "p-0 p-1 p-2 p-3 p-4 p-5 p-6" {
		t.Errorf("under writes it lists %s", got)
	}

	token := r.must(t, "GET", "/v1/products?page_size=1&category_id=fruit", "", "")["next_page_token"].(string)
	for _, query := range []string{"category_id=dairy", "category_id=fruit&tag=all", "category_id=fruit&status=RETIRED", "brand_id=fruit"} {
		if other := r.call(t, "GET", "/v1/products?"+query+"&page_token="+token, "", ""); other.refusal(t) != "INVALID_PAGE_TOKEN page_token" {
			t.Errorf("another query, %s, took the token: %s", query, other.text)
		}
	}
}

func TestOffers(t *testing.T) {
	r := newRig(t)
	r.create(t, "lemons", `{"size": "4 pack", "image_uri": "/images/l.svg", "tax_rate_bps": 2000, "max_per_shopper": 6}`)
	r.create(t, "limes", `{"store_ids": ["camden"]}`)
	r.create(t, "draft", `{"status": "DRAFT"}`)
	r.create(t, "gone", "")
	r.must(t, "DELETE", "/v1/products/gone", r.merchandiser, "")
	if _, err := r.pool.Exec(t.Context(), `insert into products.prices (product_id, store_id, minor_units, valid_from) values
		('lemons', 'soho', 110, '2026-01-01'), ('lemons', 'camden', 90, '2026-01-01'), ('lemons', 'soho', 1, now() + interval '1 hour')`); err != nil {
		t.Fatal(err)
	}
	got, err := r.client.BatchGetOffers(t.Context(), &productpb.BatchGetOffersRequest{
		StoreId: "soho", ProductIds: []string{"unknown", "limes", "lemons", "gone", "draft", "no slug\n"[:7]},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := got.GetStore(); s.GetName() != "Larder Soho" || s.GetDeliveryFee().GetMinorUnits() != 399 || s.GetFreeDeliveryFrom().GetMinorUnits() != 5000 ||
		s.GetCurrency() != "GBP" || strings.Join(s.GetPostcodes(), " ") != "NW1 W1D" {
		t.Errorf("store %v", s)
	}
	var seen []string
	for _, o := range got.GetOffers() {
		seen = append(seen, fmt.Sprintf("%s %d %s sold=%v available=%v", o.GetProductId(), o.GetPrice().GetMinorUnits(), o.GetPrice().GetCurrency(), o.GetSold(), o.GetAvailable()))
	}
	want := []string{"limes 120 GBP sold=false available=false", "lemons 110 GBP sold=true available=false", "draft 120 GBP sold=false available=false"}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("offers\n %q, want\n %q", seen, want)
	}
	if o := got.GetOffers()[1]; o.GetName() != "Name of lemons" || o.GetSize() != "4 pack" || o.GetImageUri() != "/images/l.svg" || o.GetTaxRateBps() != 2000 ||
		o.GetMaxPerShopper() != 6 || got.GetOffers()[0].GetMaxPerShopper() != 0 {
		t.Errorf("offer %v", o)
	}
	if _, err := r.client.BatchGetOffers(t.Context(), &productpb.BatchGetOffersRequest{StoreId: "mars"}); !fault.Is(err, fault.StoreNotFound) {
		t.Errorf("of an unknown store: %v", err)
	}
	none, err := r.client.BatchGetOffers(t.Context(), &productpb.BatchGetOffersRequest{StoreId: "camden"})
	if err != nil || len(none.GetOffers()) != 0 || none.GetStore().GetFreeDeliveryFrom() != nil {
		t.Errorf("of no products: %v, %v", none, err)
	}
	hundred := make([]string, 101)
	for i := range hundred {
		hundred[i] = fmt.Sprintf("p-%d", i)
	}
	if _, err := r.client.BatchGetOffers(t.Context(), &productpb.BatchGetOffersRequest{StoreId: "soho", ProductIds: hundred}); !fault.Is(err, fault.InvalidArgument) {
		t.Errorf("of 101 products: %v", err)
	}
}

func TestAvailability(t *testing.T) {
	r := newRig(t)
	stock := r.as(t, "updateavailability")
	r.create(t, "lemons", "")
	r.create(t, "limes", "")
	word := func(product string, available bool, sequence int64) *productpb.Availability {
		return &productpb.Availability{ProductId: product, Available: available, Sequence: sequence}
	}
	for _, c := range []struct {
		name    string
		epoch   int64
		changes []*productpb.Availability
		news    int32
		want    string // products available in soho afterwards
	}{
		{"first", 10, []*productpb.Availability{word("limes", true, 2), word("lemons", true, 1), word("unknown", true, 1), word("NO SLUG", true, 1)}, 2, "lemons limes"},
		{"the same again", 10, []*productpb.Availability{word("lemons", true, 1), word("limes", true, 2)}, 0, "lemons limes"},
		{"older", 10, []*productpb.Availability{word("limes", false, 1)}, 0, "lemons limes"},
		{"of an older epoch, however late", 9, []*productpb.Availability{word("limes", false, 99)}, 0, "lemons limes"},
		{"newer", 10, []*productpb.Availability{word("limes", false, 3)}, 1, "lemons"},
		{"newer epoch begins anew", 11, []*productpb.Availability{word("limes", true, 0)}, 1, "lemons limes"},
		{"twice in one message: the later counts", 11, []*productpb.Availability{word("lemons", false, 6), word("lemons", true, 5)}, 1, "limes"},
		{"nothing", 11, nil, 0, "limes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := stock.UpdateAvailability(t.Context(), &productpb.UpdateAvailabilityRequest{StoreId: "soho", Epoch: c.epoch, Changes: c.changes})
			if err != nil {
				t.Fatal(err)
			}
			if got.GetChanged() != c.news {
				t.Errorf("%d were news, want %d", got.GetChanged(), c.news)
			}
			offers, err := r.client.BatchGetOffers(t.Context(), &productpb.BatchGetOffersRequest{StoreId: "soho", ProductIds: []string{"lemons", "limes"}})
			if err != nil {
				t.Fatal(err)
			}
			var available []string
			for _, o := range offers.GetOffers() {
				if o.GetAvailable() {
					available = append(available, o.GetProductId())
				}
			}
			if got := strings.Join(available, " "); got != c.want {
				t.Errorf("available is %s, want %s", got, c.want)
			}
		})
	}
	if _, err := r.client.UpdateAvailability(t.Context(), &productpb.UpdateAvailabilityRequest{StoreId: "soho", Epoch: 12}); !fault.Is(err, fault.PermissionDenied) {
		t.Errorf("checkout told it: %v", err)
	}
	if _, err := stock.UpdateAvailability(t.Context(), &productpb.UpdateAvailabilityRequest{StoreId: "mars", Epoch: 1}); !fault.Is(err, fault.StoreNotFound) {
		t.Errorf("of an unknown store: %v", err)
	}
	if _, err := stock.UpdateAvailability(t.Context(), &productpb.UpdateAvailabilityRequest{StoreId: "soho"}); !fault.Is(err, fault.InvalidArgument) {
		t.Errorf("without an epoch: %v", err)
	}
}

func TestCategoriesAndStores(t *testing.T) {
	r := newRig(t)
	var tree []string
	for _, c := range r.must(t, "GET", "/v1/categories", "", "")["categories"].([]any) {
		c := c.(map[string]any)
		tree = append(tree, fmt.Sprintf("%s<%s", c["category_id"], c["parent_id"]))
	}
	if got := strings.Join(tree, " "); got != "household< food< dairy<food fruit<food citrus<fruit" {
		t.Errorf("categories %s", got)
	}
	for postcode, want := range map[string]string{
		"": "camden soho", "W1D": "soho", "w1d+9xq": "soho", "W1D9XQ": "soho", "NW1": "camden soho", "nw1+9xt": "camden soho", "NW19XT": "camden soho",
		"N7": "camden", "N7+0AA": "camden", "SW9": "", "NW10+1AA": "",
	} {
		var ids []string
		for _, s := range r.must(t, "GET", "/v1/stores?postcode="+postcode, "", "")["stores"].([]any) {
			ids = append(ids, s.(map[string]any)["store_id"].(string))
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("stores of %q are %q, want %q", postcode, got, want)
		}
	}
}
