package console_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
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

	"larder.dev/internal/browser"
	"larder.dev/internal/console"
	"larder.dev/internal/web"
)

const (
	picking  = "11111111-1111-4111-8111-111111111111"
	captured = "22222222-2222-4222-8222-222222222222"
	olga     = "3f0c2a52-90c0-4be8-8f0f-0a6c2e5b7d11"
	now      = "2026-11-27T12:00:00.123456789Z"
)

// asked is a request that changes something, as the API got it.
type asked struct{ path, key, body string }

// api stands for the public API: it answers what it is given, by method and path.
type api struct {
	*httptest.Server
	roles   []string
	slow    time.Duration // what changes something takes so long
	answers map[string]string

	mu    sync.Mutex
	asked []asked
}

func order(id, state, payment, more string) string {
	return fmt.Sprintf(`{"order_id":%q,"state":%q,"store_id":"soho","user_id":"u","etag":"2","create_time":%[4]q,"update_time":%[4]q,
		"lines":[{"product_id":"milk","name":"Whole milk, of cows that graze","quantity":3,"unit_price":{"currency":"GBP","minor_units":"125"},"line_total":{"currency":"GBP","minor_units":"375"},"substitutable":true},
			{"product_id":"beef","name":"Beef","quantity":1,"piece_grams":500,"unit_price":{"currency":"GBP","minor_units":"900"},"line_total":{"currency":"GBP","minor_units":"900"}}],
		"totals":{"total":{"currency":"GBP","minor_units":"1275"}},"address":{"recipient":"Ada","line1":"1 High St","city":"London","postcode":"N1 1AA","country":"GB"},
		"delivery_slot":{"slot_id":"a","start_time":%[4]q,"end_time":%[4]q},
		"payment":{"state":%[3]q,"authorized":{"currency":"GBP","minor_units":"1275"},"captured":{"currency":"GBP","minor_units":"1150"},"refunded":{"currency":"GBP","minor_units":"0"}},
		"history":[{"state":"CONFIRMED","time":%[4]q,"actor":"shopper"},{"state":"PICKING","time":%[4]q,"actor":"operator","reason":"early"}]%[5]s}`, id, state, payment, now, more)
}

func newAPI(t *testing.T) *api {
	t.Helper()
	receipt := `,"receipt":{"lines":[{"product_id":"milk","name":"Whole milk","quantity":2,"unit_price":{"currency":"GBP","minor_units":"125"},"line_total":{"currency":"GBP","minor_units":"250"}}],"totals":{"total":{"currency":"GBP","minor_units":"1150"}}}`
	letter := `{"topic":"stock-adjustments","letter_id":"4711","time":"` + now + `","type":"larder.stock.v1.StockAdjusted","reason":"MALFORMED_EVENT","detail":"quantity: \"many\" is no number","source":"AdjustStock","attributes":{"ce-id":"w-1"},"data":"{\n \"quantity\": \"many\"\n}","data_bytes":"24"}`
	audits := make([]string, 0, 40)
	for i := range 40 {
		audits = append(audits, fmt.Sprintf(`{"audit_id":"a","start_time":%q,"end_time":%[1]q,"checked":"1897","findings":"%d","in_flight":"3","lag_ms":"%d"}`, now, i%7/6, 200+i*37%900))
	}
	minutes := make([]string, 0, 60)
	for i := range 60 {
		minutes = append(minutes, fmt.Sprintf(`{"time":%q,"orders":"%d"}`, now, i*i%17))
	}
	a := &api{roles: []string{"operator"}, answers: map[string]string{
		"GET /v1/stores":                         `{"stores":[{"store_id":"soho","name":"Soho"},{"store_id":"camden","name":"Camden"}]}`,
		"GET /v1/stores/soho/orders:count":       `{"minutes":[` + strings.Join(minutes, ",") + `]}`,
		"GET /v1/stores/soho/orders":             `{"orders":[` + order(picking, "CONFIRMED", "AUTHORIZED", "") + `],"next_page_token":"more"}`,
		"GET /v1/stores/soho/checkouts":          `{"holds":"3","checkouts":[{"checkout_id":"` + picking + `","step":"REQUIRES_ACTION","hold_time":"` + now + `","deadline":"` + now + `","goods":[{"product_id":"milk","quantity":"2"}]}]}`,
		"GET /v1/stores/soho/stock:status":       `{"store_id":"soho","epoch":"` + now + `","loaded_epoch":"` + now + `","holds":"3","overdue_holds":"1","rebuilds":[{"epoch":"` + now + `","actor":"system"}]}`,
		"GET /v1/stores/soho/stock":              `{"stock":[{"store_id":"soho","product_id":"milk","available":"9"},{"store_id":"soho","product_id":"slot:mon-9","available":"9"}]}`,
		"GET /v1/stores/soho/stock/milk":         `{"store_id":"soho","product_id":"milk","available":"9"}`,
		"GET /v1/stores/soho/stock/milk/entries": `{"entries":[{"entry_id":"e","quantity":"-3","kind":"sale","reference":"` + picking + `","actor":"system","time":"` + now + `"}]}`,
		"GET /v1/outbox":                         `{"outboxes":[{"name":"postgresql","relays":1},{"name":"spanner","lag_ms":"1200","waiting_shards":2,"relays":0}]}`,
		"GET /v1/payments:provider":              `{"breaker":"OPEN","recent_calls":"20","recent_failures":"14","retry_time":"` + now + `","last_failure_time":"` + now + `","median_ms":"80","p99_ms":"400"}`,
		"GET /v1/payments":                       `{"payments":[{"order_id":"` + captured + `","intent_id":"pi_1","state":"CAPTURE_FAILED","authorized":{"currency":"GBP","minor_units":"1275"},"create_time":"` + now + `","update_time":"` + now + `"}]}`,
		"POST /v1/payments:audit":                `{"checked":7,"findings":[{"kind":"ORPHANED","order_id":"` + captured + `","intent_id":"pi_1","detail":"958 GBP are held"}]}`,
		"GET /v1/products:audits":                `{"audits":[{"audit_id":"b","start_time":"` + now + `","end_time":"` + time.Now().UTC().Format(time.RFC3339) + `","checked":"474","documents":"1897","running":true},` + strings.Join(audits, ",") + `]}`,
		"GET /v1/search:generations": `{"generations":[{"number":1,"live":true,"documents":"1897","create_time":"` + now + `"},` +
			`{"number":2,"documents":"949","create_time":"` + now + `"}]}`,
		"POST /v1/products:audit": `{"checked":1897,"in_flight":2,"findings":[{"kind":"STALE","product_id":"milk","revision":"4","indexed_revision":"3"}]}`,
		"GET /v1/search":          `{"total_size":"1","hits":[{"product_id":"milk","name":"Whole milk","explanation":{"question":"as typed","score":12.5,"parts":[{"what":"name","points":10},{"what":"available","points":2.5}]}}]}`,
		"GET /v1/imports": `{"imports":[{"import_id":"spring-range","state":"RUNNING","lines":"1200","created":"1100","failed":"2","bytes":"24000","size_bytes":"100000","user_id":"` + olga + `","create_time":"` + now + `","update_time":"2026-11-27T12:00:06.1Z"},
			{"import_id":"autumn-range","state":"DONE","lines":"500","unchanged":"500","create_time":"` + now + `","update_time":"` + now + `"}]}`,
		"GET /v1/replays":                                     `{"replays":[{"topic":"stock-adjustments","letter_id":"1","message_id":"9","actor":"3f0c2a52","reason":"mended","mended":true,"time":"` + now + `"}]}`,
		"GET /v1/dead-letters/stock-adjustments":              `{"letters":[` + letter + `]}`,
		"GET /v1/dead-letters/stock-adjustments/4711":         letter,
		"POST /v1/dead-letters/stock-adjustments/4711:replay": `{"message_id":"10"}`,
		"GET /v1/orders/" + picking:                           order(picking, "PICKING", "AUTHORIZED", ""),
		"GET /v1/orders/" + captured:                          order(captured, "DELIVERED", "CAPTURED", receipt),
		"GET /v1/orders/" + captured + "/payment":             `{"order_id":"` + captured + `","state":"CAPTURED","history":[{"state":"AUTHORIZED","time":"` + now + `","actor":"shopper"},{"state":"PARTIALLY_REFUNDED","time":"` + now + `","actor":"operator","reason":"mouldy","operator_id":"` + olga + `"}],"refunds":[{"refund_id":"r","state":"DONE","amount":{"currency":"GBP","minor_units":"125"},"reason":"mouldy","operator_id":"` + olga + `","create_time":"` + now + `"}]}`,
		"GET /v1/orders/" + picking + "/history":              `{"order_id":"` + picking + `","steps":[{"event":{"state":"CONFIRMED","time":"` + now + `","actor":"shopper"}},{"event":{"state":"PICKING","time":"` + now + `","actor":"operator","reason":"early"},"operator_id":"` + olga + `"}]}`,
		"GET /v1/orders/" + captured + "/history":             `{"order_id":"` + captured + `","steps":[{"event":{"state":"CONFIRMED","time":"` + now + `","actor":"shopper"}}]}`,
		"GET /v1/orders/" + picking + "/payment":              `{"order_id":"` + picking + `","state":"AUTHORIZED"}`,
		"POST /v1/orders/" + picking + ":pack":                order(picking, "PACKED", "AUTHORIZED", ""),
		"POST /v1/orders/" + picking + ":cancel":              order(picking, "CANCELLED", "VOIDING", ""),
		"POST /v1/orders/" + captured + ":refund":             order(captured, "DELIVERED", "PARTIALLY_REFUNDED", receipt),
		"POST /v1/stores/soho/stock:adjust":                   `{}`,
		"POST /v1/stores/soho/stock:rebuild":                  `{}`,
	}}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *api) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if strings.HasPrefix(r.URL.Path, "/v1/sessions") {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": "a", "access_token_expire_time": time.Now().Add(time.Hour), "refresh_token": "r", "refresh_token_expire_time": time.Now().Add(2 * time.Hour),
			"user": map[string]any{"user_id": olga, "email": "olga@larder.example", "display_name": "Olga", "roles": a.roles},
		})
		return
	}
	answer, ok := a.answers[r.Method+" "+r.URL.Path]
	if !ok {
		reason := "ORDER_NOT_FOUND"
		if strings.HasPrefix(r.URL.Path, "/v1/dead-letters/") {
			reason = "DEAD_LETTER_NOT_FOUND"
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, `{"error":{"code":404,"status":"NOT_FOUND","message":"no","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":%q,"domain":"larder.dev"}]}}`, reason)
		return
	}
	if r.Method == http.MethodPost {
		select {
		case <-time.After(a.slow):
		case <-r.Context().Done():
		}
		a.mu.Lock()
		a.asked = append(a.asked, asked{r.URL.Path, r.Header.Get("Idempotency-Key"), string(body)})
		a.mu.Unlock()
	}
	_, _ = io.WriteString(w, answer)
}

// did is what the API was asked to change since it was last looked at, sign-in left out.
func (a *api) did() []asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.asked
	a.asked = nil
	return all
}

// desk is a browser without scripts, in front of the console.
type desk struct {
	*api
	t    *testing.T
	url  string
	http *http.Client
}

func open(t *testing.T, roles ...string) *desk {
	t.Helper()
	a := newAPI(t)
	if len(roles) > 0 {
		a.roles = roles
	}
	config := web.Config{APIURL: a.URL, SiteURL: "http://console.example", SessionKeys: []string{base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))}}
	pages, err := console.New(config, 1)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(pages)
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &desk{api: a, t: t, url: server.URL, http: &http.Client{Jar: jar}}
}

func (d *desk) ask(method, path string, form url.Values, headers ...string) (status int, text, at string) {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := d.http.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return response.StatusCode, string(body), response.Request.URL.RequestURI()
}

func (d *desk) signIn() {
	d.t.Helper()
	d.ask(http.MethodPost, "/console/sign-in", url.Values{"email": {"olga@larder.example"}, "password": {"x"}})
}

// pages are all that can be looked at, with a word that only they have.
var pages = map[string]string{
	"/console?store=soho":                     "confirmed orders",
	"/console?store=nowhere":                  "confirmed orders", // the first store's, which the choice of stores shows
	"/console/orders?store=soho":              "as soon as it can be|Friday",
	"/console/orders/" + picking:              "Pick and pack",
	"/console/orders/" + captured:             "Refund these",
	"/console/stock?store=soho":               "May be promised",
	"/console/stock?store=soho&q=milk":        "Whole milk",
	"/console/stock/soho/milk":                "Ledger",
	"/console/checkouts?store=soho":           "Requires action",
	"/console/payments":                       "Capture failed",
	"/console/events?topic=stock-adjustments": "MALFORMED_EVENT",
	"/console/events/stock-adjustments/4711":  "Why it is replayed",
	"/console/imports":                        `24000 of 100000 \(24 %\), [0-9.]+/s, 18 s left`,
	"/console/search?store=soho&q=milk":       `(?s)12.50 points.*An audit goes on.*474 of 1897 \(24 %\).*Generation 2.*949 of 1897 \(50 %\)`,
}

func TestEveryPage(t *testing.T) {
	d := open(t)
	for _, path := range slices.Sorted(maps.Keys(pages)) {
		if status, _, at := d.ask(http.MethodGet, path, nil); status != http.StatusOK || !strings.HasPrefix(at, "/console/sign-in?next=") {
			t.Errorf("%s for nobody: %d at %s, want the sign-in", path, status, at)
		}
	}
	d.signIn()
	for path, word := range pages {
		status, text, _ := d.ask(http.MethodGet, path, nil)
		if status != http.StatusOK || !regexp.MustCompile(word).MatchString(text) {
			t.Errorf("%s: %d without %q: %s", path, status, word, text)
		}
	}
	for _, path := range []string{"/console?store=soho", "/console/orders?store=soho", "/console/checkouts?store=soho", "/console/payments", "/console/search?store=soho"} {
		if _, text, _ := d.ask(http.MethodGet, path, nil, "X-Fragment", "1"); strings.Contains(text, "<html") || !strings.Contains(text, "<table") {
			t.Errorf("the live part of %s is %.100s", path, text)
		}
	}
	if did := d.did(); len(did) > 0 {
		t.Errorf("looking changed %v", did)
	}
	// What can't be read is told, and the rest is shown.
	delete(d.answers, "GET /v1/outbox")
	if status, text, _ := d.ask(http.MethodGet, "/console?store=soho", nil); status != http.StatusOK || !strings.Contains(text, "can't be read") && !strings.Contains(text, "can&#39;t be read") {
		t.Errorf("without the outbox: %d %s", status, text)
	}
}

func TestShoppersAreRefused(t *testing.T) {
	d := open(t, "shopper")
	d.signIn()
	for path := range pages {
		status, text, _ := d.ask(http.MethodGet, path, nil)
		if status != http.StatusForbidden || !strings.Contains(text, "The console is for operators") || strings.Contains(text, "Sections") {
			t.Errorf("%s for a shopper: %d %s", path, status, text)
		}
	}
	if status, _, _ := d.ask(http.MethodPost, "/console/stock/soho/rebuild", url.Values{"confirmed": {"yes"}}); status != http.StatusForbidden || len(d.did()) > 0 {
		t.Errorf("a rebuild by a shopper: %d", status)
	}
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// An order's page names the operators who took its steps and moved its money.
func TestWhoDidIt(t *testing.T) {
	d := open(t)
	d.signIn()
	for path, want := range map[string]int{"/console/orders/" + picking: 1, "/console/orders/" + captured: 2} {
		if _, text, _ := d.ask(http.MethodGet, path, nil); strings.Count(text, "<code>"+olga+"</code>") != want {
			t.Errorf("%s doesn't name %s %d times: %s", path, olga, want, text)
		}
	}
}

// What changes something asks first, does nothing until it is answered, and sends the same key when it is answered twice.
func TestDangerousActionsAsk(t *testing.T) {
	d := open(t)
	d.signIn()
	for _, c := range []struct {
		path    string
		form    url.Values
		says    string // of the question
		api     string
		body    string // part of what the API gets
		keyed   bool
		success string
	}{
		{"/console/stock/soho/milk", url.Values{"quantity": {"-2"}, "reason": {"spoilt"}}, "−2 of milk in soho, because: spoilt", "/v1/stores/soho/stock:adjust", `"quantity":"-2"`, true, "done=adjusted"},
		{"/console/stock/soho/rebuild", url.Values{"epoch": {"1795780800123456789"}}, "under a new epoch", "/v1/stores/soho/stock:rebuild", `"seen_epoch":"2026-11-27T12:00:00.123456789Z"`, false, "done=rebuilt"},
		{"/console/orders/" + picking + "/pack", url.Values{"etag": {"2"}, "quantity:milk": {"1"}, "instead:milk": {"oat-milk"}, "instead-quantity:milk": {"2"}, "quantity:beef": {"1"}, "grams:beef": {"480"}},
			"Beef: 1 of 1, 0.480 kg", "/v1/orders/" + picking + ":pack", `"substitutes":[{"product_id":"oat-milk","quantity":2}]`, false, "done=packed"},
		{"/console/orders/" + picking + "/cancel", url.Values{"etag": {"2"}, "reason": {"asked"}}, "no way back", "/v1/orders/" + picking + ":cancel", `"etag":"2"`, false, "done=cancelled"},
		{"/console/orders/" + captured + "/refund", url.Values{"refund:milk": {"1"}, "reason": {"sour"}}, "1 × Whole milk", "/v1/orders/" + captured + ":refund", `"lines":[{"product_id":"milk","quantity":1}]`, true, "done=refunded"},
		{"/console/events/stock-adjustments/4711", url.Values{"was": {`{"quantity":"many"}`}, "data": {`{"quantity":12}`}, "reason": {"12 are meant"}}, "other data", "/v1/dead-letters/stock-adjustments/4711:replay", `quantity\":12`, false, "done=replayed"},
	} {
		status, text, _ := d.ask(http.MethodPost, c.path, c.form)
		if status != http.StatusOK || !strings.Contains(text, c.says) || !strings.Contains(text, "Don&#39;t") && !strings.Contains(text, "Don't") {
			t.Errorf("%s asks %d %s, want %q in it", c.path, status, text, c.says)
			continue
		}
		if did := d.did(); len(did) > 0 {
			t.Errorf("%s did %v before it was answered", c.path, did)
		}
		answer := url.Values{}
		for _, field := range hidden.FindAllStringSubmatch(text, -1) {
			answer.Add(unescape(field[1]), unescape(field[2]))
		}
		for range 2 {
			if _, text, at := d.ask(http.MethodPost, c.path, answer); !strings.Contains(at, c.success) || !strings.Contains(text, `role="status"`) {
				t.Errorf("%s answered leads to %s, want %s and a word", c.path, at, c.success)
			}
		}
		did := d.did()
		if len(did) != 2 || did[0].path != c.api || !strings.Contains(strings.ReplaceAll(did[0].body, " ", ""), c.body) {
			t.Errorf("%s: the API got %v, want %s with %s", c.path, did, c.api, c.body)
			continue
		}
		if c.keyed && (did[0].key == "" || did[0].key != did[1].key) {
			t.Errorf("%s sent the keys %q and %q, want one", c.path, did[0].key, did[1].key)
		}
	}
	for path, form := range map[string]url.Values{
		"/console/stock/soho/milk":                {"quantity": {"0"}, "reason": {"x"}},
		"/console/orders/" + captured + "/refund": {"reason": {"x"}},
		"/console/orders/" + picking + "/pack":    {"quantity:milk": {"lots"}},
	} {
		if status, _, _ := d.ask(http.MethodPost, path, form); status != http.StatusBadRequest || len(d.did()) > 0 {
			t.Errorf("%s with %v: %d", path, form, status)
		}
	}
	status, _, _ := d.ask(http.MethodPost, "/console/stock/soho/rebuild", url.Values{"confirmed": {"yes"}}, "Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site")
	if status != http.StatusForbidden || len(d.did()) > 0 {
		t.Errorf("a form of another site: %d", status)
	}
}

func unescape(text string) string {
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&#43;", "+", "&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(text)
}

// Many letters are replayed by requests that go on with each other: each letter once, those that are gone are passed by, and a page without
// scripts has a button.
func TestReplayAll(t *testing.T) {
	d := open(t)
	d.signIn()
	var letters []string
	for i := range 40 {
		id := fmt.Sprint(100 + i)
		letters = append(letters, id)
		if i != 7 {
			d.answers["POST /v1/dead-letters/stock-adjustments/"+id+":replay"] = `{"message_id":"10"}`
		}
	}
	d.slow = 100 * time.Millisecond
	path := "/console/events/stock-adjustments/replay"
	if status, _, _ := d.ask(http.MethodPost, path, url.Values{"letters": {"1,2"}}); status != http.StatusBadRequest || len(d.did()) > 0 {
		t.Errorf("without a reason: %d", status)
	}
	_, text, at := d.ask(http.MethodPost, path, url.Values{"letters": {strings.Join(letters, ",")}, "reason": {"mended"}})
	if !strings.Contains(text, "Publish 40 messages again?") || len(d.did()) > 0 {
		t.Fatalf("it doesn't ask: %s", text)
	}
	pages := 0
	for !strings.Contains(at, "done=replayed-all") {
		form := url.Values{}
		for _, field := range hidden.FindAllStringSubmatch(text, -1) {
			form.Add(unescape(field[1]), unescape(field[2]))
		}
		if pages++; pages > 10 {
			t.Fatal("it never ends")
		}
		if _, text, at = d.ask(http.MethodPost, path, form); strings.Contains(at, "done") {
			continue
		}
		left := strings.Count(regexp.MustCompile(`name="letters" value="([^"]*)"`).FindString(text), ",") + 1
		if told := fmt.Sprintf("%d of 40 (%d %%), ", 40-left, (40-left)*100/40); !strings.Contains(text, told) || !regexp.MustCompile(`[0-9.]+/s, [0-9]+ s left`).MatchString(text) {
			t.Fatalf("the page doesn't tell that %d letters are left, %q: %s", left, told, text)
		}
	}
	var did []string
	for _, one := range d.did() {
		did = append(did, strings.TrimSuffix(strings.TrimPrefix(one.path, "/v1/dead-letters/stock-adjustments/"), ":replay"))
	}
	if want := slices.Delete(letters, 7, 8); pages < 2 || !slices.Equal(did, want) {
		t.Errorf("%d pages replayed %v, want %v", pages, did, want)
	}
}

// A rebuild that takes long leads to the page that shows how far it is, and so does looking at it meanwhile.
func TestLongRebuild(t *testing.T) {
	d := open(t)
	d.signIn()
	d.answers["GET /v1/stores/soho/stock:status"] = `{"store_id":"soho","epoch":"` + now + `","rebuild_under_way":{"products":"5000","loaded":"2000","start_time":"` + time.Now().Add(-4*time.Second).Format(time.RFC3339Nano) + `"}}`
	d.slow = 5 * time.Second
	if _, text, at := d.ask(http.MethodPost, "/console/stock/soho/rebuild", url.Values{"confirmed": {"yes"}}); !strings.Contains(at, "done=rebuilding") || !strings.Contains(text, "2000 of 5000 (40 %)") {
		t.Errorf("it leads to %s: %s", at, text)
	}
	if _, text, _ := d.ask(http.MethodGet, "/console/stock?store=soho", nil, "X-Fragment", "1"); strings.Contains(text, "<html") || !strings.Contains(text, `<progress max="5000" value="2000"`) {
		t.Errorf("the live part is %s", text)
	}
}

func TestSlashBehindConsole(t *testing.T) {
	d := open(t)
	if status, _, at := d.ask(http.MethodGet, "/console/", nil); status != http.StatusOK || !strings.HasPrefix(at, "/console/sign-in?next=%2Fconsole") {
		t.Errorf("%d at %s", status, at)
	}
}

// Audits are asked for by a button, since they take a while; only one that mends asks.
func TestAudits(t *testing.T) {
	d := open(t)
	d.signIn()
	if _, text, _ := d.ask(http.MethodPost, "/console/search/audit?store=soho", url.Values{}); !strings.Contains(text, "1897 documents were compared") || !strings.Contains(text, "Stale") {
		t.Errorf("an audit of the index: %s", text)
	}
	if _, text, _ := d.ask(http.MethodPost, "/console/payments/audit", url.Values{}); !strings.Contains(text, "958 GBP are held") {
		t.Errorf("an audit of the payments: %s", text)
	}
	for _, did := range d.did() {
		if strings.Contains(did.body, "true") {
			t.Errorf("an audit mends: %v", did)
		}
	}
	if _, text, _ := d.ask(http.MethodPost, "/console/payments/audit", url.Values{"mend": {"yes"}}); !strings.Contains(text, "and mend?") || len(d.did()) > 0 {
		t.Errorf("an audit that mends doesn't ask: %s", text)
	}
}

// Each page fits a phone and a window, and axe-core finds nothing serious.
func TestPagesInABrowser(t *testing.T) {
	d := open(t)
	p := browser.Start(t, d.url).Visit(t)
	p.Go("/console")
	p.Look("console-sign-in")
	p.Type("[name=email]", "olga@larder.example")
	p.Type("[name=password]", "x")
	p.Click("button.main")
	p.Wait(".tiles")
	for path, name := range map[string]string{
		"/console?store=soho": "overview", "/console/orders?store=soho": "orders", "/console/orders/" + picking: "picking", "/console/orders/" + captured: "order",
		"/console/stock?store=soho": "stock", "/console/stock/soho/milk": "ledger", "/console/checkouts?store=soho": "checkouts", "/console/payments": "payments",
		"/console/imports": "imports", "/console/events?topic=stock-adjustments": "events", "/console/events/stock-adjustments/4711": "letter", "/console/search?store=soho&q=milk": "search",
	} {
		p.Go(path)
		p.Look("console-" + name)
	}
	p.Go("/console/stock/soho/milk")
	p.Type("[name=quantity]", "5")
	p.Type("[name=reason]", "delivery 4711")
	p.Click("button.main")
	p.Wait("#yes")
	p.Look("console-question")
	p.Click("#yes")
	p.WaitPath("/console/stock/soho/milk?done=adjusted")
}
