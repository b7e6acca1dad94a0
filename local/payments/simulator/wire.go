package simulator

import (
	"crypto/rand"
	"time"
)

// apiVersion is the version of Stripe's API whose shapes these are.
const apiVersion = "2025-10-29.clover"

type object map[string]any

func newID(prefix string) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var raw [24]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand
	out := make([]byte, 0, len(prefix)+1+len(raw))
	out = append(append(out, prefix...), '_')
	for _, b := range raw {
		out = append(out, alphabet[int(b)%len(alphabet)])
	}
	return string(out)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func unixOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Unix()
}

func metadataWire(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// expansion is how much of a charge is written inside its intent.
type expansion struct {
	charge  bool
	refunds []*Refund // with the charge, when asked for
	nested  bool
}

// wire is the intent as Stripe writes it. x may be nil.
func (in *Intent) wire(x *expansion) object {
	capturable := int64(0)
	if in.Status == statusNeedsCapture {
		capturable = in.Amount
	}
	o := object{
		"id": in.ID, "object": "payment_intent", "amount": in.Amount, "amount_capturable": capturable,
		"amount_details": object{"tip": object{}}, "amount_received": in.Received, "application": nil,
		"application_fee_amount": nil, "automatic_payment_methods": nil, "canceled_at": unixOrNull(in.CanceledAt),
		"cancellation_reason": orNull(in.CancelReason), "capture_method": in.CaptureMethod,
		"client_secret": in.ID + "_secret_" + in.Secret, "confirmation_method": "automatic", "created": in.Created.Unix(),
		"currency": in.Currency, "customer": nil, "description": orNull(in.Description), "last_payment_error": nil,
		"latest_charge": orNull(in.Charge), "livemode": false, "metadata": metadataWire(in.Metadata), "next_action": nil,
		"on_behalf_of": nil, "payment_method": orNull(in.Method), "payment_method_options": object{},
		"payment_method_types": []string{"card"}, "processing": nil, "receipt_email": nil, "review": nil,
		"setup_future_usage": nil, "shipping": nil, "statement_descriptor": nil, "statement_descriptor_suffix": nil,
		"status": in.Status, "transfer_data": nil, "transfer_group": nil,
	}
	if x != nil && x.charge && in.Charge != "" {
		o["latest_charge"] = in.chargeWire(x)
	}
	if le := in.LastError; le != nil {
		e := object{
			"type": le.Type, "code": le.Code, "message": le.Message, "doc_url": docURL(le.Code),
			"payment_method": methodWire(le.Method),
		}
		if le.DeclineCode != "" {
			e["decline_code"] = le.DeclineCode
		}
		if le.Charge != "" {
			e["charge"] = le.Charge
		}
		o["last_payment_error"] = e
	}
	if in.Status == statusNeedsAction {
		o["next_action"] = object{
			"type":            "redirect_to_url",
			"redirect_to_url": object{"url": in.ActionURL, "return_url": orNull(in.ReturnURL)},
		}
	}
	if in.Status == statusProcessing {
		o["processing"] = object{"type": "card", "card": object{}}
	}
	return o
}

// chargeWire is the intent's latest charge as Stripe writes it. x may be nil.
func (in *Intent) chargeWire(x *expansion) object {
	o := object{
		"id": in.Charge, "object": "charge", "amount": in.Amount, "amount_captured": in.Received,
		"amount_refunded": in.Refunded, "application": nil, "application_fee": nil, "application_fee_amount": nil,
		"balance_transaction": nil, "billing_details": object{"address": nil, "email": nil, "name": nil, "phone": nil},
		"calculated_statement_descriptor": nil, "captured": in.Received > 0, "created": in.ChargedAt.Unix(),
		"currency": in.Currency, "customer": nil, "description": orNull(in.Description), "disputed": false,
		"failure_balance_transaction": nil, "failure_code": nil, "failure_message": nil, "fraud_details": object{},
		"livemode": false, "metadata": metadataWire(in.Metadata), "on_behalf_of": nil, "outcome": nil,
		"paid": !in.ChargeFailed, "payment_intent": in.ID, "payment_method": orNull(in.Method),
		"payment_method_details": nil, "receipt_email": nil, "receipt_number": nil, "receipt_url": nil,
		"refunded": in.Received > 0 && in.Refunded == in.Received, "review": nil, "shipping": nil,
		"source_transfer": nil, "statement_descriptor": nil, "statement_descriptor_suffix": nil, "status": "succeeded",
		"transfer_data": nil, "transfer_group": nil,
	}
	if in.Received > 0 {
		o["balance_transaction"] = "txn_" + in.Charge
	}
	if in.ChargeFailed {
		o["status"] = "failed"
		if le := in.LastError; le != nil {
			o["failure_code"], o["failure_message"], o["payment_method"] = le.Code, le.Message, le.Method
		}
	}
	if x != nil && x.nested {
		data := []object{}
		for i := len(x.refunds) - 1; i >= 0 && len(data) < 10; i-- {
			data = append(data, x.refunds[i].wire())
		}
		o["refunds"] = listWire("/v1/charges/"+in.Charge+"/refunds", data, len(x.refunds) > 10)
	}
	return o
}

func (r *Refund) wire() object {
	return object{
		"id": r.ID, "object": "refund", "amount": r.Amount, "balance_transaction": "txn_" + r.ID, "charge": r.Charge,
		"created": r.Created.Unix(), "currency": r.Currency, "destination_details": object{"type": "card", "card": object{"type": "refund"}},
		"metadata": metadataWire(r.Metadata), "payment_intent": r.Intent, "reason": orNull(r.Reason),
		"receipt_number": nil, "source_transfer_reversal": nil, "status": "succeeded", "transfer_reversal": nil,
	}
}

func methodWire(name string) object {
	return object{
		"id": name, "object": "payment_method", "type": "card", "livemode": false, "customer": nil, "created": 0,
		"metadata": object{}, "billing_details": object{"address": nil, "email": nil, "name": nil, "phone": nil},
		"card": object{"brand": "visa", "country": "GB", "exp_month": 12, "exp_year": 2034, "funding": "credit", "last4": "4242"},
	}
}

func listWire(url string, data []object, more bool) object {
	return object{"object": "list", "data": data, "has_more": more, "url": url}
}
