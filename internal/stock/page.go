package stock

import (
	"encoding/base64"
	"regexp"
	"strings"

	"larder.dev/internal/fault"
)

// A page token is the list's mark, its store and the last product that was seen. It tells nothing that the caller doesn't
// know, so it isn't signed; the mark keeps tokens of other lists out.
const tokenMark = "stock"

var slug = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,62}$`)

func tokenAfter(product, store string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(tokenMark + "." + store + "." + product))
}

// afterToken reads the token of a store's list; none is the start. Errors: INVALID_PAGE_TOKEN.
func afterToken(token, store string) (product string, err error) {
	if token == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	product, ok := strings.CutPrefix(string(text), tokenMark+"."+store+".")
	if err != nil || !ok || !slug.MatchString(product) {
		return "", fault.InvalidPageToken.New("the page token is not one of this list").
			WithViolation("page_token", "must be a next_page_token of the same store's list")
	}
	return product, nil
}
