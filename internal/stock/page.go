package stock

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"larder.dev/internal/fault"
)

// A page token is the list's mark, what it is a list of, and the last that was seen. It tells nothing that the caller doesn't
// know, so it isn't signed; the mark keeps tokens of other lists out.
const (
	tokenMark   = "stock"
	entriesMark = "entries"
)

var slug = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,62}$`)

func tokenAfter(product, store string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(tokenMark + "." + store + "." + product))
}

// afterToken reads the token of a store's list; none is the start. Errors: INVALID_PAGE_TOKEN.
func afterToken(token, store string) (product string, err error) {
	if token == "" {
		return "", nil
	}
	product, ok := cutToken(token, tokenMark+"."+store+".")
	if !ok || !slug.MatchString(product) {
		return "", badToken("the same store's list")
	}
	return product, nil
}

func tokenThan(than Position, store, product string) string {
	text := strings.Join([]string{entriesMark, store, product, strconv.FormatInt(than.Time.UnixNano(), 10), than.ID}, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// thanToken reads the token of a product's history; none is the newest. Errors: INVALID_PAGE_TOKEN.
func thanToken(token, store, product string) (Position, error) {
	if token == "" {
		return Newest, nil
	}
	text, ok := cutToken(token, strings.Join([]string{entriesMark, store, product, ""}, "."))
	digits, id, found := strings.Cut(text, ".")
	nanos, err := strconv.ParseInt(digits, 10, 64)
	if !ok || !found || err != nil || nanos < 0 || len(id) > 128 || !utf8.ValidString(id) {
		return Position{}, badToken("the same product's history")
	}
	return Position{Time: time.Unix(0, nanos).UTC(), ID: id}, nil
}

func cutToken(token, mark string) (rest string, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", false
	}
	return strings.CutPrefix(string(text), mark)
}

func badToken(list string) error {
	return fault.InvalidPageToken.New("the page token is not one of this list").
		WithViolation("page_token", "must be a next_page_token of "+list)
}
