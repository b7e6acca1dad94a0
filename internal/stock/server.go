package stock

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	stockpb "larder.dev/api/stock/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
)

// Server answers larder.stock.v1.StockService.
type Server struct {
	stockpb.UnimplementedStockServiceServer
	service   *Service
	catalogue Catalogue
}

// NewServer makes one.
func NewServer(service *Service, catalogue Catalogue) *Server {
	return &Server{service: service, catalogue: catalogue}
}

// adjustments separates the ids of adjustments from other uses of UUIDv5.
var adjustments = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://larder.dev/stock-adjustments"))

// GetStock implements the service.
func (s *Server) GetStock(ctx context.Context, r *stockpb.GetStockRequest) (*stockpb.Stock, error) {
	if err := s.known(ctx, r.GetStoreId(), []string{r.GetProductId()}); err != nil {
		return nil, err
	}
	available, err := s.service.Available(ctx, r.GetStoreId(), []string{r.GetProductId()})
	if err != nil {
		return nil, err
	}
	return stockProto(r.GetStoreId(), r.GetProductId(), available[r.GetProductId()]), nil
}

// ListStock implements the service.
func (s *Server) ListStock(ctx context.Context, r *stockpb.ListStockRequest) (*stockpb.ListStockResponse, error) {
	if err := s.known(ctx, r.GetStoreId(), nil); err != nil {
		return nil, err
	}
	after, err := afterToken(r.GetPageToken(), r.GetStoreId())
	if err != nil {
		return nil, err
	}
	size := int(r.GetPageSize())
	if size == 0 {
		size = 100
	}
	lines, err := s.service.List(ctx, r.GetStoreId(), after, size+1)
	if err != nil {
		return nil, err
	}
	answer := &stockpb.ListStockResponse{}
	if len(lines) > size {
		lines = lines[:size]
		answer.NextPageToken = tokenAfter(lines[size-1].ProductID, r.GetStoreId())
	}
	for _, line := range lines {
		answer.Stock = append(answer.Stock, stockProto(r.GetStoreId(), line.ProductID, line.Quantity))
	}
	return answer, nil
}

// AdjustStock implements the service.
func (s *Server) AdjustStock(ctx context.Context, r *stockpb.AdjustStockRequest) (*stockpb.AdjustStockResponse, error) {
	key, err := serve.IdempotencyKey(ctx)
	if err != nil {
		return nil, err
	}
	caller := identity.FromContext(ctx)
	adjustment, products, err := readAdjustment(r, caller, key)
	if err != nil {
		return nil, err
	}
	if err := s.known(ctx, r.GetStoreId(), products); err != nil {
		return nil, err
	}
	if err := s.service.Adjust(ctx, adjustment); err != nil {
		return nil, err
	}
	available, err := s.service.Available(ctx, r.GetStoreId(), products)
	if err != nil {
		return nil, err
	}
	answer := &stockpb.AdjustStockResponse{}
	for _, product := range products {
		answer.Stock = append(answer.Stock, stockProto(r.GetStoreId(), product, available[product]))
	}
	return answer, nil
}

func readAdjustment(r *stockpb.AdjustStockRequest, caller identity.Caller, key string) (Adjustment, []string, error) {
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return Adjustment{}, nil, fault.Invalid("body", "not valid").WithCause(err)
	}
	fingerprint := sha256.Sum256(bytes)
	adjustment := Adjustment{
		ID:      uuid.NewSHA1(adjustments, []byte(caller.UserID+"\x00"+key)).String(),
		StoreID: r.GetStoreId(), Actor: caller.UserID, Reason: r.GetReason(), Fingerprint: fingerprint[:],
	}
	var products []string
	seen := map[string]bool{}
	for i, a := range r.GetAdjustments() {
		if seen[a.GetProductId()] {
			return Adjustment{}, nil, fault.Invalid(fmt.Sprintf("adjustments[%d].product_id", i), "stands here twice")
		}
		seen[a.GetProductId()] = true
		products = append(products, a.GetProductId())
		adjustment.Lines = append(adjustment.Lines, Line{ProductID: a.GetProductId(), Quantity: a.GetQuantity()})
	}
	return adjustment, products, nil
}

// RebuildStock implements the service.
func (s *Server) RebuildStock(ctx context.Context, r *stockpb.RebuildStockRequest) (*stockpb.RebuildStockResponse, error) {
	if err := s.known(ctx, r.GetStoreId(), nil); err != nil {
		return nil, err
	}
	epoch, products, err := s.service.Rebuild(ctx, r.GetStoreId())
	if err != nil {
		return nil, err
	}
	return &stockpb.RebuildStockResponse{Epoch: timestamppb.New(epoch.Time()), Products: int64(products)}, nil
}

// known refuses stores and products that the catalogue doesn't have.
func (s *Server) known(ctx context.Context, store string, products []string) error {
	unknown, err := s.catalogue.Unknown(ctx, store, products)
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		return fault.ProductNotFound.New("there is no product %s", unknown[0]).WithMetadata("product_id", unknown[0])
	}
	return nil
}

func stockProto(store, product string, available int64) *stockpb.Stock {
	return &stockpb.Stock{StoreId: store, ProductId: product, Available: max(available, 0)}
}
