// Package rpc lets product see the search index by the search service.
package rpc

import (
	"context"
	"fmt"

	searchpb "larder.dev/api/search/v1"
	"larder.dev/internal/product"
)

// Index implements product.Index.
type Index struct{ Client searchpb.SearchServiceClient }

// Documents implements product.Index.
func (x Index) Documents(ctx context.Context, after, until string, limit int) ([]product.Indexed, error) {
	list, err := x.Client.ListDocuments(ctx, &searchpb.ListDocumentsRequest{After: after, Until: until, Limit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("ask the search service: %w", err)
	}
	documents := make([]product.Indexed, 0, len(list.GetDocuments()))
	for _, d := range list.GetDocuments() {
		documents = append(documents, product.Indexed{
			ProductID: d.GetProductId(), Revision: d.GetRevision(), Deleted: d.GetDeleted(), Checksum: d.GetChecksum(),
		})
	}
	return documents, nil
}
