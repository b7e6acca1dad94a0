package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "larder.dev/api/order/v1" // the types of order events
	stockpb "larder.dev/api/stock/v1"
)

// inbox is a subscription of an outsider's.
type inbox struct {
	client *pubsub.Client
	name   string
}

// received is an event whose data is valid by the proto that its type names.
type received struct {
	ID, Type, Subject string
	Data              proto.Message
}

func (d *demo) pubsub(ctx context.Context) (*pubsub.Client, error) {
	if d.client != nil {
		return d.client, nil
	}
	client, err := pubsub.NewClient(ctx, d.config.Project)
	d.client = client
	return client, err
}

// subscribe makes a subscription of this run's own on a topic.
func (d *demo) subscribe(ctx context.Context, topic string) (*inbox, error) {
	client, err := d.pubsub(ctx)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("projects/%s/subscriptions/demo-%s-%s", d.config.Project, topic, d.word)
	_, err = client.SubscriptionAdminClient.CreateSubscription(ctx, &pubsubpb.Subscription{
		Name: name, Topic: fmt.Sprintf("projects/%s/topics/%s", d.config.Project, topic), AckDeadlineSeconds: 10,
	})
	return &inbox{client: client, name: name}, err
}

func (i *inbox) close(ctx context.Context) {
	_ = i.client.SubscriptionAdminClient.DeleteSubscription(ctx, &pubsubpb.DeleteSubscriptionRequest{Subscription: i.name}) // goes with the emulator anyway
}

// await waits for the event of a type about a subject. An event on the way that isn't valid by its proto is a fault. A pull waits for
// messages and isn't cut short: what the emulator hands to a caller that is gone comes again only after its lease.
func (i *inbox) await(ctx context.Context, kind, subject string) (received, time.Duration, error) {
	const limit = 20 * time.Second
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		answer, err := i.client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: i.name, MaxMessages: 100})
		if err != nil {
			return received{}, 0, fmt.Errorf("no %s about %s within %s: %w", kind, subject, limit, err)
		}
		for _, message := range answer.GetReceivedMessages() {
			event, err := read(message.GetMessage())
			if err != nil {
				return received{}, 0, err
			}
			if event.Type == kind && event.Subject == subject {
				return event, time.Since(began), nil
			}
			err = i.client.SubscriptionAdminClient.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: i.name, AckIds: []string{message.GetAckId()}})
			if err != nil {
				return received{}, 0, err
			}
		}
	}
}

// read reads a CloudEvent as any outsider can: by the type that its attributes name, strictly.
func read(message *pubsubpb.PubsubMessage) (received, error) {
	attributes := message.GetAttributes()
	e := received{ID: attributes["ce-id"], Type: attributes["ce-type"], Subject: attributes["ce-subject"]}
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(e.Type))
	if err != nil {
		return e, fmt.Errorf("event %s: type %q: %w", e.ID, e.Type, err)
	}
	e.Data = kind.New().Interface()
	if err := protojson.Unmarshal(message.GetData(), e.Data); err != nil {
		return e, fmt.Errorf("event %s: %w", e.ID, err)
	}
	return e, nil
}

// mail waits for a mail to somebody whose subject has a word.
func (d *demo) mail(ctx context.Context, to, word string) (mail answer, err error) {
	_, err = eventually(ctx, 20*time.Second, func() error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.config.MailSink+"/mails?to="+url.QueryEscape(to), nil)
		if err != nil {
			return err
		}
		mails, err := d.send(request)
		if err != nil {
			return err
		}
		for _, one := range mails.list("mails") {
			if subject, _ := at(one, "subject").(string); strings.Contains(subject, word) {
				mail = answer{status: mails.status, body: one}
				return nil
			}
		}
		return fmt.Errorf("no mail to %s about %q: %s", to, word, mails)
	})
	return mail, err
}

// fault makes the payment provider's simulator misbehave.
func (d *demo) fault(ctx context.Context, what map[string]any) error {
	return d.control(ctx, "/_control/faults", what)
}

// control tells the payment provider's simulator how to behave.
func (d *demo) control(ctx context.Context, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.config.ProviderURL+path, strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	a, err := d.send(request)
	if err == nil && a.status != http.StatusOK {
		err = errors.New(a.String())
	}
	return err
}

// webhooks plays the provider: one event with a bad signature, one of old, and one twice.
func webhooks(ctx context.Context, d *demo) (string, error) {
	payment, err := d.must(ctx, 200, "GET", "/v1/orders/"+d.captured+"/payment", d.operator, nil)
	if err != nil {
		return "", err
	}
	event := "evt_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	now := time.Now()
	body, err := json.Marshal(map[string]any{
		"id": event, "object": "event", "api_version": "2025-09-30.clover", "created": now.Unix(), "livemode": false, "pending_webhooks": 1,
		"type": "payment_intent.succeeded", "request": map[string]any{"id": nil, "idempotency_key": nil},
		"data": map[string]any{"object": map[string]any{
			"id": payment.text("intent_id"), "object": "payment_intent", "status": "succeeded", "metadata": map[string]any{"larder_order": d.captured},
		}},
	})
	if err != nil {
		return "", err
	}
	hour := now.Add(-time.Hour)
	for _, try := range []struct {
		signature string
		status    int
		reason    string
	}{
		{sign("whsec_guessed", now, body), 400, "WEBHOOK_SIGNATURE_INVALID"},
		{sign(d.config.WebhookSecret, hour, body), 400, "WEBHOOK_TOO_OLD"},
		{sign(d.config.WebhookSecret, now, body), 200, ""},
		{sign(d.config.WebhookSecret, now, body), 200, ""},
	} {
		status, reason, err := d.webhook(ctx, body, try.signature)
		if err != nil {
			return "", err
		}
		if status != try.status || reason != try.reason {
			return "", fmt.Errorf("the webhook was answered %d %s, want %d %s", status, reason, try.status, try.reason)
		}
	}
	lag, err := eventually(ctx, 20*time.Second, func() error {
		after, err := d.must(ctx, 200, "GET", "/v1/orders/"+d.captured+"/payment", d.operator, nil)
		if err == nil && (countEvents(after, "event_id", event) != 1 || after.text("state") != payment.text("state") || after.minor("captured") != payment.minor("captured")) {
			err = errors.New(after.String())
		}
		return err
	})
	return fmt.Sprintf("WEBHOOK_SIGNATURE_INVALID; WEBHOOK_TOO_OLD; taken in once, after %d ms, the payment as it was", lag.Milliseconds()), err
}

// lostWebhook gives money back at the provider's own desk while its webhooks don't arrive. ReconcilePayments would find it within minutes;
// here the operator asks for the same.
func lostWebhook(ctx context.Context, d *demo) (string, error) {
	const goodwill = 50
	s, err := d.newShopper(ctx, "goodwill")
	if err != nil {
		return "", err
	}
	order, err := d.buy(ctx, s, map[string]int{d.goods: 1})
	if err != nil {
		return "", err
	}
	id := order.text("order_id")
	if err := d.pickAndPack(ctx, id); err != nil {
		return "", err
	}
	payment, _, err := d.payment(ctx, id, "CAPTURED", "payment_intent.succeeded")
	if err != nil {
		return "", err
	}
	if err := d.control(ctx, "/_control/webhooks", map[string]any{"lose": 1}); err != nil {
		return "", err
	}
	defer func() {
		_ = d.control(context.WithoutCancel(ctx), "/_control/webhooks", map[string]any{})
	}() // what it tells until then is lost
	_, err = d.atProvider(ctx, "/v1/refunds", url.Values{"payment_intent": {payment.text("intent_id")}, "amount": {strconv.Itoa(goodwill)}})
	if err != nil {
		return "", err
	}
	if unaware, _, err := d.payment(ctx, id, "CAPTURED"); err != nil || countEvents(unaware, "type", "charge.refunded") > 0 {
		return "", errors.Join(fmt.Errorf("the webhook was to be lost: %s", unaware), err)
	}
	if err := d.mend(ctx, id); err != nil {
		return "", err
	}
	mended, _, err := d.payment(ctx, id, "PARTIALLY_REFUNDED")
	if err != nil || mended.minor("refunded") != goodwill || len(mended.list("events")) != len(payment.list("events")) {
		return "", errors.Join(errors.New(mended.String()), err)
	}
	return fmt.Sprintf("%d of %d pence given back there, of which no webhook told; the audit took it into our books", goodwill, payment.minor("captured")), nil
}

// mend audits all payments of the last days and lets it mend what it may, until an order's payment was mended: one that changed within the
// last second isn't looked at yet.
func (d *demo) mend(ctx context.Context, order string) error {
	body := map[string]any{"settled_seconds": 1, "mend": true}
	mended := false
	_, err := eventually(ctx, 20*time.Second, func() error {
		delete(body, "page_token")
		for {
			page, err := d.must(ctx, 200, "POST", "/v1/payments:audit", d.operator, body)
			if err != nil {
				return err
			}
			for _, finding := range page.list("findings") {
				if at(finding, "mended") != true {
					return fmt.Errorf("not mended: %v", finding) // an order that is being bought meanwhile is settled in a moment
				}
				mended = mended || at(finding, "order_id") == order
			}
			if body["page_token"] = page.text("next_page_token"); body["page_token"] != "" {
				continue
			}
			if !mended {
				return fmt.Errorf("the audit doesn't find order %s", order)
			}
			return nil
		}
	})
	return err
}

// sign signs a webhook's time and body as Stripe does.
func sign(secret string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(mac, "%d.%s", at.Unix(), body) // a hash takes all
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}

// webhook posts to the public address; the answer's body counts only where there was a refusal.
func (d *demo) webhook(ctx context.Context, body []byte, signature string) (status int, reason string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.config.Edge+"/v1/webhooks/payments/stripe", strings.NewReader(string(body)))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Stripe-Signature", signature)
	response, err := d.http.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode}
	_ = json.NewDecoder(response.Body).Decode(&a.body) // a body that says nothing has no reason
	return a.status, a.reason(), nil
}

// publish sends a warehouse's message. Data is sent as it is.
func (d *demo) publish(ctx context.Context, id string, data []byte) error {
	client, err := d.pubsub(ctx)
	if err != nil {
		return err
	}
	_, err = client.TopicAdminClient.Publish(ctx, &pubsubpb.PublishRequest{
		Topic: fmt.Sprintf("projects/%s/topics/stock-adjustments", d.config.Project),
		Messages: []*pubsubpb.PubsubMessage{{Data: data, Attributes: map[string]string{
			"ce-id": id, "ce-type": "larder.stock.v1.StockAdjusted", "ce-source": "//warehouse.example/demo", "ce-specversion": "1.0",
			"ce-time": time.Now().UTC().Format(time.RFC3339Nano), "content-type": "application/json",
		}}},
	})
	return err
}

func lastUnit(ctx context.Context, d *demo) (string, error) {
	const name = "figs"
	s, err := d.newShopper(ctx, "last")
	if err != nil {
		return "", err
	}
	product, err := d.newProduct(ctx, name, 220, map[string]int{store: 1, "camden": 1})
	if err != nil {
		return "", err
	}
	if _, err := d.buy(ctx, s, map[string]int{product: 1}); err != nil {
		return "", err
	}
	lag, err := d.foundAvailable(ctx, store, product, name, false)
	if err != nil {
		return "", err
	}
	_, err = d.foundAvailable(ctx, "camden", product, name, true)
	return fmt.Sprintf("unavailable in soho %d ms after the order, still available in camden", lag.Milliseconds()), err
}

func warehouse(ctx context.Context, d *demo) (string, error) {
	const name = "figs" // sold out by the step before
	product := d.word + "-" + name
	data, err := protojson.Marshal(&stockpb.StockAdjusted{
		StoreId: store, Reason: "delivery 4711", Adjustments: []*stockpb.Adjustment{{ProductId: product, Quantity: 7}},
	})
	if err != nil {
		return "", err
	}
	id := uuid.NewString()
	for range 2 {
		if err := d.publish(ctx, id, data); err != nil {
			return "", err
		}
	}
	lag, err := d.foundAvailable(ctx, store, product, name, true)
	if err != nil {
		return "", err
	}
	// A third, later message that the function takes in after both: then both are through.
	if err := d.publish(ctx, uuid.NewString(), data); err != nil {
		return "", err
	}
	if _, err := d.becomesAvailable(ctx, product, 14); err != nil {
		return "", err
	}
	entries, err := d.must(ctx, 200, "GET", "/v1/stores/"+store+"/stock/"+product+"/entries", d.operator, nil)
	if err != nil {
		return "", err
	}
	var quantities []string
	for _, entry := range entries.list("entries") {
		quantities = append(quantities, fmt.Sprintf("%+d %v", number(at(entry, "quantity")), at(entry, "kind")))
	}
	history := strings.Join(quantities, ", ")
	if history != "+7 adjustment, +7 adjustment, -1 sale, +1 adjustment" {
		return "", errors.New(entries.String())
	}
	return fmt.Sprintf("sent twice, +7 once; available again after %d ms; another one, +7 more; the ledger: %s", lag.Milliseconds(), history), nil
}

func malformed(ctx context.Context, d *demo) (string, error) {
	before, err := d.available(ctx, d.goods)
	if err != nil {
		return "", err
	}
	id := uuid.NewString()
	broken := fmt.Sprintf(`{"store_id": %q, "reason": "delivery 4712", "adjustments": [{"product_id": %q, "quantity": "many"}]}`, store, d.goods)
	if err := d.publish(ctx, id, []byte(broken)); err != nil {
		return "", err
	}
	var letter answer
	_, err = eventually(ctx, 30*time.Second, func() error {
		letters, err := d.deadLetters(ctx, "list", "-json", "-topic", "stock-adjustments")
		if err != nil {
			return err
		}
		for _, one := range letters.list("dead_letters") {
			if attributes, _ := at(one, "attributes").(map[string]any); attributes["ce-id"] == id {
				letter = answer{body: one}
				return nil
			}
		}
		return fmt.Errorf("no dead letter of %s: %s", id, letters)
	})
	if err != nil {
		return "", err
	}
	shown, err := d.deadLetters(ctx, "show", "-json", "-topic", "stock-adjustments", letter.text("id"))
	if err != nil {
		return "", err
	}
	if shown.text("data") != broken || shown.text("reason") == "" {
		return "", errors.New(shown.String())
	}
	mended := filepath.Join(d.config.State, "run", "mended-"+d.word+".json")
	if err := os.WriteFile(mended, []byte(strings.Replace(broken, `"many"`, "12", 1)), 0o600); err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(mended) }()
	if _, err := d.deadLetters(ctx, "replay", "-topic", "stock-adjustments", "-data", mended, letter.text("id")); err != nil {
		return "", err
	}
	lag, err := d.becomesAvailable(ctx, d.goods, before+12)
	if err != nil {
		return "", err
	}
	if _, err := d.deadLetters(ctx, "show", "-json", "-topic", "stock-adjustments", letter.text("id")); err == nil {
		return "", errors.New("the replayed letter is still there")
	}
	return fmt.Sprintf("%s: %.80s; mended and replayed: +12 after %d ms", shown.text("reason"), shown.text("detail"), lag.Milliseconds()), nil
}

// deadLetters runs the command that make dlq runs.
func (d *demo) deadLetters(ctx context.Context, args ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(d.config.State, "bin", "deadletters"), args...)
	out, err := command.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return answer{}, fmt.Errorf("deadletters %s: %s", strings.Join(args, " "), strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return answer{}, err
	}
	var a answer
	_ = json.Unmarshal(out, &a.body) // replay speaks in words
	return a, nil
}
