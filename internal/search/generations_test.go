package search_test

import (
	"testing"
	"time"

	"larder.dev/internal/search/index"
)

// A generation that is made beside the live one is told of, with what it has so far.
func TestGenerations(t *testing.T) {
	s := open(t, dairy()...)
	next := s
	next.name = s.alias + "-2"
	if err := index.EnsureIndex(t.Context(), s.es, next.name, index.Options{Alias: s.alias}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := next.drop(); err != nil {
			t.Error(err)
		}
	})
	next.put(dairy()[:2]...)

	got, err := s.Generations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Number != 1 || !got[0].Live || got[0].Documents != 5 || got[1].Number != 2 || got[1].Live || got[1].Documents != 2 {
		t.Fatalf("%+v, want the first, live, with five documents, and the second with two", got)
	}
	for _, g := range got {
		if age := time.Since(g.Created); age < -time.Minute || age > time.Minute {
			t.Errorf("generation %d was made %s ago", g.Number, age)
		}
	}
}
