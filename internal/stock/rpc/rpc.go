// Package rpc lets stock use the room product by its service.
package rpc

import (
	"context"
	"fmt"
	"slices"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/stock"
)

// Catalogue implements stock.Catalogue.
type Catalogue struct {
	Client productpb.ProductServiceClient
}

// Unknown implements stock.Catalogue.
func (c Catalogue) Unknown(ctx context.Context, store string, products []string) ([]string, error) {
	answer, err := c.Client.BatchGetOffers(ctx, &productpb.BatchGetOffersRequest{StoreId: store, ProductIds: products})
	if err != nil {
		return nil, fault.FromRPC(err)
	}
	return slices.DeleteFunc(slices.Clone(products), func(product string) bool {
		return slices.ContainsFunc(answer.GetOffers(), func(o *productpb.Offer) bool { return o.GetProductId() == product })
	}), nil
}

// UpdateAvailability implements stock.Catalogue.
func (c Catalogue) UpdateAvailability(ctx context.Context, store string, epoch stock.Epoch, flips []stock.Flip) error {
	request := &productpb.UpdateAvailabilityRequest{StoreId: store, Epoch: int64(epoch)}
	for _, flip := range flips {
		request.Changes = append(request.Changes, &productpb.Availability{ProductId: flip.ProductID, Available: flip.Available, Sequence: flip.Sequence})
	}
	if _, err := c.Client.UpdateAvailability(ctx, request); err != nil {
		return fmt.Errorf("ask the product service: %w", err)
	}
	return nil
}
