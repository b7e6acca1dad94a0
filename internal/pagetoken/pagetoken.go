// Package pagetoken makes page tokens of places in lists, and reads them. They need no signature where a forged one could only choose another
// place in the same list; what else a token has to be, such as this caller's, is its list's to check.
package pagetoken

import (
	"encoding/base64"
	"encoding/json"

	"larder.dev/internal/fault"
)

// Encode makes a token of a value that JSON can hold; it panics for another.
func Encode(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// Decode reads a token; an empty one, of a list's start, leaves the value as it is. Errors: INVALID_PAGE_TOKEN.
func Decode(token string, into any) error {
	if token == "" {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return Bad(err)
	}
	return nil
}

// Cut makes a page of at most size of what a list has read, which is one more than that where there is a next page, and that page's token,
// made of the last item; empty behind the last page.
func Cut[T any](read []T, size int, behind func(last T) string) (page []T, next string) {
	if len(read) <= size {
		return read, ""
	}
	return read[:size], behind(read[size-1])
}

// Bad is INVALID_PAGE_TOKEN: the token is none, or another list's.
func Bad(cause error) error {
	return fault.InvalidPageToken.New("the page token is not of this list").
		WithViolation("page_token", "not a token of this list").WithCause(cause)
}
