package order

import (
	"testing"
	"time"
	"unicode/utf8"

	"larder.dev/internal/fault"
)

// A page token is this shopper's own, or refused; each that a list gives leads back to its place.
func FuzzPageToken(f *testing.F) {
	at := Position{CreateTime: time.Date(2026, 11, 23, 9, 30, 0, 123, time.UTC), OrderID: "e09c5bde"}
	f.Add(encodePageToken("ada", at), "ada", at.CreateTime.UnixNano(), at.OrderID)
	f.Add("", "", int64(0), "")
	f.Add("e30", "ada", int64(-1), "x")
	f.Add("%%%", "ada", int64(1)<<62, "\xff")
	f.Add("", "\xe3", int64(0), "\xa4\x880") // each is no UTF-8, and both together are
	f.Fuzz(func(t *testing.T, token, user string, nanos int64, id string) {
		if _, err := decodePageToken(user, token); err != nil && !fault.Is(err, fault.InvalidPageToken) {
			t.Fatalf("refused otherwise: %v", err)
		}
		if id == "" {
			return
		}
		at := Position{CreateTime: time.Unix(0, nanos).UTC(), OrderID: id}
		back, err := decodePageToken(user, encodePageToken(user, at))
		if utf8.ValidString(user) && utf8.ValidString(id) && (err != nil || !back.CreateTime.Equal(at.CreateTime) || back.OrderID != id) {
			t.Fatalf("a token of %+v leads to %+v, %v", at, back, err)
		}
		if other, err := decodePageToken(user+"x", encodePageToken(user, at)); err == nil {
			t.Fatalf("another shopper's token leads to %+v", other)
		}
	})
}
