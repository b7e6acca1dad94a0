package test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"

	"larder.dev/internal/browser"
)

// A first visit loads no more than this, with what it shows: as much as a slow phone takes in a second.
const firstLoad = 100_000 // bytes

// shopping is a shopper's browser and an operator's hands.
type shopping struct {
	*world
	b *browser.Browser
}

func shop(t *testing.T) *shopping {
	t.Helper()
	w := visit(t)
	// A delivery can be chosen.
	day := time.Now().UTC().Add(24 * time.Hour).Truncate(24 * time.Hour)
	for _, hour := range []int{9, 11, 14, 18} {
		start := day.Add(time.Duration(hour) * time.Hour)
		w.must(t, "operator", "PUT", fmt.Sprintf("/v1/stores/%s/slots/journey-%s-%d", store, day.Format("0102"), hour),
			fmt.Sprintf(`{"start_time":%q,"end_time":%q,"capacity":200}`, start.Format(time.RFC3339), start.Add(2*time.Hour).Format(time.RFC3339)))
	}
	return &shopping{world: w, b: browser.Start(t, "http://"+w.edge)}
}

// settleIn has a visit shop in the store that the tests stock.
func settleIn(p *browser.Page) {
	p.Click(".place summary")
	p.Type("#where", "W1D 3QF")
	p.Click(".sheet .row .button")
	p.WaitText(".place summary", "Soho")
}

// put has the basket hold one of a product of the tests' own.
func (s *shopping) put(p *browser.Page) {
	p.Go("/products/" + s.sold)
	p.Click(".product .button")
}

func orderOf(p *browser.Page) string {
	p.WaitPath("/orders/*")
	id, _, _ := strings.Cut(strings.TrimPrefix(p.Path(), "/orders/"), "?")
	return id
}

// step does an operator's part of an order.
func (s *shopping) step(t *testing.T, order, verb string) {
	t.Helper()
	s.must(t, "operator", "POST", "/v1/orders/"+order+":"+verb, `{}`)
}

// captured waits until an order's money is there, without which no van leaves.
func (s *shopping) captured(t *testing.T, order string) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		state := s.must(t, "operator", "GET", "/v1/orders/"+order, "").word("payment.state")
		if state == "CAPTURED" {
			return
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("order %s: its payment is %s", order, state)
		}
	}
}

// TestShopperJourney shops as a person does, in a real browser: finds something in spite of a typo, buys it, sees it come, and calls another
// order off. Every page is looked at on a phone and in a window.
func TestShopperJourney(t *testing.T) {
	s := shop(t)
	p := s.b.Visit(t)
	p.Go("/")
	p.Wait(".card")
	loaded := p.Number(`performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation')).reduce((sum, e) => sum + e.transferSize, 0)`)
	if t.Logf("the first load is %.0f bytes", loaded); loaded < 10_000 || loaded > firstLoad {
		t.Errorf("the first load is %.0f bytes, want at most %d", loaded, firstLoad)
	}
	settleIn(p)
	p.Look("home")

	// By keyboard alone: type with a typo, take the first suggestion.
	p.Type("#q", "bananna")
	p.WaitText("#suggestions", "Bananas")
	p.Look("suggestions")
	p.Press(kb.ArrowDown)
	if p.Attribute("#q", "aria-activedescendant") != "suggestion-0" || p.Attribute("#suggestion-0", "aria-selected") != "true" {
		t.Error("the first suggestion isn't the active one")
	}
	p.Press(kb.Enter)
	p.WaitPath("/products/bananas")
	p.Look("product")
	p.Click(".product .button")
	p.WaitText("[data-toast]", "Bananas")
	p.WaitText("[data-count]", "1")

	// The same typo as a search, then facets.
	p.Type("#q", "bananna")
	p.Press(kb.Enter)
	p.WaitText(".mean", "banana")
	p.Look("did-you-mean")
	p.Go("/search?q=milk")
	all := p.Text(".found")
	p.Click(".facet .tick")
	p.Wait(".pill.on")
	if some := p.Text(".found"); some == all || !strings.Contains(p.Path(), "q=milk") {
		t.Errorf("a facet changes nothing: %q, %s", some, p.Path())
	}
	p.Look("search")
	p.Go("/aisles/dairy-and-eggs?sort=price")
	p.Click("[rel=next]")
	p.Wait(`[data-turn]`)
	p.Look("aisle")

	s.put(p)
	p.WaitText("[data-count]", "2")
	p.Click("[data-basket]")
	p.Wait("#drawer .line")
	p.Look("drawer")
	p.Press(kb.Escape)

	// Buying asks who it is; a new shopper keeps the basket.
	p.Go("/checkout")
	p.WaitPath("/sign-in*")
	p.Look("sign-in")
	p.Type("#email", "nobody-"+uuid.NewString()+"@shopper.example")
	p.Type("#password", "not my password")
	p.Click("form.stack .button")
	p.WaitText("[role=alert]", "don't belong together")
	p.Click(`a[href^="/register"]`)
	p.Wait("#name")
	p.Look("register")
	p.Type("#name", "Ada Lovelace")
	p.Type("#email", "journey-"+uuid.NewString()+"@shopper.example")
	p.Type("#password", "correct-horse-battery")
	p.Click("form.stack .button")
	p.WaitPath("/checkout")
	p.WaitText("[data-count]", "2")
	p.Look("checkout")
	p.Type("#line1", "12 Berwick Street")
	p.Type("#city", "London")
	p.Type("#postcode", "SW9 8AA")
	p.Click("#checkout > .button")
	p.WaitText("[role=alert]", "doesn't deliver to SW9 8AA")
	p.Type("#postcode", "W1F 0PH")
	p.Click(".slot")
	p.Click(`.option:has([value=pm_card_chargeDeclinedInsufficientFunds])`)
	p.Click("#checkout > .button")
	p.WaitText("[role=alert]", "There isn't enough money on it.")
	p.Look("declined")

	// The price moves under the shopper's hands: old and new total, and an order only when they agree.
	p.Click(`.option:has([value=pm_card_visa])`)
	s.must(t, "merchandiser", "PATCH", "/v1/products/"+s.sold+"?update_mask=price", `{"price":{"currency":"GBP","minor_units":275}}`)
	p.Click("#checkout > .button")
	p.WaitText("[role=alertdialog]", "Prices have changed")
	p.Look("price-changed")
	p.Click("[role=alertdialog] .button")
	order := orderOf(p)
	p.WaitText(".thanks", "Thank you")
	p.WaitText("[data-state]", "Order placed")
	p.Look("order")

	// The page moves with the order, by itself.
	for _, step := range []struct{ verb, shown string }{{"pick", "Being picked"}, {"pack", "Packed"}, {"dispatch", "On its way"}, {"deliver", "Delivered"}} {
		if step.verb == "dispatch" {
			s.captured(t, order)
		}
		began := time.Now()
		s.step(t, order, step.verb)
		p.WaitText("[data-state]", step.shown)
		t.Logf("%q is shown after %s", step.shown, time.Since(began).Round(time.Millisecond))
	}
	p.WaitText(".panel", "Receipt")
	p.Look("delivered")

	// Another one, with a bank that asks, called off.
	s.put(p)
	p.WaitText("[data-count]", "1")
	p.Go("/checkout")
	p.Click(`.option:has([value=pm_card_threeDSecure2Required])`)
	p.Click("#checkout > .button")
	p.WaitPath("/checkouts/*")
	p.Look("bank")
	p.Click("main .button")
	p.Click(`button[value=complete]`)
	second := orderOf(p)
	if second == order {
		t.Fatal("two orders are one")
	}
	p.Click(".danger summary")
	p.Look("cancel")
	p.Click(".danger .button")
	p.WaitText("[data-state]", "Cancelled")
	p.Go("/orders")
	p.Wait(".orders li + li")
	if n := p.Count(".orders li"); n != 2 {
		t.Errorf("the history has %d orders, want 2", n)
	}
	p.Look("orders")
	p.Go("/account")
	p.WaitText(".addresses", "Berwick Street")
	p.Look("account")
	p.Click(`[action="/sign-out"] .button`)
	p.WaitText(".me", "Sign in")
	p.Go("/orders/" + order)
	p.WaitPath("/sign-in*")
	p.Go("/forgot")
	p.Look("forgot")
	p.Go("/reset")
	p.Look("reset")
	p.Go("/verify")
	p.Look("verify")
	p.Go("/there/is/none")
	p.Look("not-found")
	p.Go("/cart")
	p.Look("empty-basket")
}

// TestShopperWithoutScripts buys with a browser that runs no scripts: links and forms do all there is to do.
func TestShopperWithoutScripts(t *testing.T) {
	s := shop(t)
	p := s.b.Visit(t, browser.WithoutScripts)
	p.Go("/")
	settleIn(p)
	p.Type("#q", "wholemeal bread")
	p.Press(kb.Enter)
	p.WaitPath("/search*")
	p.Click(".facet .tick")
	p.Click("[data-apply]")
	p.Wait(".pill.on")
	p.Click(".card .add")
	p.WaitPath("/cart")
	p.Click(`.count button + span + button`)
	p.WaitText(".count", "2")
	p.Click(".till .button")
	p.WaitPath("/sign-in*")
	p.Click(`a[href^="/register"]`)
	p.Type("#email", "plain-"+uuid.NewString()+"@shopper.example")
	p.Type("#password", "correct-horse-battery")
	p.Click("form.stack .button")
	p.WaitPath("/checkout")
	p.Type("#recipient", "Grace Hopper")
	p.Type("#line1", "3 Frith Street")
	p.Type("#city", "London")
	p.Type("#postcode", "W1D 4HU")
	p.Click("#checkout > .button")
	order := orderOf(p)
	p.WaitText(".thanks", "Thank you")
	p.Go("/orders/" + order)
	p.Click(".danger summary")
	p.Click(".danger .button")
	p.WaitText("[data-state]", "Cancelled")
}
