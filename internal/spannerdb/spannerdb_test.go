package spannerdb_test

import (
	"strings"
	"testing"

	"cloud.google.com/go/spanner"

	"larder.dev/internal/spannerdb"
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
	var want int64
	for _, statement := range spannerdb.Statements() {
		if strings.HasPrefix(statement, "CREATE TABLE") {
			want++
		}
	}
	if tables != want || want < 10 {
		t.Errorf("the schema has %d tables, want %d", tables, want)
	}
}
