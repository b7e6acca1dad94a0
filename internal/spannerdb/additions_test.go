package spannerdb_test

import (
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/spanner"

	"larder.dev/internal/spannerdb"
	"larder.dev/internal/spannerdb/spannertest"
)

// with is the schema with a change of its text.
func with(t *testing.T, old, changed string) []string {
	t.Helper()
	if strings.Count(spannerdb.Schema, old) != 1 {
		t.Fatalf("the schema has %q %d times, want once", old, strings.Count(spannerdb.Schema, old))
	}
	return spannerdb.SplitStatements(strings.Replace(spannerdb.Schema, old, changed, 1))
}

// Every case begins at the schema as it is. Whatever order a database tells its statements in, and whether it writes ASC, it is the same.
func TestAdditions(t *testing.T) {
	const capacity, unique = "  Capacity INT64 NOT NULL,\n", "CREATE INDEX DeliverySlotsByTime"
	for name, row := range map[string]struct {
		declared []string
		want     []string
		refused  string
	}{
		"nothing":    {declared: spannerdb.Statements()},
		"a column":   {declared: with(t, capacity, capacity+"Note STRING(80),\n"), want: []string{"ALTER TABLE DeliverySlots ADD COLUMN Note STRING(80)"}},
		"a default":  {declared: with(t, capacity, capacity+"Note INT64 NOT NULL DEFAULT (7),\n"), want: []string{"ALTER TABLE DeliverySlots ADD COLUMN Note INT64 NOT NULL DEFAULT (7)"}},
		"an index":   {declared: with(t, unique, "CREATE INDEX Planted ON Orders (StoreId);\n"+unique), want: []string{"CREATE INDEX Planted ON Orders(StoreId)"}},
		"a table":    {declared: append(spannerdb.Statements(), "CREATE TABLE Planted (Id INT64) PRIMARY KEY (Id)"), want: []string{"CREATE TABLE Planted (\n  Id INT64\n) PRIMARY KEY (Id)"}},
		"ascending":  {declared: with(t, "PRIMARY KEY (StoreId, SlotId)", "PRIMARY KEY (StoreId ASC, SlotId ASC)")},
		"mandatory":  {declared: with(t, capacity, capacity+"Note STRING(80) NOT NULL,\n"), refused: "column DeliverySlots.Note is NOT NULL without a default"},
		"type":       {declared: with(t, capacity, "Capacity STRING(9) NOT NULL,\n"), refused: "column DeliverySlots.Capacity is declared otherwise than it is: Capacity STRING(9) NOT NULL; it is: Capacity INT64 NOT NULL"},
		"nullable":   {declared: with(t, capacity, "Capacity INT64,\n"), refused: "column DeliverySlots.Capacity is declared otherwise"},
		"no column":  {declared: with(t, capacity, ""), refused: "column DeliverySlots.Capacity is there and isn't declared"},
		"no index":   {declared: with(t, "CREATE INDEX DeliverySlotsByTime ON DeliverySlots (StoreId, StartTime);", ""), refused: "index DeliverySlotsByTime is there and isn't declared"},
		"no table":   {declared: spannerdb.Statements()[1:], refused: "table Epochs is there and isn't declared"},
		"key":        {declared: with(t, "PRIMARY KEY (StoreId, SlotId)", "PRIMARY KEY (SlotId, StoreId)"), refused: "table DeliverySlots is declared otherwise"},
		"retention":  {declared: with(t, "OLDER_THAN(EndTime, INTERVAL 30 DAY)", "OLDER_THAN(EndTime, INTERVAL 3 DAY)"), refused: "table DeliverySlots is declared otherwise"},
		"other keys": {declared: with(t, "DeliverySlots (StoreId, StartTime)", "DeliverySlots (StartTime)"), refused: "index DeliverySlotsByTime is declared otherwise"},
		"malformed":  {declared: []string{"CREATE TABEL X"}, refused: "the declared schema: "},
	} {
		t.Run(name, func(t *testing.T) {
			current := append(spannerdb.Statements(), "ALTER DATABASE larder SET OPTIONS (version_retention_period = '7d')")
			slices.Reverse(current)
			got, err := spannerdb.Additions(current, row.declared)
			if row.refused != "" {
				if err == nil || !strings.Contains(err.Error(), row.refused) {
					t.Errorf("got %q, %v; want it refused by %q", got, err, row.refused)
				}
				return
			}
			if err != nil || !slices.Equal(got, row.want) {
				t.Errorf("got %q, %v; want %q", got, err, row.want)
			}
		})
	}
}

// A database of the release before gets what it lacks and keeps its rows, by two migrations at once; a change that isn't an addition is
// refused, and changes nothing.
func TestMigrateTo(t *testing.T) {
	client := spannertest.Open(t)
	name := client.DatabaseName()
	if err := spannerdb.Migrate(t.Context(), name); err != nil {
		t.Fatalf("a database that is up to date: %v", err)
	}
	if _, err := client.Apply(t.Context(), []*spanner.Mutation{
		spanner.Insert("Epochs", []string{"StoreId", "Epoch"}, []any{"camden", spanner.CommitTimestamp}),
	}); err != nil {
		t.Fatal(err)
	}

	next := append(with(t, "Epochs (\n  StoreId STRING(64) NOT NULL,", "Epochs (\n  StoreId STRING(64) NOT NULL,\n  Planted INT64 NOT NULL DEFAULT (7),"),
		"CREATE TABLE Planted (Id INT64 NOT NULL) PRIMARY KEY (Id)", "CREATE INDEX EpochsByPlanted ON Epochs (Planted)")
	done := make(chan error)
	for range 2 {
		go func() { done <- spannerdb.MigrateTo(t.Context(), name, next) }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	row, err := client.Single().ReadRow(t.Context(), "Epochs", spanner.Key{"camden"}, []string{"Planted"})
	if err != nil {
		t.Fatal(err)
	}
	var planted int64
	if err := row.Columns(&planted); err != nil || planted != 7 {
		t.Errorf("the row has %d, %v; want the default 7", planted, err)
	}

	err = spannerdb.MigrateTo(t.Context(), name, spannerdb.Statements())
	for _, words := range []string{"column Epochs.Planted", "table Planted", "index EpochsByPlanted"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("what would have to be dropped: got %v, want it to name %s", err, words)
		}
	}
}
