package identity

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// leeway is how far clocks may differ.
	leeway = 30 * time.Second
	// keptFor is how long a token that was verified is believed without another look at its signature. A key that is taken back counts
	// for so much longer; it is missed only when the keys are fetched again anyway.
	keptFor = time.Minute
	// maxKept is how many tokens of a kind are kept, of about 1 kB each. Those that were not used for longest make room.
	maxKept = 4096
)

// kept has what tokens said that were verified a short while ago: a signature costs more than most calls do otherwise, and the same
// token comes with each call of a service, and with each of a shopper's clicks. It is safe for concurrent use.
type kept[T any] struct {
	entries *lru.Cache[string, keptToken[T]]
	now     func() time.Time
}

type keptToken[T any] struct {
	says  T
	until time.Time
}

func newKept[T any](now func() time.Time) (*kept[T], error) {
	entries, err := lru.New[string, keptToken[T]](maxKept)
	return &kept[T]{entries: entries, now: now}, err
}

// get returns what a token says; ok is false for one that is to be verified.
func (k *kept[T]) get(token string) (says T, ok bool) {
	found, ok := k.entries.Get(token)
	if !ok || !k.now().Before(found.until) {
		return says, false
	}
	return found.says, true
}

// put keeps what a token says that has just been verified.
func (k *kept[T]) put(token string, says T, expires time.Time) {
	until := k.now().Add(keptFor)
	if end := expires.Add(leeway); end.Before(until) {
		until = end
	}
	k.entries.Add(token, keptToken[T]{says, until})
}
