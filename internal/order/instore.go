package order

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/pagetoken"
)

// storeToken is what a page token of a store's list holds.
type storeToken struct {
	StoreID string `json:"s"`
	State   State  `json:"q"`
	// Nanoseconds since 1970.
	CreateTime int64  `json:"t"`
	OrderID    string `json:"o"`
}

// ListInStore reads a page of a store's orders in a state, and the token of the next page, empty behind the last. Those that are on their way
// come oldest first, others newest first. size is 0 (DefaultPageSize) to MaxPageSize. Errors: INVALID_PAGE_TOKEN.
func (s *Service) ListInStore(ctx context.Context, store string, state State, size int, token string) (orders []Order, next string, err error) {
	size = min(cmp.Or(size, DefaultPageSize), MaxPageSize)
	var behind *Position
	if token != "" {
		var at storeToken
		if err := pagetoken.Decode(token, &at); err != nil {
			return nil, "", err
		}
		if at.StoreID != store || at.State != state || at.OrderID == "" {
			return nil, "", pagetoken.Bad(errors.New("token of another list"))
		}
		behind = &Position{CreateTime: time.Unix(0, at.CreateTime).UTC(), OrderID: at.OrderID}
	}
	orders, err = s.store.ListInStore(ctx, store, state, behind, size+1)
	if err != nil {
		return nil, "", fmt.Errorf("list the orders of %s: %w", store, err)
	}
	orders, next = pagetoken.Cut(orders, size, func(last Order) string {
		return pagetoken.Encode(storeToken{StoreID: store, State: state, CreateTime: last.CreateTime.UnixNano(), OrderID: last.ID})
	})
	return orders, next, nil
}

// MinuteCount is how many orders were confirmed in the minute that began at Time.
type MinuteCount struct {
	Time   time.Time
	Orders int64
}

// Count tells how many orders a store has confirmed in each of the last minutes, oldest first; the last one is under way.
func (s *Service) Count(ctx context.Context, store string, minutes int) ([]MinuteCount, error) {
	first := s.now().UTC().Truncate(time.Minute).Add(-time.Duration(minutes-1) * time.Minute)
	times, err := s.store.ConfirmedSince(ctx, store, first)
	if err != nil {
		return nil, fmt.Errorf("count the orders of %s: %w", store, err)
	}
	counts := make([]MinuteCount, minutes)
	for i := range counts {
		counts[i].Time = first.Add(time.Duration(i) * time.Minute)
	}
	for _, at := range times {
		// Spanner's clock may be ahead of ours.
		counts[min(int(at.Sub(first)/time.Minute), minutes-1)].Orders++
	}
	return counts, nil
}

// ListStoreOrders implements orderpb.OrderServiceServer.
func (s *Server) ListStoreOrders(ctx context.Context, request *orderpb.ListStoreOrdersRequest) (*orderpb.ListStoreOrdersResponse, error) {
	orders, next, err := s.service.ListInStore(ctx, request.GetStoreId(), State(request.GetState().String()), int(request.GetPageSize()), request.GetPageToken())
	if err != nil {
		return nil, err
	}
	answer := &orderpb.ListStoreOrdersResponse{NextPageToken: next}
	for _, o := range orders {
		answer.Orders = append(answer.Orders, o.Proto())
	}
	return answer, nil
}

// CountOrders implements orderpb.OrderServiceServer.
func (s *Server) CountOrders(ctx context.Context, request *orderpb.CountOrdersRequest) (*orderpb.CountOrdersResponse, error) {
	counts, err := s.service.Count(ctx, request.GetStoreId(), cmp.Or(int(request.GetMinutes()), 60))
	if err != nil {
		return nil, err
	}
	answer := &orderpb.CountOrdersResponse{}
	for _, c := range counts {
		answer.Minutes = append(answer.Minutes, &orderpb.MinuteCount{Time: timestamppb.New(c.Time), Orders: c.Orders})
	}
	return answer, nil
}
