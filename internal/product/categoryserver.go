package product

import (
	"context"

	"google.golang.org/protobuf/types/known/emptypb"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/serve"
)

// GetCategory implements ProductServiceServer.
func (s *Server) GetCategory(ctx context.Context, req *productpb.GetCategoryRequest) (*productpb.Category, error) {
	found, err := s.service.Category(ctx, req.GetCategoryId())
	if err != nil {
		return nil, err
	}
	return found.proto(), nil
}

// ListCategories implements ProductServiceServer.
func (s *Server) ListCategories(ctx context.Context, _ *productpb.ListCategoriesRequest) (*productpb.ListCategoriesResponse, error) {
	tree, err := s.service.Categories(ctx)
	if err != nil {
		return nil, err
	}
	list := &productpb.ListCategoriesResponse{}
	for _, c := range tree {
		list.Categories = append(list.Categories, c.proto())
	}
	return list, nil
}

// CreateCategory implements ProductServiceServer.
func (s *Server) CreateCategory(ctx context.Context, req *productpb.CreateCategoryRequest) (*productpb.Category, error) {
	created, err := s.service.CreateCategory(ctx, categoryOf(req.GetCategory()))
	if err != nil {
		return nil, err
	}
	return created.proto(), nil
}

// UpdateCategory implements ProductServiceServer.
func (s *Server) UpdateCategory(ctx context.Context, req *productpb.UpdateCategoryRequest) (*productpb.Category, error) {
	given := req.GetCategory()
	if err := serve.Validate(s.validator, &productpb.GetCategoryRequest{CategoryId: given.GetCategoryId()}); err != nil {
		return nil, err
	}
	paths, err := categoryFields.changed(given, req.GetUpdateMask())
	if err != nil {
		return nil, err
	}
	updated, err := s.service.UpdateCategory(ctx, given.GetCategoryId(), given.GetEtag(), func(c *Category) error {
		merged := c.proto()
		layOver(merged, given, paths)
		if err := serve.Validate(s.validator, &productpb.CreateCategoryRequest{Category: merged}); err != nil {
			return err
		}
		*c = categoryOf(merged)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return updated.proto(), nil
}

// DeleteCategory implements ProductServiceServer.
func (s *Server) DeleteCategory(ctx context.Context, req *productpb.DeleteCategoryRequest) (*emptypb.Empty, error) {
	if err := s.service.DeleteCategory(ctx, req.GetCategoryId(), req.GetEtag()); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

func (c Category) proto() *productpb.Category {
	return &productpb.Category{CategoryId: c.ID, Name: c.Name, ParentId: c.ParentID, Position: c.Position, Etag: c.Etag()}
}

func categoryOf(c *productpb.Category) Category {
	return Category{ID: c.GetCategoryId(), Name: c.GetName(), ParentID: c.GetParentId(), Position: c.GetPosition()}
}
