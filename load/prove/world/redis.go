package world

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// Limits of the faults of the stock's Redis.
const (
	failoverLimit = 15 * time.Second
	splitFor      = 4 * time.Second // a time in which both servers are masters to somebody
	// rebuildLimit is for the stock to be loaded anew by those who are left: one that dies with the rebuilders' lock keeps it for 5 s.
	rebuildLimit = 8 * time.Second
)

// The faults of the stock's Redis. Each makes the stores' stock be loaded anew.
const (
	flushed    = "flushall"
	restarted  = "redis restart"
	failedOver = "failover to a lagging replica"
	splitBrain = "split brain"
)

// redisFaults are drawn like cards: after as many, all have come.
var redisFaults = []string{flushed, flushed, restarted, failedOver, failedOver, failedOver, splitBrain}

// breakRedis breaks the stock's Redis. Most times shoppers rush in and the provider is slow just then, so that many checkouts are between
// their hold and their commit; and mostly the processes that load the stock anew are killed at the three points of that.
func (s *Storm) breakRedis(ctx context.Context, rng *rand.Rand, kind string) {
	r := s.round
	now := int(r.master.Load())
	if !r.redis[0].isUp() || !r.redis[1].isUp() || !r.seenAlike() {
		return
	}
	if kind == failedOver {
		r.links[now].replication.close() // the replica won't know of those who come now
	}
	if rng.IntN(4) > 0 {
		if s.weather.Rush != nil {
			s.weather.Rush()
		}
		slow := providerFault{Kind: "slow", Match: "/confirm", Count: 40, Delay: "1500ms"}
		if err := control(ctx, http.MethodPost, r.Provider+"/_control/faults", slow); err != nil {
			s.warn(ctx, err)
		}
		wait(ctx, time.Second)
	}
	var traps []trap
	if rng.IntN(3) > 0 && !s.weather.SpareRebuilders {
		traps = s.trapRebuilders(rng)
	}
	var err error
	switch kind {
	case flushed:
		s.count(kind, r.redis[now].name)
		err = command(ctx, at(redisPort, now), "FLUSHALL")
	case restarted:
		// It is back, empty, before the Sentinels miss it.
		s.count(kind, r.redis[now].name)
		err = r.redis[now].signal(syscall.SIGKILL)
	case failedOver:
		err = s.failOver(ctx, rng, now)
	case splitBrain:
		err = s.split(ctx, rng, now)
	}
	if err != nil {
		s.warn(ctx, err)
	}
	s.spring(ctx, traps)
}

// trap is a rebuild's point in a checkout process, with the order to kill.
type trap struct {
	instance *instance
	point    string
}

// trapRebuilders has each checkout process killed at another point of a rebuild, of those that lack hits.
func (s *Storm) trapRebuilders(rng *rand.Rand) []trap {
	due, hits := s.due(), s.round.world.hitsSoFar()
	points := slices.DeleteFunc(s.fewest(rebuildPoints, rng), func(point string) bool { return hits[point] >= due })
	if len(points) == 0 {
		return nil
	}
	var traps []trap
	for n, i := range s.round.services["checkout"].instances {
		point := points[n%len(points)]
		if err := i.order(point, "kill"); err != nil {
			s.log.Error("order not given", "error", err)
			continue
		}
		traps = append(traps, trap{i, point})
	}
	return traps
}

// spring waits until the traps have been met, for some time, and takes back those that weren't.
func (s *Storm) spring(ctx context.Context, traps []trap) {
	var all sync.WaitGroup
	for _, t := range traps {
		all.Go(func() {
			met, err := hit(ctx, []*instance{t.instance}, t.point, rebuildLimit)
			if err != nil {
				s.log.Error("order not withdrawn", "error", err)
			}
			if met != nil {
				s.killed(ctx, met, t.point)
			}
		})
	}
	all.Wait()
}

// failOver has the replica made the master without the last writes: its link is held up, and the master killed, or stopped and later woken.
// The old one comes back as a replica.
func (s *Storm) failOver(ctx context.Context, rng *rand.Rand, old int) error {
	r := s.round
	r.links[old].replication.close()
	defer r.links[old].replication.open()
	wait(ctx, 200*time.Millisecond+time.Duration(rng.Int64N(int64(time.Second))))
	how, signal := "kill", syscall.SIGKILL
	if rng.IntN(2) == 0 {
		how, signal = "stop", syscall.SIGSTOP
	}
	s.count(failedOver, r.redis[old].name, "by", how)
	r.redis[old].hold()
	if err := r.redis[old].signal(signal); err != nil {
		return err
	}
	r.links[old].cut(func(p *pair) bool { return p.replica.Load() }) // what was held up is lost
	err := s.promoted(ctx, old)
	if signal == syscall.SIGSTOP {
		_ = r.redis[old].signal(syscall.SIGCONT)
	}
	r.redis[old].letGo()
	return err
}

// split cuts the master off from Sentinels and replica. One process goes on with it while the others have a new one.
func (s *Storm) split(ctx context.Context, rng *rand.Rand, old int) error {
	r := s.round
	stays := r.views[rng.IntN(checkouts)] // the first ones are the checkouts'
	stays.stays.Store(true)
	defer stays.stays.Store(false)
	s.count(splitBrain, r.redis[old].name, "stays", stays.name)
	r.links[old].cutOff.Store(true)
	defer r.links[old].cutOff.Store(false)
	r.links[old].cut(func(*pair) bool { return true })
	err := s.promoted(ctx, old)
	wait(ctx, splitFor)
	return err
}

// promoted waits until the Sentinels have made another server than an old one the master.
func (s *Storm) promoted(ctx context.Context, old int) error {
	ctx, cancel := context.WithTimeout(ctx, failoverLimit)
	defer cancel()
	for int(s.round.master.Load()) == old {
		if !wait(ctx, masterPause) {
			return fmt.Errorf("the Sentinels keep %s: %w", s.round.redis[old].name, context.Cause(ctx))
		}
	}
	return nil
}

// command sends a server one command, once.
func command(ctx context.Context, address string, words ...any) error {
	client := oneShot(address)
	defer client.Close()
	if err := client.Do(ctx, words...).Err(); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("%v: %w", words, err)
	}
	return nil
}
