package world

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// killers kill at points at once.
	killers = 3
	// pointLimit is how long a process may take to come by a point.
	pointLimit = 4 * time.Second
	pointPause = 10 * time.Millisecond
)

// rebuildPoints are passed only when virtual stock is loaded anew: a fault of Redis brings them about.
var rebuildPoints = []string{"checkout.stock-bumped", "checkout.stock-summed", "checkout.stock-loaded"}

// points reads the names of all crash points from a program.
func (r *Round) points() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(r.services["checkout"].instances[0].chaos, "points"))
	if err != nil {
		return nil, fmt.Errorf("read the crash points (are the programs built with the tag chaos?): %w", err)
	}
	points := strings.Fields(string(text))
	for _, point := range points {
		if len(r.passing(point)) == 0 {
			return nil, fmt.Errorf("no process comes by the crash point %s", point)
		}
	}
	return points, nil
}

// passing are the processes that come by a point.
func (r *Round) passing(point string) []*instance {
	switch service := serviceOf(point); {
	case point == "function.published":
		return []*instance{r.functions["paymentwebhook"]}
	case service == "function":
		var out []*instance
		for _, name := range []string{"applypaymentevent", "applystock", "capturepayment", "clearcart", "voidpayment", "adjuststock"} {
			out = append(out, r.functions[name])
		}
		return out
	case r.services[service] != nil:
		return r.services[service].instances
	default:
		return nil
	}
}

// order tells a process what is to happen to it: a file of that name in its folder. It is there at once or not at all.
func (i *instance) order(name, text string) error {
	file := filepath.Join(i.chaos, name)
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		return fmt.Errorf("order %s of %s: %w", name, i.name, err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("order %s of %s: %w", name, i.name, err)
	}
	return nil
}

// withdraw takes an order back; there is false if it was carried out.
func (i *instance) withdraw(name string) (there bool, err error) {
	err = os.Remove(filepath.Join(i.chaos, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("withdraw %s of %s: %w", name, i.name, err)
	}
	return true, nil
}

// disarm takes all orders back.
func (i *instance) disarm() error {
	entries, err := os.ReadDir(i.chaos)
	if err != nil {
		return fmt.Errorf("disarm %s: %w", i.name, err)
	}
	for _, entry := range entries {
		if entry.Name() == "points" {
			continue
		}
		if _, withdrawn := i.withdraw(entry.Name()); withdrawn != nil {
			err = errors.Join(err, withdrawn)
		}
	}
	return err
}

// hit waits until one of some processes has carried out an order. nil: none has in time; the order is taken back from all.
func hit(ctx context.Context, all []*instance, point string, limit time.Duration) (*instance, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var found *instance
	for found == nil {
		for _, i := range all {
			if _, err := os.Stat(filepath.Join(i.chaos, point)); errors.Is(err, fs.ErrNotExist) {
				found = i
				break
			}
		}
		if found == nil && !wait(ctx, pointPause) {
			break
		}
	}
	var faults error
	for _, i := range all {
		if i == found {
			continue
		}
		there, err := i.withdraw(point)
		if faults = errors.Join(faults, err); !there && err == nil && found == nil {
			found = i // between the last look and now
		}
	}
	return found, faults
}

// arm chooses a point that few were killed at, and gives the order to a process that passes it, or to all after it was missed.
func (s *Storm) arm(rng *rand.Rand, order string) (point string, all []*instance) {
	due, hits := s.due(), s.round.world.hitsSoFar()
	s.mu.Lock()
	points := slices.DeleteFunc(slices.Clone(s.tally.AllPoints), func(point string) bool {
		return s.armed[point] || order == "kill" && hits[point] >= due
	})
	s.mu.Unlock()
	if order == "stop" {
		rng.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	} else {
		points = s.fewest(points, rng)
	}
	for _, point := range points {
		s.mu.Lock()
		missed, taken := s.misses[point]%2 == 1, s.armed[point]
		if !taken {
			s.armed[point] = true
		}
		s.mu.Unlock()
		if taken {
			continue
		}
		passing := s.round.passing(point)
		for range passing {
			i := s.claim(passing, rng)
			if i == nil {
				break
			}
			all = append(all, i)
			if !missed && serviceOf(point) != "function" || order == "stop" {
				break
			}
		}
		if len(all) == 0 {
			s.disarmed(point, nil)
			continue
		}
		for _, i := range all {
			if err := i.order(point, order); err != nil {
				s.log.Error("order not given", "error", err)
			}
		}
		return point, all
	}
	return "", nil
}

// disarmed ends what arm began.
func (s *Storm) disarmed(point string, all []*instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.armed, point)
	for _, i := range all {
		delete(s.busy, i)
	}
}

// killAtPoint has a process killed at a point.
func (s *Storm) killAtPoint(ctx context.Context, rng *rand.Rand) {
	point, all := s.arm(rng, "kill")
	if point == "" {
		return
	}
	defer s.disarmed(point, all)
	i, err := hit(ctx, all, point, pointLimit)
	if err != nil {
		s.log.Error("order not withdrawn", "error", err)
	}
	s.killed(ctx, i, point)
}

// killed counts a hit of a point, or a miss if no process came by.
func (s *Storm) killed(ctx context.Context, i *instance, point string) {
	s.mu.Lock()
	if i == nil {
		if ctx.Err() == nil {
			s.misses[point]++
		}
		s.mu.Unlock()
		return
	}
	s.tally.Points[point]++
	s.mu.Unlock()
	s.round.world.hit(point)
	s.count("kill at a point", i.name, "point", point)
}

// stopAtPoint has a process stopped at a point for longer than a checkout may take: others take its work for abandoned, and then it goes
// on as if nothing had been.
func (s *Storm) stopAtPoint(ctx context.Context, rng *rand.Rand) {
	point, all := s.arm(rng, "stop")
	if point == "" {
		return
	}
	defer s.disarmed(point, all)
	i, err := hit(ctx, all, point, pointLimit)
	if err != nil {
		s.log.Error("order not withdrawn", "error", err)
	}
	if i == nil {
		return
	}
	long := s.round.world.config.HoldFor + time.Second + time.Duration(rng.Int64N(int64(3*time.Second)))
	s.count("stop at a point", i.name, "point", point, "for", long.Round(time.Millisecond))
	s.sleep(ctx, i, long)
}

// hit adds to how often a process was killed at a point, in all rounds.
func (w *World) hit(point string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hits[point]++
}

// fewestHits is how often a process was killed at each of some points at least.
func (w *World) fewestHits(points []string) int {
	hits := w.hitsSoFar()
	least := math.MaxInt
	for _, point := range points {
		least = min(least, hits[point])
	}
	return least
}

// hitsSoFar returns how often a process was killed at each point, in all rounds.
func (w *World) hitsSoFar() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[string]int, len(w.hits))
	for point, n := range w.hits {
		out[point] = n
	}
	return out
}
