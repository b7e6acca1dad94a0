package product_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// listed lists products page by page, and does something between two pages.
func (r *rig) listed(t *testing.T, query string, between func()) (ids []string) {
	t.Helper()
	for token := ""; ; {
		page := r.must(t, "GET", "/v1/products?"+query+"&page_token="+token, "", "")
		for _, p := range page["products"].([]any) {
			ids = append(ids, p.(map[string]any)["product_id"].(string))
		}
		if token = page["next_page_token"].(string); token == "" {
			return ids
		}
		between()
	}
}

func TestListOrders(t *testing.T) {
	r := newRig(t)
	names := []string{"Zucchini", "apples", "Apples", "Pears", "Pears", "Pears", "Éclairs", "Crème fraîche, 200 ml", "100 % juice", "a.b\"c'd", "two  spaces"}
	for i, name := range names {
		r.create(t, fmt.Sprintf("p-%02d", i), fmt.Sprintf(`{"name": %q, "category_id": %q}`, name, []string{"citrus", "dairy"}[i%2]))
	}
	r.create(t, "p-draft", `{"status": "DRAFT"}`)
	r.create(t, "p-gone", "")
	r.must(t, "DELETE", "/v1/products/p-gone", r.merchandiser, "")
	// Several have one time; and one is changed later.
	r.exec(t, `alter table products.products disable trigger products_version`)
	r.exec(t, `update products.products set update_time = '2026-01-02' where product_id in ('p-03', 'p-01', 'p-08')`)
	r.exec(t, `alter table products.products enable trigger products_version`)
	r.exec(t, `update products.products set size = '2 kg' where product_id = 'p-02'`)

	const shown = `from products.products where status = 'active' and delete_time is null`
	byName := r.text(t, `select string_agg(product_id, ' ' order by name, product_id) `+shown)
	latest := r.text(t, `select string_agg(product_id, ' ' order by update_time desc, product_id desc) `+shown)
	if !strings.HasPrefix(latest, "p-02 p-") || !strings.Contains(byName, "p-03 p-04 p-05") {
		t.Fatalf("by name %s, the latest first %s", byName, latest)
	}
	for order, want := range map[string]string{
		"": "p-00 p-01 p-02 p-03 p-04 p-05 p-06 p-07 p-08 p-09 p-10", "product_id": "p-00 p-01 p-02 p-03 p-04 p-05 p-06 p-07 p-08 p-09 p-10",
		"name": byName, "update_time desc": latest,
	} {
		for _, size := range []int{1, 2, 3, 100} {
			query := fmt.Sprintf("page_size=%d&order_by=%s", size, url.QueryEscape(order))
			if got := strings.Join(r.listed(t, query, func() {}), " "); got != want {
				t.Errorf("%s lists\n %s, want\n %s", query, got, want)
			}
		}
	}
	dairy := slices.DeleteFunc(strings.Fields(byName), func(id string) bool { return (id[3]-'0')%2 == 0 })
	if got := r.listed(t, "order_by=name&page_size=2&category_id=dairy", func() {}); !slices.Equal(got, dairy) {
		t.Errorf("dairy by name %v, want %v", got, dairy)
	}

	// Others come, change and go between two pages: those that stay as they are come once, in their order.
	for _, order := range []string{"name", "update_time desc"} {
		n := 0
		got := r.listed(t, "page_size=2&order_by="+url.QueryEscape(order), func() {
			n++
			id := fmt.Sprintf("new-%d-%.1s", n, order)
			r.create(t, id, fmt.Sprintf(`{"name": %q}`, names[n%len(names)]))
			if n > 1 {
				r.must(t, "PATCH", fmt.Sprintf("/v1/products/new-%d-%.1s", n-1, order), r.merchandiser, fmt.Sprintf(`{"name": %q}`, names[(n+5)%len(names)]))
			}
			if n > 2 {
				r.must(t, "DELETE", fmt.Sprintf("/v1/products/new-%d-%.1s", n-2, order), r.merchandiser, "")
			}
			if n == 1 {
				r.exec(t, `update products.prices set minor_units = minor_units + 1`) // no product's own change
			}
		})
		got = slices.DeleteFunc(got, func(id string) bool { return strings.HasPrefix(id, "new-") })
		if want := map[string]string{"name": byName, "update_time desc": latest}[order]; strings.Join(got, " ") != want {
			t.Errorf("by %s under writes\n %s, want\n %s", order, strings.Join(got, " "), want)
		}
		r.exec(t, `update products.products set delete_time = now() where product_id like 'new-%' and delete_time is null`)
	}

	// A token belongs to its order.
	tokens := map[string]string{}
	for _, order := range []string{"product_id", "name", "update_time desc"} {
		tokens[order] = r.must(t, "GET", "/v1/products?page_size=1&order_by="+url.QueryEscape(order), "", "")["next_page_token"].(string)
	}
	for of, token := range tokens {
		for order := range tokens {
			if got := r.call(t, "GET", "/v1/products?page_token="+token+"&order_by="+url.QueryEscape(order), "", ""); of != order && got.refusal(t) != "INVALID_PAGE_TOKEN page_token" {
				t.Errorf("a token by %s is taken by %s: %s", of, order, got.text)
			}
		}
	}
	for _, order := range []string{"price", "name desc", "update_time", "name, product_id", "' or 1=1"} {
		if got := r.call(t, "GET", "/v1/products?order_by="+url.QueryEscape(order), "", ""); got.refusal(t) != "INVALID_ARGUMENT order_by" {
			t.Errorf("order %q: %s", order, got.text)
		}
	}
}
