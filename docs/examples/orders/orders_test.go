package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

const order = "832bd3c6-6200-5d31-b1dc-34a77ee5eccb"

// event is the event of a version of the order.
func event(version int, state string) (attributes map[string]string, data []byte) {
	return map[string]string{
		"ce-type": "larder.order.v1.Order" + state, "ce-source": "//larder.dev/outbox", "ce-id": fmt.Sprintf("%s-%d", order, version),
	}, fmt.Appendf(nil, `{"order":{"order_id":%q,"state":%q,"a_new_field":[1]},"version":"%d"}`, order, strings.ToUpper(state), version)
}

// output is what a program says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("it isn't so that %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// Events come twice, late and in another order, the program dies and goes on: each is taken in once, and an order is what its latest one says.
func TestFollow(t *testing.T) {
	if os.Getenv("PUBSUB_EMULATOR_HOST") == "" {
		t.Fatal(`PUBSUB_EMULATOR_HOST is not set: PROFILE=test ONLY=components make up, then eval "$(local/env.sh test)"`)
	}
	c := config{project: fmt.Sprintf("example-%d", time.Now().UnixNano()), subscription: "mine", journal: filepath.Join(t.TempDir(), "orders.jsonl")}
	client, err := pubsub.NewClient(t.Context(), c.project)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	path := fmt.Sprintf("projects/%s/topics/%s", c.project, topic)
	if _, err := client.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: path}); err != nil {
		t.Fatal(err)
	}
	send := func(version int, state string) {
		t.Helper()
		attributes, data := event(version, state)
		_, err := client.TopicAdminClient.Publish(t.Context(), &pubsubpb.PublishRequest{
			Topic: path, Messages: []*pubsubpb.PubsubMessage{{Attributes: attributes, Data: data}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	journal := func(lines int) func() bool {
		return func() bool {
			text, err := os.ReadFile(c.journal)
			return err == nil && bytes.Count(text, []byte("\n")) == lines
		}
	}
	start := func() (*output, func()) {
		out, ended := &output{}, make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		go func() { ended <- run(ctx, c, out) }()
		eventually(t, "it listens", func() bool { return out.String() != "" })
		return out, func() {
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}

	out, stop := start()
	send(1, "Confirmed")
	eventually(t, "the first is in the journal", journal(1))
	send(3, "Packed")
	eventually(t, "the third is, too", journal(2))
	send(1, "Confirmed")
	send(2, "Picking")
	eventually(t, "the second came last", journal(3))
	stop()
	if want := fmt.Sprintf("listening\norder %s is CONFIRMED\norder %s is PACKED\n", order, order); out.String() != want {
		t.Errorf("it said %q, want %q", out, want)
	}

	// It died while it wrote the next line.
	file, err := os.OpenFile(c.journal, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"source":"//larder.dev/outb`); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	send(3, "Packed")
	out, stop = start()
	send(4, "Dispatched")
	eventually(t, "the fourth is in the journal", journal(4))
	stop()
	if want := fmt.Sprintf("listening\norder %s is DISPATCHED\n", order); out.String() != want {
		t.Errorf("it said %q, want %q", out, want)
	}
}

// What it can't read isn't taken in, what it doesn't need is passed over.
func TestTake(t *testing.T) {
	o, err := open(filepath.Join(t.TempDir(), "orders.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.close() })
	for name, c := range map[string]struct {
		kind, data string
		wrong      bool
	}{
		"no JSON":        {"OrderPacked", "{", true},
		"no version":     {"OrderPacked", `{"order":{"order_id":"a"}}`, true},
		"no order":       {"OrderPacked", `{"version":"1"}`, true},
		"a refund":       {"OrderRefunded", `{"order_id":"a"}`, false},
		"a type to come": {"OrderGiftWrapped", `[]`, false},
	} {
		news, err := o.take(map[string]string{"ce-type": "larder.order.v1." + c.kind, "ce-source": "s", "ce-id": name}, []byte(c.data))
		if news != "" || (err != nil) != c.wrong {
			t.Errorf("%s: %q, %v", name, news, err)
		}
	}
	if len(o.taken) != 0 {
		t.Errorf("taken in were %v", o.taken)
	}
}
