package shop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// crowd is the behaviour of those who come in a crowd.
const crowd = "crowd"

const (
	// Of a rush, the first part comes within rushFor: what breaks then finds some who hold the units that others want. The others come
	// within lateFor, when it may be back, and may have forgotten those.
	rushFor   = 2500 * time.Millisecond
	rushFirst = 0.6
	lateFor   = 5 * time.Second
	// rushShare is how many come for each unit that is there.
	rushShare = 3
)

// crowd lets many want the hot product at the same moment, once.
func (d *Day) crowd(ctx context.Context, random *rand.Rand) {
	if !pauseFor(ctx, 10*time.Second+time.Duration(random.Int64N(int64(10*time.Second)))) {
		return
	}
	ready := d.queueUp(ctx, d.hotStore, d.hot, d.shop.config.Crowd, 10_000)
	d.log.InfoContext(ctx, "a crowd wants one product", "product", d.hot, "store", d.hotStore, "checkouts", len(ready))
	d.admit(ctx, ready, func(int) time.Duration { return 0 })
}

// Rush has a crowd come now for a third as many units as it wants. It doesn't wait for it, and does nothing while the last one isn't through, or
// the next hasn't its carts yet.
func (d *Day) Rush() {
	select {
	case d.rushes <- struct{}{}:
	default:
	}
}

// rush keeps a crowd ready until ctx ends.
func (d *Day) rush(ctx context.Context, random *rand.Rand) {
	size := d.shop.config.Rush
	for n := 1; ; n++ {
		store := d.shop.stores[random.IntN(len(d.shop.stores))]
		ready := d.queueUp(ctx, store, d.rushed, size, 10_000*(n+1))
		units := []Line{{Product: d.rushed, Quantity: int64(max(1, size/rushShare))}}
		if _, ok := d.insistOnEntry(ctx, d.adjustment(store, ByOperator, units)); !ok {
			return
		}
		select {
		case <-d.rushes:
		case <-ctx.Done():
			return
		}
		d.log.InfoContext(ctx, "a rush for one product", "product", d.rushed, "store", store, "checkouts", len(ready))
		first := max(1, int(rushFirst*float64(len(ready))))
		d.admit(ctx, ready, func(i int) time.Duration {
			if i < first {
				return rushFor / time.Duration(first)
			}
			return lateFor / time.Duration(len(ready)-first)
		})
	}
}

// queueUp fills as many carts with one product, and returns whose are full. Their choices are drawn by numbers from a first on.
func (d *Day) queueUp(ctx context.Context, store, product string, size, first int) []*buyer {
	ready := make([]*buyer, size)
	var filling sync.WaitGroup
	for i := range ready {
		b := &buyer{day: d, person: d.shop.people[i%len(d.shop.people)], random: d.fork(first + i), store: store}
		filling.Go(func() {
			select {
			case d.carts <- struct{}{}:
				defer func() { <-d.carts }()
			case <-ctx.Done():
				return
			}
			if b.openCart(ctx) && b.put(ctx, product, 1+b.random.Int64N(2)) {
				ready[i] = b
			}
		})
	}
	filling.Wait()
	return slices.DeleteFunc(ready, func(b *buyer) bool { return b == nil })
}

// admit lets them check out, each after a pause after the one before, and waits for the last to be through.
func (d *Day) admit(ctx context.Context, ready []*buyer, pause func(i int) time.Duration) {
	var all sync.WaitGroup
	for i, b := range ready {
		if !pauseFor(ctx, pause(i)) {
			break
		}
		wish := Wish{
			Store: b.store, Cart: b.cart, Method: "pm_card_visa", Recipient: fmt.Sprintf("Number %d", i),
			Total: b.seen.Totals.Total.Minor, Lines: b.seen.lines(),
		}
		c := &Checkout{Key: uuid.NewString(), User: b.person.user(), Behaviour: crowd, Wishes: []Wish{wish}, person: b.person}
		all.Go(func() {
			staying, leave := context.WithTimeout(ctx, 2*stayFor)
			defer leave()
			b.plain(staying, c)
		})
	}
	all.Wait()
}
