package search

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	searchpb "larder.dev/api/search/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
)

// Server is the service's contract; api/search/v1 says what each field means.
type Server struct {
	searchpb.UnimplementedSearchServiceServer
	service *Service
}

// NewServer makes the server.
func NewServer(service *Service) *Server { return &Server{service: service} }

// Search translates. Only operators may have a search explained.
func (s *Server) Search(ctx context.Context, req *searchpb.SearchRequest) (*searchpb.SearchResponse, error) {
	if caller := identity.FromContext(ctx); req.GetExplain() && !caller.HasRole(identity.RoleOperator) {
		if caller.UserID == "" {
			return nil, fault.Unauthenticated.New("explain needs an operator's access token")
		}
		return nil, fault.PermissionDenied.New("your role doesn't allow explain")
	}
	result, err := s.service.Search(ctx, Query{
		Text: req.GetQ(), Store: req.GetStore(),
		Categories: req.GetCategory(), Brands: req.GetBrand(), Tags: req.GetTag(), Products: req.GetProduct(),
		MinPrice: req.GetMinPrice(), MaxPrice: req.GetMaxPrice(),
		Sort: sorts[req.GetSort()], PageSize: int(req.GetPageSize()), PageToken: req.GetPageToken(),
		Explain: req.GetExplain(),
	})
	if err != nil {
		return nil, err
	}
	answer := &searchpb.SearchResponse{
		TotalSize: result.Total, DidYouMean: result.DidYouMean, NextPageToken: result.NextPageToken,
	}
	for _, h := range result.Hits {
		hit := &searchpb.Hit{
			ProductId: h.ProductID, Name: h.Name, Brand: h.Brand, Size: h.Size, CategoryId: h.CategoryID,
			ImageUri: h.ImageURI, Price: &typepb.Money{Currency: h.Currency, MinorUnits: h.Price},
			Available: h.Available, Tags: h.Tags, Explanation: explained(h.Explanation),
		}
		for _, p := range h.NameParts {
			hit.NameParts = append(hit.NameParts, &searchpb.NamePart{Text: p.Text, Matched: p.Matched})
		}
		answer.Hits = append(answer.Hits, hit)
	}
	if p := result.Prices; p != nil {
		answer.PriceRange = &searchpb.PriceRange{
			Min: &typepb.Money{Currency: p.Currency, MinorUnits: p.Min}, Max: &typepb.Money{Currency: p.Currency, MinorUnits: p.Max},
		}
	}
	for _, f := range result.Facets {
		facet := &searchpb.Facet{Field: f.Field}
		for _, v := range f.Values {
			facet.Values = append(facet.Values, &searchpb.FacetValue{Value: v.Value, Label: v.Label, Count: v.Count})
		}
		answer.Facets = append(answer.Facets, facet)
	}
	return answer, nil
}

func explained(e *Explanation) *searchpb.Explanation {
	if e == nil {
		return nil
	}
	out := &searchpb.Explanation{Question: e.Question, Score: e.Score}
	for _, p := range e.Parts {
		out.Parts = append(out.Parts, &searchpb.Explanation_Part{What: p.What, Points: p.Points})
	}
	return out
}

// Suggest translates.
func (s *Server) Suggest(ctx context.Context, req *searchpb.SuggestRequest) (*searchpb.SuggestResponse, error) {
	suggestions, err := s.service.Suggest(ctx, Typed{Text: req.GetQ(), Store: req.GetStore(), Limit: int(req.GetLimit())})
	if err != nil {
		return nil, err
	}
	answer := &searchpb.SuggestResponse{}
	for _, g := range suggestions {
		answer.Suggestions = append(answer.Suggestions, &searchpb.Suggestion{
			Kind: kinds[g.Kind], Text: g.Text, CategoryId: g.CategoryID, ProductId: g.ProductID, ImageUri: g.ImageURI, Available: g.Available,
		})
	}
	return answer, nil
}

// ListDocuments translates.
func (s *Server) ListDocuments(ctx context.Context, req *searchpb.ListDocumentsRequest) (*searchpb.ListDocumentsResponse, error) {
	documents, err := s.service.Documents(ctx, req.GetAfter(), req.GetUntil(), int(req.GetLimit()))
	if err != nil {
		return nil, err
	}
	answer := &searchpb.ListDocumentsResponse{}
	for _, d := range documents {
		answer.Documents = append(answer.Documents, &searchpb.Document{
			ProductId: d.ProductID, Revision: d.Revision, Deleted: d.Deleted, Checksum: d.Checksum,
		})
	}
	return answer, nil
}

// ListGenerations translates.
func (s *Server) ListGenerations(ctx context.Context, _ *searchpb.ListGenerationsRequest) (*searchpb.ListGenerationsResponse, error) {
	generations, err := s.service.Generations(ctx)
	if err != nil {
		return nil, err
	}
	answer := &searchpb.ListGenerationsResponse{}
	for _, g := range generations {
		answer.Generations = append(answer.Generations, &searchpb.Generation{
			Number: int32(g.Number), Live: g.Live, Documents: g.Documents, CreateTime: timestamppb.New(g.Created), //nolint:gosec // a few
		})
	}
	return answer, nil
}

var sorts = map[searchpb.SearchRequest_Sort]Sort{
	searchpb.SearchRequest_SORT_UNSPECIFIED: ByRelevance,
	searchpb.SearchRequest_PRICE_ASCENDING:  ByPriceAscending,
	searchpb.SearchRequest_PRICE_DESCENDING: ByPriceDescending,
	searchpb.SearchRequest_NAME:             ByName,
}

var kinds = map[SuggestionKind]searchpb.Suggestion_Kind{
	SuggestedQuery:    searchpb.Suggestion_QUERY,
	SuggestedCategory: searchpb.Suggestion_CATEGORY,
	SuggestedProduct:  searchpb.Suggestion_PRODUCT,
}
