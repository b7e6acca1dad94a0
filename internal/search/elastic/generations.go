package elastic

import (
	"context"

	"larder.dev/internal/fault"
	"larder.dev/internal/search"
	"larder.dev/internal/search/index"
)

// Generations implements search.Index. An operator's question goes past the breaker: it may be the index that they look at.
func (x *Index) Generations(ctx context.Context) ([]search.Generation, error) {
	ctx, cancel := context.WithTimeout(ctx, x.config.Timeout)
	defer cancel()
	found, err := index.Generations(ctx, x.client, x.config.Index)
	if err != nil {
		return nil, fault.Unavailable.New("the search index is not available").WithCause(err)
	}
	generations := make([]search.Generation, len(found))
	for i, g := range found {
		generations[i] = search.Generation{Number: g.Number, Live: g.Live, Documents: g.Documents, Created: g.Created}
	}
	return generations, nil
}
