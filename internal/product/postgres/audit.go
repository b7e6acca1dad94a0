package postgres

import (
	"context"
	_ "embed"
	"time"

	"github.com/jackc/pgx/v5"

	"larder.dev/internal/document"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/product"
)

var (
	//go:embed sql/audit_range.sql
	auditRange string
	//go:embed sql/audit_documents.sql
	auditDocuments string
)

// activationGrace is how late prices may be activated before it counts as a fault: many periods of ActivatePrices.
const activationGrace = time.Minute

var _ product.Documents = (*Store)(nil)

// IDs implements product.Documents.
func (s *Store) IDs(ctx context.Context, after string, limit int) ([]string, error) {
	ids, err := collect(ctx, s.pool, scanID, auditRange, after, limit)
	return ids, wrap(err, "list documents")
}

// Count implements product.Documents.
func (s *Store) Count(ctx context.Context) (n int64, err error) {
	err = s.pool.QueryRow(ctx, `select count(*) from products.catalog_documents`).Scan(&n)
	return n, wrap(err, "count documents")
}

// Documents implements product.Documents.
func (s *Store) Documents(ctx context.Context, ids []string) ([]product.Document, error) {
	documents, err := collect(ctx, s.pool, scanDocument, auditDocuments, ids, activationGrace)
	return documents, wrap(err, "audit documents")
}

func scanDocument(row pgx.Row) (product.Document, error) {
	var d product.Document
	var kept []byte
	if err := row.Scan(&d.ProductID, &d.Revision, &d.Deleted, &kept, &d.Miscomputed, &d.Activating); err != nil {
		return d, err
	}
	if kept == nil { // none, or one that somebody has made no object
		return d, nil
	}
	var err error
	d.Checksum, err = document.Checksum(kept)
	return d, err
}

// Renew implements product.Documents.
func (s *Store) Renew(ctx context.Context, ids []string) error {
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `select products.renew_documents($1)`, ids)
		return wrap(err, "renew documents")
	})
}
