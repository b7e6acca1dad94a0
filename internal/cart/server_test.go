package cart_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	cartpb "larder.dev/api/cart/v1"
	"larder.dev/internal/cart"
	cartredis "larder.dev/internal/cart/redis"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
)

// start serves carts as run/cart does, with a shelf for a product service.
func start(t *testing.T, issuer *servetest.Issuer, carts cart.Store, offers *shelf) string {
	t.Helper()
	server := issuer.Start(t, "cart", func(ctx context.Context, app *serve.App) error {
		return app.Register(ctx, &cartpb.CartService_ServiceDesc, cart.NewServer(cart.New(carts, offers)),
			func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
				return cartpb.RegisterCartServiceHandlerClient(ctx, mux, cartpb.NewCartServiceClient(conn))
			})
	})
	return server.URL
}

// answered is a REST answer: a cart, or an error with its reason and the fields that it names.
type answered struct {
	status int
	header http.Header
	body   map[string]any
}

func call(t *testing.T, method, url, token, body string) answered {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answered{status: response.StatusCode, header: response.Header}
	if err := json.Unmarshal(text, &a.body); err != nil {
		t.Fatalf("%s %s answered %s", method, url, text)
	}
	return a
}

func (a answered) reason() string {
	for _, detail := range a.details() {
		if reason, ok := detail["reason"].(string); ok {
			return reason
		}
	}
	return ""
}

func (a answered) fields() string {
	var names []string
	for _, detail := range a.details() {
		violations, _ := detail["field_violations"].([]any)
		for _, v := range violations {
			names = append(names, fmt.Sprint(v.(map[string]any)["field"]))
		}
	}
	return strings.Join(names, ",")
}

func (a answered) details() []map[string]any {
	told, _ := a.body["error"].(map[string]any)
	list, _ := told["details"].([]any)
	details := make([]map[string]any, 0, len(list))
	for _, detail := range list {
		details = append(details, detail.(map[string]any))
	}
	return details
}

func TestREST(t *testing.T) {
	issuer := servetest.NewIssuer(t)
	url := start(t, issuer, store(t), newShelf())
	user := uuid.NewString()
	token := issuer.Token(t, identity.Caller{UserID: user, Roles: []string{identity.RoleShopper}}, time.Minute)

	a := call(t, "POST", url+"/v1/carts", token, `{"store_id":"soho"}`)
	if a.status != 200 || a.body["cart_id"] != user || a.body["store_id"] != "soho" {
		t.Fatalf("opened %d %v", a.status, a.body)
	}
	a = call(t, "PUT", url+"/v1/carts/me/items/milk", token, fmt.Sprintf(`{"quantity":2,"etag":%q}`, a.body["etag"]))
	if a.status != 200 {
		t.Fatalf("put: %d %v", a.status, a.body)
	}
	call(t, "PUT", url+"/v1/carts/"+user+"/items/tea", token, `{"quantity":1}`)
	a = call(t, "GET", url+"/v1/carts/me", token, "")
	items := a.body["items"].([]any)
	milk := items[0].(map[string]any)
	if len(items) != 2 || milk["product_id"] != "milk" || milk["quantity"] != 2.0 || milk["name"] != "The milk" || milk["sold"] != true ||
		milk["line_total"].(map[string]any)["minor_units"] != "250" || milk["previous_unit_price"] != nil ||
		milk["max_per_shopper"] != 2.0 || items[1].(map[string]any)["max_per_shopper"] != 0.0 {
		t.Errorf("items are %v", items)
	}
	if total := a.body["totals"].(map[string]any)["total"].(map[string]any); total["minor_units"] != "999" || total["currency"] != "GBP" {
		t.Errorf("total is %v", total)
	}
	updated, err := time.Parse(time.RFC3339, a.body["update_time"].(string))
	if err != nil || time.Since(updated) > time.Minute {
		t.Errorf("update_time is %v, %v", a.body["update_time"], err)
	}
	expires, err := time.Parse(time.RFC3339, a.body["expire_time"].(string))
	if err != nil || time.Until(expires) < cart.UserLifetime-time.Minute || time.Until(expires) > cart.UserLifetime {
		t.Errorf("expire_time is %v, %v", a.body["expire_time"], err)
	}
	a = call(t, "DELETE", url+"/v1/carts/me/items/milk?etag="+a.body["etag"].(string), token, "")
	if a.status != 200 || len(a.body["items"].([]any)) != 1 {
		t.Errorf("delete: %d %v", a.status, a.body)
	}
}

func TestBadInput(t *testing.T) {
	issuer := servetest.NewIssuer(t)
	url := start(t, issuer, store(t), newShelf())
	shopper := func() (string, string) {
		user := uuid.NewString()
		return user, issuer.Token(t, identity.Caller{UserID: user, Roles: []string{identity.RoleShopper}}, time.Minute)
	}
	user, token := shopper()
	other, othersToken := shopper()
	operator := issuer.Token(t, identity.Caller{UserID: uuid.NewString(), Roles: []string{identity.RoleOperator}}, time.Minute)
	expired := issuer.Token(t, identity.Caller{UserID: user, Roles: []string{identity.RoleShopper}}, -time.Minute)
	stranger := servetest.NewIssuer(t).Token(t, identity.Caller{UserID: user, Roles: []string{identity.RoleShopper}}, time.Minute)
	_, homeless := shopper()

	for _, owner := range []string{token, othersToken} {
		call(t, "POST", url+"/v1/carts", owner, `{"store_id":"soho"}`)
		call(t, "PUT", url+"/v1/carts/me/items/milk", owner, `{"quantity":2}`)
	}
	before := call(t, "GET", url+"/v1/carts/me", token, "").body["etag"]
	othersBefore := call(t, "GET", url+"/v1/carts/me", othersToken, "").body["etag"]

	for _, test := range []struct {
		name, method, path, token, body string
		status                          int
		reason, fields                  string
	}{
		{"no token", "GET", "/v1/carts/me", "", "", 401, "UNAUTHENTICATED", ""},
		{"expired token", "GET", "/v1/carts/me", expired, "", 401, "TOKEN_EXPIRED", ""},
		{"another issuer's token", "GET", "/v1/carts/me", stranger, "", 401, "UNAUTHENTICATED", ""},
		{"no token of any kind", "PUT", "/v1/carts/me/items/milk", "nonsense", `{"quantity":1}`, 401, "UNAUTHENTICATED", ""},
		{"no cart yet", "GET", "/v1/carts/me", homeless, "", 404, "CART_NOT_FOUND", ""},
		{"another's cart", "GET", "/v1/carts/" + other, token, "", 404, "CART_NOT_FOUND", ""},
		{"another's cart, as operator", "GET", "/v1/carts/" + other, operator, "", 404, "CART_NOT_FOUND", ""},
		{"nobody's cart", "GET", "/v1/carts/" + uuid.NewString(), token, "", 404, "CART_NOT_FOUND", ""},
		{"put into another's", "PUT", "/v1/carts/" + other + "/items/tea", token, `{"quantity":1}`, 404, "CART_NOT_FOUND", ""},
		{"delete from another's", "DELETE", "/v1/carts/" + other + "/items/milk", token, "", 404, "CART_NOT_FOUND", ""},
		{"malformed cart id", "GET", "/v1/carts/mine", token, "", 400, "INVALID_ARGUMENT", "cart_id"},
		{"zero", "PUT", "/v1/carts/me/items/tea", token, `{"quantity":0}`, 400, "INVALID_ARGUMENT", "quantity"},
		{"no quantity", "PUT", "/v1/carts/me/items/tea", token, `{}`, 400, "INVALID_ARGUMENT", "quantity"},
		{"negative", "PUT", "/v1/carts/me/items/tea", token, `{"quantity":-1}`, 400, "INVALID_ARGUMENT", "quantity"},
		{"a hundred", "PUT", "/v1/carts/me/items/tea", token, `{"quantity":100}`, 400, "INVALID_ARGUMENT", "quantity"},
		{"huge", "PUT", "/v1/carts/me/items/tea", token, `{"quantity":99999999999999999999}`, 400, "INVALID_ARGUMENT", "quantity"},
		{"a fraction", "PUT", "/v1/carts/me/items/tea", token, `{"quantity":1.5}`, 400, "INVALID_ARGUMENT", "quantity"},
		{"a word", "PUT", "/v1/carts/me/items/tea", token, `{"quantity":"many"}`, 400, "INVALID_ARGUMENT", "quantity"},
		{"unknown field", "PUT", "/v1/carts/me/items/tea", token, `{"quantity":1,"price":1}`, 400, "INVALID_ARGUMENT", "price"},
		{"no JSON", "PUT", "/v1/carts/me/items/tea", token, `{"quantity"`, 400, "INVALID_ARGUMENT", "body"},
		{"malformed product", "PUT", "/v1/carts/me/items/Tea%20Time", token, `{"quantity":1}`, 400, "INVALID_ARGUMENT", "product_id"},
		{"unknown product", "PUT", "/v1/carts/me/items/unicorn", token, `{"quantity":1}`, 404, "PRODUCT_NOT_FOUND", ""},
		{"not sold", "PUT", "/v1/carts/me/items/ghost", token, `{"quantity":1}`, 409, "PRODUCT_NOT_SOLD", ""},
		{"old etag", "PUT", "/v1/carts/me/items/milk", token, `{"quantity":1,"etag":"1"}`, 412, "ETAG_MISMATCH", ""},
		{"endless etag", "PUT", "/v1/carts/me/items/milk", token, `{"quantity":1,"etag":"` + strings.Repeat("1", 101) + `"}`, 400, "INVALID_ARGUMENT", "etag"},
		{"old etag, delete", "DELETE", "/v1/carts/me/items/milk?etag=1", token, "", 412, "ETAG_MISMATCH", ""},
		{"absent item", "DELETE", "/v1/carts/me/items/tea", token, "", 404, "ITEM_NOT_FOUND", ""},
		{"unknown store", "POST", "/v1/carts", token, `{"store_id":"atlantis"}`, 404, "STORE_NOT_FOUND", ""},
		{"malformed store", "POST", "/v1/carts", token, `{"store_id":"So Ho"}`, 400, "INVALID_ARGUMENT", "store_id"},
		{"no store", "POST", "/v1/carts", token, `{}`, 400, "INVALID_ARGUMENT", "store_id"},
		{"too large a body", "POST", "/v1/carts", token, `{"store_id":"` + strings.Repeat("s", 1<<20) + `"}`, 413, "REQUEST_TOO_LARGE", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := call(t, test.method, url+test.path, test.token, test.body)
			if a.status != test.status || a.reason() != test.reason || a.fields() != test.fields {
				t.Errorf("got %d %s %q, want %d %s %q: %v", a.status, a.reason(), a.fields(), test.status, test.reason, test.fields, a.body)
			}
			if strings.Contains(fmt.Sprint(a.body), other) {
				t.Errorf("another's id is told: %v", a.body)
			}
		})
	}
	if after := call(t, "GET", url+"/v1/carts/me", token, "").body["etag"]; after != before {
		t.Errorf("bad input changed the cart: %v, before %v", after, before)
	}
	if after := call(t, "GET", url+"/v1/carts/me", othersToken, "").body["etag"]; after != othersBefore {
		t.Errorf("another's cart changed: %v, before %v", after, othersBefore)
	}
}

func TestRedisAwayOnREST(t *testing.T) {
	client, err := cartredis.Open("127.0.0.1:1") // nobody listens there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	issuer := servetest.NewIssuer(t)
	url := start(t, issuer, cartredis.New(client, time.Now), newShelf())
	token := issuer.Token(t, identity.Caller{UserID: uuid.NewString(), Roles: []string{identity.RoleShopper}}, time.Minute)
	a := call(t, "GET", url+"/v1/carts/me", token, "")
	if a.status != 503 || a.reason() != "UNAVAILABLE" || a.header.Get("Retry-After") != "1" {
		t.Errorf("got %d %s, Retry-After %q", a.status, a.reason(), a.header.Get("Retry-After"))
	}
	if strings.Contains(fmt.Sprint(a.body), "127.0.0.1") {
		t.Errorf("an address is told: %v", a.body)
	}
}

// ClearCart is for checkout alone, and only by gRPC.
func TestClearCartIsInternal(t *testing.T) {
	issuer := servetest.NewIssuer(t)
	url := start(t, issuer, store(t), newShelf())
	user := uuid.NewString()
	token := issuer.Token(t, identity.Caller{UserID: user, Roles: []string{identity.RoleShopper, identity.RoleOperator}}, time.Minute)
	call(t, "POST", url+"/v1/carts", token, `{"store_id":"soho"}`)
	etag, _ := call(t, "PUT", url+"/v1/carts/me/items/milk", token, `{"quantity":2}`).body["etag"].(string)

	conn, err := grpc.NewClient(strings.TrimPrefix(url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	carts := cartpb.NewCartServiceClient(conn)
	for _, test := range []struct {
		name, header, value string
		want                codes.Code
	}{
		{"nobody", "x-nothing", "", codes.Unauthenticated},
		{"the owner", "authorization", "Bearer " + token, codes.PermissionDenied},
		{"another service", identity.ServiceTokenHeader, issuer.ServiceToken(t, "search"), codes.PermissionDenied},
		{"checkout", identity.ServiceTokenHeader, issuer.ServiceToken(t, "checkout"), codes.OK},
	} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), test.header, test.value)
		_, err := carts.ClearCart(ctx, &cartpb.ClearCartRequest{CartId: user, Etag: etag})
		if status.Code(err) != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	cleared, err := carts.GetCart(ctx, &cartpb.GetCartRequest{CartId: "me"})
	if err != nil || len(cleared.GetItems()) != 0 {
		t.Errorf("after checkout the cart is %v, %v", cleared, err)
	}
	_, err = carts.GetCart(ctx, &cartpb.GetCartRequest{CartId: uuid.NewString()})
	if !fault.Is(err, fault.CartNotFound) {
		t.Errorf("another's cart by gRPC: %v", err)
	}
}
