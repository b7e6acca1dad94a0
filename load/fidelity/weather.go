package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// weather is what happens to the road between the catalogue and the index, and when.
type weather struct {
	world  *world
	lasts  time.Duration
	blows  []blow
	reseed uint64
}

type blow struct {
	at   time.Duration
	kind string
	// lasts is how long something refuses.
	lasts time.Duration
}

// kinds of faults, as often as they are named. Elasticsearch takes half a minute to be back.
var kinds = []string{
	"kill debezium", "kill debezium", "kill pipeline", "kill pipeline", "kill pipeline", "kill elasticsearch",
	"refuse with 429", "refuse with 429", "refuse with 503", "redeliver", "redeliver", "redeliver", "poison", "poison", "lose the slot", "outgrow the slot",
}

// reindexAt is the part of the storm that has passed when the index is built anew.
const reindexAt = 0.3

func (w *world) weather(lasts time.Duration) *weather {
	v := &weather{world: w, lasts: lasts, reseed: w.rng.Uint64()}
	order := slices.Concat(kinds, kinds)
	for at, n := 3*time.Second, 0; at < lasts-10*time.Second; n++ {
		if n%len(order) == 0 {
			w.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		v.blows = append(v.blows, blow{at: at, kind: order[n%len(order)], lasts: time.Duration(1+w.rng.IntN(4)) * time.Second})
		at += time.Duration(3+w.rng.IntN(6)) * time.Second
	}
	return v
}

// blow lets everything happen in its time, and returns how many faults there were. All is well again when it returns;
// only events go on getting lost where they are to: what faults held up comes after the storm.
func (v *weather) blow(ctx context.Context) (int, error) {
	w := v.world
	w.platform.gate.drops.Store(w.options.without == withoutEvents)
	began := time.Now()
	rng := rand.New(rand.NewPCG(v.reseed, 1))
	// What was begun is brought to its end: the storm's end ends nothing half-way.
	group, whole := errgroup.WithContext(context.WithoutCancel(ctx))
	group.Go(func() error {
		// Without what is built out, the audit rightly keeps a new generation from becoming live.
		if w.options.without == "" && wait(ctx, time.Duration(reindexAt*float64(v.lasts))) {
			return v.reindex(whole)
		}
		return nil
	})
	faults := 0
	group.Go(func() error {
		for _, b := range v.blows {
			if !wait(ctx, time.Until(began.Add(b.at))) {
				return nil
			}
			faults++
			w.log.Info("fault", "kind", b.kind)
			if err := v.one(whole, b, rng); err != nil {
				return fmt.Errorf("%s: %w", b.kind, err)
			}
		}
		wait(ctx, v.lasts)
		return nil
	})
	err := group.Wait()
	w.platform.gate.status.Store(0)
	return faults, err
}

// wait tells whether the time has passed before ctx ended.
func wait(ctx context.Context, lasts time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(lasts):
		return true
	}
}

func (v *weather) one(ctx context.Context, b blow, rng *rand.Rand) error {
	w := v.world
	switch b.kind {
	case "kill debezium":
		return w.platform.kill(ctx, "debezium")
	case "kill elasticsearch":
		return w.platform.kill(ctx, "elasticsearch")
	case "kill pipeline":
		return errors.Join(w.platform.kill(ctx, "productindex"), w.platform.kill(ctx, "productindexeven"))
	case "refuse with 429", "refuse with 503":
		w.platform.gate.status.Store(map[string]int32{"refuse with 429": 429, "refuse with 503": 503}[b.kind])
		wait(ctx, b.lasts)
		w.platform.gate.status.Store(0)
		return nil
	case "lose the slot":
		if err := w.platform.kill(ctx, "debezium"); err != nil {
			return err
		}
		return w.shelf.loseSlot(ctx)
	case "outgrow the slot":
		return v.outgrowSlot(ctx)
	case "redeliver":
		return w.echo.again(ctx, rng, 200)
	case "poison":
		return w.echo.poison(ctx, rng)
	default:
		return errors.New("nobody knows this fault")
	}
}

// reindex builds the index anew and lets search read the new one, while transactions are open that began before and end at all stages. It is
// asked for again while faults break it off, or its audit finds that faults hold up changes for longer than it waits; at the latest when
// the storm is over it has to succeed.
func (v *weather) reindex(ctx context.Context) error {
	const transactions = 6
	w := v.world
	group, ctx := errgroup.WithContext(ctx)
	for i := range transactions {
		group.Go(func() error { return w.shelf.open(ctx, i, time.Duration(2+5*i)*time.Second) })
	}
	group.Go(func() error {
		began := time.Now()
		for {
			out, err := w.platform.script(ctx, 3*time.Minute, "local/bin/reindex.sh")
			if err == nil {
				w.log.Info("the index was built anew", "took", time.Since(began).Round(time.Second), "told", last(out))
				return nil
			}
			w.log.Info("the index is to be built anew once more", "error", err, "told", last(out))
			if time.Since(began) > v.lasts+settleFor || !wait(ctx, 2*time.Second) {
				return fmt.Errorf("the index isn't built anew: %w: %s", err, last(out))
			}
		}
	})
	return group.Wait()
}

func last(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
