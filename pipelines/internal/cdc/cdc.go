// Package cdc reads changes of the table products.catalog_documents as Debezium publishes them.
//
// Debezium's envelope (its manual, "PostgreSQL connector: data change events") has before, after, source and op.
// Only after matters: the row's document, and the revision that is its version. Order and repetition don't.
// Everything that isn't a change of this table is passed over: heartbeats, tombstones, transaction and schema
// messages, logical messages, other tables. A row of the table that can't be used is a [Fault]: never silently
// dropped, because the index would differ from the catalogue for ever.
package cdc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Table is the one whose changes are read.
const Table = "catalog_documents"

// unavailable stands in Debezium's events for a large value that an update left as it was.
const unavailable = "__debezium_unavailable_value"

// Message is a Pub/Sub message as it was read.
type Message struct {
	ID         string
	Data       []byte
	Attributes map[string]string
}

// Position says where in the source a change comes from. Both are 0 if unknown.
type Position struct {
	LSN    int64 // the change's own, not its commit's: no version
	TimeMS int64 // of the commit, milliseconds since 1970
}

// Change is a new state of one product.
type Change struct {
	ProductID   string
	Revision    int64  // 1 and up, grows with each change of the product
	Document    []byte // JSON object in one line
	Traceparent string // W3C trace context of the change, or ""
	Position    Position
}

// Reasons of faults, stable: they are attributes of dead letters.
const (
	Malformed        = "MALFORMED"         // no JSON object, or types that don't fit
	UnknownMessage   = "UNKNOWN_MESSAGE"   // JSON that Debezium doesn't send
	UnavailableValue = "UNAVAILABLE_VALUE" // the row's document was not in the event
	InvalidRow       = "INVALID_ROW"       // a column is missing or out of range
	Mismatch         = "MISMATCH"          // document and row contradict each other
)

// Fault tells why a message can never be indexed.
type Fault struct {
	Reason    string
	Detail    string
	ProductID string // "" if unknown
	Revision  int64  // 0 if unknown
	Position  Position
}

func (f *Fault) Error() string { return f.Reason + ": " + f.Detail }

type envelope struct {
	Payload json.RawMessage `json:"payload"` // the envelope is here if schemas are enabled
	Op      string          `json:"op"`
	After   json.RawMessage `json:"after"`
	Source  *struct {
		Table string `json:"table"`
		LSN   int64  `json:"lsn"`
		TSMS  int64  `json:"ts_ms"`
	} `json:"source"`

	// What other kinds of messages have.
	Heartbeat    int64           `json:"ts_ms"`
	Status       string          `json:"status"`
	TableChanges json.RawMessage `json:"tableChanges"`
}

type row struct {
	ProductID   string          `json:"product_id"`
	Document    json.RawMessage `json:"document"`
	Checksum    string          `json:"checksum"`
	Revision    int64           `json:"revision"`
	Deleted     *bool           `json:"deleted"`
	Traceparent string          `json:"traceparent"`
}

// Decode reads one message. It returns nil and no fault for a message that is no change of the table.
func Decode(data []byte) (*Change, *Fault) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || bytes.Equal(data, []byte("null")) {
		return nil, nil // tombstone
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, &Fault{Reason: Malformed, Detail: err.Error()}
	}
	if len(e.Payload) > 0 && e.Op == "" {
		return Decode(e.Payload)
	}
	var at Position
	if e.Source != nil {
		at = Position{LSN: e.Source.LSN, TimeMS: e.Source.TSMS}
	}
	switch e.Op {
	case "c", "r", "u": // created, read by a snapshot, updated
		if e.Source != nil && e.Source.Table != "" && e.Source.Table != Table {
			return nil, nil
		}
		return change(e.After, at)
	case "d", "t", "m":
		// A row deleted or truncated says nothing of a product: one that is sold no more keeps its row, marked.
		// Messages (m) carry no row.
		return nil, nil
	case "":
		if len(e.After) == 0 && (e.Status != "" || len(e.TableChanges) > 0 || e.Heartbeat != 0) {
			return nil, nil
		}
	}
	return nil, &Fault{Reason: UnknownMessage, Detail: "op " + strconv.Quote(e.Op), Position: at}
}

func change(after json.RawMessage, at Position) (*Change, *Fault) {
	var r row
	fault := func(reason, format string, args ...any) (*Change, *Fault) {
		return nil, &Fault{Reason: reason, Detail: fmt.Sprintf(format, args...), ProductID: r.ProductID, Revision: r.Revision, Position: at}
	}
	if len(after) == 0 || bytes.Equal(after, []byte("null")) {
		return fault(InvalidRow, "no row")
	}
	if err := json.Unmarshal(after, &r); err != nil {
		if bytes.Contains(after, []byte(unavailable)) {
			return fault(UnavailableValue, "%v", err)
		}
		return fault(Malformed, "row: %v", err)
	}
	document, err := text(r.Document)
	switch {
	case err != nil:
		return fault(Malformed, "document: %v", err)
	case r.ProductID == unavailable || r.Checksum == unavailable || string(document) == unavailable:
		return fault(UnavailableValue, "a value was not in the event")
	case r.ProductID == "":
		return fault(InvalidRow, "no product_id")
	case r.Revision < 1:
		return fault(InvalidRow, "revision %d, want 1 or more", r.Revision)
	case r.Checksum == "":
		return fault(InvalidRow, "no checksum")
	case r.Deleted == nil:
		return fault(InvalidRow, "deleted is neither true nor false")
	case len(document) == 0:
		return fault(InvalidRow, "no document")
	}
	var inside struct {
		ProductID string `json:"product_id"`
		Revision  int64  `json:"revision"`
		Deleted   bool   `json:"deleted"`
	}
	var line bytes.Buffer
	if err := json.Compact(&line, document); err != nil {
		return fault(Malformed, "document: %v", err)
	}
	if err := json.Unmarshal(line.Bytes(), &inside); err != nil {
		return fault(Malformed, "document: %v", err)
	}
	switch {
	case inside.ProductID != r.ProductID:
		return fault(Mismatch, "product_id is %q in the document, %q in the row", inside.ProductID, r.ProductID)
	case inside.Revision != r.Revision:
		return fault(Mismatch, "revision is %d in the document, %d in the row", inside.Revision, r.Revision)
	case inside.Deleted != *r.Deleted:
		return fault(Mismatch, "deleted is %t in the document, %t in the row", inside.Deleted, *r.Deleted)
	}
	return &Change{ProductID: r.ProductID, Revision: r.Revision, Document: line.Bytes(), Traceparent: r.Traceparent, Position: at}, nil
}

// text returns the document: Debezium writes jsonb as a string; an object is taken as it is.
func text(v json.RawMessage) ([]byte, error) {
	if len(v) == 0 || bytes.Equal(v, []byte("null")) {
		return nil, nil
	}
	if v[0] != '"' {
		return v, nil
	}
	var s string
	err := json.Unmarshal(v, &s)
	return []byte(s), err
}
