package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// revisions are those that have all the traffic, by service.
type revisions map[string]string

// move is one service's way from a revision to its newest.
type move struct{ service, from, to string }

type rollout struct {
	cloud  *cloud
	config config
}

// pin gives each service's traffic to the one revision that has most of it, by name. A split is what an interrupted rollout left; of two
// that have the same, the older stays.
func (r *rollout) pin(ctx context.Context) (revisions, error) {
	services, err := r.cloud.services(ctx)
	if err != nil {
		return nil, err
	}
	serving := revisions{}
	for _, s := range services {
		most := int64(0)
		for _, revision := range slices.Sorted(maps.Keys(s.traffic)) { // names begin with the service's and a rising number
			if s.traffic[revision] > most {
				serving[s.name], most = revision, s.traffic[revision]
			}
		}
		if most == 0 {
			return nil, fmt.Errorf("%s has no revision that serves", s.name)
		}
	}
	return serving, each(services, func(s service) error {
		if s.pinned && s.traffic[serving[s.name]] == 100 {
			return nil
		}
		return r.cloud.give(ctx, s.name, revisionShares(serving[s.name], "", 0))
	})
}

// shift is the rollout. Its error says what burned, and that the traffic is back.
func (r *rollout) shift(ctx context.Context, before revisions) error {
	moves, err := r.moves(ctx, before)
	if err != nil || len(moves) == 0 {
		return err
	}
	began := time.Now()
	if err := r.look(ctx, moves, began); err != nil {
		return fmt.Errorf("not begun: %w", err)
	}
	for _, share := range append(slices.Clone(r.config.Shares), 100) {
		began = time.Now()
		err := each(moves, func(m move) error { return r.cloud.give(ctx, m.service, revisionShares(m.from, m.to, share)) })
		if err == nil {
			log.Printf("%d %% of the traffic of %d services is their new revision's", share, len(moves))
			err = r.watch(ctx, moves, began)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("at %d %%: %w", share, err), r.back(context.WithoutCancel(ctx), before))
		}
	}
	return nil
}

// back gives all traffic to the revisions, and tells of each service that it couldn't be done for.
func (r *rollout) back(ctx context.Context, to revisions) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	services, err := r.cloud.services(ctx)
	if err != nil {
		return fmt.Errorf("THE TRAFFIC IS AS IT WAS LEFT: %w", err)
	}
	services = slices.DeleteFunc(services, func(s service) bool { return to[s.name] == "" })
	err = each(services, func(s service) error {
		err := r.cloud.give(ctx, s.name, revisionShares(to[s.name], "", 0))
		if err != nil {
			err = fmt.Errorf("%s IS NOT BACK: %w\n  gcloud run services update-traffic %s --region=%s --to-revisions=%s=100", s.name, err, s.name, r.config.Region, to[s.name])
		}
		return err
	})
	if err == nil {
		log.Printf("all traffic of %d services is back", len(services))
	}
	return err
}

// moves are what is new since. A service that wasn't there before has served from its first revision on.
func (r *rollout) moves(ctx context.Context, before revisions) ([]move, error) {
	services, err := r.cloud.services(ctx)
	if err != nil {
		return nil, err
	}
	var moves []move
	for _, s := range services {
		from, there := before[s.name]
		switch {
		case s.newest != s.ready:
			return nil, fmt.Errorf("%s isn't ready: its newest revision is %s, and %s is the newest that is", s.name, s.newest, s.ready)
		case there && from != s.ready:
			moves = append(moves, move{service: s.name, from: from, to: s.ready})
			log.Printf("%s: from %s to %s", s.name, from, s.ready)
		}
	}
	if len(moves) == 0 {
		log.Print("no service has a new revision")
	}
	return moves, nil
}

// blind is how many looks may fail one after the other: who can't see what a revision does must not give it more.
const blind = 5

// watch looks again and again, until a share has been watched long enough and the last look was a good one.
func (r *rollout) watch(ctx context.Context, moves []move, began time.Time) error {
	tick := time.NewTicker(r.config.Every)
	defer tick.Stop()
	for failed := 0; ; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		err := r.look(ctx, moves, began)
		var burns *burnError
		switch {
		case errors.As(err, &burns):
			return err
		case err != nil:
			failed++
			log.Printf("can't look: %v", err)
			if failed == blind {
				return err
			}
		default:
			failed = 0
			if time.Since(began) >= r.config.Watch {
				return nil
			}
		}
	}
}

// burnError is an error budget that is used up too fast.
type burnError struct {
	what string
	rate float64
}

func (e *burnError) Error() string {
	return fmt.Sprintf("%s burns its budget %.1f times as fast as it may", e.what, e.rate)
}

// fewest bad answers that say something: of little traffic, one is a large share.
const fewest = 3

// look asks of each service that moves whether its objectives burn, and whether its new revision alone would burn the budget of availability:
// in the service's sum, a revision that fails at 5 % of the traffic hides behind the others' good answers.
func (r *rollout) look(ctx context.Context, moves []move, since time.Time) error {
	return each(moves, func(m move) error {
		goals, err := r.cloud.objectives(ctx, m.service)
		if err != nil {
			return err
		}
		for _, name := range goals.names {
			rate, err := r.cloud.burnRate(ctx, name)
			if err != nil {
				return err
			}
			if rate > r.config.Burn {
				return &burnError{what: name, rate: rate}
			}
		}
		bad, err := r.cloud.count(ctx, goals.bad, m.to, since)
		if err != nil || bad < fewest {
			return err
		}
		all, err := r.cloud.count(ctx, goals.all, m.to, since)
		if err != nil || all == 0 {
			return err
		}
		if rate := bad / all / (1 - goals.goal); rate > r.config.Burn {
			return &burnError{what: fmt.Sprintf("%s, with %.0f bad of %.0f answers,", m.to, bad, all), rate: rate}
		}
		return nil
	})
}

// together is how many services are asked or changed at once.
const together = 8

// each does something for each, and tells of each that failed.
func each[T any](these []T, do func(T) error) error {
	var group errgroup.Group
	group.SetLimit(together)
	failed := make([]error, len(these))
	for i, this := range these {
		group.Go(func() error {
			failed[i] = do(this)
			return nil
		})
	}
	return errors.Join(group.Wait(), errors.Join(failed...))
}
