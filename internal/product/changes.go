package product

import (
	"context"
	"math"
	"strconv"
	"time"
)

// The audit trail is written by the database, whoever changes something: see postgres/migrations. It is read newest first, and never
// tells what a product costs: neither before nor after, nor whether it was that which changed.

// Subject is what changes are about. Zero: the whole catalogue.
type Subject struct {
	Table string // products, brands, categories or stores, each with what belongs to it
	ID    string
}

// Change is one row that was added, changed or removed.
type Change struct {
	ID        int64
	Time      time.Time
	By        string // as pgdb.InTx names callers, else the database session's user
	Table     string
	Key       map[string]any
	Operation string // insert, update or delete
	// Before and After have all columns of an added or removed row, and those of a changed row that are different.
	Before, After map[string]any
}

// Trail keeps the audit trail.
type Trail interface {
	// Changes returns those before a change's id, the latest first, at most limit.
	Changes(ctx context.Context, of Subject, before int64, limit int) ([]Change, error)
}

// Changes pages through what was changed, newest first, and returns the token of the next page, empty at the end. Size: 1 to 100, 0
// means 50. Errors: INVALID_PAGE_TOKEN.
func (s *Service) Changes(ctx context.Context, of Subject, size int, token string) (changes []Change, next string, err error) {
	if size == 0 {
		size = 50
	}
	query := "changes of " + of.Table + "/" + of.ID
	after, err := afterToken(token, query)
	if err != nil {
		return nil, "", err
	}
	before := int64(math.MaxInt64)
	if after != "" {
		if before, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, "", badToken()
		}
	}
	changes, err = s.catalogue.Changes(ctx, of, before, size+1)
	if err != nil || len(changes) <= size {
		return changes, "", err
	}
	changes = changes[:size]
	return changes, tokenAfter(strconv.FormatInt(changes[size-1].ID, 10), query), nil
}
