package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"larder.dev/pipelines/internal/bulk"
)

const testProject = "larder-local"

// program is the built pipeline: tests run what is released.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if os.Getenv(worker) != "" {
			return m.Run() // one that stands for a worker, of a test that needs no program
		}
		dir, err := os.MkdirTemp("", "productindex-")
		if err != nil {
			log.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		program = filepath.Join(dir, "productindex")
		if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
			log.Fatalf("build the pipeline: %v\n%s", err, out)
		}
		return m.Run()
	}())
}

// rig is a topic, a subscription, a dead-letter topic and an index that only one test uses.
type rig struct {
	t             *testing.T
	client        *pubsub.Client
	topic         string
	subscription  string
	deadTopic     string
	deadLetters   string
	index         string
	elasticsearch string
	publisher     *pubsub.Publisher
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if os.Getenv("PUBSUB_EMULATOR_HOST") == "" || os.Getenv("ELASTICSEARCH_URL") == "" {
		t.Fatal("PUBSUB_EMULATOR_HOST or ELASTICSEARCH_URL is not set; `make test` starts both and sets them")
	}
	client, err := pubsub.NewClient(context.Background(), testProject)
	if err != nil {
		t.Fatal(err)
	}
	id := uuid.NewString()
	r := &rig{
		t: t, client: client, topic: "cdc-" + id, subscription: "productindex-" + id,
		deadTopic: "dead-" + id, deadLetters: "dead-" + id, index: "test-" + id + "-1",
		elasticsearch: os.Getenv("ELASTICSEARCH_URL"),
	}
	r.createTopic(r.topic)
	r.createTopic(r.deadTopic)
	r.subscribe(r.topic, r.subscription)
	r.subscribe(r.deadTopic, r.deadLetters)
	r.publisher = client.Publisher(r.topic)
	r.publisher.PublishSettings.FlowControlSettings = pubsub.FlowControlSettings{MaxOutstandingMessages: 500, LimitExceededBehavior: pubsub.FlowControlBlock}
	t.Cleanup(func() {
		ctx := context.Background()
		r.publisher.Stop()
		for _, s := range []string{r.subscription, r.deadLetters} {
			_ = client.SubscriptionAdminClient.DeleteSubscription(ctx, &pubsubpb.DeleteSubscriptionRequest{Subscription: full("subscriptions", s)})
		}
		for _, s := range []string{r.topic, r.deadTopic} {
			_ = client.TopicAdminClient.DeleteTopic(ctx, &pubsubpb.DeleteTopicRequest{Topic: full("topics", s)})
		}
		_ = client.Close()
		if es, err := bulk.Connect(ctx, r.elasticsearch); err == nil {
			if res, err := es.Indices.Delete([]string{r.index}); err == nil {
				res.Body.Close()
			}
		}
	})
	return r
}

func full(kind, name string) string { return "projects/" + testProject + "/" + kind + "/" + name }

func (r *rig) createTopic(name string) {
	r.t.Helper()
	if _, err := r.client.TopicAdminClient.CreateTopic(r.t.Context(), &pubsubpb.Topic{Name: full("topics", name)}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) subscribe(topic, name string) {
	r.t.Helper()
	_, err := r.client.SubscriptionAdminClient.CreateSubscription(r.t.Context(), &pubsubpb.Subscription{
		Name: full("subscriptions", name), Topic: full("topics", topic), AckDeadlineSeconds: 10,
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// publish returns the ids of the messages once the topic has them.
func (r *rig) publish(messages ...[]byte) []string {
	r.t.Helper()
	results := make([]*pubsub.PublishResult, len(messages))
	for i, m := range messages {
		results[i] = r.publisher.Publish(r.t.Context(), &pubsub.Message{Data: m, Attributes: map[string]string{"origin": "test"}})
	}
	ids := make([]string, len(messages))
	for i, result := range results {
		id, err := result.Get(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		ids[i] = id
	}
	return ids
}

// pull takes messages from a subscription until enough says so, acknowledged.
func (r *rig) pull(name string, limit time.Duration, enough func(*pubsubpb.PubsubMessage) bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	for {
		got, err := r.client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: full("subscriptions", name), MaxMessages: 100})
		if status.Code(err) == codes.DeadlineExceeded {
			r.t.Fatalf("subscription %s: what was expected didn't come in %v", name, limit)
		}
		if err != nil {
			r.t.Fatal(err)
		}
		done := false
		var acks []string
		for _, m := range got.ReceivedMessages {
			acks = append(acks, m.AckId)
			done = enough(m.Message) || done
		}
		if len(acks) == 0 {
			continue
		}
		err = r.client.SubscriptionAdminClient.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: full("subscriptions", name), AckIds: acks})
		if err != nil {
			r.t.Fatal(err)
		}
		if done {
			return
		}
	}
}

// letters returns so many dead letters, by the id of the message that each was.
func (r *rig) letters(n int) map[string]*pubsubpb.PubsubMessage {
	r.t.Helper()
	letters := map[string]*pubsubpb.PubsubMessage{}
	r.pull(r.deadLetters, 90*time.Second, func(m *pubsubpb.PubsubMessage) bool {
		letters[m.Attributes["message_id"]] = m
		return len(letters) >= n
	})
	return letters
}

// wantAllAcknowledged is for a pipeline that was stopped, and so has returned what it held.
func (r *rig) wantAllAcknowledged() {
	r.t.Helper()
	last := r.publish([]byte("the last one"))[0]
	left := 0
	r.pull(r.subscription, 20*time.Second, func(m *pubsubpb.PubsubMessage) bool {
		left++
		return m.MessageId == last
	})
	if left != 1 {
		r.t.Errorf("%d messages were left unacknowledged", left-1)
	}
}

// document is what the index has under an id.
type document struct {
	Found   bool            `json:"found"`
	Version int64           `json:"_version"`
	Source  json.RawMessage `json:"_source"`
}

func (r *rig) document(id string) (document, error) {
	var d document
	res, err := http.Get(os.Getenv("ELASTICSEARCH_URL") + "/" + r.index + "/_doc/" + id)
	if err != nil {
		return d, err
	}
	defer res.Body.Close()
	err = json.NewDecoder(res.Body).Decode(&d)
	return d, err
}

// waitVersion waits until the index has a document in a version.
func (r *rig) waitVersion(id string, version int64) document {
	r.t.Helper()
	var d document
	eventually(r.t, 150*time.Second, func() error {
		var err error
		if d, err = r.document(id); err == nil && d.Version != version {
			err = fmt.Errorf("%s has version %d, want %d", id, d.Version, version)
		}
		return err
	})
	return d
}

// eventually polls a condition until it holds.
func eventually(t *testing.T, limit time.Duration, condition func() error) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("not in %v: %v", limit, err)
		case <-tick.C:
		}
	}
}

// running is a pipeline as a process of its own.
type running struct {
	t       *testing.T
	cmd     *exec.Cmd
	health  string
	done    chan struct{} // closed when it has ended
	outcome error
	output  *output
}

type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start runs the pipeline; wait for ready where that matters.
func (r *rig) start() *running {
	r.t.Helper()
	port := freePort(r.t)
	p := &running{t: r.t, health: "http://127.0.0.1:" + port, done: make(chan struct{}), output: &output{}}
	p.cmd = exec.Command(program)
	p.cmd.Env = append(os.Environ(),
		"PORT="+port, "LOG_LEVEL=INFO", "GOOGLE_CLOUD_PROJECT="+testProject, "SUBSCRIPTION="+r.subscription, "DEAD_LETTER_TOPIC="+r.deadTopic,
		"ELASTICSEARCH_URL="+r.elasticsearch, "INDEX="+r.index, "INDEX_ALIAS="+r.index+"-read")
	p.cmd.Stderr = p.output
	if err := p.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		p.outcome = p.cmd.Wait()
		close(p.done)
	}()
	r.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if r.t.Failed() {
			r.t.Logf("the pipeline wrote:\n%s", p.output)
		}
	})
	return p
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func (p *running) get(path string) (int, string, error) {
	res, err := http.Get(p.health + path)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, string(body), err
}

func (p *running) waitStatus(path string, want int) (body string) {
	p.t.Helper()
	eventually(p.t, 30*time.Second, func() error {
		select {
		case <-p.done:
			p.t.Fatalf("the pipeline has ended: %v", p.outcome)
		default:
		}
		status, got, err := p.get(path)
		if err == nil && status != want {
			err = fmt.Errorf("%s answers %d %s, want %d", path, status, got, want)
		}
		body = got
		return err
	})
	return body
}

func (p *running) waitReady() *running {
	p.t.Helper()
	p.waitStatus("/readyz", http.StatusOK)
	return p
}

// stop sends SIGTERM and returns the exit code.
func (p *running) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	return p.wait(10 * time.Second)
}

func (p *running) wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.t.Fatalf("the pipeline still runs after %v", limit)
	}
	var exit *exec.ExitError
	if errors.As(p.outcome, &exit) {
		return exit.ExitCode()
	}
	return 0
}
