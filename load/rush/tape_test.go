package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"larder.dev/load/prove/shop"
)

const startMS = 1_795_000_000_000

// confirmed is the body of an answer that tells of an order of two figs.
const confirmed = `{"checkout_id":"o-1","state":"CONFIRMED","order":{"order_id":"o-1","state":"CONFIRMED","user_id":"ann","store_id":"soho",
	"lines":[{"product_id":"figs","quantity":2,"unit_price":{"currency":"GBP","minor_units":"100"}}],
	"totals":{"delivery_fee":{"currency":"GBP","minor_units":"50"},"total":{"currency":"GBP","minor_units":"250"}},"payment":{"state":"AUTHORIZED"}}}`

func askedAs(key string) string {
	return fmt.Sprintf(`a {"key":%q,"user":"ann","store":"soho","cart":"c-1","total":250,"lines":[{"product":"figs","quantity":2,"price":100}],"start":%d}`+"\n", key, startMS)
}

func answered(t *testing.T, key, phase string, status int, body string) string {
	t.Helper()
	text, err := json.Marshal(answerLine{Key: key, Phase: phase, Start: startMS, End: startMS + 40, Took: 40.5, Status: status, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return "b " + string(text) + "\n"
}

func mustRead(t *testing.T, lines ...string) *tape {
	t.Helper()
	got, err := readTape(strings.NewReader(strings.Join(lines, "")))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestReadTape(t *testing.T) {
	got := mustRead(t,
		fmt.Sprintf("r w search %d 900.00 200\n", startMS-5000),
		fmt.Sprintf("r m search %d 12.34 200\nr m search %d 1.00 429\nr m cart %d 3.00 0\n", startMS, startMS, startMS),
		askedAs("k-warm"), askedAs("k-1"), answered(t, "k-warm", "w", 200, confirmed), answered(t, "k-1", "m", 200, confirmed),
		askedAs("k-2"), answered(t, "k-2", "m", 409, `{"error":{"code":409,"details":[{"reason":"OUT_OF_STOCK"},{"shortages":[{"product_id":"figs","requested":"2"}]}]}}`),
		askedAs("k-3"))

	want := []request{
		{search, time.UnixMilli(startMS), 12_340 * time.Microsecond, 200, true},
		{search, time.UnixMilli(startMS), time.Millisecond, 429, false},
		{cart, time.UnixMilli(startMS), 3 * time.Millisecond, 0, false},
		{checkout, time.UnixMilli(startMS), 40_500 * time.Microsecond, 200, true},
		{checkout, time.UnixMilli(startMS), 40_500 * time.Microsecond, 409, false},
	}
	if len(got.requests) != len(want) {
		t.Fatalf("%d measured requests, want %d: %+v", len(got.requests), len(want), got.requests)
	}
	for i, r := range got.requests {
		if r != want[i] {
			t.Errorf("request %d is %+v, want %+v", i, r, want[i])
		}
	}
	kinds := []shop.Kind{shop.Done, shop.Done, shop.Refused, shop.Unknown}
	if len(got.checkouts) != len(kinds) {
		t.Fatalf("%d checkouts, want %d, the warm-up's too", len(got.checkouts), len(kinds))
	}
	for i, c := range got.checkouts {
		answer := c.Asks[0].Answer
		if answer.Kind != kinds[i] || c.User != "ann" || c.Wishes[0].Total != 250 || len(c.Wishes[0].Lines) != 1 {
			t.Errorf("checkout %d is %+v", i, c)
		}
		if answer.Kind == shop.Done && (answer.Order == nil || answer.Order.ID != "o-1" || c.ID() != "o-1" || answer.Order.Lines[0].Quantity != 2) {
			t.Errorf("checkout %d was told %+v", i, answer.Order)
		}
	}
	if short := got.checkouts[2].Asks[0].Answer.Short; len(short) != 1 || short[0].Quantity != 2 {
		t.Errorf("told short: %+v", short)
	}
	if got.checkouts[3].Certain() {
		t.Error("a checkout without an answer is certain")
	}
}

// What isn't rush.js's, or doesn't fit together, is no tape: a request that is lost here would be missing in the accounts.
func TestNoTape(t *testing.T) {
	for name, line := range map[string]string{
		"of k6's own":           "Insufficient VUs\n",
		"cut off":               "r m search 17950",
		"no number":             "r m search 1795000000000 fast 200\n",
		"no JSON":               "a {\n",
		"asked twice":           askedAs("k-1") + askedAs("k-1"),
		"answered, never asked": answered(t, "k-1", "m", 200, confirmed),
	} {
		if got, err := readTape(strings.NewReader(line)); err == nil {
			t.Errorf("%s: read %+v", name, got)
		}
	}
}
