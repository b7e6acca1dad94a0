package shop

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
)

// finalReasons are the refusals after which a checkout's key never comes to anything else.
var finalReasons = map[string]bool{
	"CART_EMPTY": true, "CART_NOT_FOUND": true, "CART_TOO_LARGE": true, "CHECKOUT_EXPIRED": true, "LIMIT_EXCEEDED": true,
	"OUT_OF_STOCK": true, "PAYMENT_DECLINED": true, "PRICE_CHANGED": true, "PRODUCT_NOT_SOLD": true, "SLOT_UNAVAILABLE": true,
	"STORE_MISMATCH": true,
	// Of steps, refunds and adjustments.
	"NOTHING_TO_REFUND": true, "ORDER_NOT_FOUND": true, "ORDER_STATE_CONFLICT": true, "REFUND_REFUSED": true, "REFUND_TOO_LARGE": true,
	"STOCK_UNDERFLOW": true,
}

// ours are refusals that only a fault of the prover's own explains.
var ours = map[string]bool{
	"ALREADY_EXISTS": true, "IDEMPOTENCY_KEY_REQUIRED": true, "INVALID_ARGUMENT": true, "METHOD_NOT_ALLOWED": true, "PERMISSION_DENIED": true,
	"PRODUCT_NOT_FOUND": true, "ROUTE_NOT_FOUND": true, "STORE_NOT_FOUND": true, "UNSUPPORTED_MEDIA_TYPE": true,
}

type checkoutBody struct {
	Cart    string  `json:"cart_id"`
	Store   string  `json:"store_id"`
	Address address `json:"address"`
	Method  string  `json:"payment_method"`
	Total   money   `json:"expected_total"`
	Slot    string  `json:"delivery_slot_id,omitempty"`
}

type address struct {
	Recipient string `json:"recipient"`
	Line1     string `json:"line1"`
	City      string `json:"city"`
	Postcode  string `json:"postcode"`
	Country   string `json:"country"`
}

func (w Wish) body() checkoutBody {
	return checkoutBody{
		Cart: w.Cart, Store: w.Store, Method: w.Method, Slot: w.Slot, Total: pence(w.Total),
		Address: address{Recipient: w.Recipient, Line1: "12 Lexington Street", City: "London", Postcode: "W1F 0LE", Country: "GB"},
	}
}

type orderJSON struct {
	ID    string `json:"order_id"`
	State string `json:"state"`
	User  string `json:"user_id"`
	Store string `json:"store_id"`
	Lines []struct {
		Product  string `json:"product_id"`
		Quantity int64  `json:"quantity"`
		Price    money  `json:"unit_price"`
	} `json:"lines"`
	Totals struct {
		Fee   money `json:"delivery_fee"`
		Total money `json:"total"`
	} `json:"totals"`
	Slot *struct {
		ID string `json:"slot_id"`
	} `json:"delivery_slot"`
	Payment struct {
		State string `json:"state"`
	} `json:"payment"`
}

func (o orderJSON) told() *Order {
	told := &Order{ID: o.ID, State: o.State, User: o.User, Store: o.Store, Total: o.Totals.Total.Minor, Fee: o.Totals.Fee.Minor}
	for _, line := range o.Lines {
		told.Lines = append(told.Lines, Line{Product: line.Product, Quantity: line.Quantity, Price: line.Price.Minor})
	}
	if o.Slot != nil {
		told.Slot = o.Slot.ID
	}
	return told
}

type checkoutJSON struct {
	ID        string    `json:"checkout_id"`
	State     string    `json:"state"`
	ActionURL string    `json:"action_url"`
	Order     orderJSON `json:"order"`
	Failure   failure   `json:"failure"`
}

// post asks for a checkout by one of its bodies.
func (d *Day) post(ctx context.Context, c *Checkout, wish int) Answer {
	return d.ask(ctx, c, wish, c.request(wish))
}

func (c *Checkout) request(wish int) request {
	return request{method: http.MethodPost, path: "/v1/checkouts", key: c.Key, body: c.Wishes[wish].body()}
}

// look asks what a checkout has come to, by its id.
func (d *Day) look(ctx context.Context, c *Checkout, id string) Answer {
	return d.ask(ctx, c, -1, request{method: http.MethodGet, path: "/v1/checkouts/" + id})
}

// ask sends a request, and writes the answer down. What was sent is waited for.
func (d *Day) ask(ctx context.Context, c *Checkout, wish int, r request) Answer {
	c.registered.Do(func() { d.history.addCheckout(c) })
	if !c.admitted.CompareAndSwap(true, false) {
		d.checkouts.push()
	}
	reply := d.client.as(context.WithoutCancel(ctx), c.person, r)
	took := reply.end.Sub(reply.start)
	if c.Behaviour == crowd || r.timeout != 0 || (reply.status == 0 && took < quick) { // given up early, or cut off, or as meant
		took = 0
	}
	d.checkouts.leave(took)
	answer := readCheckout(reply)
	if ours[answer.Reason] {
		d.history.wrong("checkout %s: %d %.500s", c.Key, reply.status, reply.body)
	}
	_, before := c.Told(Done)
	c.add(Ask{Start: reply.start, End: reply.end, Wish: wish, Answer: answer})
	if answer.Kind == Done && !before {
		d.history.confirmed.Add(1)
	}
	return answer
}

func readCheckout(r reply) Answer {
	if r.status != http.StatusOK {
		return refusal(r.status, r.failure)
	}
	var c checkoutJSON
	if err := json.Unmarshal(r.body, &c); err != nil {
		return Answer{Status: r.status}
	}
	answer := Answer{Status: r.status, ID: c.ID}
	switch c.State {
	case "CONFIRMED":
		answer.Kind, answer.Order = Done, c.Order.told()
	case "PROCESSING":
		answer.Kind = Processing
	case "REQUIRES_ACTION":
		answer.Kind, answer.ActionURL = Action, c.ActionURL
	case "FAILED":
		answer = refusal(r.status, c.Failure)
		answer.ID = c.ID
	}
	return answer
}

// refusal reads an error. What doesn't tell for good what happened is Unknown.
func refusal(status int, f failure) Answer {
	answer := Answer{Status: status, Reason: f.reason(), ID: f.metadata("checkout_id")}
	switch {
	case answer.Reason == "CHECKOUT_NOT_FOUND":
		answer.Kind = NotFound
	case answer.Reason == "IDEMPOTENCY_KEY_REUSED":
		answer.Kind = Reused
	case finalReasons[answer.Reason]:
		answer.Kind = Refused
	}
	for _, detail := range f.Details {
		for _, short := range detail.Shortages {
			answer.Short = append(answer.Short, Line{Product: short.Product, Quantity: short.Requested})
		}
		for _, limit := range detail.Limits {
			answer.Over = append(answer.Over, limit.Product)
		}
		if detail.Slot != "" {
			answer.Short = append(answer.Short, Line{Product: slotPrefix + detail.Slot, Quantity: 1})
		}
		for _, free := range detail.Alternatives {
			answer.Free = append(answer.Free, free.Slot)
		}
	}
	return answer
}

// askAgain asks once more for a checkout that has no final answer, and returns whether it has one now.
func (d *Day) askAgain(ctx context.Context, c *Checkout) bool {
	if id := c.ID(); id != "" && rand.IntN(2) == 0 {
		if answer := d.look(ctx, c, id); answer.Kind != NotFound {
			return answer.final()
		}
	}
	return d.post(ctx, c, c.standing()).final()
}

// standing is the body that the key belongs to: the first, unless that was told to be another's.
func (c *Checkout) standing() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.Asks {
		if a.Answer.Kind == Reused && a.Wish == 0 && len(c.Wishes) > 1 {
			return 1
		}
	}
	return 0
}

// step asks once for a step of an order.
func (d *Day) step(ctx context.Context, s *Step) Answer {
	body := map[string]any{"reason": "prove " + s.Verb}
	if len(s.Lines) > 0 {
		lines := make([]map[string]any, len(s.Lines))
		for i, line := range s.Lines {
			lines[i] = map[string]any{"product_id": line.Product, "quantity": line.Quantity}
		}
		body["lines"] = lines
	}
	r := d.client.as(ctx, s.person, request{method: http.MethodPost, path: "/v1/orders/" + s.Order + ":" + s.Verb, key: s.Key, body: body})
	answer := Answer{Status: r.status}
	var order orderJSON
	switch {
	case r.status != http.StatusOK:
		answer = refusal(r.status, r.failure)
	case json.Unmarshal(r.body, &order) == nil:
		answer.Kind, answer.Order = Done, &Order{ID: order.ID, State: order.State}
	}
	if ours[answer.Reason] {
		d.history.wrong("%s %s: %d %.500s", s.Verb, s.Order, r.status, r.body)
	}
	s.add(Ask{Start: r.start, End: r.end, Answer: answer})
	return answer
}

// insistOn asks for a step until it is made or refused; false: ctx has ended before.
func (d *Day) insistOn(ctx context.Context, s *Step) (Answer, bool) {
	d.history.addStep(s)
	wait := newBackoff(nil)
	for {
		if answer := d.step(context.WithoutCancel(ctx), s); answer.final() {
			return answer, true
		}
		if !wait.pause(ctx) {
			return Answer{}, false
		}
	}
}
