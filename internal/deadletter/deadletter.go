// Package deadletter looks at messages that were put aside because they can never be taken in, and publishes them again when they
// are mended.
//
//   - A dead letter lies in the subscription event.DeadLetters(topic) of the topic of that name: the message as it came, with
//     attributes that say why it was put aside. Functions, the index's pipeline and Pub/Sub itself each put aside with names of their own.
//   - Pub/Sub has no browsing. Letters are pulled, which leases them, and given back when they have been looked at; what a process
//     that dies holds comes back when its leases end, after half a minute. Until then others don't see it.
//   - A replay publishes the message to its topic, waits until Pub/Sub has it, and only then acknowledges the letter. A process that
//     dies in between leaves both: the next replay is a duplicate, and whoever reads events takes those.
//   - A replay goes to all subscriptions of the topic, like the message before it.
package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"larder.dev/internal/event"
)

// Topics are those whose messages may be put aside.
var Topics = []string{
	event.OrderEvents, event.UserEvents, event.PaymentEvents, event.StockEvents, event.StockAdjustments, event.ProductCDC,
}

// ErrGone says that no letter has the id: it was replayed or has expired, or somebody else holds it for the moment.
var ErrGone = errors.New("there is no such dead letter; if somebody else is looking at it, it is back within a minute")

// Undeliverable is the reason of letters that Pub/Sub put aside by itself, after too many tries.
const Undeliverable = "UNDELIVERABLE"

// Limits of one look at a subscription.
const (
	lease    = 30 * time.Second
	atMost   = 20 * time.Second // well below the lease: what is held stays held until it is given back
	quiet    = 2 * time.Second  // without a letter, there are no more
	patience = 10 * time.Second // with any other request
	batch    = 100              // letters a pull
	maxBytes = 64 << 20         // of data held
)

// Letter is a message that was put aside.
type Letter struct {
	// Topic is what the message was published to.
	Topic string `json:"topic"`
	// ID names the letter, not the message that it was.
	ID string `json:"id"`
	// Time is when it was put aside.
	Time time.Time `json:"time"`
	// Type and Subject are the event's, if it says so.
	Type    string `json:"type,omitempty"`
	Subject string `json:"subject,omitempty"`
	// Reason is a stable word; Detail is for people. From is the function or the subscription that put it aside.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
	From   string `json:"from,omitempty"`
	// Attributes are the message's own.
	Attributes map[string]string `json:"attributes"`
	Data       Data              `json:"data"`

	ordering string
}

// Data is a message's. Its JSON is a string, or {"base64": "..."} if it is no UTF-8.
type Data []byte

// MarshalJSON implements json.Marshaler.
func (d Data) MarshalJSON() ([]byte, error) {
	if utf8.Valid(d) {
		return json.Marshal(string(d))
	}
	return json.Marshal(map[string][]byte{"base64": d})
}

// Mend says what is changed before a replay. The zero value changes nothing.
type Mend struct {
	// Data replaces the message's; nil leaves it.
	Data []byte
	// Attributes are set; an empty value takes one off.
	Attributes map[string]string
}

// Box has a topic's dead letters.
type Box struct {
	client         *pubsub.Client
	project, topic string
}

// NewBox makes the box of a topic.
func NewBox(client *pubsub.Client, project, topic string) *Box {
	return &Box{client, project, topic}
}

// List returns up to limit letters, oldest first. more tells that there may be others.
func (b *Box) List(ctx context.Context, limit int) (letters []Letter, more bool, err error) {
	more, err = b.walk(ctx, func(l Letter, _ string) bool {
		letters = append(letters, l)
		return len(letters) < limit
	})
	slices.SortStableFunc(letters, func(a, b Letter) int { return a.Time.Compare(b.Time) })
	return letters, more, err
}

// Get returns a letter, or ErrGone.
func (b *Box) Get(ctx context.Context, id string) (Letter, error) {
	found, receipt, err := b.find(ctx, id)
	if err == nil {
		b.giveBack(ctx, []string{receipt})
	}
	return found, err
}

// Replay publishes a letter's message to its topic, mended, and then acknowledges the letter. It returns the id of the message, or
// ErrGone. With both an id and an error the message is published, and the letter is still there.
func (b *Box) Replay(ctx context.Context, id string, mend Mend) (message string, err error) {
	l, receipt, err := b.find(ctx, id)
	if err != nil {
		return "", err
	}
	done := false
	defer func() {
		if !done {
			b.giveBack(ctx, []string{receipt})
		}
	}()
	if mend.Data != nil {
		l.Data = mend.Data
	}
	for name, value := range mend.Attributes {
		if l.Attributes[name] = value; value == "" {
			delete(l.Attributes, name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := b.client.TopicAdminClient.Publish(ctx, &pubsubpb.PublishRequest{
		Topic:    fmt.Sprintf("projects/%s/topics/%s", b.project, b.topic),
		Messages: []*pubsubpb.PubsubMessage{{Data: l.Data, Attributes: l.Attributes, OrderingKey: l.ordering}},
	})
	if err != nil {
		return "", fmt.Errorf("publish to %s: %w", b.topic, err)
	}
	if len(answer.GetMessageIds()) != 1 {
		return "", fmt.Errorf("publish to %s: not acknowledged", b.topic)
	}
	message = answer.GetMessageIds()[0]
	err = b.client.SubscriptionAdminClient.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: b.subscription(), AckIds: []string{receipt}})
	if err != nil {
		return message, fmt.Errorf("it is published as %s, but stays in %s: %w", message, event.DeadLetters(b.topic), err)
	}
	done = true
	return message, nil
}

func (b *Box) subscription() string {
	return fmt.Sprintf("projects/%s/subscriptions/%s", b.project, event.DeadLetters(b.topic))
}

// find returns a letter and its receipt, still held; all others are given back.
func (b *Box) find(ctx context.Context, id string) (found Letter, receipt string, err error) {
	_, err = b.walk(ctx, func(l Letter, r string) bool {
		if l.ID == id {
			found, receipt = l, r
		}
		return receipt == ""
	}, id)
	if err == nil && receipt == "" {
		err = ErrGone
	}
	return found, receipt, err
}

// walk leases letters and shows each once, with its receipt, until see returns false or there are no more. It gives back all but the
// one to keep. more tells that it ended before it had seen all.
func (b *Box) walk(ctx context.Context, see func(l Letter, receipt string) bool, keep ...string) (more bool, err error) {
	// Asked first, since a pull that times out says nothing: whether there is a subscription, and somebody to ask.
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := b.client.SubscriptionAdminClient.GetSubscription(asking, &pubsubpb.GetSubscriptionRequest{Subscription: b.subscription()}); err != nil {
		return false, fmt.Errorf("look for the subscription %s: %w", event.DeadLetters(b.topic), err)
	}
	held := map[string]string{} // receipts by letter
	defer func() {
		for _, id := range keep {
			delete(held, id)
		}
		b.giveBack(ctx, slices.Collect(maps.Values(held)))
	}()
	size, open := 0, true
	for end := time.Now().Add(atMost); open; {
		pulled, err := b.pull(ctx)
		if err != nil {
			return false, err
		}
		fresh := false
		for _, m := range pulled {
			l := letter(b.topic, m.GetMessage())
			_, known := held[l.ID]
			held[l.ID] = m.GetAckId()
			if known || !open {
				continue
			}
			fresh = true
			size += len(l.Data)
			open = see(l, m.GetAckId())
		}
		if !fresh {
			return false, nil
		}
		if size > maxBytes || time.Now().After(end) {
			break
		}
	}
	return true, nil
}

// pull leases some letters; none, if none comes for a while.
func (b *Box) pull(ctx context.Context) ([]*pubsubpb.ReceivedMessage, error) {
	waiting, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	answer, err := b.client.SubscriptionAdminClient.Pull(waiting, &pubsubpb.PullRequest{Subscription: b.subscription(), MaxMessages: batch})
	if status.Code(err) == codes.DeadlineExceeded && ctx.Err() == nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pull from %s: %w", event.DeadLetters(b.topic), err)
	}
	receipts := make([]string, len(answer.GetReceivedMessages()))
	for i, m := range answer.GetReceivedMessages() {
		receipts[i] = m.GetAckId()
	}
	if err := b.leaseFor(ctx, receipts, lease); err != nil {
		return nil, fmt.Errorf("hold dead letters of %s: %w", b.topic, err)
	}
	return answer.GetReceivedMessages(), nil
}

// giveBack ends leases; those that it can't end run out by themselves.
func (b *Box) giveBack(ctx context.Context, receipts []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_ = b.leaseFor(ctx, receipts, 0)
}

// leaseFor sets how long letters are held from now on, 0 for no longer.
func (b *Box) leaseFor(ctx context.Context, receipts []string, how time.Duration) error {
	for some := range slices.Chunk(receipts, 1000) { // a request has a limit of half a megabyte
		err := b.client.SubscriptionAdminClient.ModifyAckDeadline(ctx, &pubsubpb.ModifyAckDeadlineRequest{
			Subscription: b.subscription(), AckIds: some, AckDeadlineSeconds: int32(how.Seconds()),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Names that whoever puts a message aside gives to attributes: functions a prefix (functions/internal/push), Pub/Sub one of its own,
// the index's pipeline words (pipelines/internal/deadletter).
const (
	ours   = "dead_letter_"
	google = "CloudPubSubDeadLetter"
)

var pipelines = []string{"reason", "detail", "message_id", "subscription", "product_id", "revision", "lsn", "ts_ms"}

// letter tells the message's own attributes from those of the letter.
func letter(topic string, m *pubsubpb.PubsubMessage) Letter {
	l := Letter{
		Topic: topic, ID: m.GetMessageId(), Time: m.GetPublishTime().AsTime(), Data: m.GetData(), ordering: m.GetOrderingKey(),
		Attributes: map[string]string{},
	}
	added := map[string]string{}
	for name, value := range m.GetAttributes() {
		switch {
		case strings.HasPrefix(name, google):
			added[name] = value
		case strings.HasPrefix(name, ours):
			added[strings.TrimPrefix(name, ours)] = value
		case topic == event.ProductCDC && slices.Contains(pipelines, name):
			added[name] = value
		default:
			l.Attributes[name] = value
		}
	}
	l.Type, l.Subject = l.Attributes["ce-type"], l.Attributes["ce-subject"]
	l.Reason, l.Detail, l.From = added["reason"], added["detail"], added["function"]
	if l.From == "" {
		l.From = added["subscription"]
	}
	if from := added[google+"SourceSubscription"]; l.Reason == "" && from != "" {
		l.Reason, l.From = Undeliverable, from
		l.Detail = "delivered " + added[google+"SourceDeliveryCount"] + " times without success"
	}
	return l
}
