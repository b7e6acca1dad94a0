package test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	store    = "soho"
	password = "larder-demo-1" // of the seed's operator and merchandiser
)

// world is what the table's rows speak of: people, their carts, orders and addresses, and products of this run only.
type world struct {
	edge, provider, providerKey string

	// tokens by name: shopper, other, hungry, idle, new (shoppers), operator, merchandiser, and those that nobody should believe.
	tokens map[string]string
	// sold has stock; unsold is sold by another store only.
	sold, unsold string

	shopper, other person
	nobody         string // an e-mail address that has no account
	guest          string // the id of a cart of nobody's
	total          string // of the shopper's cart, JSON of Money
	page           map[string]string
}

// person is a shopper who has a cart, an order and an address.
type person struct {
	id, email, refresh, order, address string
	orderKey, orderBody                string
}

const delivery = `{"recipient":"Ada Lovelace","line1":"12 St James's Square","city":"London","postcode":"SW1Y 4LE","country":"GB"}`

// Of the other shopper: none of it may be in an answer to anybody else.
const (
	otherName     = "Wilhelmina Secretive"
	otherDelivery = `{"recipient":"Wilhelmina Secretive","line1":"99 Hidden Mews","city":"London","postcode":"N1 9GU","country":"GB","phone":"+442079460123"}`
)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		edge: setting(t, "EDGE_ADDR"), provider: setting(t, "STRIPE_API_URL"), providerKey: setting(t, "STRIPE_API_KEY"),
		nobody: "nobody-" + uuid.NewString() + "@shopper.example",
		tokens: map[string]string{"": ""}, page: map[string]string{},
	}
	for _, name := range []string{"operator", "merchandiser"} {
		w.tokens[name] = w.signIn(t, name+"@larder.example", password).word("access_token")
	}
	w.stock(t)
	w.shopper = w.settle(t, "shopper", "Ada", delivery)
	w.other = w.settle(t, "other", otherName, otherDelivery)
	cart := w.must(t, "shopper", "GET", "/v1/carts/me", "")
	total, err := json.Marshal(cart.at("totals.total"))
	if err != nil {
		t.Fatal(err)
	}
	w.total = string(total)
	// hungry wants more than there is, idle has an empty cart, new has none.
	for _, name := range []string{"hungry", "idle", "new"} {
		w.register(t, name, name)
	}
	w.must(t, "hungry", "POST", "/v1/carts", `{"store_id":"soho"}`)
	w.must(t, "hungry", "PUT", "/v1/carts/me/items/"+w.sold, `{"quantity":99}`)
	w.must(t, "idle", "POST", "/v1/carts", `{"store_id":"soho"}`)
	w.guest = w.must(t, "", "POST", "/v1/carts", `{"store_id":"soho"}`).word("cart_id")
	w.must(t, "", "PUT", "/v1/carts/"+w.guest+"/items/"+w.sold, `{"quantity":1}`)
	w.forge(t)
	w.turnPages(t)
	return w
}

// must asks for what is allowed.
func (w *world) must(t *testing.T, as, method, path, body string, headers ...string) answer {
	t.Helper()
	a := message{method: method, target: path, token: w.tokens[as], body: body, headers: headers}.send(t, w.edge)
	if a.status != http.StatusOK {
		t.Fatalf("%s %s as %s: %s", method, path, as, a)
	}
	return a
}

func (w *world) signIn(t *testing.T, email, password string) answer {
	t.Helper()
	return w.must(t, "", "POST", "/v1/sessions", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password))
}

func (w *world) register(t *testing.T, name, displayName string) person {
	t.Helper()
	email := name + "-" + uuid.NewString() + "@shopper.example"
	w.must(t, "", "POST", "/v1/users", fmt.Sprintf(`{"email":%q,"password":"correct-horse-battery","display_name":%q}`, email, displayName))
	session := w.signIn(t, email, "correct-horse-battery")
	w.tokens[name] = session.word("access_token")
	return person{id: session.word("user.user_id"), email: email, refresh: session.word("refresh_token")}
}

// stock makes products and their stock; they are deleted when the test ends.
func (w *world) stock(t *testing.T) {
	t.Helper()
	run := strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	w.sold, w.unsold = "endtoend-a-"+run, "endtoend-b-"+run
	for product, shop := range map[string]string{w.sold: store, w.unsold: "camden"} {
		w.must(t, "merchandiser", "POST", "/v1/products", fmt.Sprintf(
			`{"product_id":%q,"name":"Endtoend %s","category_id":"fruit","status":"ACTIVE","tax_rate_bps":2000,"price":{"currency":"GBP","minor_units":250},"store_ids":[%q]}`,
			product, product, shop))
		t.Cleanup(func() {
			message{method: "DELETE", target: "/v1/products/" + product, token: w.tokens["merchandiser"]}.send(t, w.edge)
		})
	}
	w.must(t, "operator", "POST", "/v1/stores/"+store+"/stock:adjust",
		fmt.Sprintf(`{"reason":"endtoend","adjustments":[{"product_id":%q,"quantity":20}]}`, w.sold), "Idempotency-Key: {key}")
}

// settle makes a person who has bought something and means to buy more.
func (w *world) settle(t *testing.T, name, displayName, address string) person {
	t.Helper()
	p := w.register(t, name, displayName)
	p.address = w.must(t, name, "POST", "/v1/users/me/addresses", address).word("address_id")
	w.must(t, name, "POST", "/v1/carts", `{"store_id":"soho"}`)
	cart := w.must(t, name, "PUT", "/v1/carts/me/items/"+w.sold, `{"quantity":1}`)
	total, err := json.Marshal(cart.at("totals.total"))
	if err != nil {
		t.Fatal(err)
	}
	p.orderKey, p.orderBody = uuid.NewString(), w.checkout(address, "pm_card_visa", string(total))
	bought := w.must(t, name, "POST", "/v1/checkouts", p.orderBody, "Idempotency-Key: "+p.orderKey)
	if p.order = bought.word("order.order_id"); p.order == "" {
		t.Fatalf("%s's order: %s", name, bought)
	}
	eventually(t, 20*time.Second, "the bought cart is empty", func() bool {
		return len(w.must(t, name, "GET", "/v1/carts/me", "").list("items")) == 0
	})
	w.must(t, name, "PUT", "/v1/carts/me/items/"+w.sold, `{"quantity":2}`)
	return p
}

func (w *world) checkout(address, card, total string) string {
	return fmt.Sprintf(`{"cart_id":"me","store_id":"soho","address":%s,"payment_method":%q,"expected_total":%s}`, address, card, total)
}

// forge makes tokens that nobody should believe out of the shopper's own one.
func (w *world) forge(t *testing.T) {
	t.Helper()
	signed := strings.Split(w.tokens["shopper"], ".")
	if len(signed) != 3 {
		t.Fatal("an access token is no JWT")
	}
	claims := jwt.MapClaims{}
	parsed, _, err := jwt.NewParser().ParseUnverified(w.tokens["shopper"], claims)
	if err != nil {
		t.Fatal(err)
	}
	kid := parsed.Header["kid"]
	sign := func(method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"] = kid
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	with := func(change map[string]any) jwt.MapClaims {
		changed := maps.Clone(claims)
		maps.Copy(changed, change)
		maps.DeleteFunc(changed, func(_ string, value any) bool { return value == nil })
		return changed
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	roles := with(map[string]any{"roles": []string{"shopper", "merchandiser", "operator"}})
	payload, err := json.Marshal(roles)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	published := w.must(t, "", "GET", "/.well-known/jwks.json", "").word("keys.0.x")

	w.tokens["rubbish"] = "rubbish"
	w.tokens["dots"] = ".."
	w.tokens["foreign"] = sign(jwt.SigningMethodEdDSA, private, roles)
	w.tokens["alg none"] = sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, roles)
	w.tokens["alg HS256 with the public key"] = sign(jwt.SigningMethodHS256, []byte(published), roles)
	w.tokens["more roles under the old signature"] = signed[0] + "." + text(payload) + "." + signed[2]
	w.tokens["no signature"] = signed[0] + "." + signed[1] + "."
	w.tokens["key in the header"] = embedded(t, private, public, roles)
	w.tokens["refresh token"] = w.shopper.refresh

	// A real token that has ended can't be had within a test by waiting, so it is signed with the user service's own key.
	genuine := signingKey(t, fmt.Sprint(kid))
	now := time.Now()
	w.tokens["expired"] = sign(jwt.SigningMethodEdDSA, genuine, with(map[string]any{"iat": now.Add(-time.Hour).Unix(), "exp": now.Add(-time.Minute).Unix()}))
	w.tokens["without an end"] = sign(jwt.SigningMethodEdDSA, genuine, with(map[string]any{"exp": nil}))
	w.tokens["for another audience"] = sign(jwt.SigningMethodEdDSA, genuine, with(map[string]any{"aud": "elsewhere"}))
	w.tokens["of another issuer"] = sign(jwt.SigningMethodEdDSA, genuine, with(map[string]any{"iss": "https://elsewhere.example"}))
	w.tokens["of nobody"] = sign(jwt.SigningMethodEdDSA, genuine, with(map[string]any{"sub": ""}))
}

// embedded brings the public key to verify it with along.
func embedded(t *testing.T, private ed25519.PrivateKey, public ed25519.PublicKey, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["jwk"] = map[string]string{"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(public)}
	token.Header["kid"] = "../../../../dev/null"
	text, err := token.SignedString(private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func signingKey(t *testing.T, kid string) ed25519.PrivateKey {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), setting(t, "DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(t.Context())) }()
	var seed []byte
	if err := connection.QueryRow(t.Context(), "select private_key from users.signing_keys where kid = $1", kid).Scan(&seed); err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(seed)
}

// turnPages takes a page token of every list, to show it to the others.
func (w *world) turnPages(t *testing.T) {
	t.Helper()
	for list, path := range map[string]string{
		"products": "/v1/products?page_size=1",
		"fruit":    "/v1/products?page_size=1&category_id=fruit",
		"stock":    "/v1/stores/soho/stock?page_size=1",
		"search":   "/v1/search?store=soho&q=milk&page_size=1",
	} {
		as := map[bool]string{true: "operator"}[list == "stock"]
		if w.page[list] = w.must(t, as, "GET", path, "").word("next_page_token"); w.page[list] == "" {
			t.Fatalf("%s has one page only", path)
		}
	}
}

// slides is what every reading of a cart moves on.
var slides = regexp.MustCompile(`"expire_time": *"[^"]*"`)

// kept is everything that bad input must not change, by name.
func (w *world) kept(t *testing.T, checkouts []string) map[string]string {
	t.Helper()
	kept := map[string]string{}
	for _, who := range []string{"shopper", "other"} {
		for _, path := range []string{"/v1/users/me", "/v1/users/me/addresses", "/v1/carts/me", "/v1/orders"} {
			kept[who+" "+path] = slides.ReplaceAllString(w.must(t, who, "GET", path, "").text, "")
		}
	}
	kept["guest cart"] = slides.ReplaceAllString(w.must(t, "", "GET", "/v1/carts/"+w.guest, "").text, "")
	kept["orders of hungry"] = w.must(t, "hungry", "GET", "/v1/orders", "").text
	kept["orders of idle"] = w.must(t, "idle", "GET", "/v1/orders", "").text
	kept["stock"] = w.must(t, "operator", "GET", "/v1/stores/soho/stock/"+w.sold, "").text
	for _, product := range []string{w.sold, w.unsold} {
		kept[product] = w.must(t, "", "GET", "/v1/products/"+product, "").text
	}
	kept["provider"] = strings.Join(w.payments(t, append(checkouts, w.shopper.order, w.other.order)), "\n")
	return kept
}

// payments are the provider's payments of checkouts that hold or may hold money, out of the 100 newest.
func (w *world) payments(t *testing.T, checkouts []string) []string {
	t.Helper()
	address := strings.TrimPrefix(w.provider, "http://")
	a := message{method: "GET", target: "/v1/payment_intents?limit=100", token: w.providerKey}.send(t, address)
	if a.status != http.StatusOK {
		t.Fatalf("the provider's list: %s", a)
	}
	var found []string
	for i := range a.list("data") {
		intent := answer{body: a.list("data")[i]}
		for _, checkout := range checkouts {
			status := intent.word("status")
			if intent.word("metadata.larder_order") == checkout && status != "canceled" && status != "requires_payment_method" {
				found = append(found, fmt.Sprint(checkout, " ", intent.at("id"), " ", status, " ", intent.at("amount")))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// eventually waits for a condition.
func eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("after %s it isn't so that %s", within, what)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

// othersPage is a page token as the other shopper's list would give it: what one holds can be read, so it can be made up.
func (w *world) othersPage() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"u":%q,"t":%d,"o":%q}`, w.other.id, time.Now().UnixNano(), w.other.order))
}
