package storefront

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	productpb "larder.dev/api/product/v1"
	stockpb "larder.dev/api/stock/v1"
	typepb "larder.dev/api/type/v1"
)

func TestDelivers(t *testing.T) {
	store := &productpb.Store{Postcodes: []string{"W1D", "NW1", "N1C"}}
	for postcode, want := range map[string]bool{
		"W1D 3QF": true, "w1d3qf": true, "W1D": true, "NW1 9XT": true, "N1C 4AB": true,
		"N1 9XT": false, "W1 1AA": false, "SW9 8AA": false, "": false, "W1": false, "nonsense": false,
	} {
		if got := delivers(store, postcode); got != want {
			t.Errorf("%q: %t, want %t", postcode, got, want)
		}
	}
}

func TestWhatPeopleType(t *testing.T) {
	for text, want := range map[string]int64{"2": 200, "2.5": 250, "£2.50": 250, "0.99": 99, "": 0, "-1": 0, "x": 0, "1e9": 0, "NaN": 0} {
		if got := pence(text); got != want {
			t.Errorf("%q is %d pence, want %d", text, got, want)
		}
	}
	for text, want := range map[string]string{" oat milk ": "oat milk", "a\x00b\tc": "a b c", "caf\xe9": "caf", "oat milk näher": "oat milk n", "\n": "", "oat milk 🍌": "oat milk"} {
		if got := typed(text, 11); got != want {
			t.Errorf("%q is looked for as %q, want %q", text, got, want)
		}
	}
	for bounds, want := range map[[2]string][2]string{{"5", "1"}: {"1", "5"}, {"1", "5"}: {"1", "5"}, {"5", ""}: {"5", ""}, {"", "1"}: {"", "1"}, {"5", "x"}: {"5", "x"}} {
		if low, high := inOrder(bounds[0], bounds[1]); low != want[0] || high != want[1] {
			t.Errorf("prices %q are from %q to %q, want %q", bounds, low, high, want)
		}
	}
	for text, want := range map[string]string{"07700 900123": "+447700900123", "+44 7700 900123": "+447700900123", "(020) 7946-0123": "+442079460123", "": "", "0044 1": "00441"} {
		if got := phone(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	for body, want := range map[string]int32{"add=2": 5, "quantity=2": 2, "quantity=0": 0, "add=99": 99, "quantity=100": -1, "quantity=x": -1, "": -1, "add=-1": -1} {
		r := httptest.NewRequest(http.MethodPost, "/cart/items", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		got, err := wanted(r, 3)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q with 3 in the cart is %d, want %d", body, got, want)
		}
	}
}

func TestAddressesOfQueries(t *testing.T) {
	q := query{Q: "milk & honey", Category: []string{"a", "b"}, Tag: []string{"vegan"}, Min: "1", Sort: "price", Page: "token"}
	for name, c := range map[string]struct{ address, path, want string }{
		"whole":         {q.address(), "/search", "category=a&category=b&min=1&page=token&q=milk+%26+honey&sort=price&tag=vegan"},
		"less one":      {q.without("category", "a"), "/search", "category=b&min=1&q=milk+%26+honey&sort=price&tag=vegan"},
		"less prices":   {q.without("price", ""), "/search", "category=a&category=b&q=milk+%26+honey&sort=price&tag=vegan"},
		"of an aisle":   {query{Aisle: "dairy", Sort: "name"}.address(), "/aisles/dairy", "sort=name"},
		"of everything": {query{}.address(), "/search", ""},
	} {
		u, err := url.Parse(c.address)
		if err != nil || u.Path != c.path || u.RawQuery != c.want {
			t.Errorf("%s: %q, want %s?%s", name, c.address, c.path, c.want)
		}
	}
	if len(q.Category) != 2 {
		t.Error("a query changed when it was asked for another one")
	}
}

// Every aisle of the seed and every kind of thing has a picture that a browser can read, and each is drawn the same again.
func TestPicturesCanBeRead(t *testing.T) {
	var shapes []look
	shapes = append(append(append(shapes, packs...), things...), places...)
	for _, look := range shapes {
		for word := range strings.SplitSeq(look.words, " ") {
			for _, product := range []string{word + "-one", word + "-two", word + "-three"} {
				text := draw(word, product)
				if text != draw(word, product) || len(text) > 2200 {
					t.Errorf("%s: %d bytes, or another one the second time", product, len(text))
				}
				for reader := xml.NewDecoder(strings.NewReader(text)); ; {
					_, err := reader.Token()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						t.Fatalf("%s: %v", product, err)
					}
				}
				if strings.ContainsAny(text, "{}") {
					t.Errorf("%s has a colour that isn't filled in", product)
				}
			}
		}
	}
	if draw("fruit", "gala-apples") == draw("fruit", "pink-lady-apples") {
		t.Error("two kinds of apples are one picture")
	}
	for path, status := range map[string]int{"/fruit/apples.svg": 200, "/fruit/apples": 404, "/Fruit/apples.svg": 404, "/fruit/a<b.svg": 404} {
		r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		parts := strings.Split(path, "/")
		r.SetPathValue("aisle", parts[1])
		r.SetPathValue("picture", parts[2])
		picture(w, r)
		if w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
}

func TestSlotsByDay(t *testing.T) {
	day := time.Now().Add(48 * time.Hour).Truncate(24 * time.Hour)
	slot := func(hours, free int) *stockpb.DeliverySlot {
		return &stockpb.DeliverySlot{Slot: &typepb.Slot{StartTime: timestamppb.New(day.Add(time.Duration(hours) * time.Hour))}, Available: int32(free)} //nolint:gosec // small
	}
	days := byDay([]*stockpb.DeliverySlot{slot(-96, 5), slot(9, 1), slot(11, 0), slot(14, 2), slot(33, 1)})
	if len(days) != 2 || len(days[0].Slots) != 2 || len(days[1].Slots) != 1 {
		t.Errorf("%d days: %v", len(days), days)
	}
}
