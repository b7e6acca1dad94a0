package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

const (
	// crowd is how many checkouts wait for the slow provider at once: more than the payment service makes calls at once (64).
	crowd = 96
	// callLimit is how long a call to the provider may take (STRIPE_CALL_TIMEOUT).
	callLimit = 8 * time.Second
	// measured is how long searches and carts are measured, without the crowd and with it.
	measured = 6 * time.Second
	// slowest is what the 99th percentile may be with the provider slow, as a multiple of what it is without, and above that multiple: on
	// a busy machine the crowd's own work costs something. Whatever waits for the provider takes 10 s.
	slowest, above = 3, 250 * time.Millisecond
)

// TestSlowProvider makes the payment provider take 10 s for every call and sends it a crowd. Searches and carts are as fast as before.
// Checkouts beyond those that the bulkhead lets through are answered before any call has run into its time limit, as PROCESSING like the
// others, and once the provider is well they can be finished under the same keys.
func TestSlowProvider(t *testing.T) {
	w := visit(t)
	w.must(t, "operator", "POST", "/v1/stores/"+store+"/stock:adjust",
		fmt.Sprintf(`{"reason":"endtoend","adjustments":[{"product_id":%q,"quantity":500}]}`, w.sold), "Idempotency-Key: {key}")
	people := []string{"slow-1", "slow-2", "slow-3"}
	var body string
	for _, name := range people {
		body = w.enter(t, name)
	}
	w.measure(t, time.Second) // connections and caches are warm
	before := w.measure(t, measured)

	w.control(t, http.MethodPost, "/_control/faults", `{"kind":"slow","delay":"10s","count":100000}`)
	well := sync.OnceFunc(func() { w.control(t, http.MethodDelete, "/_control/faults", "") })
	t.Cleanup(well)
	keys := make([]string, crowd)
	answers := make([]reply, crowd)
	var group sync.WaitGroup
	for i := range crowd {
		keys[i] = uuid.NewString()
		group.Go(func() {
			answers[i] = w.ask(t.Context(), people[i%len(people)], http.MethodPost, "/v1/checkouts", body, "Idempotency-Key", keys[i])
		})
	}
	during := w.measure(t, measured)
	group.Wait()
	well()

	for kind, slow := range during {
		fast := before[kind]
		t.Logf("%s: p50 %s, p99 %s; with the provider 10 s slow p50 %s, p99 %s, of %d and %d", kind, fast.share(50), fast.share(99),
			slow.share(50), slow.share(99), len(fast), len(slow))
		if len(fast) < 20 || len(slow) < 20 {
			t.Errorf("%s: too few to tell", kind)
		}
		if limit := slowest*fast.share(99) + above; slow.share(99) > limit {
			t.Errorf("%s: with the provider slow the 99th percentile is %s, want at most %s", kind, slow.share(99), limit)
		}
	}

	turnedAway, told := 0, map[string]int{}
	for i, a := range answers {
		told[fmt.Sprintf("%d after %d s", a.status, int(a.took.Seconds()))]++
		switch {
		case a.err != nil:
			t.Errorf("checkout %d: %v", i, a.err)
		case a.status != http.StatusOK || !strings.Contains(a.text, `"PROCESSING"`):
			t.Errorf("checkout %d, while nothing can be paid: %d %s", i, a.status, a.text)
		case a.took > 25*time.Second:
			t.Errorf("checkout %d was answered after %s", i, a.took)
		}
		if a.took < callLimit {
			turnedAway++
		}
	}
	t.Logf("of %d checkouts at once %d were answered before a call's time was over; all: %v", crowd, turnedAway, told)
	if turnedAway < (crowd-64)/2 {
		t.Errorf("only %d checkouts were turned away: the others pile up behind the provider", turnedAway)
	}
	eventually(t, 40*time.Second, "a checkout that stayed open can be finished under its key", func() bool {
		a := w.ask(t.Context(), people[0], http.MethodPost, "/v1/checkouts", body, "Idempotency-Key", keys[0])
		return a.status == http.StatusOK && strings.Contains(a.text, "CONFIRMED")
	})
}

// times are how long requests took, sorted.
type times []time.Duration

// share is a percentile.
func (ts times) share(percent int) time.Duration {
	if len(ts) == 0 {
		return 0
	}
	return ts[min(len(ts)-1, len(ts)*percent/100)].Round(time.Millisecond / 10)
}

// measure searches, reads and changes carts for a time, a little less than the machine could, and returns how long each took.
func (w *world) measure(t *testing.T, lasts time.Duration) map[string]times {
	t.Helper()
	var mu sync.Mutex
	took := map[string]times{}
	words := []string{"milk", "bread", "apples", "tea", "rice", "cheese", "oats", "pears", "soup", "honey"}
	var group sync.WaitGroup
	end := time.After(lasts)
	over := make(chan struct{})
	go func() { <-end; close(over) }()
	for kind, request := range map[string]func(n int) reply{
		"search": func(n int) reply { // each another query, so that kept answers don't hide what it costs
			return w.ask(t.Context(), "", http.MethodGet, fmt.Sprintf("/v1/search?store=soho&q=%s&page_size=%d", words[n%len(words)], 5+n%20), "")
		},
		"cart": func(n int) reply {
			if n%2 == 0 {
				return w.ask(t.Context(), "shopper", http.MethodGet, "/v1/carts/me", "")
			}
			return w.ask(t.Context(), "shopper", http.MethodPut, "/v1/carts/me/items/"+w.sold, fmt.Sprintf(`{"quantity":%d}`, 1+n%3))
		},
	} {
		group.Go(func() {
			beat := time.NewTicker(20 * time.Millisecond)
			defer beat.Stop()
			for n := 0; ; n++ {
				select {
				case <-beat.C:
				case <-over:
					return
				}
				a := request(n)
				if a.err != nil || a.status != http.StatusOK {
					t.Errorf("%s: %d %s %v", kind, a.status, a.text, a.err)
					return
				}
				mu.Lock()
				took[kind] = append(took[kind], a.took)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	for _, ts := range took {
		slices.Sort(ts)
	}
	return took
}

// reply is what came back of a request that may be made beside others, and how long it took.
type reply struct {
	status int
	header http.Header
	text   string
	took   time.Duration
	err    error
}

// ask sends a request over a kept connection. Headers are pairs of name and value.
func (w *world) ask(ctx context.Context, as, method, path, body string, headers ...string) reply {
	began := time.Now()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+w.edge+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return reply{err: err}
	}
	if token := w.tokens[as]; token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return reply{err: err, took: time.Since(began)}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return reply{status: response.StatusCode, header: response.Header, text: string(text), took: time.Since(began), err: err}
}

// control tells the provider's simulator how to behave.
func (w *world) control(t *testing.T, method, path, body string) {
	t.Helper()
	a := message{method: method, target: path, body: body}.send(t, strings.TrimPrefix(w.provider, "http://"))
	if a.status != http.StatusOK {
		t.Fatalf("%s %s: %s", method, path, a)
	}
}
