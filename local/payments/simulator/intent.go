package simulator

import (
	"slices"
	"time"
)

// Statuses of an intent, as in Stripe's API.
const (
	statusNeedsMethod  = "requires_payment_method"
	statusNeedsConfirm = "requires_confirmation"
	statusNeedsAction  = "requires_action"
	statusProcessing   = "processing"
	statusNeedsCapture = "requires_capture"
	statusSucceeded    = "succeeded"
	statusCanceled     = "canceled"
)

// Intent is a payment intent as the journal keeps it. Amounts are minor units. A stored Intent is never changed: a change
// works on a clone and replaces it.
type Intent struct {
	ID            string            `json:"id"`
	Seq           int64             `json:"seq"` // order of creation
	Secret        string            `json:"secret"`
	Status        string            `json:"status"`
	Amount        int64             `json:"amount"`
	Currency      string            `json:"currency"` // lower case
	CaptureMethod string            `json:"capture_method"`
	Description   string            `json:"description,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	Created       time.Time         `json:"created"`

	Method    string        `json:"method,omitempty"`
	ReturnURL string        `json:"return_url,omitempty"`
	ActionURL string        `json:"action_url,omitempty"`
	LastError *PaymentError `json:"last_error,omitempty"`

	Charge          string    `json:"charge,omitempty"` // the latest attempt's
	ChargeFailed    bool      `json:"charge_failed,omitempty"`
	ChargedAt       time.Time `json:"charged_at,omitzero"`
	ProcessingUntil time.Time `json:"processing_until,omitzero"`
	Received        int64     `json:"received,omitempty"` // captured
	Refunded        int64     `json:"refunded,omitempty"`
	Refunds         []string  `json:"refunds,omitempty"` // oldest first

	CanceledAt   time.Time `json:"canceled_at,omitzero"`
	CancelReason string    `json:"cancel_reason,omitempty"`
}

// PaymentError is why an attempt failed.
type PaymentError struct {
	Code        string `json:"code"`
	DeclineCode string `json:"decline_code,omitempty"`
	Message     string `json:"message"`
	Method      string `json:"method"`
	Charge      string `json:"charge,omitempty"`
	Type        string `json:"type"`
}

// Refund is money given back. Amount is in minor units.
type Refund struct {
	ID       string            `json:"id"`
	Intent   string            `json:"intent"`
	Charge   string            `json:"charge"`
	Amount   int64             `json:"amount"`
	Currency string            `json:"currency"`
	Reason   string            `json:"reason,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Created  time.Time         `json:"created"`
}

func (in *Intent) clone() *Intent {
	c := *in
	c.Refunds = slices.Clone(in.Refunds)
	return &c
}

func (in *Intent) finished() bool { return in.Status == statusSucceeded || in.Status == statusCanceled }

// due reports whether time alone changes the intent.
func (s *Simulator) due(in *Intent, now time.Time) bool {
	switch in.Status {
	case statusProcessing:
		return !now.Before(in.ProcessingUntil)
	case statusNeedsCapture:
		return !now.Before(in.ChargedAt.Add(s.cfg.AuthorisationLifetime))
	}
	return false
}

// settle applies the transition that time brings, and reports whether there was one.
func (c *change) settle(in *Intent) bool {
	if !c.sim.due(in, c.now) {
		return false
	}
	if in.Status == statusProcessing {
		c.charge(in, methods[in.Method].then)
	} else {
		c.cancel(in, "expired")
	}
	return true
}

// confirm starts an attempt with the intent's method. actionURL is the page for a method that asks the shopper.
func (c *change) confirm(in *Intent, actionURL string) {
	in.LastError, in.ActionURL = nil, ""
	m := methods[in.Method]
	switch m.first {
	case needsAction:
		in.Status, in.ActionURL = statusNeedsAction, actionURL
		c.event("payment_intent.requires_action", in)
	case takesTime:
		in.Status, in.ProcessingUntil = statusProcessing, c.now.Add(c.sim.cfg.ProcessingTime)
		c.event("payment_intent.processing", in)
	default:
		c.charge(in, m.then)
	}
}

// charge is the issuer's answer to an attempt: an authorisation, or a decline.
func (c *change) charge(in *Intent, declined *decline) {
	in.Charge, in.ChargedAt, in.ChargeFailed = newID("ch"), c.now, declined != nil
	in.ActionURL = ""
	if declined != nil {
		c.fail(in, declined, in.Charge)
		return
	}
	if in.CaptureMethod == captureManual {
		in.Status = statusNeedsCapture
		c.event("payment_intent.amount_capturable_updated", in)
		return
	}
	in.Status, in.Received = statusSucceeded, in.Amount
	c.event("payment_intent.succeeded", in)
}

// fail ends an attempt; the intent waits for another method.
func (c *change) fail(in *Intent, d *decline, charge string) {
	in.LastError = &PaymentError{
		Code: d.code, DeclineCode: d.declineCode, Message: d.message, Method: in.Method, Charge: charge, Type: d.errorType(),
	}
	in.Status, in.Method, in.ActionURL = statusNeedsMethod, "", ""
	c.event("payment_intent.payment_failed", in)
}

// act is the shopper's answer on the 3-D Secure page.
func (c *change) act(in *Intent, passed bool) {
	if !passed {
		c.fail(in, authenticationFailed, "")
		return
	}
	c.charge(in, methods[in.Method].then)
}

func (c *change) cancel(in *Intent, reason string) {
	in.Status, in.ActionURL = statusCanceled, ""
	in.CanceledAt, in.CancelReason = c.now, reason
	c.event("payment_intent.canceled", in)
}

func (c *change) capture(in *Intent, amount int64) {
	in.Status, in.Received = statusSucceeded, amount
	c.event("payment_intent.succeeded", in)
}

func (c *change) refund(in *Intent, amount int64, reason string, metadata map[string]string) *Refund {
	r := &Refund{
		ID: newID("re"), Intent: in.ID, Charge: in.Charge, Amount: amount, Currency: in.Currency,
		Reason: reason, Metadata: metadata, Created: c.now,
	}
	in.Refunded += amount
	in.Refunds = append(in.Refunds, r.ID)
	c.Refunds = append(c.Refunds, r)
	c.event("charge.refunded", in)
	return r
}
