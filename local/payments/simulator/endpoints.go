package simulator

import (
	"net/http"
	"strings"
)

// Limits of Stripe's API. The smallest amounts: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
const maxAmount = 99_999_999

var minAmount = map[string]int64{"gbp": 30, "eur": 50, "usd": 50}

func (s *Simulator) createIntent(c *change, r *http.Request, p params) (*Intent, object, *apiError) {
	for _, name := range []string{"amount", "currency"} {
		if p.get(name) == "" {
			return nil, nil, invalid(name, "parameter_missing", "The parameter %q is missing.", name)
		}
	}
	currency := strings.ToLower(p.get("currency"))
	least, ok := minAmount[currency]
	if !ok {
		return nil, nil, invalid("currency", "", "The currency %q is not supported.", currency)
	}
	amount, e := p.integer("amount", 0, 1, 1<<53)
	if e != nil {
		return nil, nil, e
	}
	if amount < least {
		return nil, nil, invalid("amount", "amount_too_small", "The amount is below the least one, %d %s.", least, currency)
	}
	if amount > maxAmount {
		return nil, nil, invalid("amount", "amount_too_large", "The amount is above the greatest one, %d.", int64(maxAmount))
	}
	capture := p.get("capture_method")
	switch capture {
	case "":
		capture = "automatic_async"
	case "automatic", "automatic_async", captureManual:
	default:
		return nil, nil, invalid("capture_method", "", "The capture method %q is unknown.", capture)
	}
	method, e := p.method()
	if e != nil {
		return nil, nil, e
	}
	back, e := p.returnURL()
	if e != nil {
		return nil, nil, e
	}
	metadata, e := p.metadata()
	if e != nil {
		return nil, nil, e
	}
	confirm, e := p.boolean("confirm")
	if e != nil {
		return nil, nil, e
	}
	if confirm && method == "" {
		return nil, nil, invalid("payment_method", "parameter_missing", "Confirming needs a payment method.")
	}
	if s.state.full() {
		e := invalid("", "rate_limit", "The simulator holds %d payments and none of them is finished.", s.cfg.MaxIntents)
		e.status = http.StatusTooManyRequests
		return nil, nil, e
	}
	in := &Intent{
		ID: newID("pi"), Seq: s.state.seq + 1, Secret: newID("s")[2:], Status: statusNeedsMethod, Amount: amount,
		Currency: currency, CaptureMethod: capture, Description: p.get("description"), Metadata: metadata, Created: c.now,
		Method: method, ReturnURL: back,
	}
	if method != "" {
		in.Status = statusNeedsConfirm
	}
	c.put(in)
	c.event("payment_intent.created", in)
	if confirm {
		return c.attempt(in, p)
	}
	return in, c.write(in, p, ""), nil
}

func (s *Simulator) confirmIntent(c *change, r *http.Request, p params) (*Intent, object, *apiError) {
	in, e := c.find(r)
	if e != nil {
		return nil, nil, e
	}
	method, e := p.method()
	if e != nil {
		return nil, nil, e
	}
	back, e := p.returnURL()
	if e != nil {
		return nil, nil, e
	}
	switch in.Status {
	case statusNeedsMethod, statusNeedsConfirm, statusNeedsAction:
	default:
		return in, nil, unexpectedState(in, "confirming it")
	}
	if method == "" && in.Method == "" {
		return in, nil, unexpectedState(in, "confirming it without a payment method")
	}
	if method != "" {
		in.Method = method
	}
	if back != "" {
		in.ReturnURL = back
	}
	return c.attempt(in, p)
}

// attempt confirms and turns a decline into the error that Stripe answers with.
func (c *change) attempt(in *Intent, p params) (*Intent, object, *apiError) {
	c.put(in)
	c.confirm(in, c.sim.actionURL(c.request, in))
	if in.Status == statusNeedsMethod {
		return in, nil, declined(in)
	}
	return in, c.write(in, p, ""), nil
}

func (s *Simulator) getIntent(c *change, r *http.Request, p params) (*Intent, object, *apiError) {
	in, e := c.find(r)
	if e != nil {
		return nil, nil, e
	}
	return in, c.write(in, p, ""), nil
}

func (s *Simulator) captureIntent(c *change, r *http.Request, p params) (*Intent, object, *apiError) {
	in, e := c.find(r)
	if e != nil {
		return nil, nil, e
	}
	amount, e := p.integer("amount_to_capture", in.Amount, 1, 1<<53)
	if e != nil {
		return nil, nil, e
	}
	if in.Status != statusNeedsCapture {
		return in, nil, unexpectedState(in, "capturing it")
	}
	if amount > in.Amount {
		e := invalid("amount_to_capture", "amount_too_large", "At most the authorised %d can be captured.", in.Amount)
		e.refused = false
		return in, nil, e
	}
	c.put(in)
	c.capture(in, amount)
	return in, c.write(in, p, ""), nil
}

func (s *Simulator) cancelIntent(c *change, r *http.Request, p params) (*Intent, object, *apiError) {
	in, e := c.find(r)
	if e != nil {
		return nil, nil, e
	}
	reason := p.get("cancellation_reason")
	switch reason {
	case "", "duplicate", "fraudulent", "requested_by_customer", "abandoned":
	default:
		return nil, nil, invalid("cancellation_reason", "", "The cancellation reason %q is unknown.", reason)
	}
	switch in.Status {
	case statusProcessing, statusSucceeded, statusCanceled:
		return in, nil, unexpectedState(in, "canceling it")
	}
	c.put(in)
	c.cancel(in, reason)
	return in, c.write(in, p, ""), nil
}

func (s *Simulator) createRefund(c *change, r *http.Request, p params) (*Intent, object, *apiError) {
	id := p.get("payment_intent")
	if id == "" {
		return nil, nil, invalid("payment_intent", "parameter_missing", "The parameter \"payment_intent\" is missing.")
	}
	in := c.intent(id)
	if in == nil {
		return nil, nil, missing("payment_intent", "payment intent", id)
	}
	left := in.Received - in.Refunded
	amount, e := p.integer("amount", left, 1, 1<<53)
	if e != nil {
		return nil, nil, e
	}
	metadata, e := p.metadata()
	if e != nil {
		return nil, nil, e
	}
	reason := p.get("reason")
	switch reason {
	case "", "duplicate", "fraudulent", "requested_by_customer":
	default:
		return nil, nil, invalid("reason", "", "The refund reason %q is unknown.", reason)
	}
	switch {
	case in.Received == 0:
		e = invalid("payment_intent", "charge_not_refundable", "The payment was not captured, so there is nothing to refund.")
	case left == 0:
		e = invalid("payment_intent", "charge_already_refunded", "The payment is already refunded in full.")
	case amount > left:
		e = invalid("amount", "amount_too_large", "At most %d of the payment can still be refunded.", left)
	}
	if e != nil {
		e.refused = false
		return in, nil, e
	}
	c.put(in)
	return in, c.refund(in, amount, reason, metadata).wire(), nil
}

func (s *Simulator) listIntents(c *change, _ *http.Request, p params) (*Intent, object, *apiError) {
	limit, e := p.integer("limit", 10, 1, 100)
	if e != nil {
		return nil, nil, e
	}
	from, to, e := p.createdRange()
	if e != nil {
		return nil, nil, e
	}
	before := int64(0)
	if after := p.get("starting_after"); after != "" {
		last := s.state.intents[after]
		if last == nil {
			return nil, nil, missing("starting_after", "payment intent", after)
		}
		before = last.Seq
	}
	data, more := []object{}, false
	s.state.newest(before, func(in *Intent) bool {
		if at := in.Created.Unix(); at < from || at > to {
			return at >= from // older ones are all before the range, younger ones are not
		}
		if more = int64(len(data)) == limit; more {
			return false
		}
		data = append(data, c.write(c.intent(in.ID), p, "data."))
		return true
	})
	return nil, listWire("/v1/payment_intents", data, more), nil
}

// createdRange reads created[gte] and its relatives, in seconds; both ends are included.
func (p params) createdRange() (from, to int64, e *apiError) {
	from, to = 0, 1<<60
	for name := range p {
		if !strings.HasPrefix(name, "created") {
			continue
		}
		t, e := p.integer(name, 0, 0, 1<<50)
		if e != nil {
			return 0, 0, e
		}
		switch name {
		case "created":
			from, to = max(from, t), min(to, t)
		case "created[gte]":
			from = max(from, t)
		case "created[gt]":
			from = max(from, t+1)
		case "created[lte]":
			to = min(to, t)
		case "created[lt]":
			to = min(to, t-1)
		default:
			return 0, 0, invalid(name, "parameter_unknown", "There is no parameter %q here.", name)
		}
	}
	return from, to, nil
}

func (s *Simulator) listRefunds(_ *change, _ *http.Request, p params) (*Intent, object, *apiError) {
	limit, e := p.integer("limit", 10, 1, 100)
	if e != nil {
		return nil, nil, e
	}
	ids := s.state.refundIDs
	if id := p.get("payment_intent"); id != "" {
		in := s.state.intents[id]
		if in == nil {
			return nil, nil, missing("payment_intent", "payment intent", id)
		}
		ids = in.Refunds
	}
	after := p.get("starting_after")
	if after != "" && s.state.refunds[after] == nil {
		return nil, nil, missing("starting_after", "refund", after)
	}
	data, more := []object{}, false
	for i := len(ids) - 1; i >= 0; i-- {
		r := s.state.refunds[ids[i]]
		if r == nil {
			continue
		}
		if after != "" {
			if r.ID == after {
				after = ""
			}
			continue
		}
		if more = int64(len(data)) == limit; more {
			break
		}
		data = append(data, r.wire())
	}
	return nil, listWire("/v1/refunds", data, more), nil
}

// find is the intent that the path names.
func (c *change) find(r *http.Request) (*Intent, *apiError) {
	in := c.intent(r.PathValue("id"))
	if in == nil {
		return nil, missing("intent", "payment intent", r.PathValue("id"))
	}
	return in, nil
}

// write is an intent with what the caller wants expanded; prefix is "data." inside a list.
func (c *change) write(in *Intent, p params, prefix string) object {
	x := &expansion{charge: p.expands(prefix + "latest_charge"), nested: p.expands(prefix + "latest_charge.refunds")}
	if x.nested {
		for _, id := range in.Refunds {
			x.refunds = append(x.refunds, c.sim.state.refunds[id])
		}
	}
	return in.wire(x)
}
