// Package rpc lets stock use the room product by its service.
package rpc

import (
	"context"
	"slices"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/stock"
)

// Catalogue implements stock.Catalogue.
type Catalogue struct {
	Client productpb.ProductServiceClient
}

var _ stock.Catalogue = Catalogue{}

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
