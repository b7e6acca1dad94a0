package product

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"larder.dev/internal/fault"
)

// A page token is the query's mark and the place of the last thing that was seen, its id for most. It tells nothing that the caller
// doesn't know, so it isn't signed; the mark keeps a token of one query from being read by another.

func tokenAfter(place, query string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(mark(query) + "." + place))
}

func afterToken(token, query string) (string, error) {
	if token == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	of, place, ok := strings.Cut(string(text), ".")
	if err != nil || !ok || of != mark(query) || strings.ContainsRune(place, 0) || !utf8.ValidString(place) {
		return "", badToken()
	}
	return place, nil
}

func badToken() error {
	return fault.InvalidPageToken.New("the page token is not one of this list").
		WithViolation("page_token", "must be a next_page_token of the same query")
}

func mark(query string) string {
	sum := sha256.Sum256([]byte("products " + query))
	return hex.EncodeToString(sum[:4])
}
