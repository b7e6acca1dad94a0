package main

import (
	"hash/maphash"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// explorer searches breadth first, so that what it finds first is shortest. States that were seen are kept as 64-bit fingerprints: among 24
// million, the chance that two are taken for one is 2 in 100,000. An explorer is used again and again for its memory, by one search at a
// time.
type explorer struct {
	seed    maphash.Seed
	seen    []uint64 // an open hash table
	parents []uint32 // by number of a state, from 1
	steps   []uint16 // which of the parent's steps led to it
	limit   uint32
}

// newExplorer makes one for at most so many states, a little more than given.
func newExplorer(limit uint32) *explorer {
	const slack = 1 << 16 // states that follow when the limit is noticed
	size := 1
	for uint32(size) < limit+limit/4+slack {
		size *= 2
	}
	return &explorer{
		seed: maphash.MakeSeed(), seen: make([]uint64, size), parents: make([]uint32, size), steps: make([]uint16, size), limit: limit,
	}
}

// result is what a search has found.
type result struct {
	states   uint32
	depth    int  // of the last level that was begun
	complete bool // there are no more states
	// found has the number of the first state that breaks an invariant, 0 for none; length, the steps to it.
	found  [invariants]uint32
	length [invariants]int
	took   time.Duration
}

// broken tells whether an invariant was.
func (r *result) broken() bool { return r.found != [invariants]uint32{} }

type node struct {
	state  state
	number uint32
}

// search is one in progress.
type search struct {
	*explorer
	m      *model
	asked  set
	count  atomic.Uint32
	stop   atomic.Bool
	mu     sync.Mutex
	result result
}

// explore looks at all states, until one breaks an asked invariant or there are too many.
func (e *explorer) explore(m *model, asked set) result {
	began := time.Now()
	clear(e.seen)
	s := &search{explorer: e, m: m, asked: asked}
	first := m.start()
	m.canonical(&first)
	e.insert(e.fingerprint(&first))
	s.count.Store(1)
	level := []node{{first, 1}}
	for len(level) > 0 && !s.stop.Load() {
		s.result.depth++
		level = s.expand(level)
	}
	s.result.complete = !s.stop.Load()
	s.result.states = s.count.Load()
	s.result.took = time.Since(began)
	return s.result
}

// expand returns the states that follow a level's.
func (s *search) expand(level []node) []node {
	const chunk = 512
	var taken atomic.Int64
	var workers sync.WaitGroup
	found := make([][]node, runtime.GOMAXPROCS(0))
	for w := range found {
		workers.Go(func() {
			for !s.stop.Load() {
				from := int(taken.Add(chunk)) - chunk
				if from >= len(level) {
					return
				}
				for i := from; i < min(from+chunk, len(level)); i++ {
					found[w] = s.follow(&level[i], found[w])
				}
				if s.count.Load() > s.limit {
					s.stop.Store(true)
				}
			}
		})
	}
	workers.Wait()
	next := found[0]
	for _, more := range found[1:] {
		next = append(next, more...)
	}
	return next
}

// follow adds the states that follow one and are new.
func (s *search) follow(n *node, next []node) []node {
	nth := uint16(0)
	s.m.next(&n.state, func(t state, _ step) {
		nth++
		s.m.canonical(&t)
		if t == n.state || !s.insert(s.fingerprint(&t)) {
			return
		}
		number := s.count.Add(1)
		s.parents[number], s.steps[number] = n.number, nth
		if bad := s.m.broken(&t, s.asked); bad != 0 {
			s.report(bad, number)
			return
		}
		next = append(next, node{t, number})
	})
	return next
}

func (s *search) report(bad set, number uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range invariants {
		if bad.has(i) && s.result.found[i] == 0 {
			s.result.found[i], s.result.length[i] = number, s.result.depth
		}
	}
	s.stop.Store(true)
}

func (e *explorer) fingerprint(s *state) uint64 {
	return max(maphash.Comparable(e.seed, *s), 1) // 0 is a free place
}

// insert tells whether a fingerprint is new.
func (e *explorer) insert(mark uint64) bool {
	mask := uint64(len(e.seen) - 1)
	for i := mark & mask; ; i = (i + 1) & mask {
		switch there := atomic.LoadUint64(&e.seen[i]); {
		case there == mark:
			return false
		case there == 0 && atomic.CompareAndSwapUint64(&e.seen[i], 0, mark):
			return true
		case there == 0:
			i-- // somebody was faster: look again
		}
	}
}
