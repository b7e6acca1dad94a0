package postgres

import (
	"context"
	_ "embed"

	"github.com/jackc/pgx/v5"
)

var (
	//go:embed sql/kept_bounds.sql
	keptBounds string
	//go:embed sql/kept_documents.sql
	keptDocuments string
)

// Kept is a document that the catalogue keeps for the index, that of a deleted product too.
type Kept struct {
	ProductID string
	Revision  int64
	Document  []byte // JSON in one line, the revision in it
}

// KeptBounds divides the kept documents into ranges of a size: the last id of each, in bytewise order, but for the last range, which has no end.
func (s *Store) KeptBounds(ctx context.Context, size int) ([]string, error) {
	bounds, err := collect(ctx, s.pool, scanID, keptBounds, size)
	return bounds, wrap(err, "divide the documents")
}

// Kept are the documents of a range, behind an id and up to another; empty: to the last.
func (s *Store) Kept(ctx context.Context, after, until string) ([]Kept, error) {
	kept, err := collect(ctx, s.pool, func(row pgx.Row) (Kept, error) {
		var k Kept
		return k, row.Scan(&k.ProductID, &k.Revision, &k.Document)
	}, keptDocuments, after, until)
	return kept, wrap(err, "read documents")
}
