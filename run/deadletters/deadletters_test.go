package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/uuid"

	"larder.dev/internal/deadletter"
	"larder.dev/internal/event"
	"larder.dev/local"
)

// rig is a project of the emulator's that nobody else uses, with all topics, their dead letters, and a subscription to each topic.
type rig struct {
	*pubsub.Client
	t       *testing.T
	project string
}

func open(t *testing.T) rig {
	t.Helper()
	if os.Getenv("PUBSUB_EMULATOR_HOST") == "" {
		t.Fatal("PUBSUB_EMULATOR_HOST is not set: run the tests by `make test`, which starts the Pub/Sub emulator")
	}
	project := "larder-" + uuid.NewString()[:18]
	t.Setenv("GOOGLE_CLOUD_PROJECT", project)
	client, err := pubsub.NewClient(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	r := rig{client, t, project}
	t.Cleanup(func() { client.Close() })
	for _, topic := range deadletter.Topics {
		for _, name := range []string{topic, event.DeadLetters(topic)} {
			if _, err := client.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: r.name("topics", name)}); err != nil {
				t.Fatal(err)
			}
			_, err := client.SubscriptionAdminClient.CreateSubscription(t.Context(), &pubsubpb.Subscription{
				Name: r.name("subscriptions", name), Topic: r.name("topics", name), AckDeadlineSeconds: 60,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				ctx := context.WithoutCancel(t.Context())
				_ = client.SubscriptionAdminClient.DeleteSubscription(ctx, &pubsubpb.DeleteSubscriptionRequest{Subscription: r.name("subscriptions", name)})
				_ = client.TopicAdminClient.DeleteTopic(ctx, &pubsubpb.DeleteTopicRequest{Topic: r.name("topics", name)})
			})
		}
	}
	return r
}

func (r rig) name(kind, name string) string {
	return fmt.Sprintf("projects/%s/%s/%s", r.project, kind, name)
}

// put publishes to a topic's dead letters and returns the letter's id.
func (r rig) put(topic, data string, attributes map[string]string) string {
	r.t.Helper()
	answer, err := r.TopicAdminClient.Publish(r.t.Context(), &pubsubpb.PublishRequest{
		Topic: r.name("topics", event.DeadLetters(topic)), Messages: []*pubsubpb.PubsubMessage{{Data: []byte(data), Attributes: attributes}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.GetMessageIds()[0]
}

// take waits for the one message of a topic.
func (r rig) take(topic string) *pubsubpb.PubsubMessage {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	answer, err := r.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: r.name("subscriptions", topic), MaxMessages: 10})
	if err != nil || len(answer.GetReceivedMessages()) != 1 {
		r.t.Fatalf("%v, %v", answer, err)
	}
	return answer.GetReceivedMessages()[0].GetMessage()
}

// say runs the command.
func (r rig) say(in string, arguments ...string) (string, error) {
	r.t.Helper()
	var out bytes.Buffer
	err := run(r.t.Context(), arguments, strings.NewReader(in), &out)
	return out.String(), err
}

func (r rig) must(arguments ...string) string {
	r.t.Helper()
	out, err := r.say("", arguments...)
	if err != nil {
		r.t.Fatalf("%v: %v", arguments, err)
	}
	return out
}

var own = map[string]string{"ce-id": "w-1", "ce-type": "larder.stock.v1.StockAdjusted", "ce-subject": "stores/soho", "ce-source": "//warehouse"}

// aside is what a function adds.
var aside = map[string]string{
	"dead_letter_reason": "INVALID_EVENT", "dead_letter_detail": "delta: must not be 0\x1b[2J", "dead_letter_function": "AdjustStock",
	"dead_letter_message_id": "77", "dead_letter_time": "2026-11-26T10:00:00Z", "dead_letter_subscription": "projects/p/subscriptions/s",
}

func with(all ...map[string]string) map[string]string {
	sum := map[string]string{}
	for _, some := range all {
		maps.Copy(sum, some)
	}
	return sum
}

// A message is found, looked at as often as one likes, mended and replayed once; the others stay.
func TestFromListToReplay(t *testing.T) {
	r := open(t)
	if out := r.must("list"); out != "no dead letters\n" {
		t.Errorf("of nothing: %s", out)
	}
	other := r.put(event.StockAdjustments, `{"delta":"x"}`, aside)
	id := r.put(event.StockAdjustments, `{"delta":"0"}`, with(own, aside))
	elsewhere := r.put(event.OrderEvents, "\xff", nil)

	for range 2 { // looking takes nothing away
		out := r.must("list")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if len(lines) != 4 || !strings.HasPrefix(lines[0], "TOPIC") || strings.ContainsRune(out, '\x1b') {
			t.Fatalf("list:\n%s", out)
		}
		for _, want := range []string{id, other, elsewhere, "larder.stock.v1.StockAdjusted", "INVALID_EVENT", "delta: must not be 0"} {
			if !strings.Contains(out, want) {
				t.Errorf("list lacks %q:\n%s", want, out)
			}
		}
	}
	var listed struct {
		DeadLetters []deadletter.Letter `json:"dead_letters"`
		More        bool
	}
	out := r.must("list", "-topic", event.OrderEvents, "-json")
	var raw struct {
		DeadLetters []struct{ Data struct{ Base64 []byte } } `json:"dead_letters"`
	}
	if err := json.Unmarshal([]byte(out), &raw); err != nil || len(raw.DeadLetters) != 1 || string(raw.DeadLetters[0].Data.Base64) != "\xff" {
		t.Errorf("%v: %s", err, out)
	}
	out = r.must("show", "-topic", event.StockAdjustments, id)
	for _, want := range []string{id, "INVALID_EVENT", "AdjustStock", "attribute ce-id", "stores/soho", "\n\n{\"delta\":\"0\"}\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("show lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "dead_letter_") {
		t.Errorf("show has what the message never had:\n%s", out)
	}

	out, err := r.say(`{"delta":"5"}`, "replay", "-topic", event.StockAdjustments, id, "-data", "-", "-set", "ce-time=2026-11-26T10:00:00Z", "-set", "ce-subject=")
	if err != nil {
		t.Fatal(err)
	}
	got := r.take(event.StockAdjustments)
	want := map[string]string{"ce-id": "w-1", "ce-type": own["ce-type"], "ce-source": "//warehouse", "ce-time": "2026-11-26T10:00:00Z"}
	if string(got.GetData()) != `{"delta":"5"}` || !maps.Equal(got.GetAttributes(), want) || !strings.Contains(out, got.GetMessageId()) {
		t.Errorf("replayed as %v; said %s", got, out)
	}
	for _, verb := range []string{"replay", "show"} {
		if _, err := r.say("", verb, "-topic", event.StockAdjustments, id); !errors.Is(err, deadletter.ErrGone) || !strings.Contains(err.Error(), id) {
			t.Errorf("%s what is gone: %v", verb, err)
		}
	}
	out = r.must("list", "-topic", event.StockAdjustments, "-json")
	if err := json.Unmarshal([]byte(strings.ReplaceAll(out, `"data"`, `"-"`)), &listed); err != nil || len(listed.DeadLetters) != 1 || listed.DeadLetters[0].ID != other {
		t.Errorf("%v: %s", err, out)
	}
}

// Whoever put a message aside, it is replayed as it came.
func TestReplayAsItCame(t *testing.T) {
	r := open(t)
	change := map[string]string{"source": "products"}
	pipeline := map[string]string{
		"reason": "INDEX_REFUSED", "detail": "mapper", "message_id": "7", "subscription": "productindex-1", "product_id": "p", "revision": "3", "lsn": "9", "ts_ms": "1",
	}
	google := map[string]string{
		"CloudPubSubDeadLetterSourceDeliveryCount": "100", "CloudPubSubDeadLetterSourceSubscription": "capturepayment-order-events",
		"CloudPubSubDeadLetterSourceSubscriptionProject": "p", "CloudPubSubDeadLetterSourceTopicPublishTime": "2026-11-26T10:00:00Z",
	}
	for _, c := range []struct {
		topic        string
		own, added   map[string]string
		reason, from string
	}{
		{event.ProductCDC, change, pipeline, "INDEX_REFUSED", "productindex-1"},
		{event.OrderEvents, own, google, deadletter.Undeliverable, "capturepayment-order-events"},
		{event.OrderEvents, with(own, map[string]string{"reason": "the event's own"}), aside, "INVALID_EVENT", "AdjustStock"},
		{event.UserEvents, own, with(google, aside), "INVALID_EVENT", "AdjustStock"},
	} {
		id := r.put(c.topic, "data", with(c.own, c.added))
		out := r.must("show", "-topic", c.topic, "-json", id)
		var l struct{ Reason, From, Data string }
		if err := json.Unmarshal([]byte(out), &l); err != nil || l.Reason != c.reason || l.From != c.from || l.Data != "data" {
			t.Errorf("%v: %s, want %s of %s", err, out, c.reason, c.from)
		}
		r.must("replay", "-topic", c.topic, id)
		got := r.take(c.topic)
		if string(got.GetData()) != "data" || !maps.Equal(got.GetAttributes(), c.own) {
			t.Errorf("replayed as %v, want %v", got, c.own)
		}
	}
}

// Every topic that is there locally and in the cloud (local/pubsub.json) has dead letters, which are listed, shown and replayed. Who
// puts them aside is tested there: functions/deadletters_test.go, pipelines/productindex.
func TestEveryTopic(t *testing.T) {
	said, err := local.ReadPubSub()
	if err != nil || len(said.Topics) == 0 {
		t.Fatalf("topics %v, %v", said.Topics, err)
	}
	r := open(t)
	ids := map[string]string{}
	for _, topic := range said.Topics {
		if !slices.Contains(deadletter.Topics, topic) {
			t.Fatalf("%s has no dead letters: deadletter.Topics lacks it", topic)
		}
		ids[topic] = r.put(topic, "poison of "+topic, with(own, aside))
	}
	listed := r.must("list")
	for topic, id := range ids {
		if !strings.Contains(listed, topic) || !strings.Contains(listed, id) {
			t.Errorf("the list lacks %s %s:\n%s", topic, id, listed)
		}
		shown := r.must("show", "-topic", topic, id)
		for _, want := range []string{"INVALID_EVENT", "AdjustStock", "poison of " + topic} {
			if !strings.Contains(shown, want) {
				t.Errorf("show of %s lacks %q:\n%s", topic, want, shown)
			}
		}
		r.must("replay", "-topic", topic, id)
		if got := r.take(topic); string(got.GetData()) != "poison of "+topic || !maps.Equal(got.GetAttributes(), own) {
			t.Errorf("%s was replayed as %v", topic, got)
		}
	}
	if left := r.must("list"); left != "no dead letters\n" {
		t.Errorf("left is:\n%s", left)
	}
}

// More than a pull holds: all are listed once, a limit is kept, one at the end is found, and all are still there.
func TestMany(t *testing.T) {
	r := open(t)
	ids := map[string]bool{}
	for range 250 {
		ids[r.put(event.OrderEvents, strings.Repeat("x", 1000), own)] = true
	}
	list := func(limit string) (found []string, more bool) {
		var all struct {
			DeadLetters []struct{ ID string } `json:"dead_letters"`
			More        bool
		}
		if err := json.Unmarshal([]byte(r.must("list", "-topic", event.OrderEvents, "-json", "-limit", limit)), &all); err != nil {
			t.Fatal(err)
		}
		for _, l := range all.DeadLetters {
			found = append(found, l.ID)
		}
		slices.Sort(found)
		return slices.Compact(found), all.More
	}
	if found, more := list("7"); len(found) != 7 || !more {
		t.Errorf("%d found, more %v", len(found), more)
	}
	for range 2 {
		found, more := list("1000")
		if len(found) != 250 || more {
			t.Errorf("%d found, more %v", len(found), more)
		}
	}
	for id := range ids {
		if out := r.must("show", "-topic", event.OrderEvents, id); !strings.Contains(out, id) {
			t.Errorf("show %s: %s", id, out)
		}
		break
	}
	if found, _ := list("1000"); len(found) != 250 {
		t.Errorf("%d found after one was shown", len(found))
	}
}

// A letter stays when its message can't be published.
func TestFailedReplayKeepsTheLetter(t *testing.T) {
	r := open(t)
	id := r.put(event.UserEvents, "data", own)
	if err := r.TopicAdminClient.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: r.name("topics", event.UserEvents)}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.say("", "replay", "-topic", event.UserEvents, id); err == nil || !strings.Contains(err.Error(), "publish to user-events") {
		t.Errorf("to a topic that is gone: %v", err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, empty + "-not"} {
		if _, err := r.say("", "replay", "-topic", event.UserEvents, "-data", file, id); err == nil || !strings.Contains(err.Error(), "read the data") {
			t.Errorf("with the data of %s: %v", file, err)
		}
	}
	if out := r.must("show", "-topic", event.UserEvents, id); !strings.Contains(out, "data") {
		t.Errorf("the letter is %s", out)
	}
}

func TestErrors(t *testing.T) {
	r := open(t)
	for _, arguments := range [][]string{
		{}, {"drop"}, {"list", "x"}, {"list", "-limit", "0"}, {"list", "-limit", "1001"}, {"list", "-topic", "x"}, {"list", "-data", "x"},
		{"show", "1"}, {"show", "-topic", "order-events"}, {"show", "-topic", "order-events", "1", "2"}, {"replay", "-topic", "order-events"},
		{"replay", "-topic", "order-events", "1", "-set", "x"}, {"replay", "-topic", "order-events", "1", "-set", "=x"},
	} {
		if _, err := r.say("", arguments...); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", arguments, err)
		}
	}
	t.Setenv("GOOGLE_CLOUD_PROJECT", "larder-not-there")
	if _, err := r.say("", "list", "-topic", event.OrderEvents); err == nil || !strings.Contains(err.Error(), "order-events-dead-letters") {
		t.Errorf("without the subscription: %v", err)
	}
	if err := os.Unsetenv("GOOGLE_CLOUD_PROJECT"); err != nil { // what it was comes back with Setenv's cleanup
		t.Fatal(err)
	}
	if _, err := r.say("", "list"); err == nil || !strings.Contains(err.Error(), "GOOGLE_CLOUD_PROJECT") {
		t.Errorf("without a project: %v", err)
	}
}

// All of a topic's letters are published again, as they came, and those of others stay.
func TestReplayAll(t *testing.T) {
	r := open(t)
	for range 3 {
		r.put(event.OrderEvents, "poison", with(own, aside))
	}
	other := r.put(event.UserEvents, "poison", with(own, aside))
	if out := r.must("replay", "-topic", event.OrderEvents, "-all"); out != "order-events: 3 letters are published again\n" {
		t.Errorf("said %q", out)
	}
	if left := r.must("list"); strings.Contains(left, event.OrderEvents) || !strings.Contains(left, other) {
		t.Errorf("left is:\n%s", left)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for came := 0; came < 3; {
		answer, err := r.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: r.name("subscriptions", event.OrderEvents), MaxMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range answer.GetReceivedMessages() {
			if came++; !maps.Equal(m.GetMessage().GetAttributes(), own) {
				t.Errorf("replayed as %v", m)
			}
		}
	}
	for _, line := range []string{"-all", "-topic order-events -all 7", "-topic order-events -all -data x"} {
		if _, err := r.say("", append([]string{"replay"}, strings.Fields(line)...)...); !errors.Is(err, errUsage) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
