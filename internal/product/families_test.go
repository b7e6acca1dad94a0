package product_test

import (
	"fmt"
	"strings"
	"testing"

	productpb "larder.dev/api/product/v1"
)

// variants lists a product's other sizes: "id name size price".
func (r *rig) variants(t *testing.T, id, token string) string {
	t.Helper()
	var lines []string
	for _, v := range r.must(t, "GET", "/v1/products/"+id, token, "")["variants"].([]any) {
		v := v.(map[string]any)
		line := fmt.Sprint(v["product_id"], " ", v["name"], " ", v["size"])
		if price, ok := v["price"].(map[string]any); ok {
			line += fmt.Sprint(" ", price["minor_units"])
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ", ")
}

func TestFamilies(t *testing.T) {
	r := newRig(t)
	size := func(id, size, status string, price int) {
		r.create(t, id, fmt.Sprintf(`{"name": "Oat Drink", "family_id": "oat", "size": %q, "status": %q, "price": {"currency": "GBP", "minor_units": %d}}`, size, status, price))
	}
	size("oat-6l", "6 x 1 l", "ACTIVE", 990)
	size("oat-1l", "1 l", "ACTIVE", 190)
	size("oat-250ml", "250 ml", "ACTIVE", 90)
	size("oat-10l", "10 l", "DRAFT", 1500)
	size("oat-2l", "2 l", "RETIRED", 350)
	size("oat-3l", "3 l", "ACTIVE", 450)
	r.must(t, "DELETE", "/v1/products/oat-3l", r.merchandiser, "")
	r.create(t, "lemons", "")
	r.create(t, "limes", `{"family_id": "lime"}`)
	r.exec(t, `delete from products.prices where product_id = 'oat-6l'`)

	for id, want := range map[string]string{
		"oat-1l": "oat-250ml Oat Drink 250 ml 90, oat-6l Oat Drink 6 x 1 l", "oat-250ml": "oat-1l Oat Drink 1 l 190, oat-6l Oat Drink 6 x 1 l",
		"oat-2l": "oat-250ml Oat Drink 250 ml 90, oat-1l Oat Drink 1 l 190, oat-6l Oat Drink 6 x 1 l", "lemons": "", "limes": "",
	} {
		if got := r.variants(t, id, ""); got != want {
			t.Errorf("%s has variants %q, want %q", id, got, want)
		}
	}
	if got := r.variants(t, "oat-10l", r.merchandiser); !strings.HasPrefix(got, "oat-250ml") {
		t.Errorf("a draft has variants %q", got)
	}

	// What is read can be sent back; leaving and joining is a change as any other.
	etag := r.must(t, "GET", "/v1/products/oat-1l", "", "")["etag"]
	same := r.must(t, "PATCH", "/v1/products/oat-1l", r.merchandiser, `{"family_id": "oat", "variants": [{"product_id": "lemons"}]}`)
	if same["etag"] != etag || same["family_id"] != "oat" {
		t.Errorf("sent back: %v, the etag was %v", same, etag)
	}
	left := r.must(t, "PATCH", "/v1/products/oat-1l?update_mask=family_id", r.merchandiser, `{}`)
	if left["family_id"] != "" || left["etag"] == etag || r.variants(t, "oat-1l", "") != "" {
		t.Errorf("left the family: %v", left)
	}
	r.must(t, "PATCH", "/v1/products/lemons", r.merchandiser, `{"family_id": "lime"}`)
	if got := r.variants(t, "limes", ""); got != "lemons Name of lemons  120" {
		t.Errorf("joined: %q", got)
	}
	r.refused(t, "PATCH", "/v1/products/lemons", `{"family_id": "No"}`, "INVALID_ARGUMENT product.family_id")

	service, err := r.client.GetProduct(t.Context(), &productpb.GetProductRequest{ProductId: "oat-250ml"})
	if err != nil || len(service.GetVariants()) != 1 {
		t.Errorf("a service sees %v, %v", service.GetVariants(), err)
	}
}
