package elastic

import (
	"context"
	"encoding/json"
	"fmt"

	"larder.dev/internal/document"
	"larder.dev/internal/search"
)

// listed is what of a list of documents is read.
var listed = []string{"hits.hits._version", "hits.hits._source"}

// Documents implements search.Index: one question, by the ids' order, however many documents there are in all.
func (x *Index) Documents(ctx context.Context, after, until string, limit int) ([]search.Document, error) {
	ids := object{"gt": after}
	if until != "" {
		ids["lte"] = until
	}
	raw, err := x.question(ctx, object{
		"query":            object{"range": object{"product_id": ids}},
		"size":             limit,
		"sort":             list{object{"product_id": "asc"}},
		"track_total_hits": false,
		"version":          true,
	}, listed, false)
	if err != nil {
		return nil, err
	}
	documents, err := documentsIn(raw)
	if err != nil {
		return nil, fmt.Errorf("list documents: %w", err)
	}
	return documents, nil
}

func documentsIn(raw []byte) ([]search.Document, error) {
	var answer struct {
		Hits struct {
			Hits []struct {
				Version int64           `json:"_version"`
				Source  json.RawMessage `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	documents := make([]search.Document, 0, len(answer.Hits.Hits))
	for _, hit := range answer.Hits.Hits {
		var source struct {
			ProductID string `json:"product_id"`
			Deleted   bool   `json:"deleted"`
		}
		if err := json.Unmarshal(hit.Source, &source); err != nil {
			return nil, fmt.Errorf("read a document: %w", err)
		}
		checksum, err := document.Checksum(hit.Source)
		if err != nil {
			return nil, err
		}
		documents = append(documents, search.Document{
			ProductID: source.ProductID, Revision: hit.Version, Deleted: source.Deleted, Checksum: checksum,
		})
	}
	return documents, nil
}
