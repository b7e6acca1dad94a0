package test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/browser"
)

// asOperator signs in to the console.
func asOperator(p *browser.Page, email, password string) {
	p.Go("/console")
	p.WaitPath("/console/sign-in*")
	p.Type("[name=email]", email)
	p.Type("[name=password]", password)
	p.Click("form.stack .main")
}

// answered answers the console's question with yes, and waits for what it says then.
func answered(p *browser.Page, says string) {
	p.Click("#yes")
	p.WaitText(".done", says)
}

// buySome is an order of the shopper's of so many pieces.
func (w *world) buySome(t *testing.T, pieces int) (order string) {
	t.Helper()
	cart := w.must(t, "shopper", "PUT", "/v1/carts/me/items/"+w.sold, fmt.Sprintf(`{"quantity":%d}`, pieces))
	total, err := json.Marshal(cart.at("totals.total"))
	if err != nil {
		t.Fatal(err)
	}
	w.total = string(total)
	return w.buy(t)
}

// warehouse sends a message of the warehouse's, as the data are.
func warehouse(t *testing.T, data string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"messages": []map[string]any{{
		"data": base64.StdEncoding.EncodeToString([]byte(data)),
		"attributes": map[string]string{
			"ce-id": uuid.NewString(), "ce-type": "larder.stock.v1.StockAdjusted", "ce-source": "//warehouse.example/journey", "ce-specversion": "1.0",
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("http://%s/v1/projects/%s/topics/stock-adjustments:publish", setting(t, "PUBSUB_EMULATOR_HOST"), setting(t, "GOOGLE_CLOUD_PROJECT"))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("publish: %s", response.Status)
	}
}

// TestOperatorJourney works a morning at the console, in a real browser: an order is picked short, packed, and a line of it refunded; stock is
// adjusted; a dead letter is mended and replayed; a query is explained. Every page is looked at on a phone and in a window.
func TestOperatorJourney(t *testing.T) {
	w := visit(t)
	order := w.buySome(t, 3)
	b := browser.Start(t, "http://"+w.edge)
	p := b.Visit(t)
	asOperator(p, "operator@larder.example", "not my password")
	p.WaitText("[role=alert]", "don't belong together")
	asOperator(p, "operator@larder.example", password)
	p.Wait(".tiles")
	p.Look("console-overview")

	// Picked short: one of three isn't there.
	p.Go("/console/orders?store=" + store)
	p.Wait("[data-live] table")
	p.Look("console-orders")
	p.Type("[name=id]", order)
	p.Click(".head form:last-child button")
	p.WaitPath("/console/orders/" + order)
	p.Click(`form[action$="/pick"] button`)
	answered(p, "Picking has begun")
	p.Look("console-picking")
	p.Type(`[name="quantity:`+w.sold+`"]`, "2")
	p.Click(".lines > .main")
	p.WaitText("main", "2 of 3")
	p.Look("console-question")
	answered(p, "The order is packed")
	journey := &shopping{world: w, b: b}
	journey.captured(t, order)
	if picked := w.must(t, "operator", "GET", "/v1/orders/"+order, ""); fmt.Sprint(picked.at("receipt.lines.0.quantity")) != "2" {
		t.Errorf("the receipt is %s, want two pieces", picked)
	}

	// One of the two comes back; the same answer sent twice gives the money once.
	p.Go("/console/orders/" + order)
	p.Look("console-order")
	p.Type(`[name="refund:`+w.sold+`"]`, "1")
	p.Type(`form[action$="/refund"] [name=reason]`, "mouldy")
	p.Click(`form[action$="/refund"] .main`)
	answered(p, "The money is given back")
	p.WaitText("main", "mouldy")
	// Who did it: steps of the order and of the money, for operators only.
	operator := w.must(t, "operator", "GET", "/v1/users/me", "").word("user_id")
	if n := strings.Count(p.Text("main"), operator); n < 4 {
		t.Errorf("the page names the operator %d times, want the two steps, the refund and the payment's step", n)
	}
	if shown := w.must(t, "shopper", "GET", "/v1/orders/"+order, "").String(); strings.Contains(shown, operator) {
		t.Errorf("the shopper sees who it was: %s", shown)
	}
	refunds := w.must(t, "operator", "GET", "/v1/orders/"+order+"/payment", "").list("refunds")
	if len(refunds) != 1 {
		t.Errorf("%d refunds, want one: %v", len(refunds), refunds)
	}

	// A delivery, and its entry in the ledger.
	p.Go("/console/stock?store=" + store)
	p.Look("console-stock")
	p.Go("/console/stock/" + store + "/" + w.sold)
	p.Type("[name=quantity]", "5")
	p.Type("[name=reason]", "delivery 4711")
	p.Click("section .main")
	p.WaitText("main", "+5 of "+w.sold)
	answered(p, "The stock is adjusted")
	p.WaitText("table", "delivery 4711")
	p.Look("console-ledger")
	before := p.Text("tbody tr:first-child .n")
	if before != "+5" {
		t.Errorf("the ledger's newest entry is %s, want +5", before)
	}
	p.Go("/console/stock?store=" + store)
	p.Click(`form[action$="/rebuild"] button`)
	answered(p, "loaded anew")

	// A message that nobody understands, mended.
	warehouse(t, fmt.Sprintf(`{"store_id":%q,"reason":"delivery 4712","adjustments":[{"product_id":%q,"quantity":"many"}]}`, store, w.sold))
	letter := ""
	for began := time.Now(); letter == ""; {
		p.Go("/console/events?topic=stock-adjustments")
		p.Wait("[aria-label=Replays]")
		if p.Count("[aria-label='Dead letters'] a") > 0 {
			letter = p.Attribute("[aria-label='Dead letters'] tr:last-child a", "href")
		}
		if time.Since(began) > 60*time.Second {
			t.Fatal("no dead letter came")
		}
	}
	p.Look("console-events")
	p.Go(letter)
	p.WaitText("textarea", "many")
	p.Look("console-letter")
	p.Type("textarea", fmt.Sprintf(`{"store_id":%q,"reason":"delivery 4712","adjustments":[{"product_id":%q,"quantity":"12"}]}`, store, w.sold))
	p.Type("form.stack [name=reason]", "many is 12")
	p.Click("form.stack .main")
	p.WaitText("main", "other data")
	answered(p, "published again")
	p.WaitText("[aria-label=Replays]", "many is 12")
	for began := time.Now(); ; {
		p.Go("/console/stock/" + store + "/" + w.sold)
		if strings.Contains(p.Text("table"), "delivery 4712") {
			break
		}
		if time.Since(began) > 30*time.Second {
			t.Fatal("the mended message wasn't taken in")
		}
	}

	p.Go("/console/search?store=" + store + "&q=bananas")
	p.WaitText(".hits", "points")
	p.Look("console-search")
	p.Click(`form[action*="/search/audit"] button`)
	p.WaitText("[role=status]", "documents were compared")
	p.Go("/console/imports")
	p.Look("console-imports")
	p.Go("/console/payments")
	p.Look("console-payments")
	p.Click(`form[action$="/audit"] .main`)
	p.WaitText("main", "payments were compared")
	p.Go("/console/checkouts?store=" + store)
	p.Look("console-checkouts")
	p.Click(".who button")
	p.WaitPath("/console/sign-in*")
	p.Look("console-sign-in")
}

// TestConsoleRefusesShoppers: a shopper is told that the console isn't for them, and sees none of it; and an operator can do without scripts.
func TestConsoleRefusesShoppers(t *testing.T) {
	w := visit(t)
	person := w.register(t, "curious", "Curious")
	b := browser.Start(t, "http://"+w.edge)
	p := b.Visit(t)
	asOperator(p, person.email, "correct-horse-battery")
	p.WaitText("h1", "The console is for operators")
	p.Look("console-refused")
	for _, page := range []string{"/orders", "/stock", "/payments", "/events", "/search", "/checkouts", "/imports"} {
		p.Go("/console" + page)
		p.WaitText("h1", "The console is for operators")
		if p.Count("table") > 0 {
			t.Errorf("%s shows a shopper something", page)
		}
	}

	plain := b.Visit(t, browser.WithoutScripts)
	asOperator(plain, "operator@larder.example", password)
	plain.Wait(".tiles")
	plain.Go("/console/stock/" + store + "/" + w.sold)
	plain.Type("[name=quantity]", "1")
	plain.Type("[name=reason]", "found behind the shelf")
	plain.Click("section .main")
	answered(plain, "The stock is adjusted")
}
