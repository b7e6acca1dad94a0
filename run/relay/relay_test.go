package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"larder.dev/internal/outbox"
	"larder.dev/internal/outbox/outboxtest"
	userpg "larder.dev/internal/user/postgres"
)

// program is the built relay: tests run what is released.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "relay-")
		if err != nil {
			log.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		program = filepath.Join(dir, "relay")
		if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
			log.Fatalf("build the relay: %v\n%s", err, out)
		}
		return m.Run()
	}())
}

// process is a running relay.
type process struct {
	*exec.Cmd
	address string
	log     *os.File
	ended   chan error
}

// open makes a rig with both outboxes.
func open(t *testing.T) *outboxtest.Rig {
	t.Helper()
	return outboxtest.Open(t).InPostgres(t, userpg.Schema())
}

// start starts a relay of the rig's outboxes.
func start(t *testing.T, rig *outboxtest.Rig, environment ...string) *process {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	output, err := os.CreateTemp(t.TempDir(), "relay-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(program), address: address, log: output, ended: make(chan error, 1)}
	p.Stdout, p.Stderr = output, output
	p.Env = append(os.Environ(), "PORT="+address[strings.LastIndex(address, ":")+1:], "GOOGLE_CLOUD_PROJECT="+outboxtest.Project,
		"SPANNER_DATABASE="+rig.Database.DatabaseName(), "DATABASE_URL="+rig.URL, "JWKS_URL=http://127.0.0.1:1/", "SERVICE_JWKS_URL=http://127.0.0.1:1/",
		"SERVICE_ACCOUNT_DOMAIN=larder-test.iam.gserviceaccount.com", "RELAY_LEASE=2s")
	p.Env = append(p.Env, environment...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.Wait() }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			text, _ := os.ReadFile(output.Name())
			t.Logf("the log of %s ends with %s", p.address, text[max(0, len(text)-2000):])
		}
		_ = output.Close()
	})
	return p
}

// kill is a kill -9; a process that ended already stays as it is.
func (p *process) kill() {
	_ = p.Process.Kill()
	p.ended <- <-p.ended
}

// get asks the process; an empty answer if it doesn't.
func (p *process) get(path string) (status int, body []byte) {
	client := http.Client{Timeout: 3 * time.Second}
	answer, err := client.Get("http://" + p.address + path)
	if err != nil {
		return 0, nil
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	if err != nil {
		return 0, nil
	}
	return answer.StatusCode, body
}

func (p *process) awaitReady(t *testing.T) {
	t.Helper()
	if !outboxtest.Poll(20*time.Second, func() bool { status, _ := p.get("/readyz"); return status == http.StatusOK }) {
		t.Fatal("the relay doesn't become ready")
	}
}

// A relay is ready when Spanner, PostgreSQL and Pub/Sub answer, publishes both outboxes, tells its lag, and ends in order, its shards given back.
func TestLife(t *testing.T) {
	rig := open(t)
	inbox := rig.Subscribe(t)
	p := start(t, rig)
	p.awaitReady(t)
	var written []string
	for i := range 200 {
		e := rig.Event(fmt.Sprintf("e%d", i), fmt.Sprintf("orders/%d", i))
		if _, err := rig.Write(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		written = append(written, e.ID)
	}
	for i := range 100 {
		e := rig.Event(fmt.Sprintf("u%d", i), fmt.Sprintf("users/%d", i))
		if err := rig.WritePostgres(t.Context(), 0, true, e); err != nil {
			t.Fatal(err)
		}
		written = append(written, e.ID)
	}
	inbox.Await(t, written, 20*time.Second)
	var now map[string]outbox.Status
	settled := func() bool {
		_, body := p.get("/status")
		now = nil
		if json.Unmarshal(body, &now) != nil {
			return false
		}
		spanner, postgres := now["spanner"], now["postgresql"]
		return spanner.Published == 200 && spanner.LagMillis == 0 && spanner.Shards == outbox.Shards && spanner.Relays == 1 &&
			postgres.Published == 100 && postgres.LagMillis == 0 && postgres.Shards == 1 && postgres.Relays == 1
	}
	if !outboxtest.Poll(5*time.Second, settled) {
		t.Errorf("status is %+v", now)
	}
	t.Logf("commit to arrival: %s", lags(inbox))

	asked := time.Now()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		p.ended <- err
		if err != nil {
			t.Errorf("the relay ends with %v", err)
		}
		t.Logf("ended in %v", time.Since(asked))
	case <-time.After(10 * time.Second):
		t.Fatal("the relay doesn't end in 10 s")
	}
	next := start(t, rig, "RELAY_LEASE=1h") // it would wait for an hour for shards that were not given back
	if _, err := rig.Write(t.Context(), rig.Event("next", "orders/1")); err != nil {
		t.Fatal(err)
	}
	if err := rig.WritePostgres(t.Context(), 0, true, rig.Event("next user", "users/1")); err != nil {
		t.Fatal(err)
	}
	inbox.Await(t, []string{"next", "next user"}, 20*time.Second)
	if duplicates, _ := inbox.Duplicates(written); duplicates > 0 {
		t.Errorf("%d duplicates without any fault", duplicates)
	}
	next.kill()
}

// Without Pub/Sub, Spanner or PostgreSQL a relay isn't ready, and says which one.
func TestNotReady(t *testing.T) {
	rig := open(t)
	for _, missing := range []struct{ variable, name string }{
		{"PUBSUB_EMULATOR_HOST=127.0.0.1:1", "pubsub"}, {"SPANNER_EMULATOR_HOST=127.0.0.1:1", "spanner"},
		{"DATABASE_URL=postgres://larder@127.0.0.1:1/larder", "PostgreSQL"},
	} {
		p := start(t, rig, missing.variable)
		want := missing.name + " is not ready\n"
		if !outboxtest.Poll(20*time.Second, func() bool {
			status, body := p.get("/readyz")
			return status == http.StatusServiceUnavailable && string(body) == want
		}) {
			status, body := p.get("/readyz")
			t.Errorf("without %s /readyz answers %d %q, want 503 %q", missing.name, status, body, want)
		}
		p.kill()
	}
}

// writeLimit is for what takes half a minute on a machine that has nothing else to do.
const writeLimit = 3 * time.Minute

// Events that concurrent transactions write all arrive, while relays are killed (or stopped for longer than their lease, so that
// they come back as ones that were taken for dead) every 2.5 seconds; and of each order every version comes behind those before it, but
// for repetitions. SEED repeats a run's choices.
func TestFiftyThousandEventsWithKills(t *testing.T) {
	const (
		events  = 50_000
		writers = 6
		writing = 45 * time.Second
		relays  = 3
	)
	seed := seedOf(t)
	choice := rand.New(rand.NewPCG(seed, 0))
	rig := open(t)
	inbox := rig.Subscribe(t)
	begin := time.Now()

	written := make([][]string, writers)
	var work sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), writeLimit)
	defer cancel()
	for w := range writers {
		work.Go(func() {
			written[w] = writeShare(ctx, t, rig, rand.New(rand.NewPCG(seed, uint64(w)+1)), w, events/writers+1, writing)
		})
	}
	done := make(chan struct{})
	go func() { work.Wait(); close(done) }()

	kills, stops := strike(t, rig, choice, relays, done)
	all := slices.Concat(written...)
	wrote := time.Since(begin)
	inbox.Await(t, all, time.Minute)
	account(t, inbox, all, events, kills, stops, wrote, time.Since(begin))
	inOrder(t, inbox)
}

// The same of PostgreSQL's outbox: its transactions are of uneven length and some are rolled back.
func TestPostgresEventsWithKills(t *testing.T) {
	const (
		events  = 4_000
		writers = 8
		relays  = 3
	)
	seed := seedOf(t)
	choice := rand.New(rand.NewPCG(seed, 0))
	rig := open(t)
	inbox := rig.Subscribe(t)
	begin := time.Now()

	written := make([][]string, writers)
	var work sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), writeLimit)
	defer cancel()
	for w := range writers {
		work.Go(func() {
			var err error
			// At least so many, and as long as relays are killed.
			enough := func(n int) bool { return n > events/writers && time.Since(begin) > 9*time.Second }
			written[w], err = rig.WriteUnevenly(ctx, rand.New(rand.NewPCG(seed, uint64(w)+1)), fmt.Sprint(w), enough)
			if err != nil {
				t.Errorf("write: %v", err)
			}
		})
	}
	done := make(chan struct{})
	go func() { work.Wait(); close(done) }()
	kills, stops := strike(t, rig, choice, relays, done)
	all := slices.Concat(written...)
	wrote := time.Since(begin)
	inbox.Await(t, all, time.Minute)
	account(t, inbox, all, events, kills, stops, wrote, time.Since(begin))
}

// seedOf is what a test's choices begin with. SEED repeats them.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", seed)
	return seed
}

// strike runs relays and kills or stops one of them every 2.5 seconds until done.
func strike(t *testing.T, rig *outboxtest.Rig, choice *rand.Rand, relays int, done <-chan struct{}) (kills, stops int) {
	t.Helper()
	running := make([]*process, relays)
	for i := range running {
		running[i] = start(t, rig)
	}
	due := time.NewTicker(2500 * time.Millisecond)
	defer due.Stop()
	for {
		select {
		case <-done:
			return kills, stops
		case <-due.C:
		}
		i := choice.IntN(relays)
		if choice.IntN(3) == 0 {
			stops++
			stopped := running[i].Process
			_ = stopped.Signal(syscall.SIGSTOP)
			time.AfterFunc(3*time.Second, func() { _ = stopped.Signal(syscall.SIGCONT) })
			continue
		}
		kills++
		running[i].kill()
		running[i] = start(t, rig)
	}
}

// account tells what a run was worth: it had as many events as it should, and some kills, and nothing came that wasn't committed.
func account(t *testing.T, inbox *outboxtest.Inbox, all []string, events, kills, stops int, wrote, took time.Duration) {
	t.Helper()
	duplicates, strange := inbox.Duplicates(all)
	if len(strange) > 0 {
		t.Errorf("%d events that nobody committed, such as %s", len(strange), strange[0])
	}
	if len(all) < events || kills+stops == 0 {
		t.Errorf("only %d events, %d kills, %d stops", len(all), kills, stops)
	}
	t.Logf("%d events written in %v, all arrived after %v (%.0f/s); %d kills, %d stops; 0 missing, %d duplicates; commit to arrival: %s",
		len(all), wrote.Round(time.Millisecond), took.Round(time.Millisecond), float64(len(all))/took.Seconds(), kills, stops, duplicates, lags(inbox))
}

// writeShare writes events in transactions of 1 to 12, spread over a time; each transaction is of 1 to 3 orders, which are the writer's
// own, so that it knows in which order their versions are committed. Events of one transaction are told in the order of their ids.
func writeShare(ctx context.Context, t *testing.T, rig *outboxtest.Rig, choice *rand.Rand, writer, events int, over time.Duration) (ids []string) {
	t.Helper()
	const meanSize = 6.5
	pace := time.NewTicker(time.Duration(float64(over) / float64(events) * meanSize))
	defer pace.Stop()
	versions := map[string]int{}
	for len(ids) < events {
		var batch []outbox.Event
		first, orders := choice.IntN(1_000), 1+choice.IntN(3)
		for i := range 1 + choice.IntN(12) {
			order := fmt.Sprintf("orders/%d-%d", writer, first+i%orders)
			versions[order]++
			batch = append(batch, rig.Event(fmt.Sprintf("%s-%06d", order, versions[order]), order))
		}
		if _, err := rig.Write(ctx, batch...); err != nil {
			t.Errorf("write: %v", err)
			return ids
		}
		for _, e := range batch {
			ids = append(ids, e.ID)
		}
		<-pace.C
	}
	return ids
}

// inOrder sees that of each order the first message of each version was published behind the first one of the version before.
func inOrder(t *testing.T, inbox *outboxtest.Inbox) {
	t.Helper()
	last := map[string]int{}
	for _, m := range inbox.Messages() {
		id := m.Attributes["ce-id"]
		cut := strings.LastIndex(id, "-")
		version, err := strconv.Atoi(id[cut+1:])
		if err != nil {
			t.Fatal(err)
		}
		switch order := id[:cut]; {
		case version == last[order]+1:
			last[order] = version
		case version > last[order]:
			t.Errorf("version %d of %s was published behind version %d", version, order, last[order])
		}
	}
	t.Logf("%d orders, their versions in order", len(last))
}

// lags tells how long after its commit each message arrived.
func lags(inbox *outboxtest.Inbox) string {
	var all []time.Duration
	for _, m := range inbox.Messages() {
		commit, err := time.Parse(time.RFC3339Nano, m.Attributes["ce-time"])
		if err == nil {
			all = append(all, m.Arrived.Sub(commit))
		}
	}
	slices.Sort(all)
	at := func(share float64) time.Duration { return all[int(share*float64(len(all)-1))].Round(time.Millisecond) }
	return fmt.Sprintf("p50 %v, p99 %v, max %v", at(0.5), at(0.99), at(1))
}
