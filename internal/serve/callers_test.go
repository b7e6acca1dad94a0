package serve_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	cartpb "larder.dev/api/cart/v1"
	productpb "larder.dev/api/product/v1"
	stockpb "larder.dev/api/stock/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
)

// methods has one of each kind of rule, with a valid request, and its path if it is on REST.
var methods = []struct {
	rule             string
	rpc              string
	req, into        proto.Message
	verb, path, body string
}{
	{"anyone", productpb.ProductService_ListStores_FullMethodName, &productpb.ListStoresRequest{}, &productpb.ListStoresResponse{}, "GET", "/v1/stores", ""},
	{"held", cartpb.CartService_PutItem_FullMethodName, &cartpb.PutItemRequest{CartId: "me", ProductId: "bananas", Quantity: 1}, &cartpb.Cart{},
		"PUT", "/v1/carts/me/items/bananas", `{"quantity":1}`},
	{"shopper", cartpb.CartService_MergeCart_FullMethodName, &cartpb.MergeCartRequest{CartId: ada}, &cartpb.Cart{},
		"POST", "/v1/carts/" + ada + ":merge", "{}"},
	{"merchandiser", productpb.ProductService_DeleteProduct_FullMethodName, &productpb.DeleteProductRequest{ProductId: "bananas"}, &emptypb.Empty{},
		"DELETE", "/v1/products/bananas", ""},
	{"operator", stockpb.StockService_AdjustStock_FullMethodName,
		&stockpb.AdjustStockRequest{StoreId: "soho", Reason: "r", Adjustments: []*stockpb.Adjustment{{ProductId: "bananas", Quantity: 1}}}, &stockpb.AdjustStockResponse{},
		"POST", "/v1/stores/soho/stock:adjust", `{"reason":"r","adjustments":[{"product_id":"bananas","quantity":1}]}`},
	{"checkout", cartpb.CartService_ClearCart_FullMethodName, &cartpb.ClearCartRequest{CartId: ada, Etag: "1"}, &emptypb.Empty{}, "", "", ""},
}

func TestCallers(t *testing.T) {
	r := newRig(t, nil)
	person := func(roles ...string) string {
		return r.issuer.Token(t, identity.Caller{UserID: ada, SessionID: "s", Roles: roles}, time.Minute)
	}
	service := func(name string) map[string]string {
		return map[string]string{identity.ServiceTokenHeader: r.issuer.ServiceToken(t, name)}
	}
	public := r.publicKey(t)
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	claims := func(expiry time.Time) jwt.MapClaims {
		return jwt.MapClaims{"iss": "https://larder.dev", "aud": "larder", "sub": ada, "exp": expiry.Unix(), "roles": []string{"operator", "merchandiser"}}
	}
	forged := func(method jwt.SigningMethod, key any, kid string) map[string]string {
		token := jwt.NewWithClaims(method, claims(time.Now().Add(time.Hour)))
		if kid != "" {
			token.Header["kid"] = kid
		}
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return bearer(text)
	}
	operator := person(identity.RoleShopper, identity.RoleOperator)
	callers := []struct {
		name    string
		headers map[string]string
		admits  string // to the methods of these rules, beside anyone
		refusal fault.Reason
	}{
		{"nobody", nil, "", fault.Unauthenticated},
		{"a shopper", bearer(person(identity.RoleShopper)), "shopper", fault.PermissionDenied},
		{"a merchandiser", bearer(person(identity.RoleShopper, identity.RoleMerchandiser)), "shopper merchandiser", fault.PermissionDenied},
		{"an operator", bearer(operator), "shopper operator", fault.PermissionDenied},
		{"a role that doesn't exist", bearer(person("root")), "shopper", fault.PermissionDenied},
		{"the right service", service("checkout"), "checkout", fault.PermissionDenied},
		{"another service", service("order"), "", fault.PermissionDenied},
		{"a service for a shopper", with(service("checkout"), "authorization", "Bearer "+person(identity.RoleShopper)), "shopper checkout", fault.PermissionDenied},
		{"a person's token as a service's", map[string]string{identity.ServiceTokenHeader: operator}, "", fault.Unauthenticated},
		{"a service's token as a person's", bearer(r.issuer.ServiceToken(t, "checkout")), "", fault.Unauthenticated},
		{"an expired token", bearer(r.issuer.Token(t, identity.Caller{UserID: ada, Roles: []string{"operator"}}, -time.Minute)), "", fault.TokenExpired},
		{"a token that expired within the leeway", bearer(r.issuer.Token(t, identity.Caller{UserID: ada}, -10*time.Second)), "shopper", fault.PermissionDenied},
		{"no signature", forged(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, r.kid(t)), "", fault.Unauthenticated},
		{"the public key as a secret", forged(jwt.SigningMethodHS256, []byte(public), r.kid(t)), "", fault.Unauthenticated},
		{"another key under our key's id", forged(jwt.SigningMethodEdDSA, other, r.kid(t)), "", fault.Unauthenticated},
		{"another key under its own id", forged(jwt.SigningMethodEdDSA, other, "other"), "", fault.Unauthenticated},
		{"a token without a key's id", forged(jwt.SigningMethodEdDSA, other, ""), "", fault.Unauthenticated},
		{"a changed token", bearer(operator[:len(operator)-10] + "AAAAAAAAAA"), "", fault.Unauthenticated},
		{"no token at all", bearer("nonsense"), "", fault.Unauthenticated},
		{"another scheme", map[string]string{"authorization": "Basic YWRhOnNlY3JldA=="}, "", fault.Unauthenticated},
		{"a huge token", bearer(strings.Repeat("x", 8000)), "", fault.Unauthenticated},
	}
	for _, c := range callers {
		t.Run(c.name, func(t *testing.T) {
			for _, m := range methods {
				// For anyone whose token holds: all but those who are refused for their credentials, not for who they are.
				held := m.rule == "held" && (c.headers == nil || c.refusal.Name == fault.PermissionDenied.Name)
				admitted := m.rule == "anyone" || held || strings.Contains(c.admits, m.rule)
				check(t, "gRPC", m.rule, r.rpc(t, m.rpc, c.headers, m.req, m.into), admitted, c.refusal)
				if m.path == "" {
					continue
				}
				// REST knows people only: a service's token is nothing there.
				refusal := c.refusal
				if c.headers["authorization"] == "" {
					refusal, admitted = fault.Unauthenticated, m.rule == "anyone" || m.rule == "held"
				}
				check(t, "REST", m.rule, r.rest(t, m.verb, m.path, c.headers, m.body), admitted, refusal)
			}
		})
	}
}

func check(t *testing.T, wire, rule string, got outcome, admitted bool, refusal fault.Reason) {
	t.Helper()
	what := wire + " to " + rule
	switch {
	case admitted && !got.OK:
		t.Errorf("%s: %s %s, want to be let in", what, got.Reason, got.Message)
	case !admitted:
		refused(t, what, got, refusal)
		if got.HTTP == http.StatusUnauthorized && got.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: 401 without WWW-Authenticate", what)
		}
	}
}

func TestTokensForOthersAreRefused(t *testing.T) {
	for name, change := range map[string]func(*serve.Config){
		"issuer":   func(c *serve.Config) { c.Identity.Issuer = "https://elsewhere.example" },
		"audience": func(c *serve.Config) { c.Identity.Audience = "elsewhere" },
	} {
		r := newRig(t, change)
		refused(t, "a token of another "+name, wires[1].put(t, r, r.shopper(t), 1), fault.Unauthenticated)
	}
	for name, change := range map[string]func(*serve.Config){
		"issuer":   func(c *serve.Config) { c.Identity.ServiceIssuer = "https://elsewhere.example" },
		"audience": func(c *serve.Config) { c.Identity.ServiceAudience = "https://elsewhere.example" },
		"project":  func(c *serve.Config) { c.Identity.ServiceDomain = "elsewhere.iam.gserviceaccount.com" },
	} {
		r := newRig(t, change)
		token := map[string]string{identity.ServiceTokenHeader: r.issuer.ServiceToken(t, "checkout")}
		m := methods[len(methods)-1]
		refused(t, "a service token of another "+name, r.rpc(t, m.rpc, token, m.req, m.into), fault.Unauthenticated)
	}
}

func TestWithoutKeysNobodyIsSentToSignIn(t *testing.T) {
	r := newRig(t, func(c *serve.Config) { c.Identity.JWKSURL = "http://127.0.0.1:1/" })
	for _, w := range wires {
		got := w.put(t, r, r.shopper(t), 1)
		refused(t, w.name, got, fault.Unavailable)
		if !got.RetryAfter {
			t.Errorf("%s: the answer doesn't tell when to try again", w.name)
		}
	}
	if got := r.rest(t, "GET", "/v1/stores", r.shopper(t), ""); !got.OK {
		t.Errorf("a method for anyone: %+v", got)
	}
	if got := wires[0].put(t, r, nil, 1); !got.OK {
		t.Errorf("a method for anyone whose token holds, without a token: %+v", got)
	}
}

func TestHealthIsForAnyoneAndStreamsForNobody(t *testing.T) {
	r := newRig(t, nil)
	client := healthpb.NewHealthClient(r.conn)
	if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("health: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	stream, err := client.Watch(ctx, &healthpb.HealthCheckRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("a stream: %v, want it refused", err)
	}
}

// publicKey and kid are those of the people's key, as anybody can fetch them.
func (r *rig) publicKey(t *testing.T) string { return r.jwk(t)["x"] }
func (r *rig) kid(t *testing.T) string       { return r.jwk(t)["kid"] }

func (r *rig) jwk(t *testing.T) map[string]string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.issuer.Config().Identity.JWKSURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var set struct{ Keys []map[string]string }
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		if key["kty"] != "OKP" {
			continue
		}
		raw, err := base64.RawURLEncoding.DecodeString(key["x"])
		if err != nil {
			t.Fatal(err)
		}
		return map[string]string{"x": string(raw), "kid": key["kid"]}
	}
	t.Fatal("the issuer has no key for people")
	return nil
}

// Whoever sends a token means to be somebody: the method must not take them for nobody.
func TestATokenThatMustHoldIsNeverNobody(t *testing.T) {
	r := newRig(t, nil)
	var got identity.Caller
	r.do = func(ctx context.Context) error {
		got = identity.FromContext(ctx)
		return nil
	}
	expired := r.issuer.Token(t, identity.Caller{UserID: ada, Roles: []string{identity.RoleShopper}}, -time.Minute)
	for _, c := range []struct {
		name    string
		headers map[string]string
		user    string
		refusal fault.Reason
	}{
		{"no header", nil, "", fault.Reason{}},
		{"an empty header", map[string]string{"authorization": ""}, "", fault.Reason{}},
		{"a valid token", r.shopper(t), ada, fault.Reason{}},
		{"an expired token", bearer(expired), "", fault.TokenExpired},
		{"no token after the scheme", map[string]string{"authorization": "Bearer"}, "", fault.Unauthenticated},
		{"a token without its scheme", map[string]string{"authorization": strings.TrimPrefix(r.shopper(t)["authorization"], "Bearer ")}, "", fault.Unauthenticated},
		{"another scheme", map[string]string{"authorization": "Basic YWRhOnNlY3JldA=="}, "", fault.Unauthenticated},
	} {
		for _, w := range wires {
			got = identity.Caller{UserID: "not called"}
			answer := w.put(t, r, c.headers, 1)
			if c.refusal.Name != "" {
				refused(t, w.name+", "+c.name, answer, c.refusal)
				continue
			}
			if !answer.OK || got.UserID != c.user {
				t.Errorf("%s, %s: %+v as %q, want %q", w.name, c.name, answer, got.UserID, c.user)
			}
		}
	}
	expiredService := with(r.shopper(t), identity.ServiceTokenHeader, expired)
	refused(t, "a service token that doesn't hold, beside a person's that does", wires[1].put(t, r, expiredService, 1), fault.Unauthenticated)
}
