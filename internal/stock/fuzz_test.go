package stock

import (
	"testing"
	"time"

	"larder.dev/internal/fault"
)

// A page token is of the same store's or product's list, or refused; each that a list gives leads back to its place.
func FuzzPageTokens(f *testing.F) {
	f.Add(tokenAfter("bananas", "soho"), "soho", "bananas", int64(1), "1")
	f.Add(tokenThan(Position{Time: time.Unix(0, 7), ID: "x.y"}, "soho", "bananas"), "soho", "bananas", int64(7), "x.y")
	f.Add("", "", "", int64(-1), "")
	f.Add("%%%", "so.ho", "ban.anas", int64(0), "\xff")
	f.Fuzz(func(t *testing.T, token, store, product string, nanos int64, id string) {
		if _, err := afterToken(token, store); err != nil && !fault.Is(err, fault.InvalidPageToken) {
			t.Fatalf("refused otherwise: %v", err)
		}
		if _, err := thanToken(token, store, product); err != nil && !fault.Is(err, fault.InvalidPageToken) {
			t.Fatalf("refused otherwise: %v", err)
		}
		if !slug.MatchString(store) || !slug.MatchString(product) {
			return
		}
		if back, err := afterToken(tokenAfter(product, store), store); err != nil || back != product {
			t.Fatalf("a token of %q leads to %q, %v", product, back, err)
		}
		if _, err := afterToken(tokenAfter(product, store), store+"x"); err == nil {
			t.Fatal("another store's token is taken")
		}
		at := Position{Time: time.Unix(0, nanos).UTC(), ID: id}
		back, err := thanToken(tokenThan(at, store, product), store, product)
		if err == nil && (!back.Time.Equal(at.Time) || back.ID != id) {
			t.Fatalf("a token of %+v leads to %+v", at, back)
		}
	})
}
