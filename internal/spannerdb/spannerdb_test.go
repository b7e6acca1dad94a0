package spannerdb_test

import (
	"testing"

	"cloud.google.com/go/spanner"

	"larder.dev/internal/spannerdb/spannertest"
)

// The schema is what the emulator, which is Spanner's own front end, accepts.
func TestSchema(t *testing.T) {
	client := spannertest.Open(t)
	rows := client.Single().Query(t.Context(), spanner.NewStatement("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ''"))
	defer rows.Stop()
	row, err := rows.Next()
	if err != nil {
		t.Fatal(err)
	}
	var tables int64
	if err := row.Columns(&tables); err != nil {
		t.Fatal(err)
	}
	if want := int64(11); tables != want {
		t.Errorf("the schema has %d tables, want %d", tables, want)
	}
}
