package stock

import (
	"context"

	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	stockpb "larder.dev/api/stock/v1"
	"larder.dev/internal/fault"
)

// ReconcileStock implements the service.
func (s *Server) ReconcileStock(ctx context.Context, r *stockpb.ReconcileStockRequest) (*stockpb.ReconcileStockResponse, error) {
	if err := s.known(ctx, r.GetStoreId(), nil); err != nil {
		return nil, err
	}
	found, err := s.reconciler.Reconcile(ctx, r.GetStoreId())
	if err != nil {
		return nil, err
	}
	answer := &stockpb.ReconcileStockResponse{Products: int64(found.Products), Holds: int64(found.Holds)}
	for _, d := range found.Drifts {
		answer.Drifts = append(answer.Drifts, &stockpb.StockDrift{ProductId: d.ProductID, Ledger: d.Ledger, Available: d.Available, Held: d.Held})
	}
	if found.Epoch != 0 {
		answer.Epoch = timestamppb.New(found.Epoch.Time())
	}
	return answer, nil
}

// ListStockedStores implements the service.
func (s *Server) ListStockedStores(ctx context.Context, _ *stockpb.ListStockedStoresRequest) (*stockpb.ListStockedStoresResponse, error) {
	stores, err := s.service.Stores(ctx)
	if err != nil {
		return nil, err
	}
	return &stockpb.ListStockedStoresResponse{StoreIds: stores}, nil
}

// ApplyStockEntry implements the service.
func (s *Server) ApplyStockEntry(ctx context.Context, r *stockpb.ApplyStockEntryRequest) (*emptypb.Empty, error) {
	lines := make([]Line, len(r.GetChanges()))
	for i, change := range r.GetChanges() {
		lines[i] = Line{ProductID: change.GetProductId(), Quantity: change.GetQuantity()}
	}
	if err := s.service.Apply(ctx, r.GetStoreId(), r.GetEntryId(), Epoch(r.GetEpoch()), lines); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// FoldLedger implements the service.
func (s *Server) FoldLedger(ctx context.Context, r *stockpb.FoldLedgerRequest) (*stockpb.FoldLedgerResponse, error) {
	limit := int(r.GetLimit())
	if limit == 0 {
		limit = 200
	}
	folded, err := s.service.Fold(ctx, r.GetStoreId(), limit)
	if err != nil {
		return nil, err
	}
	return &stockpb.FoldLedgerResponse{Products: int32(folded.Products), Entries: folded.Entries, More: folded.More}, nil
}

// SummarizeSales implements the service.
func (s *Server) SummarizeSales(ctx context.Context, r *stockpb.SummarizeSalesRequest) (*stockpb.SummarizeSalesResponse, error) {
	if err := r.GetSince().CheckValid(); err != nil {
		return nil, fault.Invalid("since", "is no time")
	}
	limit := int(r.GetLimit())
	if limit == 0 {
		limit = 1000
	}
	sold, err := s.service.Sales(ctx, r.GetStoreId(), r.GetSince().AsTime(), limit)
	if err != nil {
		return nil, err
	}
	answer := &stockpb.SummarizeSalesResponse{}
	for _, line := range sold {
		answer.Sales = append(answer.Sales, &stockpb.ProductSales{ProductId: line.ProductID, Quantity: line.Quantity})
	}
	return answer, nil
}
