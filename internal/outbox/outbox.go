// Package outbox holds events that a transaction writes beside what they tell of, and the relay that publishes them. Who writes one
// need not know when it is published.
package outbox

import (
	"fmt"
	"hash/fnv"
	"time"

	"google.golang.org/protobuf/proto"

	"larder.dev/internal/event"
)

// Shards is how many parts the outbox has; each is published in the order of its commits.
const Shards = 16

// Event is a CloudEvent (1.0) to be.
type Event struct {
	// ID is unique; a consumer that has seen it does nothing.
	ID string
	// Topic is the Pub/Sub topic, Type the ce-type: the data's proto message.
	Topic, Type string
	// Subject is what the event is about: "orders/<id>".
	Subject string
	// Data is protobuf JSON.
	Data []byte
	// TraceParent continues the trace of the cause (W3C Trace Context).
	TraceParent string
}

// New makes an event of a message.
func New(id, topic, subject, traceParent string, message proto.Message) (Event, error) {
	data, err := event.Encode(message)
	if err != nil {
		return Event{}, fmt.Errorf("encode event %s: %w", id, err)
	}
	return Event{
		ID: id, Topic: topic, Type: event.TypeOf(message),
		Subject: subject, Data: data, TraceParent: traceParent,
	}, nil
}

// Shard is the part that a subject's events are in.
func (e Event) Shard() int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(e.Subject)) // never fails
	return int64(h.Sum32() % Shards)
}

// Committed is an event that happened.
type Committed struct {
	Event
	// Commit is the number that the database gave to its transaction. Events of one transaction share it, and those of several may.
	Commit int64
	// Time is when it happened.
	Time time.Time
}

// Position is a place in a shard, whose order is commit number, then event id: after every event of a lower number, and after those
// of Commit up to EventID, or after all of Commit if EventID is empty. The zero position is before everything.
type Position struct {
	Commit  int64
	EventID string
}

// Position is the place right behind an event.
func (c Committed) Position() Position { return Position{c.Commit, c.ID} }
