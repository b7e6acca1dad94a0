package stripe

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v83/webhook"

	"larder.dev/internal/fault"
)

const (
	orderID  = "832bd3c6-6200-5d31-b1dc-34a77ee5eccb"
	secret   = "whsec_one"
	previous = "whsec_zero"
	window   = 5 * time.Minute
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// body is an event about an object.
func body(kind, object string) string {
	return fmt.Sprintf(`{"id":"evt_1","object":"event","api_version":"2025-10-29.clover","created":1764158400,"type":%q,"data":{"object":%s}}`, kind, object)
}

func intentOf(order string) string {
	return fmt.Sprintf(`{"id":"pi_1","object":"payment_intent","status":"succeeded","metadata":{"larder_order":%q}}`, order)
}

// header signs as Stripe does.
func header(body string, at time.Time, secrets ...string) string {
	text := fmt.Sprintf("t=%d", at.Unix())
	for _, secret := range secrets {
		text += ",v1=" + hex.EncodeToString(webhook.ComputeSignature(at, []byte(body), secret))
	}
	return text
}

func TestReadWebhook(t *testing.T) {
	succeeded := body("payment_intent.succeeded", intentOf(orderID))
	for _, c := range []struct {
		name, body string
		nothing    bool
	}{
		{"an intent", succeeded, false},
		{"a charge", body("charge.refunded", `{"id":"ch_1","object":"charge","payment_intent":"pi_1","metadata":{"larder_order":"`+orderID+`"}}`), false},
		{"a charge with its intent", body("charge.refunded", `{"id":"ch_1","object":"charge","payment_intent":{"id":"pi_1"},"metadata":{"larder_order":"`+orderID+`"}}`), false},
		{"fields of a newer version", strings.Replace(succeeded, `"status":"succeeded"`, `"status":{"new":1},"x":[]`, 1), false},
		{"creation", body("payment_intent.created", intentOf(orderID)), true},
		{"not ours", body("payment_intent.succeeded", `{"id":"pi_1","object":"payment_intent","metadata":{"shop":"7"}}`), true},
		{"without metadata", body("payment_intent.succeeded", `{"id":"pi_1","object":"payment_intent"}`), true},
		{"a charge without an intent", body("charge.succeeded", `{"id":"ch_1","object":"charge","payment_intent":null,"metadata":{"larder_order":"`+orderID+`"}}`), true},
		{"another object", body("customer.created", `{"id":"cus_1","object":"customer","metadata":{"larder_order":{"nested":true}}}`), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ReadWebhook([]byte(c.body), header(c.body, noon, secret), []string{secret}, window, noon)
			if err != nil || (got == nil) != c.nothing {
				t.Fatalf("%v, %v", got, err)
			}
			if got != nil && (got.GetEventId() != "evt_1" || got.GetIntentId() != "pi_1" || got.GetOrderId() != orderID ||
				got.GetCreateTime().GetSeconds() != 1764158400 || !strings.Contains(c.body, got.GetType())) {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestReadWebhookSignature(t *testing.T) {
	good := body("payment_intent.succeeded", intentOf(orderID))
	both := []string{previous, secret}
	right := header(good, noon, secret)
	stamp, _, _ := strings.Cut(right, ",")
	for _, c := range []struct {
		name, body, header string
		secrets            []string
		now                time.Time
		want               *fault.Reason
	}{
		{"right", good, right, both, noon, nil},
		{"by the secret before", good, header(good, noon, previous), both, noon, nil},
		{"by both", good, header(good, noon, secret, previous), []string{previous}, noon, nil},
		{"a broken one before it", good, strings.Replace(right, ",v1=", ",v1=zz,v1=00,v0=1,v1=", 1), both, noon, nil},
		{"spaces", good, strings.ReplaceAll(right, ",", ", "), both, noon, nil},
		{"at the end of the window", good, right, both, noon.Add(window), nil},
		{"at its start", good, right, both, noon.Add(-window), nil},

		{"too old", good, right, both, noon.Add(window + time.Second), &fault.WebhookTooOld},
		{"too new", good, right, both, noon.Add(-window - time.Second), &fault.WebhookTooOld},
		{"too old and by nobody", good, header(good, noon, "other"), both, noon.Add(time.Hour), &fault.WebhookSignatureInvalid},
		{"of another body", good + " ", right, both, noon, &fault.WebhookSignatureInvalid},
		{"of another time", good, strings.Replace(right, fmt.Sprint(noon.Unix()), fmt.Sprint(noon.Unix()+1), 1), both, noon, &fault.WebhookSignatureInvalid},
		{"a second time", good, right + fmt.Sprintf(",t=%d", noon.Unix()), both, noon, &fault.WebhookSignatureInvalid},
		{"no time", good, strings.TrimPrefix(right, stamp+","), both, noon, &fault.WebhookSignatureInvalid},
		{"a time that is none", good, strings.Replace(right, stamp, "t=noon", 1), both, noon, &fault.WebhookSignatureInvalid},
		{"by an unknown secret", good, header(good, noon, "other"), both, noon, &fault.WebhookSignatureInvalid},
		{"by an empty secret", good, header(good, noon, ""), []string{"", secret}, noon, &fault.WebhookSignatureInvalid},
		{"of another scheme", good, strings.Replace(right, "v1=", "v0=", 1), both, noon, &fault.WebhookSignatureInvalid},
		{"half of it", good, right[:len(right)-32], both, noon, &fault.WebhookSignatureInvalid},
		{"no header", good, "", both, noon, &fault.WebhookSignatureInvalid},
		{"no secrets", good, right, nil, noon, &fault.WebhookSignatureInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ReadWebhook([]byte(c.body), c.header, c.secrets, window, c.now)
			switch {
			case c.want == nil && (err != nil || got.GetIntentId() != "pi_1"):
				t.Errorf("%v, %v", got, err)
			case c.want != nil && (got != nil || !fault.Is(err, *c.want)):
				t.Errorf("%v, %v, want %s", got, err, c.want.Name)
			}
		})
	}
}

// What Stripe has signed and can't be an event of ours is refused with the field that is wrong.
func TestReadWebhookMalformed(t *testing.T) {
	good := body("payment_intent.succeeded", intentOf(orderID))
	for _, c := range []struct{ name, body, field string }{
		{"nothing", "", "body"},
		{"no JSON", "{", "body"},
		{"a list", "[]", "body"},
		{"no event", `{"object":"charge"}`, "object"},
		{"no data", `{"object":"event","id":"evt_1"}`, "data.object"},
		{"no object", body("x", `7`), "data.object"},
		{"metadata that is no text", body("x", `{"object":"payment_intent","metadata":{"larder_order":7}}`), "data.object"},
		{"an order that is none", body("x", intentOf("4711")), "data.object.metadata.larder_order"},
		{"an order in another form", body("x", intentOf("urn:uuid:"+orderID)), "data.object.metadata.larder_order"},
		{"no id", strings.Replace(good, "evt_1", "", 1), "id"},
		{"a long id", strings.Replace(good, "evt_1", strings.Repeat("e", 101), 1), "id"},
		{"no type", strings.Replace(good, "payment_intent.succeeded", "", 1), "type"},
		{"no intent", strings.Replace(good, "pi_1", "", 1), "data.object.id"},
		{"no time", strings.Replace(good, "1764158400", "0", 1), "created"},
		{"a time beyond all", strings.Replace(good, "1764158400", "9223372036854775807", 1), "created"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ReadWebhook([]byte(c.body), header(c.body, noon, secret), []string{secret}, window, noon)
			if got != nil || !fault.Is(err, fault.InvalidArgument) || !strings.Contains(err.Error(), "; "+c.field+": ") {
				t.Errorf("%v, %v, want a violation of %s", got, err, c.field)
			}
		})
	}
}

// Whatever the body is, signed it is an event within the contract's limits, nothing, or refused; unsigned it is refused, whatever the
// header is.
func FuzzReadWebhook(f *testing.F) {
	good := body("payment_intent.succeeded", intentOf(orderID))
	f.Add(good, header(good, noon, secret))
	f.Add(body("charge.refunded", `{"id":"ch_1","object":"charge","payment_intent":"pi_1","metadata":{"larder_order":"`+orderID+`"}}`), "t=1,v1=00")
	f.Add(body("x", `{"object":"charge","payment_intent":"`), "v1=,t=")
	f.Add(`{"object":"event","created":-1,"data":null}`, ",,=,t=-9223372036854775808")
	f.Fuzz(func(t *testing.T, body, forged string) {
		got, err := ReadWebhook([]byte(body), header(body, noon, secret), []string{secret}, window, noon)
		switch {
		case err != nil && (got != nil || !fault.Is(err, fault.InvalidArgument)):
			t.Errorf("%v, %v", got, err)
		case got != nil:
			var event map[string]any
			if err := json.Unmarshal([]byte(body), &event); err != nil || check(got) != nil {
				t.Errorf("%q was read as %v (%v)", body, got, errors.Join(err, check(got)))
			}
		}
		if got, err := ReadWebhook([]byte(body), forged, []string{"whsec_unknown"}, window, noon); !fault.Is(err, fault.WebhookSignatureInvalid) {
			t.Errorf("%q is taken for a signature: %v, %v", forged, got, err)
		}
	})
}
