package world

import (
	"context"
	"fmt"
	"math/rand/v2"
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

// breakRedis breaks the stock's Redis in one of four ways. Each makes the stores' stock be loaded anew, and those who do it are killed at
// the three points of that.
func (s *Storm) breakRedis(ctx context.Context, rng *rand.Rand) {
	r := s.round
	now := int(r.master.Load())
	if !r.redis[0].isUp() || !r.redis[1].isUp() || !r.seenAlike() {
		return
	}
	killed := s.killRebuilders(ctx, rng)
	defer killed()
	var err error
	switch rng.IntN(8) {
	case 0, 1, 2:
		s.count("flushall", r.redis[now].name)
		err = command(ctx, at(redisPort, now), "FLUSHALL")
	case 3, 4:
		// It is back, empty, before the Sentinels miss it.
		s.count("redis restart", r.redis[now].name)
		err = r.redis[now].signal(syscall.SIGKILL)
	case 5, 6:
		err = s.failOver(ctx, rng, now)
	default:
		err = s.split(ctx, rng, now)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("a fault of Redis went otherwise", "error", err)
	}
	wait(ctx, rebuildLimit)
}

// killRebuilders has each checkout process killed at another one of the points of a rebuild. The function that it returns takes back
// what wasn't carried out.
func (s *Storm) killRebuilders(ctx context.Context, rng *rand.Rand) func() {
	points := s.fewest(rebuildPoints, rng)
	instances := s.round.services["checkout"].instances
	type trap struct {
		instance *instance
		point    string
	}
	var traps []trap
	for n, i := range instances {
		point := points[n%len(points)]
		if err := i.order(point, "kill"); err != nil {
			s.log.Error("order not given", "error", err)
			continue
		}
		traps = append(traps, trap{i, point})
	}
	return func() {
		for _, t := range traps {
			there, err := t.instance.withdraw(t.point)
			switch {
			case err != nil:
				s.log.Error("order not withdrawn", "error", err)
			case !there:
				s.killed(ctx, t.instance, t.point)
			}
		}
	}
}

// failOver has the replica made the master without the last writes: its link is held up, and the master killed, or stopped and later woken.
// The old one comes back as a replica.
func (s *Storm) failOver(ctx context.Context, rng *rand.Rand, old int) error {
	r := s.round
	r.links[old].replication.close()
	wait(ctx, 300*time.Millisecond+time.Duration(rng.Int64N(int64(700*time.Millisecond))))
	how, signal := "kill", syscall.SIGKILL
	if rng.IntN(2) == 0 {
		how, signal = "stop", syscall.SIGSTOP
	}
	s.count("failover to a lagging replica", r.redis[old].name, "by", how)
	r.redis[old].hold()
	if err := r.redis[old].signal(signal); err != nil {
		return err
	}
	r.links[old].cut(func(p *pair) bool { return p.replica.Load() }) // what was held up is lost
	err := s.promoted(ctx, old)
	r.links[old].replication.open()
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
	s.count("split brain", r.redis[old].name, "stays", stays.name)
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
	if err := client.Do(ctx, words...).Err(); err != nil && err != redis.Nil {
		return fmt.Errorf("%v: %w", words, err)
	}
	return nil
}
