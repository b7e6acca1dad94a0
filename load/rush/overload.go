package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"larder.dev/load/bench/figure"
	"larder.dev/load/prove/shop"
)

// What an overload is, and what is to be kept under it.
const (
	overloadTimes = 5
	// minGoodput is the part of the good answers a second at capacity that are given at five times as much, too.
	minGoodput = 0.8
	// recoverIn is how long after the end of an overload all is well again.
	recoverIn = 10 * time.Second
	// well is the part of answers that are good in a second in which all is well.
	well = 0.99
	// peakFor and afterFor are how long capacity, and half of it, are asked before and after.
	peakFor, afterFor = 20 * time.Second, 30 * time.Second
)

// priority is who is refused last: a checkout first of all, then carts, searches, and what is suggested while somebody types.
var priority = []string{checkout, cart, search, suggest}

// refusal is an answer 429.
type refusal struct {
	kind  string
	took  time.Duration
	after bool // it says when to come again
}

// phase is what came of a rate that was asked for a while.
type phase struct {
	rate     int
	from, to time.Time
	requests []request
	refusals []refusal
	scores   []score
}

func (f *phase) goodput() float64 { return total(f.scores).goodPerSecond }

// overload asks five times the capacity, between capacity and half of it.
func (p *platform) overload(ctx context.Context) error {
	a, err := p.newAttack(ctx)
	if err != nil {
		return err
	}
	if err := p.awaken(ctx); err != nil {
		return err
	}
	var phases []*phase
	for _, step := range []struct {
		name  string
		rate  int
		lasts time.Duration
	}{{"capacity", p.rate, peakFor}, {"overload", overloadTimes * p.rate, p.duration}, {"after", max(1, p.rate/2), afterFor}} {
		f, err := a.ask(ctx, step.rate, step.lasts)
		if err != nil {
			return err
		}
		phases = append(phases, f)
		p.say("%s, %d a second for %s:", step.name, step.rate, step.lasts)
		if err := printScores(p.out, f.scores); err != nil {
			return fmt.Errorf("tell: %w", err)
		}
		if len(f.refusals) > 0 {
			p.say("%s", tellRefusals(f.refusals))
		}
	}
	broken := overloaded(phases[0], phases[1], phases[2])
	p.history.Checkouts = append(p.history.Checkouts, a.checkouts...)
	result, err := p.tellAccount(ctx)
	if err != nil {
		return err
	}
	return p.verdict(broken, result)
}

// overloaded lists what wasn't kept: goodput, the order in which kinds are refused, and the recovery.
func overloaded(peak, over, after *phase) []string {
	var broken []string
	if part := over.goodput() / max(1, peak.goodput()); part < minGoodput {
		broken = append(broken, fmt.Sprintf("under overload %.1f good answers a second, %.0f %% of the %.1f at capacity, %.0f %% at least", over.goodput(), 100*part, peak.goodput(), 100*minGoodput))
	}
	without := 0
	for _, r := range over.refusals {
		if !r.after {
			without++
		}
	}
	if without > 0 {
		broken = append(broken, fmt.Sprintf("%d of %d refusals don't say when to come again", without, len(over.refusals)))
	}
	shares := map[string]float64{}
	for _, s := range over.scores {
		shares[s.kind] = float64(s.good) / float64(max(1, s.count))
	}
	// A hundredth of a difference is chance.
	for i := 1; i < len(priority); i++ {
		first, second := priority[i-1], priority[i]
		if shares[first] < shares[second]-0.01 {
			broken = append(broken, fmt.Sprintf("of %s %.0f %% were answered well, of %s, which has less priority, %.0f %%", first, 100*shares[first], second, 100*shares[second]))
		}
	}
	if took := recovery(after.requests, over.to); took > recoverIn {
		broken = append(broken, fmt.Sprintf("all is well again %s after the end, %s at most", took, recoverIn))
	}
	return broken
}

// recovery is how long after a moment the last second was in which all wasn't well, its requests counted by when they were sent.
func recovery(requests []request, since time.Time) time.Duration {
	type second struct{ all, good int }
	seconds := map[int]*second{}
	last := -1
	for _, r := range requests {
		i := int(r.start.Sub(since) / time.Second)
		if seconds[i] == nil {
			seconds[i] = &second{}
		}
		seconds[i].all++
		if r.good && r.took <= maxP99 {
			seconds[i].good++
		}
	}
	for i, s := range seconds {
		if float64(s.good) < well*float64(s.all) {
			last = max(last, i)
		}
	}
	return time.Duration(last+1) * time.Second
}

func tellRefusals(all []refusal) string {
	took, after := make([]time.Duration, len(all)), 0
	byKind := map[string]int{}
	for i, r := range all {
		took[i] = r.took
		byKind[r.kind]++
		if r.after {
			after++
		}
	}
	var parts []string
	for _, kind := range priority {
		parts = append(parts, fmt.Sprintf("%s %d", kind, byKind[kind]))
	}
	return fmt.Sprintf("%d refused (%s), %d of them with Retry-After, within p50 %s p99 %s", len(all), strings.Join(parts, ", "), after,
		ms(figure.Percentile(took, 500)), ms(figure.Percentile(took, 990)))
}

// attack asks by vegeta, which asks more a second than k6 can. Of a hundred requests 70 are searches and 10 what is suggested, the rest as ever.
type attack struct {
	p        *platform
	random   *rand.Rand
	goods    []good
	sessions []shop.Session
	carts    []*shop.Wish // open ones, that are changed
	ready    []*shop.Wish // that are bought, each once

	mu        sync.Mutex
	words     []string
	byKey     map[string]*shop.Checkout
	checkouts []*shop.Checkout
	next      map[string]int
}

var attackMix = []struct {
	kind string
	part float64
}{{search, 0.7}, {suggest, 0.1}, {cart, 0.15}, {checkout, 0.05}}

const openCarts = 200

func (p *platform) newAttack(ctx context.Context) (*attack, error) {
	a := &attack{p: p, random: p.random(99), byKey: map[string]*shop.Checkout{}, next: map[string]int{}}
	a.goods = drawGoods(a.random, p.opening, p.items, p.atLeast)
	seconds := peakFor.Seconds() + overloadTimes*p.duration.Seconds() + afterFor.Seconds()
	buy := int(0.05*float64(p.rate)*seconds) + 20
	if len(a.goods) < buy+openCarts {
		return nil, fmt.Errorf("%d products are there to be bought, want %d", len(a.goods), buy+openCarts)
	}
	var err error
	if a.carts, err = p.fillCarts(ctx, a.goods[:openCarts]); err != nil {
		return nil, err
	}
	if a.ready, err = p.fillCarts(ctx, a.goods[openCarts:openCarts+buy]); err != nil {
		return nil, err
	}
	p.say("%d carts are filled to be bought", buy)
	if a.sessions, err = p.people.Sessions(ctx); err != nil {
		return nil, err
	}
	a.words = drawQueries(a.random, p.words, 50_000)
	return a, nil
}

// turn counts a kind's requests.
func (a *attack) turn(kind string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next[kind]++
	return a.next[kind] - 1
}

// target makes the next request of a kind.
func (a *attack) target(kind string, t *vegeta.Target) error {
	n := a.turn(kind)
	t.Method, t.Header, t.Body = http.MethodGet, http.Header{}, nil
	switch kind {
	case search:
		t.URL = a.p.question(search, a.goods[n%len(a.goods)].Store, a.words[n%len(a.words)])
	case suggest:
		t.URL = a.p.question(suggest, a.goods[n%len(a.goods)].Store, beginning(a.words[n%len(a.words)], 4))
	case cart:
		open := a.carts[n%len(a.carts)]
		t.Method, t.URL = http.MethodPut, a.p.edge()+"/v1/carts/"+open.Cart+"/items/"+open.Lines[0].Product
		t.Body = fmt.Appendf(nil, `{"quantity":%d}`, 1+n/len(a.carts)%3)
		t.Header.Set("Content-Type", "application/json")
	case checkout:
		if n >= len(a.ready) {
			return vegeta.ErrNoTargets
		}
		return a.purchase(n, t)
	}
	return nil
}

func (a *attack) purchase(n int, t *vegeta.Target) error {
	wish, who := a.ready[n], a.sessions[n%len(a.sessions)]
	key := uuid.NewString()
	body, err := json.Marshal(map[string]any{
		"cart_id": wish.Cart, "store_id": wish.Store, "payment_method": wish.Method, "expected_total": map[string]any{"currency": "GBP", "minor_units": wish.Total},
		"address": map[string]any{"recipient": recipient, "line1": "12 Lexington Street", "city": "London", "postcode": "W1F 0LE", "country": "GB"},
	})
	if err != nil {
		return fmt.Errorf("encode a checkout: %w", err)
	}
	t.Method, t.URL, t.Body = http.MethodPost, a.p.edge()+"/v1/checkouts", body
	t.Header.Set("Content-Type", "application/json")
	t.Header.Set("Authorization", "Bearer "+who.Token)
	t.Header.Set("Idempotency-Key", key)
	t.Header.Set("X-Request-Id", key) // it comes back: so the answer is known as this one's
	now := time.Now()
	c := &shop.Checkout{Key: key, User: who.User, Behaviour: "overload", Wishes: []shop.Wish{*wish}, Deed: shop.Deed{Asks: []shop.Ask{{Start: now, End: now}}}}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byKey[key] = c
	a.checkouts = append(a.checkouts, c)
	return nil
}

// ask asks a rate of all kinds for a while, and waits for the last answer.
func (a *attack) ask(ctx context.Context, rate int, lasts time.Duration) (*phase, error) {
	const mostAtOnce = 1500
	f := &phase{rate: rate, from: time.Now()}
	f.to = f.from.Add(lasts)
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, of := range attackMix {
		attacker := vegeta.NewAttacker(vegeta.Timeout(18*time.Second), vegeta.Workers(20), vegeta.MaxWorkers(mostAtOnce), vegeta.Connections(mostAtOnce))
		perMinute := max(1, int(float64(rate)*of.part*60))
		results := attacker.Attack(func(t *vegeta.Target) error { return a.target(of.kind, t) }, vegeta.Rate{Freq: perMinute, Per: time.Minute}, lasts, of.kind)
		stop := context.AfterFunc(ctx, func() { attacker.Stop() })
		all.Go(func() {
			defer stop()
			for result := range results {
				r := a.read(of.kind, result)
				mu.Lock()
				f.requests = append(f.requests, r)
				if r.refused() {
					f.refusals = append(f.refusals, refusal{of.kind, r.took, result.Headers.Get("Retry-After") != ""})
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	f.scores = scores(f.requests, nil, lasts)
	return f, ctx.Err()
}

// read keeps an answer.
func (a *attack) read(kind string, result *vegeta.Result) request {
	r := request{kind: kind, start: result.Timestamp, took: result.Latency, status: int(result.Code), good: result.Code == http.StatusOK}
	if kind != checkout {
		return r
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := shop.ReadCheckout(int(result.Code), result.Body)
	r.good = answer.Kind == shop.Done
	if c := a.byKey[result.Headers.Get("X-Request-Id")]; c != nil { // else it stays one that nobody knows the outcome of
		c.Asks[0] = shop.Ask{Start: c.Asks[0].Start, End: result.End(), Answer: answer}
	}
	return r
}
