package console

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// done says what was just done, by the code in a page's address: an address can't put words into our mouth.
var done = map[string]string{
	"picked": "Picking has begun.", "packed": "The order is packed, and its receipt's total is being captured.",
	"dispatched": "The order has left.", "delivered": "The order is delivered.",
	"cancelled": "The order is cancelled; goods and money go back.", "refunded": "The money is given back.",
	"adjusted": "The stock is adjusted; the ledger has the entry.", "rebuilt": "The stock was loaded anew from the ledger.",
	"rebuilding": "The stock is being loaded anew; this page shows how far it is.",
	"replayed":   "The message is published again.", "replayed-all": "The messages are published again.",
}

// words is a name of the API's for people: "REQUIRES_ACTION" is "Requires action".
func words(name fmt.Stringer) string {
	text := strings.ToLower(strings.ReplaceAll(name.String(), "_", " "))
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// age is how long ago a moment is, "3 min".
func age(t *timestamppb.Timestamp) string {
	if t == nil {
		return "never"
	}
	return lasting(time.Since(t.AsTime()))
}

// ago is age for the middle of a sentence.
func ago(t *timestamppb.Timestamp) string {
	if t == nil {
		return "never"
	}
	return age(t) + " ago"
}

func lasting(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// seconds is a number of milliseconds.
func seconds(ms int64) string {
	if ms < 10_000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return lasting(time.Duration(ms) * time.Millisecond)
}

// same tells that two moments are one, to the nanosecond: epochs differ by less than a second.
func same(a, b *timestamppb.Timestamp) bool { return a.AsTime().Equal(b.AsTime()) }

// short is enough of an id to tell it from others on a page.
func short(id string) string {
	if len(id) > 8 {
		return id[:8]
	}
	return id
}

func kilos(grams int32) string { return fmt.Sprintf("%.3f kg", float64(grams)/1000) }

// signed is a quantity of the ledger.
func signed(n int64) string {
	if n < 0 {
		return fmt.Sprintf("−%d", -n)
	}
	return fmt.Sprintf("+%d", n)
}

// section is the part of the console that a path is in, "overview" for its first page.
func section(path string) string {
	name, _, _ := strings.Cut(strings.Trim(strings.TrimPrefix(path, base), "/"), "/")
	if name == "" {
		return "overview"
	}
	return name
}
