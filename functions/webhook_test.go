package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/internal/event"
)

// stripeEvent is an event as Stripe posts it.
func stripeEvent(id, kind string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"object":"event","api_version":"2025-09-30.clover","created":1782896400,"type":%q,"livemode":false,
		"data":{"object":{"id":"pi_1","object":"payment_intent","amount":958,"currency":"gbp","status":"requires_capture","metadata":{"larder_order":%q}}}}`,
		id, kind, orderID)
}

// signed is the header Stripe-Signature of a body: https://docs.stripe.com/webhooks#verify-manually.
func signed(body []byte, secret string, at time.Time) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(fmt.Appendf(nil, "%d.%s", at.Unix(), body))
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}

// webhook sends a request as the provider does, and returns the answer's reason, empty for none.
func (r *rig) webhook(method, path string, body []byte, signature string) (status int, reason string, header http.Header) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.function.URL+path, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	if signature != "" {
		req.Header.Set("Stripe-Signature", signature)
	}
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if got.StatusCode == http.StatusOK {
		return got.StatusCode, "", got.Header
	}
	var refusal struct {
		Error struct {
			Details []struct{ Reason string }
		}
	}
	if err := json.Unmarshal(text, &refusal); err != nil || len(refusal.Error.Details) == 0 {
		r.t.Fatalf("%d %s is no coded error: %v", got.StatusCode, text, err)
	}
	return got.StatusCode, refusal.Error.Details[0].Reason, got.Header
}

const webhookPath = "/v1/webhooks/payments/stripe"

func webhooks(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	r.start("PaymentWebhook")
	r.topic(event.PaymentEvents)
	r.collect(event.PaymentEvents)
	return r
}

// What the provider signs is published before it is acknowledged, and sent twice is twice the same event: the payment service takes it in
// once.
func TestWebhook(t *testing.T) {
	r := webhooks(t)
	body := stripeEvent("evt_1", "payment_intent.amount_capturable_updated")
	for _, secret := range []string{"whsec_old", "whsec_new"} {
		if status, reason, header := r.webhook(http.MethodPost, webhookPath, body, signed(body, secret, time.Now())); status != http.StatusOK || header.Get("X-Request-Id") == "" {
			t.Fatalf("signed with %s: %d %s %v", secret, status, reason, header)
		}
	}
	r.await("both messages", func() bool { return len(r.collected()) == 2 })
	want := &paymentpb.ProviderEvent{
		EventId: "evt_1", Type: "payment_intent.amount_capturable_updated", IntentId: "pi_1", OrderId: orderID, CreateTime: timestamppb.New(time.Unix(1782896400, 0)),
	}
	for _, m := range r.collected() {
		e, err := event.FromMessage(m.Attributes, m.Data)
		if err != nil {
			t.Fatal(err)
		}
		var told paymentpb.ProviderEvent
		if err := e.Decode(&told); err != nil || !proto.Equal(&told, want) {
			t.Errorf("%v %v", err, &told)
		}
		if e.ID != "evt_1" || e.Source != "//larder.dev/stripe" || e.Subject != "payments/pi_1" || !e.Time.Equal(time.Unix(1782896400, 0)) || e.TraceParent == "" {
			t.Errorf("the event is %+v", e)
		}
	}
}

// What doesn't hold is refused, and what is nothing for us is acknowledged; neither is published.
func TestWebhookRefusals(t *testing.T) {
	r := webhooks(t)
	now := time.Now()
	body := stripeEvent("evt_1", "charge.captured")
	good := signed(body, "whsec_new", now)
	broken := []byte(`{"id":"evt_1",`)
	ofNobody := bytes.ReplaceAll(body, []byte(`"metadata":{"larder_order":"`+orderID+`"}`), []byte(`"metadata":{}`))
	large := append(bytes.Clone(body), bytes.Repeat([]byte(" "), 1<<20)...)
	for _, c := range []struct {
		name, method, path string
		body               []byte
		signature          string
		status             int
		reason             string
	}{
		{"without a signature", "", "", body, "", http.StatusBadRequest, "WEBHOOK_SIGNATURE_INVALID"},
		{"a signature of another form", "", "", body, "v1=00", http.StatusBadRequest, "WEBHOOK_SIGNATURE_INVALID"},
		{"by another secret", "", "", body, signed(body, "whsec_evil", now), http.StatusBadRequest, "WEBHOOK_SIGNATURE_INVALID"},
		{"by no secret", "", "", body, signed(body, "", now), http.StatusBadRequest, "WEBHOOK_SIGNATURE_INVALID"},
		{"another body", "", "", stripeEvent("evt_2", "charge.captured"), good, http.StatusBadRequest, "WEBHOOK_SIGNATURE_INVALID"},
		{"another time", "", "", body, strings.Replace(good, "t=", "t=1", 1), http.StatusBadRequest, "WEBHOOK_SIGNATURE_INVALID"},
		{"an old one", "", "", body, signed(body, "whsec_new", now.Add(-6*time.Minute)), http.StatusBadRequest, "WEBHOOK_TOO_OLD"},
		{"one of tomorrow", "", "", body, signed(body, "whsec_new", now.Add(24*time.Hour)), http.StatusBadRequest, "WEBHOOK_TOO_OLD"},
		{"no JSON", "", "", broken, signed(broken, "whsec_new", now), http.StatusBadRequest, "INVALID_ARGUMENT"},
		{"nothing", "", "", nil, signed(nil, "whsec_new", now), http.StatusBadRequest, "INVALID_ARGUMENT"},
		{"more than 1 MiB", "", "", large, signed(large, "whsec_new", now), http.StatusRequestEntityTooLarge, "REQUEST_TOO_LARGE"},
		{"GET", http.MethodGet, "", nil, "", http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED"},
		{"elsewhere", "", "/v1/webhooks/payments/paypal", body, good, http.StatusNotFound, "ROUTE_NOT_FOUND"},
		{"of another shop", "", "", ofNobody, signed(ofNobody, "whsec_new", now), http.StatusOK, ""},
		{"a little early, as clocks go", "", "", ofNobody, signed(ofNobody, "whsec_new", now.Add(time.Minute)), http.StatusOK, ""},
	} {
		if c.method == "" {
			c.method = http.MethodPost
		}
		if c.path == "" {
			c.path = webhookPath
		}
		if status, reason, _ := r.webhook(c.method, c.path, c.body, c.signature); status != c.status || reason != c.reason {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, reason, c.status, c.reason)
		}
	}
	// What comes after all of them is the first that arrives.
	last := stripeEvent("evt_last", "payment_intent.succeeded")
	if status, reason, _ := r.webhook(http.MethodPost, webhookPath, last, signed(last, "whsec_new", now)); status != http.StatusOK {
		t.Fatalf("%d %s", status, reason)
	}
	r.await("the good one", func() bool { return len(r.collected()) > 0 })
	if first := r.collected()[0]; first.Attributes["ce-id"] != "evt_last" || len(r.collected()) != 1 {
		t.Errorf("%d messages, the first is %v", len(r.collected()), first.Attributes)
	}
	if strings.Contains(r.logs(), "whsec_") {
		t.Error("a secret is in the logs")
	}
}

// What can't be published isn't acknowledged: the provider sends it again.
func TestWebhookUnpublished(t *testing.T) {
	r := webhooks(t)
	path := fmt.Sprintf("projects/%s/topics/%s", r.project, event.PaymentEvents)
	if err := r.client.TopicAdminClient.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: path}); err != nil {
		t.Fatal(err)
	}
	body := stripeEvent("evt_1", "payment_intent.succeeded")
	status, reason, header := r.webhook(http.MethodPost, webhookPath, body, signed(body, "whsec_new", time.Now()))
	if status != http.StatusServiceUnavailable || reason != "UNAVAILABLE" || header.Get("Retry-After") == "" {
		t.Errorf("%d %s %v", status, reason, header)
	}
	if !strings.Contains(r.logs(), `"message":"webhook failed"`) {
		t.Errorf("not logged: %s", r.logs())
	}
}

func TestWebhookTolerance(t *testing.T) {
	t.Setenv("WEBHOOK_TOLERANCE", "10s")
	r := webhooks(t)
	body := stripeEvent("evt_1", "payment_intent.succeeded")
	if status, reason, _ := r.webhook(http.MethodPost, webhookPath, body, signed(body, "whsec_new", time.Now().Add(-20*time.Second))); reason != "WEBHOOK_TOO_OLD" {
		t.Errorf("%d %s", status, reason)
	}
}

// Without a secret anybody could sign.
func TestWebhookNeedsSecrets(t *testing.T) {
	newRig(t)
	for _, value := range []string{"", ",", " , ", "whsec_new,"} {
		t.Setenv("WEBHOOK_SECRETS", value)
		if _, err := all["PaymentWebhook"](t.Context(), function.New("PaymentWebhook")); err == nil || !strings.Contains(err.Error(), "WEBHOOK_SECRETS") {
			t.Errorf("WEBHOOK_SECRETS=%q: %v", value, err)
		}
	}
}
