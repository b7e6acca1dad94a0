package storefront_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	checkoutpb "larder.dev/api/checkout/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/serve"
	"larder.dev/internal/storefront"
	"larder.dev/internal/web"
)

// api stands for the public API, with one product in two stores and what is asked of accounts.
type api struct {
	*httptest.Server
	mu     sync.Mutex
	carts  map[string]map[string]int // what is in them, by cart
	stores map[string]string         // where they are
	refuse map[string]*fault.Error   // by method and path
	asked  []string                  // method, path, key and body of what changes something
	total  int64                     // of a piece, pence
}

func newAPI(t *testing.T) *api {
	t.Helper()
	a := &api{carts: map[string]map[string]int{}, stores: map[string]string{}, refuse: map[string]*fault.Error{}, total: 250}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

const slots = `{"slots":[{"slot":{"slot_id":"mon-9","start_time":"2999-01-07T09:00:00Z","end_time":"2999-01-07T11:00:00Z"},"capacity":9,"available":3}]}`

func (a *api) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	method := r.Method + " " + r.URL.Path
	if r.Method != http.MethodGet {
		a.asked = append(a.asked, method+" "+r.Header.Get("Idempotency-Key")+" "+string(body))
	}
	if refusal := a.refuse[method]; refusal != nil {
		serve.WriteError(w, r, refusal)
		return
	}
	var sent struct {
		StoreID  string `json:"store_id"`
		Quantity int    `json:"quantity"`
	}
	_ = json.Unmarshal(body, &sent)
	rest, isCart := strings.CutPrefix(r.URL.Path, "/v1/carts/")
	switch {
	case method == "GET /v1/stores":
		_, _ = io.WriteString(w, `{"stores":[{"store_id":"soho","name":"Soho","postcodes":["W1D"]},{"store_id":"camden","name":"Camden","postcodes":["NW1"]}]}`)
	case method == "GET /v1/categories":
		_, _ = io.WriteString(w, `{"categories":[{"category_id":"dairy","name":"Dairy"}]}`)
	case strings.HasSuffix(r.URL.Path, "/slots"):
		_, _ = io.WriteString(w, slots)
	case method == "GET /v1/users/me/addresses":
		_, _ = io.WriteString(w, `{}`)
	case method == "GET /v1/users/me":
		_, _ = io.WriteString(w, `{"user_id":"u","email":"ada@example.com","email_verified":true}`)
	case method == "POST /v1/sessions", method == "POST /v1/users:verifyEmail":
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": "a", "access_token_expire_time": time.Now().Add(time.Hour), "refresh_token": "r", "refresh_token_expire_time": time.Now().Add(2 * time.Hour),
			"user": map[string]any{"user_id": "u", "email": "ada@example.com", "display_name": "Ada"},
		})
	case method == "POST /v1/carts":
		id := "me"
		if r.Header.Get("Authorization") == "" {
			id = fmt.Sprintf("guest-%d", len(a.carts))
		}
		if a.carts[id] == nil {
			a.carts[id] = map[string]int{}
		}
		a.stores[id] = sent.StoreID
		a.show(w, id)
	case isCart && r.Method == http.MethodPut:
		id, _, _ := strings.Cut(rest, "/")
		a.carts[id][r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]] = sent.Quantity
		a.show(w, id)
	case isCart && strings.HasSuffix(rest, ":merge"):
		a.show(w, "me")
	case isCart && r.Method == http.MethodGet && a.carts[rest] != nil:
		a.show(w, rest)
	case isCart:
		serve.WriteError(w, r, fault.CartNotFound.New("no"))
	default:
		_, _ = io.WriteString(w, `{}`)
	}
}

// show answers a cart.
func (a *api) show(w io.Writer, id string) {
	var items []map[string]any
	sum := int64(0)
	for product, n := range a.carts[id] {
		line := a.total * int64(n)
		sum += line
		items = append(items, map[string]any{"product_id": product, "name": "Name of " + product, "quantity": n, "sold": true, "available": true, "unit_price": gbp(a.total), "line_total": gbp(line)})
	}
	cart := map[string]any{"cart_id": id, "store_id": a.stores[id], "items": items}
	if sum > 0 {
		cart["totals"] = map[string]any{"lines": gbp(sum), "total": gbp(sum)}
	}
	_ = json.NewEncoder(w).Encode(cart)
}

func gbp(n int64) map[string]any {
	return map[string]any{"currency": "GBP", "minor_units": fmt.Sprint(n)}
}

// did is what the API was asked to change since it was last looked at.
func (a *api) did() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.asked
	a.asked = nil
	return all
}

// visitor is a browser without scripts, in front of the shop.
type visitor struct {
	*api
	t    *testing.T
	url  string
	http *http.Client
}

func visit(t *testing.T) *visitor {
	t.Helper()
	a := newAPI(t)
	config := web.Config{APIURL: a.URL, SiteURL: "http://shop.example", SessionKeys: []string{base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))}}
	pages, err := storefront.New(t.Context(), storefront.Config{TestCards: true, StreamsMax: 2}, config, 1)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(pages)
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{api: a, t: t, url: server.URL, http: &http.Client{Jar: jar}}
}

// send sends a form, or looks at a page where there is none, and follows.
func (v *visitor) send(path string, form url.Values) (status int, text, at string) {
	v.t.Helper()
	method := http.MethodPost
	if form == nil {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := v.http.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return response.StatusCode, strings.ReplaceAll(string(body), "&#39;", "'"), response.Request.URL.RequestURI()
}

var hidden = regexp.MustCompile(`name="(key|store|total|currency)" value="([^"]*)"`)

// till is the checkout's form as the page has it, filled in.
func (v *visitor) till() url.Values {
	v.t.Helper()
	status, text, at := v.send("/checkout", nil)
	if status != http.StatusOK || at != "/checkout" {
		v.t.Fatalf("the checkout is %d at %s", status, at)
	}
	return filled(text)
}

func filled(text string) url.Values {
	form := url.Values{
		"address": {"new"}, "recipient": {"Ada"}, "line1": {"1 High St"}, "city": {"London"}, "postcode": {"W1D 3QF"}, "slot": {"mon-9"}, "card": {"pm_card_visa"},
	}
	for _, field := range hidden.FindAllStringSubmatch(text, -1) {
		form.Set(field[1], field[2])
	}
	return form
}

// checkouts are those that the API was asked for: key and body.
func (v *visitor) checkouts() (asked []string) {
	for _, one := range v.did() {
		if rest, ok := strings.CutPrefix(one, "POST /v1/checkouts "); ok {
			asked = append(asked, rest)
		}
	}
	return asked
}

// A refused order tells why in words, at what it is about; the basket stays, and the form comes back with what was typed, a new key and
// today's total.
func TestRefusedOrders(t *testing.T) {
	today := &typepb.Totals{Total: &typepb.Money{Currency: "GBP", MinorUnits: 600}}
	for name, c := range map[string]struct {
		refusal *fault.Error
		says    []string // what the page has
		not     string   // and what it hasn't
	}{
		"out of stock": {
			fault.OutOfStock.New("x").WithDetail(&checkoutpb.OutOfStock{Shortages: []*checkoutpb.Shortage{{ProductId: "milk", Requested: 2, Available: 1}, {ProductId: "oats", Requested: 1}}}),
			[]string{"Something has just sold out.", `Name of milk<b class="flag">Only 1 left</b>`, `Name of oats<b class="flag">Sold out</b>`}, "Prices have changed",
		},
		"over the limit": {
			fault.LimitExceeded.New("x").WithDetail(&checkoutpb.LimitExceeded{Limits: []*checkoutpb.ExceededLimit{{ProductId: "milk", Requested: 2, MaxPerShopper: 3, Available: 1}}}),
			[]string{"That is more than one person may buy in a day.", `Name of milk<b class="flag">You may buy 1 more today</b>`}, "Sold out",
		},
		"the slot has gone": {
			fault.SlotUnavailable.New("x").WithDetail(&checkoutpb.SlotUnavailable{SlotId: "mon-9"}),
			[]string{"This delivery time has just gone.", `name="slot" value="" checked`}, `value="mon-9" checked`,
		},
		"other prices": {
			fault.PriceChanged.New("x").WithDetail(&checkoutpb.PriceChanged{ExpectedTotal: &typepb.Money{Currency: "GBP", MinorUnits: 750}, Totals: today}),
			[]string{`role="alertdialog"`, "Prices have changed", "You agreed to <s>£7.50</s>. Today your basket costs <b>£9.00</b>. Nothing has been ordered yet.", "Order for £9.00"}, `role="alert"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := visit(t)
			v.send("/sign-in", url.Values{"email": {"ada@example.com"}, "password": {"x"}})
			v.send("/cart/items", url.Values{"product": {"milk"}, "add": {"2"}})
			v.send("/cart/items", url.Values{"product": {"oats"}, "add": {"1"}})
			form := v.till()
			v.mu.Lock()
			v.refuse["POST /v1/checkouts"] = c.refusal
			if c.refusal.Reason().Name == fault.PriceChanged.Name {
				v.total = 300
			}
			v.mu.Unlock()
			status, text, at := v.send("/checkout", form)
			if status != http.StatusConflict || at != "/checkout" {
				t.Errorf("%d at %s", status, at)
			}
			for _, want := range append(c.says, `value="Ada"`, `value="W1D 3QF"`, "2 × Name of milk", "1 × Name of oats") {
				if !strings.Contains(text, want) {
					t.Errorf("the page lacks %q: %s", want, text)
				}
			}
			if strings.Contains(text, c.not) {
				t.Errorf("the page has %q: %s", c.not, text)
			}
			again := filled(text)
			if again.Get("key") == form.Get("key") || again.Get("total") != fmt.Sprint(3*v.total) {
				t.Errorf("the form comes back with key %s (was %s) and total %s", again.Get("key"), form.Get("key"), again.Get("total"))
			}
			if asked := v.checkouts(); len(asked) != 1 || !strings.HasPrefix(asked[0], form.Get("key")) {
				t.Errorf("the API was asked %v", asked)
			}
			if _, text, _ := v.send("/cart", nil); !strings.Contains(text, "Name of milk") || !strings.Contains(text, "Name of oats") {
				t.Errorf("the basket is %s", text)
			}
		})
	}
}

// An outcome that isn't known keeps the key: the same intention, asked for once more.
func TestUnknownOutcomeKeepsTheKey(t *testing.T) {
	v := visit(t)
	v.send("/sign-in", url.Values{"email": {"ada@example.com"}, "password": {"x"}})
	v.send("/cart/items", url.Values{"product": {"milk"}, "add": {"2"}})
	form := v.till()
	v.mu.Lock()
	v.refuse["POST /v1/checkouts"] = fault.Internal.New("x")
	v.mu.Unlock()
	if status, text, _ := v.send("/checkout", form); status != http.StatusInternalServerError || filled(text).Get("key") != form.Get("key") {
		t.Errorf("%d with the key %s, want %s", status, filled(text).Get("key"), form.Get("key"))
	}
}

// A guest's basket goes along to another store; what isn't sold there stays behind, and the old cart isn't touched.
// A form that isn't ours is told so, and nothing is asked of the API for it.
func TestFormsThatArentWhole(t *testing.T) {
	v := visit(t)
	v.send("/sign-in", url.Values{"email": {"ada@example.com"}, "password": {"x"}})
	v.did()
	for path, form := range map[string]url.Values{
		"/cart/items": {"add": {"1"}}, "/cart/items?": {"product": {""}, "quantity": {"1"}},
		"/checkout": {"key": {"no key\nof ours"}, "total": {"500"}}, "/checkout?": {"key": {uuid.NewString()}, "total": {"much"}},
	} {
		if status, text, _ := v.send(path, form); status != http.StatusBadRequest || !strings.Contains(text, "This form isn't whole") || len(v.did()) > 0 {
			t.Errorf("%s with %v is answered %d: %s", path, form, status, text)
		}
	}
}

func TestGuestChoosesAnotherStore(t *testing.T) {
	v := visit(t)
	v.send("/store", url.Values{"postcode": {"W1D 3QF"}})
	v.send("/cart/items", url.Values{"product": {"milk"}, "add": {"2"}})
	v.send("/cart/items", url.Values{"product": {"oats"}, "add": {"1"}})
	v.did()
	v.mu.Lock()
	v.refuse["PUT /v1/carts/guest-1/items/oats"] = fault.ProductNotSold.New("x")
	v.mu.Unlock()
	if status, _, at := v.send("/store", url.Values{"store": {"camden"}, "next": {"/cart"}}); status != http.StatusOK || at != "/cart" {
		t.Errorf("%d at %s", status, at)
	}
	_, text, _ := v.send("/cart", nil)
	if !strings.Contains(text, "Name of milk") || strings.Contains(text, "Name of oats") || !strings.Contains(text, `aria-label="2 in your basket"`) {
		t.Errorf("the basket in the other store is %s", text)
	}
	for _, did := range v.did() {
		if strings.Contains(did, "guest-0") {
			t.Errorf("the old cart was changed: %s", did)
		}
	}
	if v.stores["guest-1"] != "camden" || v.carts["guest-0"]["milk"] != 2 {
		t.Errorf("carts %v in %v", v.carts, v.stores)
	}
	if status, text, _ := v.send("/store", url.Values{"postcode": {"ZZ9 9ZZ"}}); status != http.StatusNotFound || !strings.Contains(text, "We don't deliver there yet") {
		t.Errorf("a postcode without a store: %d %s", status, text)
	}
}

// The links of mails: the whole link or its end does it, a used one is told in words, and the form keeps it.
func TestLinksOfMails(t *testing.T) {
	v := visit(t)
	status, text, _ := v.send("/reset", url.Values{"token": {" http://shop.example/reset#tok-1 "}, "password": {"correct-horse"}})
	if status != http.StatusOK || !strings.Contains(text, "Your password is changed") {
		t.Errorf("a reset: %d %s", status, text)
	}
	if did := v.did(); len(did) != 1 || !strings.Contains(strings.ReplaceAll(did[0], " ", ""), `"token":"tok-1"`) || !strings.Contains(did[0], "correct-horse") {
		t.Errorf("the API was asked %v", did)
	}
	status, text, at := v.send("/verify", url.Values{"token": {"tok-2"}, "password": {"correct-horse"}})
	if status != http.StatusOK || at != "/account" || !strings.Contains(text, "ada@example.com") {
		t.Errorf("a verification: %d at %s: %s", status, at, text)
	}
	if did := v.did(); !slices.ContainsFunc(did, func(d string) bool {
		return strings.HasPrefix(d, "POST /v1/users:verifyEmail ") && strings.Contains(strings.ReplaceAll(d, " ", ""), `"token":"tok-2"`)
	}) {
		t.Errorf("the API was asked %v", did)
	}
	v.mu.Lock()
	v.refuse["POST /v1/users:resetPassword"] = fault.MailTokenInvalid.New("x")
	v.refuse["POST /v1/users:verifyEmail"] = fault.MailTokenInvalid.New("x")
	v.mu.Unlock()
	for _, page := range []string{"/reset", "/verify"} {
		status, text, _ := v.send(page, url.Values{"token": {"tok-3"}, "password": {"correct-horse"}})
		if status < 400 || status > 499 || !strings.Contains(text, "This link has expired or was used.") || !strings.Contains(text, `value="tok-3"`) || strings.Contains(text, "correct-horse") {
			t.Errorf("%s by a used link: %d %s", page, status, text)
		}
	}
}

func TestSlashAtTheEnd(t *testing.T) {
	v := visit(t)
	for path, want := range map[string]string{"/cart/": "/cart", "/search/?q=milk": "/search?q=milk", "/orders/": "/sign-in?next=%2Forders", "/sign-in/": "/sign-in"} {
		if _, _, at := v.send(path, nil); at != want {
			t.Errorf("%s leads to %s, want %s", path, at, want)
		}
	}
}
