package outboxtest

import (
	"errors"
	"testing"

	"larder.dev/internal/outbox"
)

// TestMoveNeedsTheLease is for every store: the cursor is moved by the shard's owner alone, and only from where it is. A relay that was
// taken for dead moves nothing.
func TestMoveNeedsTheLease(t *testing.T, s outbox.Store, shard int64) {
	t.Helper()
	now, err := s.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	start, first, second := outbox.Position{}, outbox.Position{Commit: now.Bound, EventID: "a"}, outbox.Position{Commit: now.Bound}
	claim := func(by, from string) {
		t.Helper()
		if err := s.Claim(t.Context(), by, []outbox.Lease{{Shard: shard, Owner: from}}); err != nil {
			t.Fatal(err)
		}
	}
	move := func(by string, from, to outbox.Position, want error) {
		t.Helper()
		if err := s.Move(t.Context(), by, shard, from, to); !errors.Is(err, want) {
			t.Errorf("%s moves from %v to %v: %v, want %v", by, from, to, err, want)
		}
	}
	owner := func(want string, cursor outbox.Position) {
		t.Helper()
		view, err := s.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := view.Leases[shard]; got.Owner != want || got.Cursor != cursor {
			t.Errorf("the shard is %+v, want %q at %v", got, want, cursor)
		}
	}
	move("a", start, first, outbox.ErrLost)
	claim("a", "")
	claim("b", "") // comes too late
	owner("a", start)
	move("b", start, first, outbox.ErrLost)
	move("a", start, first, nil)
	move("a", start, first, nil) // again, as after a lost answer
	move("a", start, second, outbox.ErrLost)
	claim("b", "a")
	move("a", first, second, outbox.ErrLost)
	move("b", first, second, nil)
	if err := s.Release(t.Context(), "a", []int64{shard}); err != nil { // isn't a's any more
		t.Fatal(err)
	}
	if err := s.Leave(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	owner("b", second)
	if err := s.Release(t.Context(), "b", []int64{shard}); err != nil {
		t.Fatal(err)
	}
	owner("", second)
	if err := s.Renew(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	claim("c", "")
	owner("c", second)
	if err := s.Leave(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	owner("", second)
}
