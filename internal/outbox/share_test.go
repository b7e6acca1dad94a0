package outbox

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// Relays that look one after the other, each acting on what it sees, come to an even division in a few looks, and stay there.
func TestSharesBecomeEven(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		name   string
		before map[string]int // shards of those who own some
		alive  []string
		want   []int // sorted
	}{
		{"one alone takes all", nil, []string{"a"}, []int{16}},
		{"a second one joins", map[string]int{"a": 16}, []string{"a", "b"}, []int{8, 8}},
		{"a third one joins", map[string]int{"a": 8, "b": 8}, []string{"a", "b", "c"}, []int{5, 5, 6}},
		{"the dead one's are taken over", map[string]int{"dead": 9, "b": 7}, []string{"b", "c"}, []int{8, 8}},
		{"all are dead but one", map[string]int{"dead": 6, "late": 10}, []string{"c"}, []int{16}},
		{"more relays than shards", map[string]int{"a": 16}, names(20), append(make([]int, 4), slices.Repeat([]int{1}, 16)...)},
	} {
		t.Run(step.name, func(t *testing.T) {
			view := View{Time: now, Seen: map[string]time.Time{"dead": now.Add(-10 * time.Second), "late": now.Add(-time.Hour)}, Leases: make([]Lease, Shards)}
			i := 0
			for owner, n := range step.before {
				for range n {
					view.Leases[i].Owner = owner
					i++
				}
			}
			for i := range view.Leases {
				view.Leases[i].Shard = int64(i)
			}
			for _, id := range step.alive {
				view.Seen[id] = now.Add(-9 * time.Second)
			}
			for range 3 {
				for _, id := range step.alive {
					p := divide(id, view, 10*time.Second)
					for _, l := range p.surplus {
						view.Leases[l.Shard].Owner = ""
					}
					for _, l := range p.claims {
						view.Leases[l.Shard].Owner = id
					}
				}
			}
			var got []int
			for _, id := range step.alive {
				p := divide(id, view, 10*time.Second)
				got = append(got, len(p.mine))
				if len(p.surplus)+len(p.claims) > 0 {
					t.Errorf("%s still wants to give back %d shards and take %d", id, len(p.surplus), len(p.claims))
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, step.want) {
				t.Errorf("shards are divided %v, want %v", got, step.want)
			}
		})
	}
}

func names(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("r%02d", i))
	}
	return names
}

// A pause grows to its bound, with jitter, and is short again after a reset.
func TestPauseGrows(t *testing.T) {
	p := pause{min: 50 * time.Millisecond, max: time.Second}
	for _, bound := range []int{50, 100, 200, 400, 800, 1000, 1000} {
		if got, most := p.next(), time.Duration(bound)*time.Millisecond; got > most || got < most/2 {
			t.Errorf("pause %v, want between %v and %v", got, most/2, most)
		}
	}
	p.reset()
	if got := p.next(); got > 50*time.Millisecond {
		t.Errorf("pause %v after a reset", got)
	}
}
