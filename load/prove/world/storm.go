package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// healLimit bounds the waiting for everything to run again after a storm.
const healLimit = 60 * time.Second

// Tally counts what a storm has done.
type Tally struct {
	Faults int
	ByKind map[string]int
	// Points has how often a process was killed at each crash point; AllPoints are those that there are.
	Points    map[string]int
	AllPoints []string
	// Calls has how many calls of Spanner were broken, by kind: each fault of that sort breaks several.
	Calls map[string]int
}

func newTally() Tally {
	return Tally{ByKind: map[string]int{}, Points: map[string]int{}, Calls: map[string]int{}}
}

// Add adds another storm's.
func (t *Tally) Add(other Tally) {
	if t.ByKind == nil {
		*t = newTally()
	}
	t.Faults += other.Faults
	for into, from := range map[*map[string]int]map[string]int{&t.ByKind: other.ByKind, &t.Points: other.Points, &t.Calls: other.Calls} {
		for name, n := range from {
			(*into)[name] += n
		}
	}
	t.AllPoints = other.AllPoints
}

// Weather says how hard a storm is.
type Weather struct {
	// Intensity 1 is more than a fault a second; with 2, pauses are half as long.
	Intensity float64
	// Hits is how often a process is to have been killed at each crash point when the storm ends, those of earlier storms included. Kills
	// are spread over the storm's time, and no more than needed.
	Hits int
	// For is the time over which those kills are spread. A storm that goes on after it makes up for what is lacking.
	For time.Duration
	// SpareRebuilders: those who load the stock anew aren't killed at it. So it is there again at once, while some are still on their way to
	// the commit with what they held before.
	SpareRebuilders bool
	// Rush is called right before the stock's Redis breaks, for many checkouts to be under way then. It returns at once.
	Rush func()
}

// Storm breaks a round's platform until its context ends.
type Storm struct {
	round   *Round
	log     *slog.Logger
	weather Weather
	work    sync.WaitGroup
	began   time.Time
	had     int // hits that each point had at least before

	mu     sync.Mutex
	tally  Tally
	misses map[string]int // how often a point wasn't hit in time
	armed  map[string]bool
	busy   map[*instance]bool // an order at a time for each process
}

// Storm begins to break things until ctx ends. What happens is drawn from the world's seed and the round's number; when, depends on the
// machine too.
func (r *Round) Storm(ctx context.Context, weather Weather) (*Storm, error) {
	points, err := r.points()
	if err != nil {
		return nil, err
	}
	s := &Storm{
		round: r, log: r.log, weather: weather, began: time.Now(), had: r.world.fewestHits(points),
		tally: newTally(), misses: map[string]int{}, armed: map[string]bool{}, busy: map[*instance]bool{},
	}
	s.tally.AllPoints = points
	echoes, err := s.listen(ctx)
	if err != nil {
		return nil, err
	}
	for _, echo := range echoes {
		rng := r.fork()
		s.work.Go(func() { echo.run(ctx, rng) })
	}
	for range killers {
		s.repeat(ctx, time.Second, s.killAtPoint) // in any weather: how often is bounded by the hits that are due
	}
	s.repeat(ctx, s.every(12*time.Second), s.stopAtPoint)
	s.repeat(ctx, s.every(12*time.Second), s.killAny)
	s.repeat(ctx, s.every(15*time.Second), s.stopAny)
	s.repeat(ctx, s.every(10*time.Second), s.jumpClock)
	s.repeat(ctx, s.every(10*time.Second), s.cutConnections)
	draw(ctx, s, s.every(15*time.Second), redisFaults, s.breakRedis)
	draw(ctx, s, s.every(12*time.Second), spannerWeathers, s.breakSpanner)
	draw(ctx, s, s.every(4*time.Second), providerFaults, s.breakProvider)
	draw(ctx, s, s.every(12*time.Second), webhookWeathers, s.breakWebhooks)
	return s, nil
}

// FewestHits is how often a process was killed at each crash point at least, in all storms by now.
func (s *Storm) FewestHits() int { return s.round.world.fewestHits(s.tally.AllPoints) }

// every stretches a pause by the storm's intensity.
func (s *Storm) every(pause time.Duration) time.Duration {
	return time.Duration(float64(pause) / s.weather.Intensity)
}

// due is how often each point should have been hit by now.
func (s *Storm) due() int {
	passed := min(1, float64(time.Since(s.began))/float64(s.weather.For)*1.15) // the end is for those that are hard to hit
	return s.had + int(math.Ceil(passed*float64(s.weather.Hits-s.had)))
}

// repeat makes a fault again and again, with about a pause before each. A fault ends what it began before it returns, and returns soon
// when its context ends.
func (s *Storm) repeat(ctx context.Context, pause time.Duration, fault func(ctx context.Context, rng *rand.Rand)) {
	rng := s.round.fork()
	s.work.Go(func() {
		for wait(ctx, pause/2+time.Duration(rng.Int64N(int64(pause)))) {
			fault(ctx, rng)
		}
	})
}

// draw repeats a fault of which there are several kinds: they are drawn like cards, so that all come, in any order.
func draw[T any](ctx context.Context, s *Storm, pause time.Duration, kinds []T, fault func(ctx context.Context, rng *rand.Rand, kind T)) {
	var left []T
	s.repeat(ctx, pause, func(ctx context.Context, rng *rand.Rand) {
		if len(left) == 0 {
			left = slices.Clone(kinds)
			rng.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
		}
		kind := left[0]
		left = left[1:]
		fault(ctx, rng, kind)
	})
}

// Wait waits for the storm's end, and then until everything is right again: all processes run and answer, nothing is in the way, every
// clock is right, and the stock's Redis is one master and one replica.
func (s *Storm) Wait(ctx context.Context) (Tally, error) {
	s.work.Wait()
	ctx, cancel := context.WithTimeout(ctx, healLimit)
	defer cancel()
	err := s.round.heal(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.Calls = s.round.spanner.injected()
	return s.tally, err
}

// count counts a fault and logs it.
func (s *Storm) count(kind, target string, details ...any) {
	s.mu.Lock()
	s.tally.Faults++
	s.tally.ByKind[kind]++
	s.mu.Unlock()
	s.log.Info("fault", append([]any{"kind", kind, "target", target}, details...)...)
}

// heal makes everything right.
func (r *Round) heal(ctx context.Context) error {
	began := time.Now()
	r.spanner.set(spannerFaults{})
	err := errors.Join(
		control(ctx, "DELETE", r.Provider+"/_control/faults", nil),
		control(ctx, "POST", r.Provider+"/_control/webhooks", map[string]any{}))
	for _, l := range r.links {
		l.cutOff.Store(false)
		l.replication.open()
	}
	for _, instance := range r.instances() {
		err = errors.Join(err, instance.disarm())
		_ = instance.signal(syscall.SIGCONT) // one that has just died is started again
		instance.asleep.Store(false)
		instance.deaf.open()
	}
	for _, server := range r.redis {
		_ = server.signal(syscall.SIGCONT)
		server.letGo()
	}
	err = errors.Join(err, ready(ctx, r.processes...), r.whole(ctx))
	for _, v := range r.views {
		v.stays.Store(false)
	}
	for !r.seenAlike() {
		if !wait(ctx, masterPause) {
			return errors.Join(err, errors.New("some process doesn't see the stock's master"))
		}
	}
	if err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	r.log.Info("all is well again", "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// seenAlike tells whether every process sees the server that the Sentinels hold for the master.
func (r *Round) seenAlike() bool {
	return !slices.ContainsFunc(r.views, func(v *view) bool { return v.server.Load() != r.master.Load() })
}

// instances are all processes that can be broken from inside, always in the same order.
func (r *Round) instances() []*instance {
	var all []*instance
	for _, name := range slices.Sorted(maps.Keys(r.services)) {
		all = append(all, r.services[name].instances...)
	}
	for _, name := range slices.Sorted(maps.Keys(r.functions)) {
		all = append(all, r.functions[name])
	}
	return all
}

// claim takes a process for one fault, so that two don't meet in it: the later one would undo the earlier.
func (s *Storm) claim(all []*instance, rng *rand.Rand) *instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	free := slices.DeleteFunc(slices.Clone(all), func(i *instance) bool { return s.busy[i] || !i.isUp() })
	if len(free) == 0 {
		return nil
	}
	got := free[rng.IntN(len(free))]
	s.busy[got] = true
	return got
}

func (s *Storm) release(i *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, i)
}

// killAny kills a process wherever it is.
func (s *Storm) killAny(_ context.Context, rng *rand.Rand) {
	i := s.claim(s.round.instances(), rng)
	if i == nil {
		return
	}
	defer s.release(i)
	if err := i.signal(syscall.SIGKILL); err == nil {
		s.count("kill", i.name)
	}
}

// stopAny stops a process wherever it is, for a moment or for longer than a hold lasts.
func (s *Storm) stopAny(ctx context.Context, rng *rand.Rand) {
	i := s.claim(s.round.instances(), rng)
	if i == nil {
		return
	}
	defer s.release(i)
	if err := i.signal(syscall.SIGSTOP); err != nil {
		return
	}
	long := time.Duration(rng.Int64N(int64(3 * time.Second)))
	if rng.IntN(4) == 0 {
		long = s.round.world.config.HoldFor + time.Second
	}
	s.count("stop", i.name, "for", long.Round(time.Millisecond))
	s.sleep(ctx, i, long)
}

// goesDeaf is how long a process that was stopped doesn't hear that its callers have left.
const goesDeaf = 2 * time.Second

// sleep lets a stopped process sleep, and wakes it. A balancer would notice, and lead new callers elsewhere.
func (s *Storm) sleep(ctx context.Context, i *instance, long time.Duration) {
	i.deaf.close()
	wait(ctx, min(long, time.Second))
	if long > time.Second {
		i.asleep.Store(true)
		for _, service := range s.round.services {
			if service.proxy != nil {
				service.proxy.cut(func(p *pair) bool { return p.route.address == i.address && p.idle.Load() })
			}
		}
		wait(ctx, long-time.Second)
	}
	_ = i.signal(syscall.SIGCONT) // it may have been killed in its sleep by nobody but its own end
	i.asleep.Store(false)
	wait(ctx, goesDeaf)
	i.deaf.open()
}

// jumpClock puts a process's clock wrong for some seconds.
func (s *Storm) jumpClock(ctx context.Context, rng *rand.Rand) {
	i := s.claim(s.round.instances(), rng)
	if i == nil {
		return
	}
	defer s.release(i)
	wrong := 30*time.Second + time.Duration(rng.Int64N(int64(2*time.Hour-30*time.Second)))
	if rng.IntN(2) == 0 {
		wrong = 30*time.Second + time.Duration(rng.Int64N(int64(time.Minute)))
	}
	if rng.IntN(2) == 0 {
		wrong = -wrong
	}
	if err := i.order("clock", wrong.String()); err != nil {
		s.log.Error("clock not put wrong", "process", i.name, "error", err)
		return
	}
	s.count("clock", i.name, "by", wrong.Round(time.Second))
	wait(ctx, time.Second+time.Duration(rng.Int64N(int64(5*time.Second))))
	if _, err := i.withdraw("clock"); err != nil {
		s.log.Error("clock not put right", "process", i.name, "error", err)
	}
}

// cutConnections ends connections that somebody has, to a service or to the stock's Redis.
func (s *Storm) cutConnections(_ context.Context, rng *rand.Rand) {
	var all []*proxy
	for _, service := range s.round.services {
		if service.proxy != nil {
			all = append(all, service.proxy)
		}
	}
	for _, v := range s.round.views {
		all = append(all, v.proxy)
	}
	slices.SortFunc(all, func(a, b *proxy) int { return cmp.Compare(a.name, b.name) })
	chosen := all[rng.IntN(len(all))]
	n := chosen.cut(func(*pair) bool { return rng.IntN(2) == 0 })
	if n > 0 {
		s.count("cut", chosen.name, "connections", n)
	}
}

// fewest sorts points by what they still lack.
func (s *Storm) fewest(points []string, rng *rand.Rand) []string {
	points = slices.Clone(points)
	rng.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	hits := s.round.world.hitsSoFar()
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(points, func(a, b string) int {
		return cmp.Compare(2*hits[a]+s.misses[a], 2*hits[b]+s.misses[b])
	})
	return points
}

// serviceOf is the first part of a point's name.
func serviceOf(point string) string {
	service, _, _ := strings.Cut(point, ".")
	return service
}
