package shop

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// maxLines is what an order has at most.
const maxLines = 25

// Times of a shopper's.
const (
	// stayFor is how long a shopper asks for one checkout before turning to the next; Finish asks for what is left open.
	stayFor = 25 * time.Second
	// tooLate is after how long a late shopper confirms a payment: the hold is over then.
	tooLate = 12 * time.Second
	// hesitate bounds the time between two purchases.
	hesitate = time.Second
)

// behaviour is how a shopper goes about a purchase.
type behaviour struct {
	name   string
	weight int
	method string // of payment
	buy    func(b *buyer, ctx context.Context, c *Checkout)
}

// behaviours are what shoppers do; the weights add up to 100.
var behaviours = []behaviour{
	{"plain", 34, "pm_card_visa", (*buyer).plain},
	{"impatient", 10, "pm_card_mastercard", (*buyer).impatient},
	{"double click", 9, "pm_card_amex", (*buyer).doubleClick},
	{"poller", 5, "pm_card_gb", (*buyer).poller},
	{"changed body", 6, "pm_card_visa", (*buyer).changedBody},
	{"changed cart", 5, "pm_card_visa_debit", (*buyer).changedCart},
	{"declined", 5, "pm_card_chargeDeclinedInsufficientFunds", (*buyer).plain},
	{"3-D Secure passed", 7, "pm_card_threeDSecure2Required", (*buyer).passes},
	{"3-D Secure failed", 3, "pm_card_threeDSecureRequired", (*buyer).fails},
	{"3-D Secure declined", 1, "pm_card_threeDSecureRequiredChargeDeclined", (*buyer).passes},
	{"3-D Secure forgotten", 2, "pm_card_authenticationRequired", (*buyer).forgets},
	{"3-D Secure late", 3, "pm_card_threeDSecure2Required", (*buyer).late},
	{"slow card", 4, "pm_card_processing", (*buyer).plain},
	{"slow card declined", 2, "pm_card_processingDeclined", (*buyer).plain},
	{"wrong total", 2, "pm_card_visa", (*buyer).wrongTotal},
	{"other store", 1, "pm_card_visa", (*buyer).otherStore},
	{"empty cart", 1, "pm_card_visa", (*buyer).plain},
}

// buyer is a shopper in the store.
type buyer struct {
	day    *Day
	person *person
	random *rand.Rand
	store  string

	cart     string // its id, "" before the first
	seen     cartJSON
	unwanted []Line          // what the shopper has just heard to be sold out
	enough   map[string]bool // what the shopper may not buy more of today
}

type cartJSON struct {
	ID    string `json:"cart_id"`
	Store string `json:"store_id"`
	Items []struct {
		Product  string `json:"product_id"`
		Quantity int64  `json:"quantity"`
		Price    money  `json:"unit_price"`
	} `json:"items"`
	Totals struct {
		Total money `json:"total"`
	} `json:"totals"`
}

func (c cartJSON) lines() []Line {
	lines := make([]Line, len(c.Items))
	for i, item := range c.Items {
		lines[i] = Line{Product: item.Product, Quantity: item.Quantity, Price: item.Price.Minor}
	}
	return lines
}

func (c cartJSON) has(product string) bool {
	return slices.ContainsFunc(c.lines(), func(l Line) bool { return l.Product == product })
}

func (d *Day) newBuyer(i int, p *person) *buyer {
	return &buyer{day: d, person: p, random: d.fork(i), store: d.shop.stores[i%len(d.shop.stores)], enough: map[string]bool{}}
}

// shop buys until ctx ends.
func (b *buyer) shop(ctx context.Context) {
	for pauseFor(ctx, time.Duration(b.random.Int64N(int64(hesitate)))) {
		how := b.choose()
		if how.name == "empty cart" {
			b.cart = ""
		}
		if !b.fill(ctx, how) {
			continue
		}
		wish := Wish{
			Store: b.store, Cart: b.cart, Method: how.method, Recipient: "Ada Lovelace", Slot: b.day.chooseSlot(b.store, b.random),
			Total: max(b.seen.Totals.Total.Minor, 1), Lines: b.seen.lines(),
		}
		b.buy(ctx, how, wish)
	}
}

func (b *buyer) choose() behaviour {
	at := b.random.IntN(100)
	for _, how := range behaviours {
		if at -= how.weight; at < 0 {
			return how
		}
	}
	return behaviours[0]
}

// buy goes through one checkout, and through what the shopper does with its order.
func (b *buyer) buy(ctx context.Context, how behaviour, wish Wish) {
	c := &Checkout{Key: uuid.NewString(), User: b.person.user(), Behaviour: how.name, Wishes: []Wish{wish}, person: b.person}
	if !b.day.checkouts.enter(ctx) {
		return
	}
	c.admitted.Store(true)
	staying, leave := context.WithTimeout(ctx, stayFor)
	defer leave()
	how.buy(b, staying, c)
	answer, _, ok := c.Final()
	switch {
	case !ok:
	case answer.Kind == Done:
		b.cart = b.nextCart()
		b.afterwards(ctx, c, answer.Order.ID)
	default:
		b.day.soldOut(b.store, answer.Short)
		b.unwanted = answer.Short
		for _, product := range answer.Over {
			b.enough[product] = true
		}
	}
}

// nextCart is the shopper's own, or, "", a new one of nobody's.
func (b *buyer) nextCart() string {
	if b.random.IntN(2) == 0 {
		return "me"
	}
	return ""
}

// basketSize is 1 to 25, small ones more often.
func (b *buyer) basketSize() int {
	switch at := b.random.IntN(100); {
	case at < 60:
		return 1 + b.random.IntN(2)
	case at < 85:
		return 3 + b.random.IntN(3)
	case at < 95:
		return 6 + b.random.IntN(5)
	default:
		return 11 + b.random.IntN(maxLines-10)
	}
}

// fill puts products into the cart until it has as many lines as the shopper wants; false: it couldn't be done.
func (b *buyer) fill(ctx context.Context, how behaviour) bool {
	select {
	case b.day.carts <- struct{}{}:
		defer func() { <-b.day.carts }()
	case <-ctx.Done():
		return false
	}
	if b.cart == "" || b.seen.Store != b.store {
		if !b.openCart(ctx) {
			return false
		}
	}
	if how.name == "empty cart" {
		return true
	}
	size := b.basketSize()
	for tries := 0; tries == 0 || len(b.seen.Items) < size; tries++ {
		product := b.day.products[b.likely()]
		if b.enough[product] || b.seen.has(product) && tries > 0 {
			continue
		}
		if !b.put(ctx, product, b.quantity()) || tries > 4*maxLines {
			return false
		}
	}
	return b.takeOut(ctx)
}

// openCart opens a cart: the shopper's own, or one that is nobody's, whose id is all that opens it.
func (b *buyer) openCart(ctx context.Context) bool {
	r := request{method: http.MethodPost, path: "/v1/carts", body: map[string]string{"store_id": b.store}}
	var answer reply
	if b.cart == "me" {
		answer = b.day.client.as(ctx, b.person, r)
	} else {
		answer = b.day.client.send(ctx, r)
	}
	if !b.see(answer) {
		return false
	}
	if b.cart == "" {
		b.cart = b.seen.ID
	}
	return true
}

// likely is the place of a product in the day's list: the first ones are wanted more.
func (b *buyer) likely() int {
	n := len(b.day.products)
	return min(b.random.IntN(n), b.random.IntN(n))
}

func (b *buyer) quantity() int64 {
	if b.random.IntN(20) == 0 {
		return 5 + b.random.Int64N(8)
	}
	return 1 + b.random.Int64N(3)
}

func (b *buyer) item(product string) string { return "/v1/carts/" + b.cart + "/items/" + product }

// put sets a line. A cart that isn't there any more is forgotten.
func (b *buyer) put(ctx context.Context, product string, quantity int64) bool {
	answer := b.day.client.as(ctx, b.person, request{
		method: http.MethodPut, path: b.item(product), body: map[string]int64{"quantity": quantity},
	})
	if answer.status == http.StatusNotFound {
		b.seen = cartJSON{}
	}
	return b.see(answer)
}

// takeOut removes what isn't of today, what is sold out or bought often enough, and what is too much.
func (b *buyer) takeOut(ctx context.Context) bool {
	unwanted := b.unwanted
	b.unwanted = nil
	for i, line := range b.seen.lines() {
		out := b.enough[line.Product] || slices.ContainsFunc(unwanted, func(short Line) bool { return short.Product == line.Product })
		if slices.Contains(b.day.products, line.Product) && !out && i < maxLines {
			continue
		}
		if !b.see(b.day.client.as(ctx, b.person, request{method: http.MethodDelete, path: b.item(line.Product)})) {
			return false
		}
	}
	return len(b.seen.Items) > 0
}

// see keeps what the cart is told to be.
func (b *buyer) see(r reply) bool {
	if r.status != http.StatusOK {
		return false
	}
	var cart cartJSON
	if err := json.Unmarshal(r.body, &cart); err != nil {
		return false
	}
	b.seen = cart
	return true
}

// plain asks again and again.
func (b *buyer) plain(ctx context.Context, c *Checkout) { b.pursue(ctx, c, nil) }

// pursue asks for a checkout until there is a final answer or ctx ends. act is what the shopper does when the bank wants to see them.
func (b *buyer) pursue(ctx context.Context, c *Checkout, act func(ctx context.Context, url string) bool) {
	wait := newBackoff(b.random)
	for acted := false; ; {
		answer := b.day.post(ctx, c, c.standing())
		if answer.final() {
			return
		}
		if answer.Kind == Action && !acted {
			if act == nil || !act(ctx, answer.ActionURL) {
				return
			}
			acted = true
			continue
		}
		if !wait.pause(ctx) {
			return
		}
	}
}

// impatient gives the first request up early, asks again at once, and goes on.
func (b *buyer) impatient(ctx context.Context, c *Checkout) {
	for range 1 + b.random.IntN(2) {
		r := c.request(0)
		r.timeout = 5*time.Millisecond + time.Duration(b.random.Int64N(int64(250*time.Millisecond)))
		b.day.ask(ctx, c, 0, r)
	}
	b.plain(ctx, c)
}

// doubleClick asks twice at once.
func (b *buyer) doubleClick(ctx context.Context, c *Checkout) {
	var clicks sync.WaitGroup
	for range 2 {
		clicks.Go(func() { b.day.post(ctx, c, 0) })
	}
	clicks.Wait()
	if _, _, ok := c.Final(); !ok {
		b.plain(ctx, c)
	}
}

// poller asks once, and then looks, if it was told where.
func (b *buyer) poller(ctx context.Context, c *Checkout) {
	if b.day.post(ctx, c, 0).final() {
		return
	}
	wait := newBackoff(b.random)
	for id := c.ID(); id != ""; {
		answer := b.day.look(ctx, c, id)
		if answer.Kind == NotFound {
			break
		}
		if answer.final() || !wait.pause(ctx) {
			return
		}
	}
	b.plain(ctx, c)
}

// changedBody sends another body under the same key: after the first one is answered, or at the same time.
func (b *buyer) changedBody(ctx context.Context, c *Checkout) {
	other := c.Wishes[0]
	other.Recipient = "Charles Babbage"
	c.Wishes = append(c.Wishes, other)
	if b.random.IntN(3) == 0 {
		var clicks sync.WaitGroup
		for wish := range c.Wishes {
			clicks.Go(func() { b.day.post(ctx, c, wish) })
		}
		clicks.Wait()
	}
	b.plain(ctx, c)
	b.day.post(ctx, c, 1-c.standing())
}

// changedCart changes the cart while the checkout runs, which may have read it by then, or not.
func (b *buyer) changedCart(ctx context.Context, c *Checkout) {
	sent := make(chan struct{})
	r := c.request(0)
	r.sending = sync.OnceFunc(func() { close(sent) })
	var both sync.WaitGroup
	both.Go(func() { b.day.ask(ctx, c, 0, r); r.sending() })
	<-sent
	pauseFor(ctx, time.Duration(b.random.Int64N(int64(200*time.Millisecond))))
	line := c.Wishes[0].Lines[b.random.IntN(len(c.Wishes[0].Lines))]
	changed := b.put(context.WithoutCancel(ctx), line.Product, line.Quantity%3+1)
	both.Wait()
	if changed {
		c.Wishes[0].Others = append(c.Wishes[0].Others, b.seen.lines())
	}
	b.plain(ctx, c)
}

func (b *buyer) passes(ctx context.Context, c *Checkout) {
	b.pursue(ctx, c, func(ctx context.Context, url string) bool { return b.atBank(ctx, url, "complete") })
}

func (b *buyer) fails(ctx context.Context, c *Checkout) {
	b.pursue(ctx, c, func(ctx context.Context, url string) bool { return b.atBank(ctx, url, "fail") })
}

// forgets leaves the bank's page open.
func (b *buyer) forgets(ctx context.Context, c *Checkout) { b.plain(ctx, c) }

// late confirms the payment when the hold is over.
func (b *buyer) late(ctx context.Context, c *Checkout) {
	b.pursue(ctx, c, func(ctx context.Context, url string) bool {
		return pauseFor(ctx, tooLate) && b.atBank(ctx, url, "complete")
	})
}

// atBank answers the bank's question.
func (b *buyer) atBank(ctx context.Context, url, outcome string) bool {
	wait := newBackoff(b.random)
	for {
		answer := b.day.client.send(context.WithoutCancel(ctx), request{method: http.MethodPost, path: url + "/" + outcome})
		if answer.status != 0 && answer.status < http.StatusInternalServerError {
			return true // also where the bank waits no more
		}
		if !wait.pause(ctx) {
			return false
		}
	}
}

func (b *buyer) wrongTotal(ctx context.Context, c *Checkout) {
	c.Wishes[0].Total++
	b.plain(ctx, c)
}

func (b *buyer) otherStore(ctx context.Context, c *Checkout) {
	stores := b.day.shop.stores
	c.Wishes[0].Store = stores[(slices.Index(stores, b.store)+1)%len(stores)]
	c.Wishes[0].Slot = ""
	b.plain(ctx, c)
}

// afterwards cancels the order, offers it to the staff, or leaves it.
func (b *buyer) afterwards(ctx context.Context, c *Checkout, order string) {
	at := b.random.IntN(100)
	switch {
	case at < 5:
		_, _ = b.day.insistOn(ctx, b.cancel(order)) // what is left open, Finish asks for
	case at < 9:
		var clicks sync.WaitGroup
		for range 2 {
			clicks.Go(func() { _, _ = b.day.insistOn(ctx, b.cancel(order)) })
		}
		clicks.Wait()
	default:
		select {
		case b.day.confirmed <- c:
		default: // the staff have enough to do
		}
	}
}

func (b *buyer) cancel(order string) *Step {
	return &Step{Order: order, Verb: "cancel", By: "shopper", person: b.person}
}
