package main

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What a box keeps at most: the oldest mails go.
const (
	maxMails = 10_000
	maxBytes = 128 << 20 // of all mails as they came
)

// mail is one that came. What couldn't be read is empty, and Fault says why.
type mail struct {
	ID int64 `json:"id"`
	// From and To are the envelope's: who it was sent by and to, whatever its headers say.
	From      string    `json:"from"`
	To        []string  `json:"to"`
	Subject   string    `json:"subject"`
	Text      string    `json:"text"`
	HTML      string    `json:"html"`
	MessageID string    `json:"message_id"` // without angle brackets
	Received  time.Time `json:"received"`
	Fault     string    `json:"fault,omitempty"`

	size int // bytes as it came
}

// box keeps mails. The zero value is empty; it may be used concurrently.
type box struct {
	mu    sync.Mutex
	mails []mail // oldest first
	bytes int
	last  int64
}

// add keeps a mail and gives it an id.
func (b *box) add(m mail) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	m.ID = b.last
	b.mails = append(b.mails, m)
	b.bytes += m.size
	for len(b.mails) > maxMails || b.bytes > maxBytes {
		b.bytes -= b.mails[0].size
		b.mails[0] = mail{}
		b.mails = b.mails[1:] // append copies what is left to a new array in time
	}
}

// list returns up to limit mails, newest first; to wants one recipient, in any case, empty takes all.
func (b *box) list(to string, limit int) []mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := []mail{}
	for _, m := range slices.Backward(b.mails) {
		if len(found) == limit {
			break
		}
		if to == "" || slices.ContainsFunc(m.To, func(a string) bool { return strings.EqualFold(a, to) }) {
			found = append(found, m)
		}
	}
	return found
}

// get returns a mail by its id as people write it.
func (b *box) get(given string) (mail, bool) {
	id, err := strconv.ParseInt(given, 10, 64)
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.mails, func(m mail) bool { return m.ID == id })
	if err != nil || i < 0 {
		return mail{}, false
	}
	return b.mails[i], true
}
