package order_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// list pages through a store's orders in a state, two at a time.
func (r *rig) list(t *testing.T, store, state string) (ids []string) {
	t.Helper()
	for token := ""; ; {
		page := r.look(t, r.operator, fmt.Sprintf("/v1/stores/%s/orders?state=%s&page_size=2&page_token=%s", store, state, token))
		orders, _ := page.body["orders"].([]any)
		for _, o := range orders {
			one, _ := o.(map[string]any)
			id, _ := one["order_id"].(string)
			ids = append(ids, id)
		}
		if token, _ = page.body["next_page_token"].(string); token == "" {
			return ids
		}
	}
}

func TestStoreOrders(t *testing.T) {
	r := open(t)
	var sold []string
	for range 5 {
		sold = append(sold, r.sell(t))
	}
	if got := r.list(t, "soho", "CONFIRMED"); !slices.Equal(got, sold) {
		t.Errorf("confirmed are %q, want the oldest first %q", got, sold)
	}
	for _, id := range sold[:3] {
		r.want(t, r.post(t, r.operator, id, "pick", `{}`), "PICKING", 2)
	}
	if got := r.list(t, "soho", "CONFIRMED"); !slices.Equal(got, sold[3:]) {
		t.Errorf("confirmed are %q, want %q", got, sold[3:])
	}
	if got := r.list(t, "soho", "PICKING"); !slices.Equal(got, sold[:3]) {
		t.Errorf("in picking are %q, want %q", got, sold[:3])
	}
	for _, id := range sold[:3] {
		r.want(t, r.post(t, r.operator, id, "cancel", `{}`), "CANCELLED", 3)
	}
	ended := slices.Clone(sold[:3])
	slices.Reverse(ended)
	if got := r.list(t, "soho", "CANCELLED"); !slices.Equal(got, ended) {
		t.Errorf("cancelled are %q, want the newest first %q", got, ended)
	}
	if got := r.list(t, "camden", "CONFIRMED"); len(got) > 0 {
		t.Errorf("another store has %q", got)
	}

	counted := r.look(t, r.operator, "/v1/stores/soho/orders:count?minutes=5")
	minutes, _ := counted.body["minutes"].([]any)
	orders := 0
	for _, m := range minutes {
		one, _ := m.(map[string]any)
		var n int
		if _, err := fmt.Sscan(fmt.Sprint(one["orders"]), &n); err == nil {
			orders += n
		}
	}
	if len(minutes) != 5 || orders != 5 {
		t.Errorf("%d minutes with %d orders, want 5 with all 5, whatever became of them", len(minutes), orders)
	}

	first := r.look(t, r.operator, "/v1/stores/soho/orders?state=CONFIRMED&page_size=1")
	token, _ := first.body["next_page_token"].(string)
	for path, want := range map[string]string{
		"/v1/stores/soho/orders?state=PICKING&page_token=" + token:     "INVALID_PAGE_TOKEN",
		"/v1/stores/camden/orders?state=CONFIRMED&page_token=" + token: "INVALID_PAGE_TOKEN",
		"/v1/stores/soho/orders":                                       "INVALID_ARGUMENT",
		"/v1/stores/soho/orders:count?minutes=181":                     "INVALID_ARGUMENT",
	} {
		r.wantRefused(t, r.look(t, r.operator, path), http.StatusBadRequest, want)
	}
	r.wantRefused(t, r.look(t, r.shopper, "/v1/stores/soho/orders?state=CONFIRMED"), http.StatusForbidden, "PERMISSION_DENIED")
}

// look reads a path.
func (r *rig) look(t *testing.T, token, path string) answer {
	t.Helper()
	status, body := get(t, r.url+path, token)
	return answer{status: status, body: body}
}
