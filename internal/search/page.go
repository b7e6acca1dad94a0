package search

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"larder.dev/internal/fault"
)

// A page token is base64url(checksum, cursor). The checksum covers the query (all but its page size, which may
// change from page to page) and the cursor, so a token of another query, or one that was shortened or edited, is refused. It is
// no secret: who computes one of their own gets hits of their own query from another place on, which anybody may.

// Place is where a hit stands in its order: the value it is sorted by, then its id.
type Place struct {
	Score     float64 `json:"s,omitempty"` // by relevance
	Price     int64   `json:"p,omitempty"` // by price
	Name      string  `json:"n,omitempty"` // by name, as the index folds it
	ProductID string  `json:"i"`
}

// cursor is how a page was reached, and so how the next one is.
type cursor struct {
	Words     string `json:"w,omitempty"` // what was looked for; left out of a token if it is the query's text
	Corrected bool   `json:"c,omitempty"` // Words are the did-you-mean
	Edits     bool   `json:"e,omitempty"`
	Shown     int    `json:"d,omitempty"` // how many hits came before
	Place     *Place `json:"a,omitempty"`
}

const checksumSize = 12

// after is the cursor behind a page's hits, of which there are some.
func (c cursor) after(hits []Hit) cursor {
	c.Shown += len(hits)
	c.Place = &hits[len(hits)-1].Place
	return c
}

// token is empty where paging ends: MaxDepth hits were shown.
func (c cursor) token(q Query) string {
	if c.Shown >= MaxDepth {
		return ""
	}
	if !c.Corrected {
		c.Words = ""
	}
	payload, err := json.Marshal(c)
	if err != nil { // a score that is no number; the index never gives one
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(checksum(q, payload), payload...))
}

// openToken reads the query's page token. Error: INVALID_PAGE_TOKEN.
func openToken(q Query) (cursor, error) {
	var c cursor
	raw, err := base64.RawURLEncoding.Strict().DecodeString(q.PageToken)
	// The decoder skips line ends.
	if err != nil || len(raw) < checksumSize || strings.ContainsAny(q.PageToken, "\r\n") {
		return c, invalidToken()
	}
	sum, payload := raw[:checksumSize], raw[checksumSize:]
	if subtle.ConstantTimeCompare(sum, checksum(q, payload)) != 1 || json.Unmarshal(payload, &c) != nil {
		return c, invalidToken()
	}
	if c.Place == nil || c.Shown <= 0 || c.Shown >= MaxDepth || utf8.RuneCountInString(c.Words) > 2*MaxText {
		return c, invalidToken()
	}
	if !c.Corrected {
		c.Words = q.Text
	}
	return c, nil
}

func invalidToken() error {
	return fault.InvalidPageToken.New("page_token is none that this query gave").
		WithViolation("page_token", "must be a next_page_token of the same query")
}

func checksum(q Query, payload []byte) []byte {
	h := sha256.New()
	h.Write(q.identity())
	h.Write([]byte{0})
	h.Write(payload)
	return h.Sum(nil)[:checksumSize]
}

// identity is what makes a query another one: all but its page.
func (q Query) identity() []byte {
	sorted := func(values []string) []string { return slices.Sorted(slices.Values(values)) }
	identity, err := json.Marshal([]any{
		q.Text, q.Store, sorted(q.Categories), sorted(q.Brands), sorted(q.Tags), q.MinPrice, q.MaxPrice, q.Sort,
	})
	if err != nil { // strings and integers always encode
		panic(err)
	}
	return identity
}

// key is what makes an answer another one.
func (q Query) key() string { return fmt.Sprintf("%s %d %s", q.identity(), q.PageSize, q.PageToken) }
