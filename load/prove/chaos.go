package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"larder.dev/load/prove/shop"
	"larder.dev/load/prove/world"
)

const (
	// enoughAnswered is the part of the shoppers that get a final answer while packets are lost, of at least enoughAsked.
	enoughAnswered = 0.99
	enoughAsked    = 50
	// chaosHold is as long as shoppers stay: nobody gives up for them what they still wait for.
	chaosHold = 25 * time.Second
	// Shoppers of chaos are fewer than what a storm has: a queue before Spanner's emulator would hide what the trouble costs.
	chaosShoppers, chaosAtOnce = 60, 6
)

// troubles reads the list of what chaos is to do; "all" is everything.
func troubles(list string) ([]world.Trouble, error) {
	if list == "all" {
		return world.Troubles, nil
	}
	var kinds []world.Trouble
	for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		kind := world.Trouble(name)
		if !slices.Contains(world.Troubles, kind) {
			return nil, fmt.Errorf("there is no trouble %q, but %v", name, world.Troubles)
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

// ordeal is what a kind of trouble came to.
type ordeal struct {
	kind world.Trouble
	shop.Outcomes
}

// enough refuses too few answers while packets are lost, and an ordeal that nobody shopped in.
func (o ordeal) enough() error {
	switch {
	case o.Checkouts < enoughAsked && o.kind == world.Loss || o.Checkouts == 0:
		return fmt.Errorf("%w: %s: %d checkouts are too few to tell", errFound, o.kind, o.Checkouts)
	case o.kind == world.Loss && o.Share() < enoughAnswered:
		return fmt.Errorf("%w: %s: %.1f %% of the shoppers got their answer, want %.0f %%", errFound, o.kind, 100*o.Share(), 100*enoughAnswered)
	default:
		return nil
	}
}

// chaos makes a round for each kind of trouble, and tells how many shoppers got their answer meanwhile, and what was found afterwards.
func (p *proving) chaos(ctx context.Context, kinds []world.Trouble) error {
	var missed []error
	for n, kind := range kinds {
		o := ordeal{kind: kind}
		err := p.one(ctx, n+1, func(ctx context.Context, r *world.Round, day *shop.Day) (world.Tally, error) {
			began := time.Now()
			tally, err := p.trouble(ctx, r, day, kind)
			if lost := tally.Calls["packets lost"]; lost > 0 {
				p.tell(fmt.Sprintf("%s: %d packets were dropped", kind, lost))
			}
			o.Outcomes = day.History().Outcomes(began, time.Now())
			return tally, err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		p.tell(fmt.Sprintf("%s: %d checkouts, %.1f %% got their answer; the others: %s", kind, o.Checkouts, 100*o.Share(), list(o.Failed)))
		missed = append(missed, o.enough())
	}
	p.details()
	p.tell(fmt.Sprintf("chaos: orders=%d faults=%d %s", p.result.Orders, p.tally.Faults, &p.result))
	if !p.result.Clean() {
		missed = append(missed, errFound)
	}
	return errors.Join(missed...)
}

// trouble lets shoppers buy while one kind of trouble lasts.
func (p *proving) trouble(ctx context.Context, r *world.Round, day *shop.Day, kind world.Trouble) (world.Tally, error) {
	buying, stop := context.WithCancel(ctx)
	defer stop()
	bought := make(chan error, 1)
	go func() { bought <- day.Run(buying) }()
	tally, err := r.Trouble(ctx, kind, p.duration)
	stop()
	return tally, errors.Join(err, <-bought, ctx.Err())
}
