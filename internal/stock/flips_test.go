package stock_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"larder.dev/internal/stock"
)

// listener keeps what is announced.
type listener struct {
	mu    sync.Mutex
	flips []stock.Flip
	// deaf makes announcing fail.
	deaf bool
}

func (c *listener) Announce(_ context.Context, _ string, epoch stock.Epoch, flips []stock.Flip) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deaf {
		return errors.New("nobody listens")
	}
	for _, flip := range flips {
		flip.Epoch = epoch
		c.flips = append(c.flips, flip)
	}
	return nil
}

// newest is what a listener who keeps the newest version would show.
func (c *listener) newest() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	best, shown := map[string]stock.Flip{}, map[string]bool{}
	for _, f := range c.flips {
		if b, ok := best[f.ProductID]; !ok || f.Epoch > b.Epoch || (f.Epoch == b.Epoch && f.Sequence >= b.Sequence) {
			best[f.ProductID], shown[f.ProductID] = f, f.Available
		}
	}
	return shown
}

func TestFlipsAreAnnounced(t *testing.T) {
	s := open(t)
	heard := &listener{}
	herald := stock.NewHerald(s.virtual, s.ledger, heard)
	tell := func() {
		t.Helper()
		for quiet := 0; quiet < 2; {
			n, err := herald.Tell(t.Context(), s.store)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				quiet++
			}
		}
	}
	s.adjust(t, map[string]int64{"apples": 2, "pears": 1})
	tell()
	if shown := heard.newest(); !shown["apples"] || !shown["pears"] {
		t.Errorf("stocked: %v", shown)
	}
	if _, err := s.reserve(t.Context(), "o1", line("pears", 1)); err != nil {
		t.Fatal(err)
	}
	tell()
	if shown := heard.newest(); !shown["apples"] || shown["pears"] {
		t.Errorf("the last pear is held: %v", shown)
	}
	if err := s.Release(t.Context(), s.store, "o1"); err != nil {
		t.Fatal(err)
	}
	tell()
	if shown := heard.newest(); !shown["pears"] {
		t.Errorf("the pear is back: %v", shown)
	}
	for _, flip := range heard.flips {
		if since := time.Since(flip.Time); since < 0 || since > time.Minute {
			t.Errorf("%s turned %v ago", flip.ProductID, since)
		}
	}
	s.flush(t)
	if _, err := s.reserve(t.Context(), "o2", line("pears", 1)); err != nil {
		t.Fatal(err)
	}
	tell()
	if shown := heard.newest(); !shown["apples"] || shown["pears"] {
		t.Errorf("after a rebuild: %v", shown)
	}
}

// A flip that can't be announced stays in the stream.
func TestFlipsWait(t *testing.T) {
	s := open(t)
	heard := &listener{deaf: true}
	herald := stock.NewHerald(s.virtual, s.ledger, heard)
	s.adjust(t, map[string]int64{"apples": 2})
	for failed := false; !failed; { // the first call makes the reader's group
		_, err := herald.Tell(t.Context(), s.store)
		failed = err != nil
	}
	heard.deaf = false
	told := func() bool { // another reader takes over what one didn't finish, some seconds later
		_, err := herald.Tell(t.Context(), s.store)
		return err == nil && heard.newest()["apples"]
	}
	if !poll(15*time.Second, told) {
		t.Error("what couldn't be announced is never announced again")
	}
}

// Slots are counted like products, and never announced.
func TestSlotsAreNotAnnounced(t *testing.T) {
	s := open(t)
	heard := &listener{}
	herald := stock.NewHerald(s.virtual, s.ledger, heard)
	s.mustPut(t, "noon", noon, 1)
	if _, err := s.reserve(t.Context(), "o1", stock.SlotLine("noon")); err != nil {
		t.Fatal(err)
	}
	s.adjust(t, map[string]int64{"apples": 1})
	if _, _, err := s.Rebuild(t.Context(), s.store); err != nil {
		t.Fatal(err)
	}
	for empty := 0; empty < 2; {
		n, err := herald.Tell(t.Context(), s.store)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			empty++
		}
	}
	if shown := heard.newest(); len(shown) != 1 || !shown["apples"] {
		t.Errorf("announced: %v, want apples alone", shown)
	}
}
