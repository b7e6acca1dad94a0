package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"larder.dev/pipelines/internal/cdc"
	"larder.dev/pipelines/internal/deadletter"
)

// catalogDocument is a document as the catalogue's triggers make it, as jsonb prints it.
func catalogDocument(id string, revision int64, deleted bool) string {
	return fmt.Sprintf(`{"name": "Product %s at %d", "prices": {"soho": %d}, "status": "active", "deleted": %t, "revision": %d, "product_id": %q}`,
		id, revision, revision+100, deleted, revision, id)
}

// envelope is a message as Debezium sends it.
func envelope(id string, revision int64, deleted bool, document string) []byte {
	m, err := json.Marshal(map[string]any{
		"before": nil,
		"after": map[string]any{
			"product_id": id, "document": document, "checksum": "c0ffee", "revision": revision, "deleted": deleted, "traceparent": "",
		},
		"source": map[string]any{"schema": "products", "table": "catalog_documents", "lsn": 1000 + revision, "ts_ms": 1790000000000 + revision},
		"op":     "u", "ts_ms": 1790000000001 + revision,
	})
	if err != nil {
		panic(err)
	}
	return m
}

func changed(id string, revision int64) []byte {
	return envelope(id, revision, false, catalogDocument(id, revision, false))
}

func (r *rig) want(id string, revision int64, deleted bool) {
	r.t.Helper()
	d := r.waitVersion(id, revision)
	var got, want any
	if err := json.Unmarshal(d.Source, &got); err != nil {
		r.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(catalogDocument(id, revision, deleted)), &want); err != nil {
		r.t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("%s is %s, want %s", id, d.Source, catalogDocument(id, revision, deleted))
	}
}

// seed returns a source of randomness that can be repeated with SEED.
func seed(t *testing.T) *rand.Rand {
	t.Helper()
	s := rand.Uint64()
	if v := os.Getenv("SEED"); v != "" {
		var err error
		if s, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d repeats this run", s)
	return rand.New(rand.NewPCG(s, s))
}

func TestAnyOrderAnyRepetition(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	random := seed(t)
	const products, revisions = 60, 8
	var messages [][]byte
	for p := range products {
		id := fmt.Sprintf("product-%d", p)
		for revision := int64(1); revision <= revisions; revision++ {
			deleted := p%5 == 0 && revision == revisions // the last thing that happens to some
			m := envelope(id, revision, deleted, catalogDocument(id, revision, deleted))
			for range 1 + random.IntN(3) {
				messages = append(messages, m)
			}
		}
	}
	random.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
	p := r.start().waitReady()
	r.publish(messages...)
	for p := range products {
		r.want(fmt.Sprintf("product-%d", p), revisions, p%5 == 0)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	r.wantAllAcknowledged()
}

func TestStaleNeverWins(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.start().waitReady()
	deleted := envelope("gone", 7, true, catalogDocument("gone", 7, true))
	r.publish(changed("bananas", 5), deleted)
	r.waitVersion("bananas", 5)
	r.waitVersion("gone", 7)
	r.publish(changed("bananas", 4), changed("gone", 6), changed("bananas", 5))
	r.publish(changed("marker", 1))
	r.waitVersion("marker", 1)
	p.stop()
	r.wantAllAcknowledged()
	r.want("bananas", 5, false)
	r.want("gone", 7, true)
}

func TestPoisonGoesToDeadLetters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.start().waitReady()
	poison := []struct {
		reason string
		data   []byte
	}{
		{cdc.Malformed, []byte(`{"op":`)},
		{cdc.UnknownMessage, []byte(`{"hello":"world"}`)},
		{cdc.UnavailableValue, envelope("large", 3, false, "__debezium_unavailable_value")},
		{cdc.Mismatch, envelope("mixed-up", 3, false, catalogDocument("mixed-up", 2, false))},
		{cdc.InvalidRow, envelope("", 3, false, catalogDocument("", 3, false))},
		{deadletter.IndexRefused, envelope("dear", 3, false, `{"product_id":"dear","revision":3,"deleted":false,"prices":{"soho":"dear"}}`)},
		{deadletter.IndexRefused, envelope(strings.Repeat("x", 600), 3, false, catalogDocument(strings.Repeat("x", 600), 3, false))},
	}
	var messages [][]byte
	for i, m := range poison {
		messages = append(messages, changed(fmt.Sprintf("before-%d", i), 1), m.data)
	}
	ignored := [][]byte{[]byte(`null`), []byte(`{"ts_ms":1790000000000}`), []byte(`{"op":"d","source":{"table":"catalog_documents"}}`)}
	ids := r.publish(append(messages, ignored...)...)
	letters := r.letters(len(poison))
	for i, want := range poison {
		m := letters[ids[2*i+1]]
		if m == nil {
			t.Errorf("%s: message %s is not among the dead letters", want.reason, ids[2*i+1])
			continue
		}
		if m.Attributes["reason"] != want.reason || m.Attributes["detail"] == "" {
			t.Errorf("reason %q, detail %q, want %s", m.Attributes["reason"], m.Attributes["detail"], want.reason)
		}
		if !bytes.Equal(m.Data, want.data) || m.Attributes["origin"] != "test" {
			t.Errorf("%s: the dead letter is not the message: %s %v", want.reason, m.Data, m.Attributes)
		}
		if m.Attributes["subscription"] != full("subscriptions", r.subscription) {
			t.Errorf("%s: subscription = %q", want.reason, m.Attributes["subscription"])
		}
	}
	if a := letters[ids[7]].Attributes; a["lsn"] != "1003" || a["ts_ms"] != "1790000000003" || a["product_id"] != "mixed-up" || a["revision"] != "3" {
		t.Errorf("attributes = %v, want position, product and revision", a)
	}
	for i := range poison {
		r.waitVersion(fmt.Sprintf("before-%d", i), 1)
	}
	p.stop()
	r.wantAllAcknowledged()
	if len(letters) != len(poison) {
		t.Errorf("%d dead letters, want %d", len(letters), len(poison))
	}
}

func TestPoisonIsKeptUntilTheDeadLetterTopicHasIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.start().waitReady()
	if err := r.client.TopicAdminClient.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: full("topics", r.deadTopic)}); err != nil {
		t.Fatal(err)
	}
	id := r.publish([]byte(`{"hello":"world"}`))[0]
	eventually(t, 20*time.Second, func() error { // longer than the client saves up acknowledgements
		if n := strings.Count(p.output.String(), "try again"); n < 5 {
			return fmt.Errorf("publishing was tried %d times, want 5", n)
		}
		return nil
	})
	if body := p.waitStatus("/readyz", http.StatusServiceUnavailable); !strings.Contains(body, deadletter.Part) {
		t.Errorf("readyz = %s, want it to name %s", body, deadletter.Part)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.done
	r.createTopic(r.deadTopic)
	r.deadLetters += "-again"
	r.subscribe(r.deadTopic, r.deadLetters)
	p = r.start()
	if letters := r.letters(1); letters[id] == nil {
		t.Errorf("dead letters = %v, want message %s", letters, id)
	}
	p.stop()
	r.wantAllAcknowledged()
}

// refusals says how bulk requests are answered, 0 for as Elasticsearch does, and counts those refused.
type refusals struct{ status, seen atomic.Int32 }

// refusing is a proxy to Elasticsearch that can refuse bulk requests.
func refusing(t *testing.T) (*httptest.Server, *refusals) {
	t.Helper()
	target, err := url.Parse(os.Getenv("ELASTICSEARCH_URL"))
	if err != nil {
		t.Fatal(err)
	}
	r := &refusals{}
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if s := int(r.status.Load()); s != 0 && strings.HasSuffix(q.URL.Path, "/_bulk") {
			r.seen.Add(1)
			http.Error(w, `{"error":{"type":"refused_for_now"}}`, s)
			return
		}
		forward.ServeHTTP(w, q)
	}))
	t.Cleanup(proxy.Close)
	return proxy, r
}

func TestNothingIsLostWhileElasticsearchRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	proxy, refusals := refusing(t)
	r.elasticsearch = proxy.URL
	p := r.start().waitReady()
	for round, refusal := range []int32{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		refusals.status.Store(refusal)
		var messages [][]byte
		for i := range 700 { // more than one bundle holds
			messages = append(messages, changed(fmt.Sprintf("product-%d", i), int64(round+1)))
		}
		r.publish(messages...)
		if body := p.waitStatus("/readyz", http.StatusServiceUnavailable); !strings.Contains(body, "elasticsearch") {
			t.Errorf("readyz = %s, want it to name elasticsearch", body)
		}
		refusals.status.Store(0)
		p.waitReady()
		for i := range 700 {
			r.waitVersion(fmt.Sprintf("product-%d", i), int64(round+1))
		}
	}
	p.stop()
	r.wantAllAcknowledged()
}

func TestStopWhileElasticsearchRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	proxy, refusals := refusing(t)
	r.elasticsearch = proxy.URL
	p := r.start().waitReady()
	refusals.status.Store(http.StatusServiceUnavailable)
	ids := r.publish(changed("a", 1), changed("b", 1), []byte("poison"))
	p.waitStatus("/readyz", http.StatusServiceUnavailable)
	if code := p.stop(); code != 0 { // fails after 10 s
		t.Errorf("exit code %d, want 0", code)
	}
	left := map[string]bool{}
	r.pull(r.subscription, 20*time.Second, func(m *pubsubpb.PubsubMessage) bool {
		left[m.MessageId] = true
		return len(left) == len(ids)
	})
}

func TestKilledInTheMidst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const products = 2000 // one change each, so that each lost message is a missing document
	published := make(chan struct{})
	go func() {
		defer close(published)
		for i := 0; i < products; i += 100 {
			var messages [][]byte
			for k := range 100 {
				messages = append(messages, changed(fmt.Sprintf("product-%d", i+k), 1))
			}
			r.publish(messages...)
		}
	}()
	kill := func(p *running) {
		t.Helper()
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-p.done
	}
	p := r.start()
	r.waitVersion("product-0", 1) // most are not written yet
	kill(p)

	proxy, refusals := refusing(t)
	direct := r.elasticsearch
	r.elasticsearch = proxy.URL
	refusals.status.Store(http.StatusServiceUnavailable)
	p = r.start()
	eventually(t, 30*time.Second, func() error { // messages are held, for longer than the client saves up acknowledgements
		if n := refusals.seen.Load(); n < 5 {
			return fmt.Errorf("%d bulk requests refused, want 5", n)
		}
		return nil
	})
	kill(p)

	r.elasticsearch = direct
	p = r.start()
	<-published
	for i := range products {
		r.want(fmt.Sprintf("product-%d", i), 1, false)
	}
	p.stop()
}

func TestEndsWhenTheSubscriptionIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.start().waitReady()
	r.publish(changed("bananas", 1))
	r.waitVersion("bananas", 1)
	err := r.client.SubscriptionAdminClient.DeleteSubscription(t.Context(), &pubsubpb.DeleteSubscriptionRequest{Subscription: full("subscriptions", r.subscription)})
	if err != nil {
		t.Fatal(err)
	}
	if code := p.wait(20 * time.Second); code != 1 || !strings.Contains(p.output.String(), "the subscription is gone") {
		t.Errorf("exit code %d, want 1 with the reason", code)
	}
}

func TestEndsWhenTheIndexIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.start().waitReady()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, r.elasticsearch+"/"+r.index, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	r.publish(changed("bananas", 1))
	if code := p.wait(20 * time.Second); code != 1 || !strings.Contains(p.output.String(), "the index is gone") {
		t.Errorf("exit code %d, want 1 with the reason", code)
	}
	r.start().waitReady()
	r.waitVersion("bananas", 1) // which was not acknowledged
}

func TestWaitsForWhatItNeeds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	later := r.subscription + "-later"
	early := r.subscription
	r.subscription = later
	p := r.start()
	p.waitStatus("/healthz", http.StatusOK)
	if body := p.waitStatus("/readyz", http.StatusServiceUnavailable); !strings.Contains(body, "subscription") {
		t.Errorf("readyz = %s, want it to name subscription", body)
	}
	r.subscribe(r.topic, later)
	p.waitReady()
	r.publish(changed("bananas", 1))
	r.waitVersion("bananas", 1)
	p.stop()

	r.subscription = early + "-never"
	p = r.start()
	p.waitStatus("/healthz", http.StatusOK)
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d of a stop while waiting, want 0", code)
	}
}

func TestTellsAllFaultsOfItsConfiguration(t *testing.T) {
	cmd := exec.Command(program)
	cmd.Env = []string{"PORT=many"}
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Port", "GOOGLE_CLOUD_PROJECT", "ELASTICSEARCH_URL"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("output lacks %s: %s", want, out)
		}
	}
}
