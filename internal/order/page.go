package order

import (
	"errors"
	"time"

	"larder.dev/internal/pagetoken"
)

// pageToken is what a page token holds.
type pageToken struct {
	UserID string `json:"u"`
	// Nanoseconds since 1970.
	CreateTime int64  `json:"t"`
	OrderID    string `json:"o"`
}

func encodePageToken(userID string, p Position) string {
	return pagetoken.Encode(pageToken{UserID: userID, CreateTime: p.CreateTime.UnixNano(), OrderID: p.OrderID})
}

// decodePageToken reads a token of this person's list; none is the start. Errors: INVALID_PAGE_TOKEN.
func decodePageToken(userID, token string) (*Position, error) {
	if token == "" {
		return nil, nil
	}
	var t pageToken
	if err := pagetoken.Decode(token, &t); err != nil {
		return nil, err
	}
	if t.UserID != userID || t.OrderID == "" {
		return nil, pagetoken.Bad(errors.New("token of another list"))
	}
	return &Position{CreateTime: time.Unix(0, t.CreateTime).UTC(), OrderID: t.OrderID}, nil
}
