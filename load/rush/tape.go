package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"larder.dev/load/prove/shop"
)

// The kinds of requests, in the order in which they are told of.
const (
	search   = "search"
	cart     = "cart"
	checkout = "checkout"
	suggest  = "suggest" // of overload only
)

var kinds = []string{search, cart, checkout, suggest}

// request is one that was asked, and what came of it.
type request struct {
	kind   string
	start  time.Time
	took   time.Duration // the whole of it, connecting included
	status int           // of HTTP; 0: no answer
	good   bool          // what it was asked for, it got
}

func (r request) refused() bool { return r.status == 429 }

// tape is what a generator wrote down of a run: its measured requests, and all checkouts, those of the warm-up too.
type tape struct {
	requests  []request
	checkouts []*shop.Checkout
}

// The lines of rush.js begin with what they are.
const (
	lineRequest = "r " // phase, kind, start in ms since 1970, ms it took, status
	lineAsked   = "a " // a checkout that is about to be asked for
	lineAnswer  = "b " // its answer, with the whole body
	measured    = "m"
)

type askedLine struct {
	Key   string      `json:"key"`
	User  string      `json:"user"`
	Store string      `json:"store"`
	Cart  string      `json:"cart"`
	Total int64       `json:"total"`
	Lines []shop.Line `json:"lines"`
	Start int64       `json:"start"`
}

type answerLine struct {
	Key    string  `json:"key"`
	Phase  string  `json:"phase"`
	Start  int64   `json:"start"`
	End    int64   `json:"end"`
	Took   float64 `json:"took"`
	Status int     `json:"status"`
	Body   string  `json:"body"`
}

// recipient is the one that rush.js names: who asks again under the same key must ask for the same.
const recipient = "Ada Lovelace"

// longestLine bounds a line: an order in it has as many lines as a cart may have.
const longestLine = 4 << 20

// readTape reads what rush.js wrote to k6's console. A checkout that was asked for and has no answer is one whose outcome nobody knows. Errors:
// a line that isn't rush.js's, which a generator in trouble writes too.
func readTape(from io.Reader) (*tape, error) {
	t := &tape{}
	byKey := map[string]*shop.Checkout{}
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 64<<10), longestLine)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		var err error
		switch {
		case line == "":
		case strings.HasPrefix(line, lineRequest):
			err = t.request(line[len(lineRequest):])
		case strings.HasPrefix(line, lineAsked):
			err = t.asked(byKey, line[len(lineAsked):])
		case strings.HasPrefix(line, lineAnswer):
			err = t.answer(byKey, line[len(lineAnswer):])
		default:
			err = errors.New("nothing that rush.js writes")
		}
		if err != nil {
			return nil, fmt.Errorf("the generator's line %d, %.200q: %w", n, line, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the generator's lines: %w", err)
	}
	return t, nil
}

func (t *tape) request(line string) error {
	fields := strings.Fields(line)
	if len(fields) != 5 {
		return fmt.Errorf("%d fields", len(fields))
	}
	start, err1 := strconv.ParseInt(fields[2], 10, 64)
	took, err2 := strconv.ParseFloat(fields[3], 64)
	status, err3 := strconv.Atoi(fields[4])
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if fields[0] == measured {
		t.requests = append(t.requests, request{kind: fields[1], start: time.UnixMilli(start), took: millis(took), status: status, good: status == 200})
	}
	return nil
}

func (t *tape) asked(byKey map[string]*shop.Checkout, line string) error {
	var asked askedLine
	if err := json.Unmarshal([]byte(line), &asked); err != nil {
		return err
	}
	if asked.Key == "" || byKey[asked.Key] != nil {
		return fmt.Errorf("the key %q, again", asked.Key)
	}
	start := time.UnixMilli(asked.Start)
	c := &shop.Checkout{
		Key: asked.Key, User: asked.User, Behaviour: "load",
		Wishes: []shop.Wish{{Store: asked.Store, Cart: asked.Cart, Method: "pm_card_visa", Recipient: recipient, Total: asked.Total, Lines: asked.Lines}},
		// Until the answer is read: it was sent, and nobody knows.
		Deed: shop.Deed{Asks: []shop.Ask{{Start: start, End: start}}},
	}
	byKey[asked.Key] = c
	t.checkouts = append(t.checkouts, c)
	return nil
}

func (t *tape) answer(byKey map[string]*shop.Checkout, line string) error {
	var answer answerLine
	if err := json.Unmarshal([]byte(line), &answer); err != nil {
		return err
	}
	c := byKey[answer.Key]
	if c == nil {
		return fmt.Errorf("nobody asked under the key %q", answer.Key)
	}
	told := shop.ReadCheckout(answer.Status, []byte(answer.Body))
	// k6's clock has milliseconds: what happened in the last one is to lie between start and end.
	c.Asks[0] = shop.Ask{Start: time.UnixMilli(answer.Start), End: time.UnixMilli(answer.End + 1), Answer: told}
	if answer.Phase == measured {
		t.requests = append(t.requests, request{
			kind: checkout, start: time.UnixMilli(answer.Start), took: millis(answer.Took), status: answer.Status, good: told.Kind == shop.Done,
		})
	}
	return nil
}

func millis(ms float64) time.Duration {
	return time.Duration(math.Round(ms * float64(time.Millisecond)))
}
