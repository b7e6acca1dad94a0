package search

import (
	"context"
	"time"
)

// Generation is an index with all documents: the one that search reads, or one beside it.
type Generation struct {
	Number    int
	Live      bool  // search reads it
	Documents int64 // deleted ones too, as of its last refresh
	Created   time.Time
}

// Generations lists what there is of the index, by number. Errors: UNAVAILABLE.
func (s *Service) Generations(ctx context.Context) ([]Generation, error) {
	return s.index.Generations(ctx)
}
