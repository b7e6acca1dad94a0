package product

import (
	"context"

	"google.golang.org/protobuf/types/known/emptypb"

	productpb "larder.dev/api/product/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/serve"
)

// GetStore implements ProductServiceServer.
func (s *Server) GetStore(ctx context.Context, req *productpb.GetStoreRequest) (*productpb.Store, error) {
	found, err := s.service.Shop(ctx, req.GetStoreId())
	if err != nil {
		return nil, err
	}
	return found.proto(), nil
}

// ListStores implements ProductServiceServer.
func (s *Server) ListStores(ctx context.Context, req *productpb.ListStoresRequest) (*productpb.ListStoresResponse, error) {
	shops, err := s.service.Shops(ctx, req.GetPostcode())
	if err != nil {
		return nil, err
	}
	list := &productpb.ListStoresResponse{}
	for _, shop := range shops {
		list.Stores = append(list.Stores, shop.proto())
	}
	return list, nil
}

// CreateStore implements ProductServiceServer.
func (s *Server) CreateStore(ctx context.Context, req *productpb.CreateStoreRequest) (*productpb.Store, error) {
	shop, err := shopOf(req.GetStore())
	if err != nil {
		return nil, err
	}
	created, err := s.service.CreateShop(ctx, shop)
	if err != nil {
		return nil, err
	}
	return created.proto(), nil
}

// UpdateStore implements ProductServiceServer.
func (s *Server) UpdateStore(ctx context.Context, req *productpb.UpdateStoreRequest) (*productpb.Store, error) {
	given := req.GetStore()
	if err := serve.Validate(s.validator, &productpb.GetStoreRequest{StoreId: given.GetStoreId()}); err != nil {
		return nil, err
	}
	paths, err := storeFields.changed(given, req.GetUpdateMask())
	if err != nil {
		return nil, err
	}
	updated, err := s.service.UpdateShop(ctx, given.GetStoreId(), given.GetEtag(), func(shop *Shop) error {
		merged := shop.proto()
		layOver(merged, given, paths)
		if err := serve.Validate(s.validator, &productpb.CreateStoreRequest{Store: merged}); err != nil {
			return err
		}
		read, err := shopOf(merged)
		if err != nil {
			return err
		}
		*shop = read
		return nil
	})
	if err != nil {
		return nil, err
	}
	return updated.proto(), nil
}

// DeleteStore implements ProductServiceServer.
func (s *Server) DeleteStore(ctx context.Context, req *productpb.DeleteStoreRequest) (*emptypb.Empty, error) {
	if err := s.service.DeleteShop(ctx, req.GetStoreId(), req.GetEtag()); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

func (s Shop) proto() *productpb.Store {
	answered := &productpb.Store{
		StoreId: s.ID, Name: s.Name, Currency: s.Currency, Postcodes: s.Postcodes,
		AddressLine1: s.AddressLine1, City: s.City, Postcode: s.Postcode, Etag: s.Etag(),
		DeliveryFee: money.Of(s.DeliveryFee, s.Currency).Proto(),
	}
	if s.FreeDeliveryFrom != nil {
		answered.FreeDeliveryFrom = money.Of(*s.FreeDeliveryFrom, s.Currency).Proto()
	}
	return answered
}

// shopOf reads a store; without a currency, its is Currency. Errors: INVALID_ARGUMENT for amounts of another.
func shopOf(s *productpb.Store) (Shop, error) {
	shop := Shop{
		ID: s.GetStoreId(), Name: s.GetName(), Currency: s.GetCurrency(), DeliveryFee: s.GetDeliveryFee().GetMinorUnits(), Postcodes: s.GetPostcodes(),
		AddressLine1: s.GetAddressLine1(), City: s.GetCity(), Postcode: s.GetPostcode(),
	}
	if shop.Currency == "" {
		shop.Currency = Currency
	}
	for field, amount := range map[string]*typepb.Money{"delivery_fee": s.GetDeliveryFee(), "free_delivery_from": s.GetFreeDeliveryFrom()} {
		if amount != nil && amount.GetCurrency() != shop.Currency {
			return Shop{}, fault.Invalid("store."+field+".currency", "must be %s, the store's currency", shop.Currency)
		}
	}
	if s.GetFreeDeliveryFrom() != nil {
		from := s.GetFreeDeliveryFrom().GetMinorUnits()
		shop.FreeDeliveryFrom = &from
	}
	return shop, nil
}
