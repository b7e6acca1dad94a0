package search

import "context"

// DefaultDocuments is how many documents one list has.
const DefaultDocuments = 500

// Document is one of the index, as an audit compares it. Deleted ones are documents too.
type Document struct {
	ProductID string
	Revision  int64 // the version that the index keeps it under
	Deleted   bool
	Checksum  string // of internal/document
}

// Documents returns the index's documents behind a product id and up to another (empty: to the last), in bytewise order, at most
// limit, up to 1000, 0 meaning DefaultDocuments. What was written within the last refresh interval isn't among them yet. Errors: UNAVAILABLE.
func (s *Service) Documents(ctx context.Context, after, until string, limit int) ([]Document, error) {
	if limit == 0 {
		limit = DefaultDocuments
	}
	return s.index.Documents(ctx, after, until, limit)
}
