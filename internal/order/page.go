package order

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"larder.dev/internal/fault"
)

// pageToken is what a page token holds. It needs no signature: with a forged one a shopper could only choose another place in
// the same list.
type pageToken struct {
	UserID string `json:"u"`
	// Nanoseconds since 1970.
	CreateTime int64  `json:"t"`
	OrderID    string `json:"o"`
}

func encodePageToken(userID string, p Position) string {
	text, err := json.Marshal(pageToken{UserID: userID, CreateTime: p.CreateTime.UnixNano(), OrderID: p.OrderID})
	if err != nil {
		panic(err) // strings and numbers can be encoded
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// decodePageToken reads a token of this person's list; none is the start. Errors: INVALID_PAGE_TOKEN.
func decodePageToken(userID, token string) (*Position, error) {
	if token == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, badToken(err)
	}
	var t pageToken
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, badToken(err)
	}
	if t.UserID != userID || t.OrderID == "" {
		return nil, badToken(fmt.Errorf("token of another list"))
	}
	return &Position{CreateTime: time.Unix(0, t.CreateTime).UTC(), OrderID: t.OrderID}, nil
}

func badToken(cause error) error {
	return fault.InvalidPageToken.New("the page token is not of this list").
		WithViolation("page_token", "not a token of this list").WithCause(cause)
}
