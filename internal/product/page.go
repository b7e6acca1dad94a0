package product

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
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

// token is that of the page behind a product: its id and, after a space, what else its place in the order goes by.
func (p Product) token(query string, order Order) string {
	switch order {
	case ByName:
		return tokenAfter(p.ID+" "+p.Name, ordered(query, order))
	case Latest:
		return tokenAfter(p.ID+" "+strconv.FormatInt(p.UpdateTime.UnixMicro(), 10), ordered(query, order))
	default:
		return tokenAfter(p.ID, ordered(query, order))
	}
}

// placeOf reads a product's token; without one, the place is before all products.
func placeOf(token, query string, order Order) (Place, error) {
	if token == "" {
		return Place{Order: order, UpdateTime: endOfTime}, nil
	}
	text, err := afterToken(token, ordered(query, order))
	if err != nil {
		return Place{}, err
	}
	id, rest, _ := strings.Cut(text, " ")
	place := Place{Order: order, ID: id, Name: rest}
	if order == Latest {
		micros, err := strconv.ParseInt(rest, 10, 64)
		if err != nil || micros < 0 || micros > endOfTime.UnixMicro() {
			return Place{}, badToken()
		}
		place.UpdateTime = time.UnixMicro(micros)
	}
	return place, nil
}

// endOfTime is later than every change.
var endOfTime = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

// ordered binds a token to the order too; tokens of the order by id are as they were before there were others.
func ordered(query string, order Order) string {
	if order == ByID {
		return query
	}
	return query + " by " + string(order)
}

func badToken() error {
	return fault.InvalidPageToken.New("the page token is not one of this list").
		WithViolation("page_token", "must be a next_page_token of the same query")
}

func mark(query string) string {
	sum := sha256.Sum256([]byte("products " + query))
	return hex.EncodeToString(sum[:4])
}
