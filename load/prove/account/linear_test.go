package account

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// at is a moment of a test's, in seconds.
func at(seconds float64) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

func op(k kind, quantity int64, from, to float64) operation {
	return operation{kind: k, quantity: quantity, from: at(from), to: at(to)}
}

func guessed(o operation, guess float64) operation {
	o.guess = at(guess)
	return o
}

func TestLinearizable(t *testing.T) {
	first := op(give, 10, 0, 1)
	loose := op(short, 3, 2, 3)
	loose.slack = 8
	for name, test := range map[string]struct {
		history []operation
		want    porcupine.CheckResult
	}{
		"all of it":                     {[]operation{first, op(take, 4, 2, 3), op(take, 6, 2, 3)}, porcupine.Ok},
		"more than there is":            {[]operation{first, op(take, 4, 2, 3), op(take, 7, 2, 3)}, porcupine.Illegal},
		"more arrives too late":         {[]operation{first, op(take, 4, 2, 3), op(take, 7, 2, 3), op(give, 5, 4, 5)}, porcupine.Illegal},
		"more may have arrived in time": {[]operation{first, op(take, 4, 2, 3), op(take, 7, 2, 3), op(give, 5, 2.5, 5)}, porcupine.Ok},
		"given back after it was taken": {[]operation{first, op(take, 10, 2, 3), op(give, 10, 4, 9), op(take, 10, 6, 7)}, porcupine.Ok},
		"given back too late":           {[]operation{first, op(take, 10, 2, 3), op(give, 10, 6, 9), op(take, 10, 4, 5)}, porcupine.Illegal},
		"sold out":                      {[]operation{first, op(take, 10, 2, 3), op(short, 1, 4, 5)}, porcupine.Ok},
		"sold out, and it isn't":        {[]operation{first, op(take, 7, 2, 3), op(short, 3, 4, 5)}, porcupine.Illegal},
		"sold out while it is taken":    {[]operation{first, op(take, 10, 2, 5), op(short, 1, 4, 6), op(give, 5, 5.5, 7)}, porcupine.Ok},
		"others may hold it":            {[]operation{first, loose}, porcupine.Ok},
		"others can't hold as much":     {[]operation{first, op(give, 1, 1, 1.5), loose}, porcupine.Illegal},
		"a guess that is wrong": {
			[]operation{first, guessed(op(take, 10, 2, 6), 5), guessed(op(take, 4, 2, 6), 3), guessed(op(give, 4, 2, 6), 6)}, porcupine.Ok,
		},
		"a guess outside of its time": {[]operation{guessed(first, 40), guessed(op(take, 10, 2, 3), 0.5)}, porcupine.Ok},
		"nobody was told":             {[]operation{first, op(take, 10, 2, 100), op(take, 10, 3, 4), op(give, 10, 5, 6)}, porcupine.Ok},
	} {
		t.Run(name, func(t *testing.T) {
			if got := linearizable(test.history, 10*time.Second); got != test.want {
				t.Errorf("linearizable is %s, want %s", got, test.want)
			}
		})
	}
}

// A round's history of a product that everybody wants: a thousand at the same time, and hundreds that never heard how it ended.
func TestLinearizableSearchIsShort(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	history := []operation{op(give, 1000, 0, 0.1)}
	have, moment := int64(1000), 1.0
	for range 2000 {
		moment += random.Float64() / 10
		quantity := 1 + random.Int64N(3)
		from, to := moment-random.Float64()*5, moment+random.Float64()*5
		if random.IntN(10) == 0 {
			to = 1000
		}
		switch at := random.IntN(10); {
		case at == 0:
			history, have = append(history, guessed(op(give, quantity*5, from, to), moment)), have+quantity*5
		case have >= quantity:
			history, have = append(history, guessed(op(take, quantity, from, to), moment)), have-quantity
		default:
			history = append(history, op(short, quantity, from, min(to, moment+5)))
		}
	}
	began := time.Now()
	if got := linearizable(history, 20*time.Second); got != porcupine.Ok {
		t.Errorf("linearizable is %s after %s", got, time.Since(began))
	}
}

// An oversell that the sums at the end don't show is found, also among many others.
func TestOversellInPassing(t *testing.T) {
	s := newScene(t)
	s.buy(10)
	s.buy(1) // of none
	s.adjust("figs", 5)
	got := s.check()
	if got.Counts[Oversold] < 2 { // by the ledger and by the history
		t.Errorf("found %s: %v", got.String(), got.Details)
	}
}

// What staff take away must be there as well.
func TestTakenAwayTooMuch(t *testing.T) {
	s := newScene(t)
	s.buy(8)
	s.adjust("figs", -3)
	if got := s.check(); got.Counts[Oversold] == 0 {
		t.Errorf("found %s: %v", got.String(), got.Details)
	}
}
