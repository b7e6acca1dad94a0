package product

import (
	"context"

	"google.golang.org/protobuf/types/known/emptypb"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/serve"
)

// GetBrand implements ProductServiceServer.
func (s *Server) GetBrand(ctx context.Context, req *productpb.GetBrandRequest) (*productpb.Brand, error) {
	found, err := s.service.Brand(ctx, req.GetBrandId())
	if err != nil {
		return nil, err
	}
	return found.proto(), nil
}

// ListBrands implements ProductServiceServer.
func (s *Server) ListBrands(ctx context.Context, req *productpb.ListBrandsRequest) (*productpb.ListBrandsResponse, error) {
	brands, next, err := s.service.Brands(ctx, int(req.GetPageSize()), req.GetPageToken())
	if err != nil {
		return nil, err
	}
	list := &productpb.ListBrandsResponse{NextPageToken: next}
	for _, b := range brands {
		list.Brands = append(list.Brands, b.proto())
	}
	return list, nil
}

// CreateBrand implements ProductServiceServer.
func (s *Server) CreateBrand(ctx context.Context, req *productpb.CreateBrandRequest) (*productpb.Brand, error) {
	created, err := s.service.CreateBrand(ctx, brandOf(req.GetBrand()))
	if err != nil {
		return nil, err
	}
	return created.proto(), nil
}

// UpdateBrand implements ProductServiceServer.
func (s *Server) UpdateBrand(ctx context.Context, req *productpb.UpdateBrandRequest) (*productpb.Brand, error) {
	given := req.GetBrand()
	if err := serve.Validate(s.validator, &productpb.GetBrandRequest{BrandId: given.GetBrandId()}); err != nil {
		return nil, err
	}
	paths, err := brandFields.changed(given, req.GetUpdateMask())
	if err != nil {
		return nil, err
	}
	updated, err := s.service.UpdateBrand(ctx, given.GetBrandId(), given.GetEtag(), func(b *Brand) error {
		merged := b.proto()
		layOver(merged, given, paths)
		if err := serve.Validate(s.validator, &productpb.CreateBrandRequest{Brand: merged}); err != nil {
			return err
		}
		*b = brandOf(merged)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return updated.proto(), nil
}

// DeleteBrand implements ProductServiceServer.
func (s *Server) DeleteBrand(ctx context.Context, req *productpb.DeleteBrandRequest) (*emptypb.Empty, error) {
	if err := s.service.DeleteBrand(ctx, req.GetBrandId(), req.GetEtag()); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

func (b Brand) proto() *productpb.Brand {
	return &productpb.Brand{BrandId: b.ID, Name: b.Name, Etag: b.Etag()}
}

func brandOf(b *productpb.Brand) Brand { return Brand{ID: b.GetBrandId(), Name: b.GetName()} }
