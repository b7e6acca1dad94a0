package cart_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/cart"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve/servetest"
)

// shop is a server with people at it.
type shop struct {
	url    string
	issuer *servetest.Issuer
	offers *shelf
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{issuer: servetest.NewIssuer(t), offers: newShelf()}
	s.url = start(t, s.issuer, store(t), s.offers)
	return s
}

// shopper is a new person's id and token.
func (s *shop) shopper(t *testing.T) (user, token string) {
	t.Helper()
	user = uuid.NewString()
	return user, s.issuer.Token(t, identity.Caller{UserID: user, Roles: []string{identity.RoleShopper}}, time.Minute)
}

// fill opens a cart, a guest's if there is no token, puts products in, and returns its id.
func (s *shop) fill(t *testing.T, token, storeID string, quantities ...any) string {
	t.Helper()
	opened := call(t, "POST", s.url+"/v1/carts", token, fmt.Sprintf(`{"store_id":%q}`, storeID))
	if opened.status != 200 {
		t.Fatalf("open: %d %v", opened.status, opened.body)
	}
	id := fmt.Sprint(opened.body["cart_id"])
	for i := 0; i < len(quantities); i += 2 {
		path := fmt.Sprintf("%s/v1/carts/%s/items/%s", s.url, id, quantities[i])
		if put := call(t, "PUT", path, token, fmt.Sprintf(`{"quantity":%d}`, quantities[i+1])); put.status != 200 {
			t.Fatalf("put: %d %v", put.status, put.body)
		}
	}
	return id
}

// contents is a cart in short: "soho: 2 milk, 1 tea (not sold)".
func (a answered) contents(t *testing.T) string {
	t.Helper()
	items, ok := a.body["items"].([]any)
	if a.status != 200 || !ok {
		t.Fatalf("no cart: %d %v", a.status, a.body)
	}
	texts := make([]string, 0, len(items))
	for _, item := range items {
		line, _ := item.(map[string]any)
		text := fmt.Sprintf("%v %v", line["quantity"], line["product_id"])
		if line["sold"] != true {
			text += " (not sold)"
		}
		texts = append(texts, text)
	}
	return fmt.Sprintf("%v: %s", a.body["store_id"], strings.Join(texts, ", "))
}

func TestGuestOnREST(t *testing.T) {
	s := newShop(t)
	id := s.fill(t, "", "soho", "milk", 2, "tea", 1)
	if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 4 || parsed.String() != id {
		t.Errorf("the id %s is no random UUID, %v", id, err)
	}
	if other := s.fill(t, "", "soho"); other == id {
		t.Error("two guests have one cart")
	}
	got := call(t, "GET", s.url+"/v1/carts/"+id, "", "")
	if contents := got.contents(t); contents != "soho: 2 milk, 1 tea" {
		t.Errorf("the cart is %s", contents)
	}
	expires, err := time.Parse(time.RFC3339, fmt.Sprint(got.body["expire_time"]))
	if err != nil || time.Until(expires) < cart.GuestLifetime-time.Minute || time.Until(expires) > cart.GuestLifetime {
		t.Errorf("expire_time is %v, %v", got.body["expire_time"], err)
	}
	if a := call(t, "DELETE", s.url+"/v1/carts/"+id+"/items/milk?etag="+fmt.Sprint(got.body["etag"]), "", ""); a.contents(t) != "soho: 1 tea" {
		t.Errorf("without milk the cart is %v", a.body)
	}
	// Whoever knows the id may use it, and their own cart stays their own.
	_, token := s.shopper(t)
	s.fill(t, token, "camden", "milk", 9)
	if a := call(t, "PUT", s.url+"/v1/carts/"+id+"/items/milk", token, `{"quantity":3}`); a.contents(t) != "soho: 1 tea, 3 milk" {
		t.Errorf("with another's milk the cart is %v", a.body)
	}
	if a := call(t, "GET", s.url+"/v1/carts/me", token, ""); a.contents(t) != "camden: 9 milk" {
		t.Errorf("the shopper's own cart is %v", a.body)
	}
}

func TestMergeOnREST(t *testing.T) {
	s := newShop(t)
	_, token := s.shopper(t)
	for _, test := range []struct {
		name        string
		guest, user []any
		want        string
	}{
		{"into no cart", []any{"tea", 1, "milk", 2}, nil, "soho: 1 tea, 2 milk"},
		{"into lines of another store, without tea", []any{"tea", 1, "milk", 2}, []any{"wine", 1, "milk", 1}, "camden: 1 wine, 2 milk, 1 tea (not sold)"},
		{"less of the same", []any{"milk", 2}, []any{"milk", 7}, "camden: 7 milk"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, token := s.shopper(t)
			guest := s.fill(t, "", "soho", test.guest...)
			if test.user != nil {
				s.fill(t, token, "camden", test.user...)
			}
			merge := s.url + "/v1/carts/" + guest + ":merge"
			first := call(t, "POST", merge, token, "{}")
			if got := first.contents(t); got != test.want {
				t.Errorf("merged: %s, want %s", got, test.want)
			}
			again := call(t, "POST", merge, token, "")
			if again.contents(t) != test.want || again.body["etag"] != first.body["etag"] {
				t.Errorf("merged again: %v, first %v", again.body, first.body)
			}
			if a := call(t, "GET", s.url+"/v1/carts/me", token, ""); a.contents(t) != test.want {
				t.Errorf("my cart is %v", a.body)
			}
			for _, gone := range []answered{
				call(t, "GET", s.url+"/v1/carts/"+guest, "", ""),
				call(t, "GET", s.url+"/v1/carts/"+guest, token, ""),
				call(t, "PUT", s.url+"/v1/carts/"+guest+"/items/milk", "", `{"quantity":1}`),
			} {
				if gone.status != 404 || gone.reason() != "CART_NOT_FOUND" {
					t.Errorf("the guest cart afterwards: %d %v", gone.status, gone.body)
				}
			}
		})
	}

	// Each of two carts may be in order, and both together more than an order may cost.
	guest := s.fill(t, "", "soho", "caviar", 99)
	s.offers.set("truffle", 9_000_00, 0)
	s.fill(t, token, "soho", "truffle", 99)
	if a := call(t, "POST", s.url+"/v1/carts/"+guest+":merge", token, "{}"); a.contents(t) != "soho: 99 truffle, 99 caviar" || a.body["totals"] != nil {
		t.Errorf("too large a cart: %v", a.body)
	}
}

// What isn't the caller's isn't there, and who has sent a token is never taken for a guest.
func TestGuestBadInput(t *testing.T) {
	s := newShop(t)
	user, token := s.shopper(t)
	other, othersToken := s.shopper(t)
	for _, owner := range []string{token, othersToken} {
		s.fill(t, owner, "soho", "milk", 1)
	}
	guest := s.fill(t, "", "soho", "milk", 1)
	merged := s.fill(t, "", "soho", "tea", 1)
	if a := call(t, "POST", s.url+"/v1/carts/"+merged+":merge", othersToken, "{}"); a.status != 200 {
		t.Fatalf("merge: %v", a.body)
	}
	expired := s.issuer.Token(t, identity.Caller{UserID: user, Roles: []string{identity.RoleShopper}}, -time.Minute)
	stranger := servetest.NewIssuer(t).Token(t, identity.Caller{UserID: user}, time.Minute)
	before := map[string]any{}
	for _, c := range [][2]string{{"me", token}, {"me", othersToken}, {guest, ""}} {
		before[c[0]+c[1]] = call(t, "GET", s.url+"/v1/carts/"+c[0], c[1], "").body["etag"]
	}

	type row struct {
		name, method, path, token, body string
		status                          int
		reason                          string
	}
	rows := []row{
		{"me without a token", "GET", "me", "", "", 401, "UNAUTHENTICATED"},
		{"put into me without a token", "PUT", "me/items/milk", "", `{"quantity":9}`, 401, "UNAUTHENTICATED"},
		{"delete from me without a token", "DELETE", "me/items/milk", "", "", 401, "UNAUTHENTICATED"},
		{"merge without a token", "POST", guest + ":merge", "", "{}", 401, "UNAUTHENTICATED"},
		{"merge me", "POST", "me:merge", token, "{}", 400, "INVALID_ARGUMENT"},
		{"merge a malformed id", "POST", "nonsense:merge", token, "{}", 400, "INVALID_ARGUMENT"},
		{"merge an id in capitals", "POST", strings.ToUpper(guest) + ":merge", token, "{}", 400, "INVALID_ARGUMENT"},
		{"merge with an unknown field", "POST", guest + ":merge", token, `{"into":"` + other + `"}`, 400, "INVALID_ARGUMENT"},
		{"merge what isn't there", "POST", uuid.NewString() + ":merge", token, "{}", 404, "CART_NOT_FOUND"},
		{"merge my own cart", "POST", user + ":merge", token, "{}", 404, "CART_NOT_FOUND"},
		{"merge another's cart", "POST", other + ":merge", token, "{}", 404, "CART_NOT_FOUND"},
		{"merge what another has merged", "POST", merged + ":merge", token, "{}", 404, "CART_NOT_FOUND"},
		{"no such guest cart", "GET", uuid.NewString(), "", "", 404, "CART_NOT_FOUND"},
		{"a malformed id", "GET", "nonsense", "", "", 400, "INVALID_ARGUMENT"},
	}
	for _, whose := range []struct{ name, id, token string }{
		{"a shopper's cart without a token", user, ""}, {"a shopper's cart by another's token", user, othersToken},
	} {
		rows = append(rows,
			row{whose.name, "GET", whose.id, whose.token, "", 404, "CART_NOT_FOUND"},
			row{"put into " + whose.name, "PUT", whose.id + "/items/tea", whose.token, `{"quantity":1}`, 404, "CART_NOT_FOUND"},
			row{"delete from " + whose.name, "DELETE", whose.id + "/items/milk", whose.token, "", 404, "CART_NOT_FOUND"},
		)
	}
	for _, bad := range []struct{ name, token, reason string }{
		{"expired", expired, "TOKEN_EXPIRED"}, {"another issuer's", stranger, "UNAUTHENTICATED"}, {"nonsense", "nonsense", "UNAUTHENTICATED"},
	} {
		rows = append(rows,
			row{"open, token " + bad.name, "POST", "", bad.token, `{"store_id":"soho"}`, 401, bad.reason},
			row{"get a guest's, token " + bad.name, "GET", guest, bad.token, "", 401, bad.reason},
			row{"get me, token " + bad.name, "GET", "me", bad.token, "", 401, bad.reason},
			row{"put, token " + bad.name, "PUT", guest + "/items/tea", bad.token, `{"quantity":1}`, 401, bad.reason},
			row{"delete, token " + bad.name, "DELETE", guest + "/items/milk", bad.token, "", 401, bad.reason},
			row{"merge, token " + bad.name, "POST", guest + ":merge", bad.token, "{}", 401, bad.reason},
		)
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			a := call(t, r.method, strings.TrimSuffix(s.url+"/v1/carts/"+r.path, "/"), r.token, r.body)
			if a.status != r.status || a.reason() != r.reason {
				t.Errorf("got %d %s, want %d %s: %v", a.status, a.reason(), r.status, r.reason, a.body)
			}
			if told := fmt.Sprint(a.body); strings.Contains(told, other) || strings.Contains(told, user) || strings.Contains(told, guest) {
				t.Errorf("an id is told: %s", told)
			}
		})
	}
	for _, c := range [][2]string{{"me", token}, {"me", othersToken}, {guest, ""}} {
		if after := call(t, "GET", s.url+"/v1/carts/"+c[0], c[1], "").body["etag"]; after != before[c[0]+c[1]] {
			t.Errorf("bad input changed the cart %s: %v, before %v", c[0], after, before[c[0]+c[1]])
		}
	}
}
