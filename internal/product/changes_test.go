package product_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// changes lists the audit trail, page by page, each change in a line: "merchandiser update products name:Lemons>Limes".
func (r *rig) changes(t *testing.T, query string) []string {
	t.Helper()
	return r.changesWith(t, query, func() {})
}

// changesWith does something between two pages.
func (r *rig) changesWith(t *testing.T, query string, between func()) []string {
	t.Helper()
	var lines []string
	for token := ""; ; {
		page := r.must(t, "GET", "/v1/changes?"+query+"&page_token="+token, r.operator, "")
		for _, c := range page["changes"].([]any) {
			c := c.(map[string]any)
			who, _, _ := strings.Cut(c["changed_by"].(string), ":")
			line := fmt.Sprint(who, " ", strings.ToLower(c["operation"].(string)), " ", c["table"])
			for _, f := range c["fields"].([]any) {
				f := f.(map[string]any)
				line += fmt.Sprintf(" %s:%v>%v", f["name"], f["before"], f["after"])
			}
			lines = append(lines, line)
		}
		if token = page["next_page_token"].(string); token == "" {
			return lines
		}
		between()
	}
}

func TestChanges(t *testing.T) {
	r := newRig(t)
	r.create(t, "lemons", `{"store_ids": ["soho"]}`)
	r.create(t, "limes", "")
	r.must(t, "PATCH", "/v1/products/lemons", r.merchandiser, `{"name": "Amalfi Lemons", "brand_id": "", "tags": ["new"]}`)
	r.must(t, "PATCH", "/v1/products/lemons", r.merchandiser, `{"cost": {"currency": "GBP", "minor_units": 47118}}`)
	r.must(t, "PATCH", "/v1/products/lemons", r.merchandiser, `{"store_ids": ["camden"], "price": {"currency": "GBP", "minor_units": 130}}`)
	r.exec(t, `update products.brands set name = 'Green Latch' where brand_id = 'greenlatch'`)
	r.must(t, "DELETE", "/v1/products/lemons", r.merchandiser, "")

	for _, size := range []string{"1", "2", "100"} {
		got := r.changes(t, "product_id=lemons&page_size="+size)
		// What one transaction writes has one order in the trail and no other meaning.
		wants := []struct {
			count int
			has   []string
		}{
			{1, []string{"update products delete_time:<nil>>2"}},
			{3, []string{"insert prices minor_units:<nil>>130", "insert store_products", "store_id:<nil>>camden", "delete store_products", "store_id:soho><nil>"}},
			{1, []string{"merchandiser update products\n"}},
			{1, []string{"update products brand_id:greenlatch><nil> name:Name of lemons>Amalfi Lemons tags:[]>[new]"}},
			{3, []string{"insert products", "category_id:<nil>>citrus", "name:<nil>>Name of lemons", "insert prices minor_units:<nil>>120", "insert store_products"}},
		}
		for _, want := range wants {
			if len(got) < want.count {
				t.Fatalf("pages of %s end before %q", size, want.has)
			}
			text := strings.Join(got[:want.count], "\n") + "\n"
			for _, part := range want.has {
				if !strings.Contains(text, part) {
					t.Errorf("pages of %s: %q isn't in\n%s", size, part, text)
				}
			}
			got = got[want.count:]
		}
		if len(got) > 0 {
			t.Errorf("pages of %s have more: %q", size, got)
		}
	}
	if got := r.changes(t, "brand_id=greenlatch&page_size=1"); len(got) != 2 || !strings.HasSuffix(got[0], "update brands name:Greenlatch>Green Latch") {
		t.Errorf("of a brand: %q", got)
	}
	if got := strings.Join(r.changes(t, "store_id=soho"), "\n"); strings.Count(got, "insert store_postcodes") != 2 || strings.Count(got, "insert stores") != 1 {
		t.Errorf("of a store: %s", got)
	}
	if got := r.changes(t, "category_id=citrus"); len(got) != 1 || !strings.Contains(got[0], "parent_id:<nil>>fruit") {
		t.Errorf("of a category: %q", got)
	}
	if got, want := len(r.changes(t, "page_size=7")), r.count(t, `select count(*) from products.changes`); got != want {
		t.Errorf("the catalogue has %d changes, %d are listed", want, got)
	}
	if got := r.changes(t, "product_id=unknown"); len(got) != 0 {
		t.Errorf("of an unknown product: %q", got)
	}
	r.hidden(t)
	for _, text := range r.answered {
		if strings.Contains(text, "47118") {
			t.Errorf("an answer has the cost: %s", text)
		}
	}
}

// What is changed between two pages stands before the first: the next goes on where the last ended.
func TestChangesUnderWrites(t *testing.T) {
	r := newRig(t)
	r.create(t, "lemons", "")
	want := r.changes(t, "product_id=lemons")
	n := 0
	got := r.changesWith(t, "product_id=lemons&page_size=1", func() {
		n++
		r.must(t, "PATCH", "/v1/products/lemons", r.merchandiser, fmt.Sprintf(`{"name": "Lemons %d"}`, n))
	})
	if !slices.Equal(got, want) || n < 3 {
		t.Errorf("under %d writes\n %q, want\n %q", n, got, want)
	}
}

func TestChangesAreForStaff(t *testing.T) {
	r := newRig(t)
	r.create(t, "lemons", "")
	token := r.must(t, "GET", "/v1/changes?product_id=lemons&page_size=1", r.merchandiser, "")["next_page_token"].(string)
	for _, c := range []struct{ token, query, want string }{
		{"", "", "UNAUTHENTICATED"},
		{r.shopper, "", "PERMISSION_DENIED"},
		{r.operator, "page_size=101", "INVALID_ARGUMENT page_size"},
		{r.operator, "product_id=NO", "INVALID_ARGUMENT product_id"},
		{r.operator, "product_id=lemons&store_id=soho", "INVALID_ARGUMENT store_id"},
		{r.operator, "page_token=junk", "INVALID_PAGE_TOKEN page_token"},
		{r.operator, "page_token=" + token, "INVALID_PAGE_TOKEN page_token"},
		{r.operator, "brand_id=lemons&page_token=" + token, "INVALID_PAGE_TOKEN page_token"},
	} {
		if got := r.call(t, http.MethodGet, "/v1/changes?"+c.query, c.token, ""); got.refusal(t) != c.want {
			t.Errorf("%q: %d %s, want %s", c.query, got.status, got.text, c.want)
		}
	}
}
