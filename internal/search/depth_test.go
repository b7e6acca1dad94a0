package search

import (
	"strings"
	"testing"

	"larder.dev/internal/fault"
)

func TestPagingEndsAtMaxDepth(t *testing.T) {
	s := New(nil)
	token := func(c cursor, q Query) string {
		t.Helper()
		token, err := s.seal(q, c)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	q := Query{Text: "plums", Store: "camden"}
	w := Weights{Available: 10}
	hits := []Hit{{Place: Place{Score: 410.5, ProductID: "plums"}}}
	q.PageToken = token(cursor{Shown: MaxDepth - 2}.after(hits, w), q)
	c, err := s.unseal(q)
	if err != nil || c.Shown != MaxDepth-1 || *c.Place != hits[0].Place || *c.Weights != w || c.Words != "plums" {
		t.Errorf("%+v, %v", c, err)
	}
	if token := token(c.after(hits, w), q); token != "" {
		t.Errorf("after %d hits there is a token %q", MaxDepth, token)
	}
	for _, shown := range []int{-1, 0} {
		q.PageToken = token(cursor{Shown: shown, Place: &Place{}}, q)
		if _, err := s.unseal(q); !fault.Is(err, fault.InvalidPageToken) {
			t.Errorf("%d hits shown: error = %v, want INVALID_PAGE_TOKEN", shown, err)
		}
	}
}

// The longest query and name that there are make a token that the contract lets in.
func TestTokensFit(t *testing.T) {
	long := strings.Repeat("ñ", MaxText)
	q := Query{Text: long, Store: "camden", Sort: ByName}
	c := cursor{Words: long, Corrected: true}.after([]Hit{{Place: Place{Name: long, ProductID: strings.Repeat("p", 63)}}}, Weights{})
	token, err := New(nil).seal(q, c)
	if err != nil || len(token) > 2000 {
		t.Errorf("%d characters, want 2000 at most; %v", len(token), err)
	}
}
