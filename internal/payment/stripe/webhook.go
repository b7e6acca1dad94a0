package stripe

import (
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v83"
	"github.com/stripe/stripe-go/v83/webhook"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/internal/fault"
)

// ReadWebhook reads what was posted to a webhook endpoint, after the signature over the raw body has proved that it is Stripe's:
// https://docs.stripe.com/webhooks#verify-manually. While a secret is being rotated there are several, on our side and, as signatures,
// in the header; any pair that fits will do. The time of signing may be off by the tolerance, in both directions; stripe-go's own
// reader bounds one only, and reads the system's clock.
//
// It returns nil for what is nothing for us: events of other objects than payment intents and charges, of intents that we didn't make,
// and of an intent's creation, which comes before the payment's row and tells nothing new.
//
// Errors: WEBHOOK_SIGNATURE_INVALID, WEBHOOK_TOO_OLD, and INVALID_ARGUMENT for a body that isn't an event.
func ReadWebhook(body []byte, signatureHeader string, secrets []string, tolerance time.Duration, now time.Time) (*paymentpb.ProviderEvent, error) {
	signed, ok := signedAt(body, signatureHeader, secrets)
	if !ok {
		return nil, fault.WebhookSignatureInvalid.New("the signature is not of this body by a secret of ours")
	}
	if age := now.Sub(signed); age > tolerance || age < -tolerance {
		return nil, fault.WebhookTooOld.New("the event was signed at %s, more than %s from now", signed.UTC().Format(time.RFC3339), tolerance)
	}
	// Only what is needed is read, so that an event in the shape of another version of Stripe's API can be read too.
	var event struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Type    string `json:"type"`
		Created int64  `json:"created"`
		Data    struct {
			Object json.RawMessage `json:"object"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return nil, fault.Invalid("body", "is not the JSON of an event").WithCause(err)
	}
	if event.Object != "event" {
		return nil, fault.Invalid("object", "is not \"event\"")
	}
	if event.Type == string(stripe.EventTypePaymentIntentCreated) {
		return nil, nil
	}
	intent, order, err := subject(event.Data.Object)
	if err != nil || order == "" {
		return nil, err
	}
	told := &paymentpb.ProviderEvent{
		EventId: event.ID, Type: event.Type, CreateTime: timestamppb.New(time.Unix(event.Created, 0)), IntentId: intent, OrderId: order,
	}
	if err := check(told); err != nil {
		return nil, err
	}
	return told, nil
}

// signedAt is the time that the header's signatures are of, if one of them is right. Comparing takes the same time for all.
func signedAt(body []byte, header string, secrets []string) (time.Time, bool) {
	var signed time.Time
	var signatures [][]byte
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			seconds, err := strconv.ParseInt(value, 10, 64)
			if err != nil || !signed.IsZero() { // of two times, one need not be the signed one
				return time.Time{}, false
			}
			signed = time.Unix(seconds, 0)
		case "v1":
			if signature, err := hex.DecodeString(value); err == nil {
				signatures = append(signatures, signature)
			}
		}
	}
	right := false
	for _, secret := range secrets {
		if secret == "" { // anybody could sign with it
			continue
		}
		want := webhook.ComputeSignature(signed, body, secret)
		for _, signature := range signatures {
			right = hmac.Equal(want, signature) || right
		}
	}
	return signed, right && !signed.IsZero()
}

// subject is the intent that an event is about, and its order; no order: not one of ours.
func subject(object json.RawMessage) (intent, order string, err error) {
	var kind struct {
		Object string `json:"object"`
	}
	if err := json.Unmarshal(object, &kind); err != nil {
		return "", "", fault.Invalid("data.object", "is not an object").WithCause(err)
	}
	if kind.Object != "payment_intent" && kind.Object != "charge" {
		return "", "", nil
	}
	var about struct {
		ID       string            `json:"id"`
		Metadata map[string]string `json:"metadata"` // of a charge too: Stripe copies the intent's
		// Of a charge: an id, or an intent if it was expanded; the library reads both.
		PaymentIntent *stripe.PaymentIntent `json:"payment_intent"`
	}
	if err := json.Unmarshal(object, &about); err != nil {
		return "", "", fault.Invalid("data.object", "is not a %s", kind.Object).WithCause(err)
	}
	if kind.Object == "payment_intent" {
		return about.ID, about.Metadata[metadataOrder], nil
	}
	if about.PaymentIntent == nil { // a charge of another kind of payment
		return "", "", nil
	}
	return about.PaymentIntent.ID, about.Metadata[metadataOrder], nil
}

// check keeps the limits of the contract, so that what is published can be taken in.
func check(e *paymentpb.ProviderEvent) error {
	for _, text := range []struct {
		field, value string
		longest      int
	}{{"id", e.GetEventId(), 100}, {"type", e.GetType(), 100}, {"data.object.id", e.GetIntentId(), 128}} {
		if text.value == "" || len(text.value) > text.longest {
			return fault.Invalid(text.field, "must have 1 to %d characters", text.longest)
		}
	}
	if id, err := uuid.Parse(e.GetOrderId()); err != nil || id.String() != e.GetOrderId() {
		return fault.Invalid("data.object.metadata."+metadataOrder, "is not an order's id")
	}
	if seconds := e.GetCreateTime().GetSeconds(); seconds <= 0 || !e.GetCreateTime().IsValid() {
		return fault.Invalid("created", "is not a time")
	}
	return nil
}
