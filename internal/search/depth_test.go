package search

import (
	"strings"
	"testing"

	"larder.dev/internal/fault"
)

func TestPagingEndsAtMaxDepth(t *testing.T) {
	q := Query{Text: "plums", Store: "camden"}
	hits := []Hit{{Place: Place{Score: 410.5, ProductID: "plums"}}}
	q.PageToken = cursor{Shown: MaxDepth - 2}.after(hits).token(q)
	c, err := openToken(q)
	if err != nil || c.Shown != MaxDepth-1 || *c.Place != hits[0].Place || c.Words != "plums" {
		t.Errorf("%+v, %v", c, err)
	}
	if token := c.after(hits).token(q); token != "" {
		t.Errorf("after %d hits there is a token %q", MaxDepth, token)
	}
	for _, shown := range []int{-1, 0} {
		q.PageToken = cursor{Shown: shown, Place: &Place{}}.token(q)
		if _, err := openToken(q); !fault.Is(err, fault.InvalidPageToken) {
			t.Errorf("%d hits shown: error = %v, want INVALID_PAGE_TOKEN", shown, err)
		}
	}
}

// The longest query and name that there are make a token that the contract lets in.
func TestTokensFit(t *testing.T) {
	long := strings.Repeat("ñ", MaxText)
	q := Query{Text: long, Store: "camden", Sort: ByName}
	c := cursor{Words: long, Corrected: true}.after([]Hit{{Place: Place{Name: long, ProductID: strings.Repeat("p", 63)}}})
	if token := c.token(q); len(token) > 2000 {
		t.Errorf("%d characters, want 2000 at most", len(token))
	}
}
