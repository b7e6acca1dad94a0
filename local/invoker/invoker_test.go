package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"larder.dev/internal/serve/servetest"
	"larder.dev/local"
)

const testDomain = "larder-test.iam.gserviceaccount.com"

// function is a server in a function's place that looks at its caller's token and answers what the test says.
type function struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call
	answer func(n int) (status int, body string) // n counts calls from 1
	ready  bool
}

type call struct {
	account, audience, body string
	header                  http.Header
}

// setting is an invoker with one function called FoldLedger.
type setting struct {
	*httptest.Server
	function *function
	caller   *caller
	schedule *schedule
	now      func(ahead time.Duration) // moves the invoker's clock
	issuer   *servetest.Issuer         // of the tokens that the function takes
	signer   func(*servetest.Issuer)   // whom the metadata server signs as from now on
}

func start(t *testing.T) *setting {
	t.Helper()
	s := &setting{issuer: servetest.NewIssuer(t), function: &function{ready: true}}
	var mu sync.Mutex
	signer, ahead := s.issuer, time.Duration(0)
	s.signer = func(i *servetest.Issuer) { mu.Lock(); defer mu.Unlock(); signer = i }
	s.now = func(by time.Duration) { mu.Lock(); defer mu.Unlock(); ahead += by }
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(ahead) }
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, rest, _ := strings.Cut(r.URL.Path, "/service-accounts/")
		account, domain, _ := strings.Cut(strings.TrimSuffix(rest, "/identity"), "@")
		if domain != testDomain || r.Header.Get("Metadata-Flavor") != "Google" {
			http.NotFound(w, r)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.WriteString(w, signer.IDToken(t, account, r.URL.Query().Get("audience"), time.Hour))
	}))
	t.Cleanup(metadata.Close)
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(metadata.URL, "http://"))

	keys, err := keyfunc.NewDefaultCtx(t.Context(), []string{s.issuer.Config().Identity.ServiceJWKSURL})
	if err != nil {
		t.Fatal(err)
	}
	s.function.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.function.serve(w, r, keys) }))
	t.Cleanup(s.function.Close)

	log := slog.New(slog.DiscardHandler)
	s.caller = newCaller(testDomain, map[string]string{"foldledger": strings.TrimPrefix(s.function.URL, "http://")}, clock)
	s.schedule = newSchedule([]*job{{function: "FoldLedger", every: 20 * time.Millisecond, turn: make(chan struct{}, 1)}}, s.caller, log)
	s.Server = httptest.NewServer(handler(newPush(s.caller, []string{"FoldLedger"}, 2, log), s.schedule))
	t.Cleanup(s.Close)
	return s
}

func (f *function) serve(w http.ResponseWriter, r *http.Request, keys keyfunc.Keyfunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Path == "/readyz" {
		if !f.ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return
	}
	var claims struct {
		jwt.RegisteredClaims
		Email string `json:"email"`
	}
	text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, err := jwt.ParseWithClaims(text, &claims, keys.Keyfunc, jwt.WithValidMethods([]string{"RS256"})); err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	body, _ := io.ReadAll(r.Body)
	f.calls = append(f.calls, call{claims.Email, claims.Audience[0], string(body), r.Header})
	status, answer := http.StatusNoContent, ""
	if f.answer != nil {
		status, answer = f.answer(len(f.calls))
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

func (f *function) seen() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]call(nil), f.calls...)
}

func post(t *testing.T, url, body string) (status int, text string) {
	t.Helper()
	response, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(got)
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-tick.C {
		if is() {
			return
		}
	}
	t.Fatalf("not within 20 s: %s", what)
}

// The emulator's delivery reaches the function as it came, signed as Pub/Sub signs it, and again until it is taken.
func TestPushOfTheEmulator(t *testing.T) {
	if os.Getenv("PUBSUB_EMULATOR_HOST") == "" {
		t.Fatal("PUBSUB_EMULATOR_HOST is not set: run the tests by `make test`, which starts the Pub/Sub emulator")
	}
	s := start(t)
	s.function.answer = func(n int) (int, string) {
		if n == 1 {
			return http.StatusServiceUnavailable, ""
		}
		return http.StatusNoContent, ""
	}
	const project = "larder-test"
	client, err := pubsub.NewClient(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	topic := fmt.Sprintf("projects/%s/topics/invoker-%s", project, uuid.NewString())
	subscription := strings.Replace(topic, "/topics/", "/subscriptions/", 1)
	if _, err := client.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.SubscriptionAdminClient.CreateSubscription(t.Context(), &pubsubpb.Subscription{
		Name: subscription, Topic: topic, PushConfig: &pubsubpb.PushConfig{PushEndpoint: s.URL + "/push/foldledger"},
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_ = client.SubscriptionAdminClient.DeleteSubscription(ctx, &pubsubpb.DeleteSubscriptionRequest{Subscription: subscription})
		_ = client.TopicAdminClient.DeleteTopic(ctx, &pubsubpb.DeleteTopicRequest{Topic: topic})
	})
	published, err := client.TopicAdminClient.Publish(t.Context(), &pubsubpb.PublishRequest{
		Topic: topic, Messages: []*pubsubpb.PubsubMessage{{Data: []byte("hello"), Attributes: map[string]string{"ce-id": "e1"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the delivery comes twice", func() bool { return len(s.function.seen()) >= 2 })
	for _, got := range s.function.seen() {
		if got.account != "pubsub-push@"+testDomain || got.audience != "https://larder.dev/functions/foldledger" {
			t.Errorf("called by %q for %q", got.account, got.audience)
		}
		var envelope struct {
			Message struct {
				Data       []byte
				MessageID  string `json:"messageId"`
				Attributes map[string]string
			}
			Subscription string
		}
		if err := json.Unmarshal([]byte(got.body), &envelope); err != nil {
			t.Fatal(err)
		}
		if m := envelope.Message; string(m.Data) != "hello" || m.Attributes["ce-id"] != "e1" || m.MessageID != published.GetMessageIds()[0] || envelope.Subscription != subscription {
			t.Errorf("got %s", got.body)
		}
		if media := got.header.Get("Content-Type"); media != "application/json" {
			t.Errorf("content type %q", media)
		}
	}
}

// The emulator keeps a subscription's filter and lets all pass.
func TestPushFilter(t *testing.T) {
	s := start(t)
	event := func(kind string) string { return fmt.Sprintf(`{"message":{"attributes":{"ce-type":%q}}}`, kind) }
	for i, c := range []struct {
		filter, body string
		passes       bool
	}{
		{"", event("A"), true},
		{"", "{}", true},
		{"?", event("A"), true},
		{"?type=A", event("A"), true},
		{"?type=B&type=A", event("A"), true},
		{"?type=A&type=B", event("A.B"), false},
		{"?type=A", event(""), false},
		{"?type=A", "{}", false},
		{"?type=A", "no JSON", false},
	} {
		before := len(s.function.seen())
		if status, _ := post(t, s.URL+"/push/foldledger"+c.filter, c.body); status != http.StatusNoContent {
			t.Errorf("%d: answered %d", i, status)
		}
		if passed := len(s.function.seen()) > before; passed != c.passes {
			t.Errorf("%s through %q: %t", c.body, c.filter, passed)
		}
	}
}

// One token serves until it is refused; then a new one is asked for, unless it is too young for that to help.
func TestRefusedTokenIsRenewed(t *testing.T) {
	s := start(t)
	stranger := servetest.NewIssuer(t)
	s.signer(stranger)
	if status, _ := post(t, s.URL+"/push/foldledger", "{}"); status != http.StatusUnauthorized {
		t.Errorf("with a stranger's token: %d", status)
	}
	s.signer(s.issuer)
	if status, _ := post(t, s.URL+"/push/foldledger", "{}"); status != http.StatusUnauthorized {
		t.Errorf("the token was asked for a moment ago, and is asked for again: %d", status)
	}
	s.now(time.Minute)
	if status, _ := post(t, s.URL+"/push/foldledger", "{}"); status != http.StatusNoContent {
		t.Errorf("with a new token: %d", status)
	}
	s.signer(stranger) // whom nobody asks while the token is good
	if status, _ := post(t, s.URL+"/push/foldledger", "{}"); status != http.StatusNoContent {
		t.Errorf("with the token that is kept: %d", status)
	}
	s.now(time.Hour)
	if status, _ := post(t, s.URL+"/push/foldledger", "{}"); status != http.StatusUnauthorized {
		t.Errorf("the old token was sent after its end: %d", status)
	}
}

func TestPushRefusals(t *testing.T) {
	s := start(t)
	if status, _ := post(t, s.URL+"/push/edge", "{}"); status != http.StatusNotFound {
		t.Errorf("to no function: %d", status)
	}
	if status, _ := post(t, s.URL+"/push/foldledger", strings.Repeat(" ", maxDelivery+1)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("too long: %d", status)
	}
	s.function.answer = func(int) (int, string) { return http.StatusForbidden, "no" }
	if status, text := post(t, s.URL+"/push/FoldLedger", "{}"); status != http.StatusForbidden || text != "no" {
		t.Errorf("the function's answer became %d %q", status, text)
	}

	twoUnderWay(t, s)

	s.function.Close()
	if status, _ := post(t, s.URL+"/push/foldledger", "{}"); status != http.StatusServiceUnavailable {
		t.Errorf("with the function away: %d", status)
	}
}

// twoUnderWay sends two deliveries that the function keeps waiting: the third is refused and changes nothing.
func twoUnderWay(t *testing.T, s *setting) {
	t.Helper()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	s.function.mu.Lock()
	defer s.function.mu.Unlock()
	for range 2 {
		waiting.Go(func() {
			for t.Context().Err() == nil { // the third may have been the second
				response, err := http.Post(s.URL+"/push/foldledger", "application/json", strings.NewReader("{}"))
				if err != nil || response.Body.Close() != nil || response.StatusCode != http.StatusTooManyRequests {
					return
				}
			}
		})
	}
	eventually(t, "the third is refused", func() bool {
		status, _ := post(t, s.URL+"/push/foldledger", strings.Repeat("x", maxDelivery+1)) // never passed on
		return status == http.StatusTooManyRequests
	})
}

func TestMissingAddresses(t *testing.T) {
	_, err := addresses([]string{"FoldLedger", "AuditIndex", "ClearCart"}, func(name string) string {
		return map[string]string{"AUDITINDEX_ADDR": "127.0.0.1:1"}[name]
	})
	if err == nil || !strings.Contains(err.Error(), "FOLDLEDGER_ADDR") || !strings.Contains(err.Error(), "CLEARCART_ADDR") {
		t.Errorf("got %v, want both names", err)
	}
}

func TestScheduleFile(t *testing.T) {
	functions := []string{
		"ReapCheckouts", "ReconcilePayments", "ReconcileStock", "FoldLedger", "ActivatePrices", "UpdatePopularity", "AuditIndex", "ReapAccounts",
	}
	jobs, err := loadSchedule("../schedule.json", functions)
	if err != nil || len(jobs) != len(functions) {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
	path := filepath.Join(t.TempDir(), "schedule.json")
	const faulty = `[{"function":"FoldLedger","every":"1s"},{"function":"FoldLedger","every":"1s"},{"function":"X","every":"1s"},{"function":"AuditIndex","every":"often"}]`
	if err := os.WriteFile(path, []byte(faulty), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = loadSchedule(path, functions)
	for _, want := range []string{"entry 2: FoldLedger stands there twice", `entry 3: there is no function "X"`, `entry 4: every "often"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A job waits for its function, runs again and again as the scheduler, and tells how it went.
func TestJobRuns(t *testing.T) {
	s := start(t)
	s.function.answer = func(n int) (int, string) {
		if n == 2 {
			return http.StatusInternalServerError, "no JSON"
		}
		return http.StatusOK, fmt.Sprintf(`{"folded":%d}`, n)
	}
	s.function.ready = false
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.schedule.run(ctx) }()
	defer func() { stop(); <-ended }()

	if status, text := post(t, s.URL+"/run/foldledger", ""); status != http.StatusOK || text != `{"folded":1}` {
		t.Errorf("run now: %d %s", status, text)
	}
	if status, text := post(t, s.URL+"/run/FoldLedger", ""); status != http.StatusInternalServerError || text != "no JSON" {
		t.Errorf("a run that fails: %d %s", status, text)
	}
	last := status(t, s)
	if last.Runs != 2 || last.Failures != 1 || last.Last.Status != http.StatusInternalServerError || last.Last.OK || string(last.Last.Report) != `"no JSON"` {
		t.Errorf("status %+v %+v", last, last.Last)
	}
	if status, _ := post(t, s.URL+"/run/ClearCart", ""); status != http.StatusNotFound {
		t.Errorf("run what is not in the schedule: %d", status)
	}

	s.function.mu.Lock()
	s.function.ready = true
	s.function.mu.Unlock()
	eventually(t, "runs by itself", func() bool { return len(s.function.seen()) >= 5 })
	for _, got := range s.function.seen() {
		if got.account != "scheduler@"+testDomain || got.audience != "https://larder.dev/functions/foldledger" || got.header.Get("X-Cloudscheduler") != "true" {
			t.Errorf("called by %q for %q with %v", got.account, got.audience, got.header)
		}
	}
	if last := status(t, s); !last.Last.OK || !strings.HasPrefix(string(last.Last.Report), `{"folded":`) {
		t.Errorf("status %+v %+v", last, last.Last)
	}
	s.function.Close()
	eventually(t, "the end of the function is told", func() bool {
		status, _ := post(t, s.URL+"/run/foldledger", "")
		return status == http.StatusServiceUnavailable && strings.Contains(mustStatus(s).Last.Error, "connect")
	})
}

// A run that fails is made up for long before the next one, and what has succeeded isn't run again before its time.
func TestFailedRunIsMadeUpFor(t *testing.T) {
	s := start(t)
	s.schedule.soon, s.schedule.jobs[0].every = 5*time.Millisecond, time.Hour
	s.function.answer = func(n int) (int, string) {
		if n < 4 {
			return http.StatusInternalServerError, ""
		}
		return http.StatusOK, "{}"
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.schedule.run(ctx) }()
	eventually(t, "a run succeeds", func() bool { return len(s.function.seen()) >= 4 })
	<-time.After(200 * time.Millisecond)
	stop()
	<-ended
	if n := len(s.function.seen()); n != 4 {
		t.Errorf("%d runs", n)
	}
}

// However a job is asked for, its runs follow each other.
func TestJobNeverOverlaps(t *testing.T) {
	var mu sync.Mutex
	under, most, calls := 0, 0, 0
	s := start(t)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			return
		}
		mu.Lock()
		under++
		calls++
		most = max(most, under)
		mu.Unlock()
		<-time.After(5 * time.Millisecond)
		mu.Lock()
		under--
		mu.Unlock()
		w.WriteHeader(http.StatusOK)
	}))
	defer slow.Close()
	s.caller.to["foldledger"] = strings.TrimPrefix(slow.URL, "http://")
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { s.schedule.run(ctx) })
	for range 4 {
		all.Go(func() {
			for range 10 {
				_, _ = s.schedule.once(t.Context(), s.schedule.jobs[0])
			}
		})
	}
	eventually(t, "all runs", func() bool { mu.Lock(); defer mu.Unlock(); return calls >= 41 })
	stop()
	all.Wait()
	if most != 1 {
		t.Errorf("%d runs at once", most)
	}
}

func status(t *testing.T, s *setting) report {
	t.Helper()
	response, err := http.Get(s.URL + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var all struct{ Jobs []report }
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil || len(all.Jobs) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	return all.Jobs[0]
}

func mustStatus(s *setting) report {
	j := s.schedule.jobs[0]
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.told
}

// Every function is called by somebody: by Pub/Sub, by the schedule or through the edge; and nobody calls what isn't there.
func TestEveryFunctionIsCalled(t *testing.T) {
	environment, err := exec.Command("../env.sh", "demo").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^export LARDER_FUNCTIONS='(.*)'$`).FindSubmatch(environment)
	if found == nil {
		t.Fatalf("no functions in\n%s", environment)
	}
	functions := strings.Fields(string(found[1]))
	called := map[string]string{"paymentwebhook": "edge"}
	jobs, err := loadSchedule("../schedule.json", functions)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		called[lower(j.function)] = "schedule"
	}
	settings, err := local.ReadPubSub()
	if err != nil {
		t.Fatal(err)
	}
	for function, topics := range settings.Push {
		if called[function] != "" {
			t.Errorf("%s is called by Pub/Sub and by %s", function, called[function])
		}
		called[function] = "Pub/Sub"
		for topic := range topics {
			if !slices.Contains(settings.Topics, topic) {
				t.Errorf("%s hears of topic %s, which isn't there", function, topic)
			}
		}
	}
	for _, function := range functions {
		if called[lower(function)] == "" {
			t.Errorf("nobody calls %s", function)
		}
		delete(called, lower(function))
	}
	for function, by := range called {
		t.Errorf("%s calls %s, which isn't there", by, function)
	}
}
