// Package spanner writes the outbox in Spanner.
package spanner

import (
	"cloud.google.com/go/spanner"

	"larder.dev/internal/outbox"
)

// Insert adds an event to the transaction that it tells of.
func Insert(e outbox.Event) *spanner.Mutation {
	return spanner.InsertMap("Outbox", map[string]any{
		"Shard": e.Shard(), "CommitTime": spanner.CommitTimestamp, "EventId": e.ID,
		"Topic": e.Topic, "Type": e.Type, "Subject": e.Subject, "Data": e.Data, "TraceParent": e.TraceParent,
	})
}
