package simulator

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestJournalIsRewrittenWhenItHasGrown(t *testing.T) {
	usual := minRewrite
	minRewrite = 20_000
	defer func() { minRewrite = usual }()
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	s, err := New(Config{Journal: path})
	if err != nil {
		t.Fatal(err)
	}
	in := &Intent{ID: "pi_1", Seq: 1, Status: statusNeedsMethod, Amount: 100, Created: time.Now()}
	for i := range 1000 {
		err := s.update(func(c *change) {
			if i > 0 {
				in = c.intent("pi_1")
			}
			in.Description = fmt.Sprint("description ", i)
			c.put(in)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 25_000 {
		t.Fatalf("1000 changes of one intent take %d bytes, %v", info.Size(), err)
	}
	again, err := New(Config{Journal: path})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := again.state.intents["pi_1"]; got == nil || got.Description != "description 999" {
		t.Errorf("after the restart: %+v", got)
	}
}
