package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// orders is what is known of the shop's orders. A journal on disk keeps it: a line of JSON for each event that was taken in.
type orders struct {
	mu      sync.Mutex
	journal *os.File
	taken   map[key]bool
	latest  map[string]entry // by order
}

// key names an event for good: it is the same whenever the event comes.
type key struct{ source, id string }

// entry is a line of the journal.
type entry struct {
	Source  string `json:"source"`
	ID      string `json:"id"`
	Order   string `json:"order"`
	Version int64  `json:"version"`
	State   string `json:"state"`
}

// open reads a journal, or begins one.
func open(name string) (*orders, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	o := &orders{journal: file, taken: map[key]bool{}, latest: map[string]entry{}}
	if err := o.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", name, err), file.Close())
	}
	return o, nil
}

// read takes in the journal's lines. A last line without an end was being written when the program died: its event wasn't acknowledged, so it
// comes again, and the line is cut off.
func (o *orders) read() error {
	var whole int64
	for lines := bufio.NewReader(o.journal); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		o.remember(e)
		whole += int64(len(line))
	}
	if err := o.journal.Truncate(whole); err != nil {
		return err
	}
	_, err := o.journal.Seek(whole, io.SeekStart)
	return err
}

// take takes in an event, once, and says what is new; "" is nothing. After an error the event wasn't taken in.
func (o *orders) take(attributes map[string]string, data []byte) (news string, err error) {
	switch attributes["ce-type"] {
	case "larder.order.v1.OrderConfirmed", "larder.order.v1.OrderPicking", "larder.order.v1.OrderPacked",
		"larder.order.v1.OrderDispatched", "larder.order.v1.OrderDelivered", "larder.order.v1.OrderCancelled":
	default:
		return "", nil // a type that we don't need, or that is newer than we are
	}
	// Only what we need of it; other fields may come at any time.
	var told struct {
		Order struct {
			OrderID string `json:"order_id"`
			State   string `json:"state"`
		} `json:"order"`
		Version int64 `json:"version,string"`
	}
	if err := json.Unmarshal(data, &told); err != nil {
		return "", err
	}
	if told.Order.OrderID == "" || told.Version < 1 {
		return "", errors.New("it has no order or version")
	}
	e := entry{Source: attributes["ce-source"], ID: attributes["ce-id"], Order: told.Order.OrderID, Version: told.Version, State: told.Order.State}

	o.mu.Lock()
	defer o.mu.Unlock()
	if o.taken[key{e.Source, e.ID}] {
		return "", nil // it came before
	}
	if err := o.write(e); err != nil {
		return "", err
	}
	if !o.remember(e) {
		return "", nil // a later one came before it
	}
	return fmt.Sprintf("order %s is %s", e.Order, e.State), nil
}

// write puts a line on disk.
func (o *orders) write(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := o.journal.Write(append(line, '\n')); err != nil {
		return err
	}
	return o.journal.Sync()
}

// remember keeps an event; false: a later version of its order is known.
func (o *orders) remember(e entry) bool {
	o.taken[key{e.Source, e.ID}] = true
	if e.Version <= o.latest[e.Order].Version {
		return false
	}
	o.latest[e.Order] = e
	return true
}

func (o *orders) close() error { return o.journal.Close() }
