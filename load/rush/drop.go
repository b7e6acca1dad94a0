package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"larder.dev/load/bench/figure"
	"larder.dev/load/prove/shop"
	"larder.dev/load/usage"
)

// A drop: many want one product at once, of which there are few.
const (
	dropUnits = 100
	dropFor   = 10 * time.Second
	// besides are those who search and fill carts meanwhile, and are to notice nothing.
	besidesRate = 40
	besidesFor  = 40 * time.Second
	// dropAfter is when the drop begins, from the start of what is measured of the others.
	dropAfter = 10 * time.Second
	// failAfter is when the stock's Redis is killed, from the start of the drop.
	failAfter = 2 * time.Second
)

// drop has a crowd want 100 units of a product within ten seconds, then the same of another one while the stock's Redis is killed.
func (p *platform) drop(ctx context.Context) error {
	if err := p.awaken(ctx); err != nil {
		return err
	}
	var broken []string
	goods := drawGoods(p.random(77), p.opening, p.items, p.atLeast)
	for i, fails := range []bool{false, true} {
		what, err := p.dropOne(ctx, goods[i], fails)
		if err != nil {
			return err
		}
		broken = append(broken, what...)
	}
	result, err := p.tellAccount(ctx)
	if err != nil {
		return err
	}
	for i, g := range goods[:2] {
		if sold := p.sold(g); sold != dropUnits {
			broken = append(broken, fmt.Sprintf("drop %d: %d of %d units of %s are sold", i+1, sold, dropUnits, g.Product))
		}
	}
	return p.verdict(broken, result)
}

// sold is how many orders of a product shoppers were told of by now.
func (p *platform) sold(g good) int {
	n := 0
	for _, c := range p.history.Checkouts {
		if answer, _, ok := c.Final(); ok && answer.Kind == shop.Done && c.Wishes[0].Store == g.Store && c.Wishes[0].Lines[0].Product == g.Product {
			n++
		}
	}
	return n
}

func (p *platform) dropOne(ctx context.Context, g good, fails bool) ([]string, error) {
	if err := p.stockOf(ctx, g, dropUnits); err != nil {
		return nil, err
	}
	sessions, err := p.people.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	a := &attack{p: p, sessions: sessions, byKey: map[string]*shop.Checkout{}, next: map[string]int{}}
	if a.ready, err = p.fillCarts(ctx, slices.Repeat([]good{g}, p.crowd)); err != nil {
		return nil, err
	}
	p.say("%d want %d units of %s in %s within %s, stock's Redis killed meanwhile: %v", p.crowd, dropUnits, g.Product, g.Store, dropFor, fails)

	var others *outcome
	var errOthers error
	var all sync.WaitGroup
	all.Go(func() {
		others, errOthers = p.burst(ctx, burst{rate: besidesRate, warm: p.warm, lasts: besidesFor, mix: mix{80, 20, 0}})
	})
	pause(ctx, p.warm+dropAfter)
	if fails {
		all.Go(func() {
			if pause(ctx, failAfter) {
				p.kill("redis-stock")
			}
		})
	}
	f := a.rush(ctx, vegeta.Rate{Freq: p.crowd, Per: dropFor})
	all.Wait()
	if errOthers != nil {
		return nil, errOthers
	}
	p.history.Checkouts = append(p.history.Checkouts, a.checkouts...)
	var broken []string
	p.say("the crowd:")
	if err := printScores(p.out, f.scores); err != nil {
		return nil, fmt.Errorf("tell: %w", err)
	}
	p.say("%s", tellAnswers(f.requests))
	p.say("the others meanwhile:")
	if err := printScores(p.out, others.scores); err != nil {
		return nil, fmt.Errorf("tell: %w", err)
	}
	for _, what := range limits(others.scores) {
		broken = append(broken, "the others: "+what)
	}
	return broken, ctx.Err()
}

// rush has all ready carts be bought at a rate.
func (a *attack) rush(ctx context.Context, rate vegeta.Rate) *phase {
	const mostAtOnce = 4000
	f := &phase{from: time.Now()}
	attacker := vegeta.NewAttacker(vegeta.Timeout(18*time.Second), vegeta.Workers(100), vegeta.MaxWorkers(mostAtOnce), vegeta.Connections(mostAtOnce))
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	for result := range attacker.Attack(func(t *vegeta.Target) error { return a.target(checkout, t) }, rate, rate.Per, checkout) {
		f.requests = append(f.requests, a.read(checkout, result))
	}
	f.to = time.Now()
	f.scores = scores(f.requests, nil, f.to.Sub(f.from))
	return f
}

// tellAnswers counts answers by their status, with what the refusals took.
func tellAnswers(all []request) string {
	byStatus := map[int][]time.Duration{}
	for _, r := range all {
		byStatus[r.status] = append(byStatus[r.status], r.took)
	}
	text := "answers by status:"
	for _, status := range []int{200, 409, 429, 503, 504, 0} {
		took := byStatus[status]
		if len(took) == 0 {
			continue
		}
		text += fmt.Sprintf(" %d: %d, p50 %s p99 %s;", status, len(took), ms(figure.Percentile(took, 500)), ms(figure.Percentile(took, 990)))
	}
	return text
}

// stockOf has an operator enter so much, or take so much away, that there are so many units.
func (p *platform) stockOf(ctx context.Context, g good, units int64) error {
	for _, a := range p.opening {
		for _, line := range a.Lines {
			if a.Store == g.Store && line.Product == g.Product {
				units -= line.Quantity
			}
		}
	}
	if units == 0 {
		return nil
	}
	day, err := p.people.Visit(shop.Place{Edge: p.edge(), PubSubHost: p.PubSubHost, Project: p.Project}, p.history)
	if err != nil {
		return err
	}
	defer day.Close()
	return day.Enter(ctx, g.Store, []shop.Line{{Product: g.Product, Quantity: units}})
}

// kill ends a component of this platform with kill -9; its supervisor starts it again.
func (p *platform) kill(name string) {
	processes, err := usage.Read(p.State, nil)
	if err != nil {
		p.say("find %s: %v", name, err)
		return
	}
	for _, one := range processes {
		if one.Name == name {
			if err := syscall.Kill(one.PID, syscall.SIGKILL); err == nil {
				p.say("killed %s, process %d", name, one.PID)
			}
		}
	}
}
