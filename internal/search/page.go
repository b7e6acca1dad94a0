package search

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"larder.dev/internal/fault"
)

// A page token is a cursor, sealed (AES-256-GCM, NIST SP 800-38D) together with the query: all of it but its page size, which may change from
// page to page. So a token of another query, or one that was shortened or edited, is refused, and nobody reads a score in it.

// Place is where a hit stands in its order: the value it is sorted by, then its id.
type Place struct {
	Score     float64 `json:"s,omitempty"` // by relevance
	Price     int64   `json:"p,omitempty"` // by price
	Name      string  `json:"n,omitempty"` // by name, as the index folds it
	ProductID string  `json:"i"`
}

// cursor is how a page was reached, and so how the next one is.
type cursor struct {
	Words     string   `json:"w,omitempty"` // what was looked for; left out of a token if it is the query's text
	Corrected bool     `json:"c,omitempty"` // Words are the did-you-mean
	Edits     bool     `json:"e,omitempty"`
	Shown     int      `json:"d,omitempty"` // how many hits came before
	Place     *Place   `json:"a,omitempty"`
	Weights   *Weights `json:"r,omitempty"` // of the ranking: all pages of one query have the same
}

// padding is what a cursor's length is rounded up to, bytes: the number of a score's digits would tell something of it.
const padding = 64

// newSealer makes the cipher of a secret. A token's nonce is random: 2^32 tokens may be made with one key.
func newSealer(secret string) cipher.AEAD {
	key := sha256.Sum256([]byte("larder: page tokens of search\x00" + secret))
	block, err := aes.NewCipher(key[:])
	if err != nil { // the key's length is right
		panic(err)
	}
	sealer, err := cipher.NewGCM(block)
	if err != nil { // the block's size is right
		panic(err)
	}
	return sealer
}

// after is the cursor behind a page's hits, of which there are some.
func (c cursor) after(hits []Hit, w Weights) cursor {
	c.Shown += len(hits)
	c.Place = &hits[len(hits)-1].Place
	c.Weights = &w
	return c
}

// seal makes a token; an empty one where paging ends: MaxDepth hits were shown.
func (s *Service) seal(q Query, c cursor) (string, error) {
	if c.Shown >= MaxDepth {
		return "", nil
	}
	if !c.Corrected {
		c.Words = ""
	}
	if q.Sort != ByRelevance {
		c.Weights = nil
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("make a page token: %w", err)
	}
	payload = append(payload, bytes.Repeat([]byte{' '}, padding-1-(len(payload)-1)%padding)...)
	nonce := make([]byte, s.sealer.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", fmt.Errorf("make a page token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.sealer.Seal(nonce, nonce, payload, q.identity())), nil
}

// unseal reads the query's page token. Error: INVALID_PAGE_TOKEN.
func (s *Service) unseal(q Query) (cursor, error) {
	var c cursor
	raw, err := base64.RawURLEncoding.Strict().DecodeString(q.PageToken)
	// The decoder skips line ends.
	if err != nil || len(raw) < s.sealer.NonceSize() || strings.ContainsAny(q.PageToken, "\r\n") {
		return c, invalidToken()
	}
	nonce, sealed := raw[:s.sealer.NonceSize()], raw[s.sealer.NonceSize():]
	payload, err := s.sealer.Open(nil, nonce, sealed, q.identity())
	if err != nil || json.Unmarshal(payload, &c) != nil {
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

// identity is what makes a query another one: all but its page.
func (q Query) identity() []byte {
	sorted := func(values []string) []string { return slices.Sorted(slices.Values(values)) }
	identity, err := json.Marshal([]any{
		q.Text, q.Store, sorted(q.Categories), sorted(q.Brands), sorted(q.Tags), q.MinPrice, q.MaxPrice, q.Sort, sorted(q.Products),
	})
	if err != nil { // strings and integers always encode
		panic(err)
	}
	return identity
}

// key is what makes a first page another one.
func (q Query) key() string { return fmt.Sprintf("%s %d", q.identity(), q.PageSize) }
