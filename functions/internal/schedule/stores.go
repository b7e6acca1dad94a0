package schedule

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"

	stockpb "larder.dev/api/stock/v1"
)

// Stores knows which stores have stock: the stock service's client.
type Stores interface {
	ListStockedStores(ctx context.Context, request *stockpb.ListStockedStoresRequest, opts ...grpc.CallOption) (*stockpb.ListStockedStoresResponse, error)
}

// EachStore does something for every store, one after the other, and tells for how many. A store's failure doesn't keep the others from
// their turn; the error has all failures.
func EachStore(ctx context.Context, stores Stores, do func(ctx context.Context, store string) error) (done int, err error) {
	answer, err := stores.ListStockedStores(ctx, &stockpb.ListStockedStoresRequest{})
	if err != nil {
		return 0, fmt.Errorf("list the stores: %w", err)
	}
	for _, store := range answer.GetStoreIds() {
		if ctx.Err() != nil {
			return done, errors.Join(err, fmt.Errorf("%d stores are left: %w", len(answer.GetStoreIds())-done, ctx.Err()))
		}
		if failed := do(ctx, store); failed != nil {
			err = errors.Join(err, fmt.Errorf("store %s: %w", store, failed))
		}
		done++
	}
	return done, err
}
