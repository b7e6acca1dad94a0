package stock

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	stockpb "larder.dev/api/stock/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
)

// Catalogue is the room product, by its service.
type Catalogue interface {
	// Unknown returns those of the products that the catalogue doesn't have. Errors: STORE_NOT_FOUND.
	Unknown(ctx context.Context, store string, products []string) ([]string, error)
}

// Server answers larder.stock.v1.StockService: here what operators and the warehouse ask for, in upkeep.go what the platform itself does.
type Server struct {
	stockpb.UnimplementedStockServiceServer
	service    *Service
	reconciler *Reconciler
	catalogue  Catalogue
	now        func() time.Time
}

// NewServer makes one.
func NewServer(service *Service, reconciler *Reconciler, catalogue Catalogue, now func() time.Time) *Server {
	return &Server{service: service, reconciler: reconciler, catalogue: catalogue, now: now}
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
	actor := caller.UserID
	if actor == "" {
		actor = caller.Service // a warehouse's message, whose key names it for good
	}
	adjustment := Adjustment{
		ID:      uuid.NewSHA1(adjustments, []byte(actor+"\x00"+key)).String(),
		StoreID: r.GetStoreId(), Actor: actor, Reason: r.GetReason(), Fingerprint: fingerprint[:],
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
	var seen Epoch
	if r.GetSeenEpoch() != nil {
		seen = EpochAt(r.GetSeenEpoch().AsTime())
	}
	epoch, products, err := s.service.RebuildFor(ctx, r.GetStoreId(), identity.FromContext(ctx).UserID, seen)
	if err != nil {
		return nil, err
	}
	return &stockpb.RebuildStockResponse{Epoch: timestamppb.New(epoch.Time()), Products: int64(products)}, nil
}

// GetStockStatus implements the service.
func (s *Server) GetStockStatus(ctx context.Context, r *stockpb.GetStockStatusRequest) (*stockpb.StockStatus, error) {
	if err := s.known(ctx, r.GetStoreId(), nil); err != nil {
		return nil, err
	}
	status, err := s.service.Status(ctx, r.GetStoreId(), s.now())
	if err != nil {
		return nil, err
	}
	answer := &stockpb.StockStatus{StoreId: r.GetStoreId(), Holds: status.Holds.All, OverdueHolds: status.Holds.Overdue}
	if status.Epoch != 0 {
		answer.Epoch = timestamppb.New(status.Epoch.Time())
	}
	if status.Loaded != 0 {
		answer.LoadedEpoch = timestamppb.New(status.Loaded.Time())
	}
	if l := status.Loading; l != nil {
		answer.RebuildUnderWay = &stockpb.RebuildProgress{Products: l.Products, Loaded: l.Loaded}
		if !l.Began.IsZero() {
			answer.RebuildUnderWay.StartTime = timestamppb.New(l.Began)
		}
	}
	for _, rebuilt := range status.Rebuilds {
		answer.Rebuilds = append(answer.Rebuilds, &stockpb.StockRebuild{Epoch: timestamppb.New(rebuilt.Epoch.Time()), Actor: rebuilt.Actor})
	}
	return answer, nil
}

// ListStockEntries implements the service.
func (s *Server) ListStockEntries(ctx context.Context, r *stockpb.ListStockEntriesRequest) (*stockpb.ListStockEntriesResponse, error) {
	if err := s.known(ctx, r.GetStoreId(), []string{r.GetProductId()}); err != nil {
		return nil, err
	}
	than, err := thanToken(r.GetPageToken(), r.GetStoreId(), r.GetProductId())
	if err != nil {
		return nil, err
	}
	size := int(r.GetPageSize())
	if size == 0 {
		size = 50
	}
	entries, err := s.service.Entries(ctx, r.GetStoreId(), r.GetProductId(), than, size+1)
	if err != nil {
		return nil, err
	}
	answer := &stockpb.ListStockEntriesResponse{}
	if len(entries) > size {
		entries = entries[:size]
		last := entries[size-1]
		answer.NextPageToken = tokenThan(Position{Time: last.Time, ID: last.ID}, r.GetStoreId(), r.GetProductId())
	}
	for _, e := range entries {
		answer.Entries = append(answer.Entries, &stockpb.StockEntry{
			EntryId: e.ID, Quantity: e.Quantity, Kind: e.Kind, Reference: e.Reference, Actor: e.Actor, Reason: e.Reason, Time: timestamppb.New(e.Time),
		})
	}
	return answer, nil
}

// PutSlot implements the service.
func (s *Server) PutSlot(ctx context.Context, r *stockpb.PutSlotRequest) (*stockpb.DeliverySlot, error) {
	if err := s.known(ctx, r.GetStoreId(), nil); err != nil {
		return nil, err
	}
	if r.GetStartTime().CheckValid() != nil || r.GetEndTime().CheckValid() != nil {
		return nil, fault.Invalid("start_time", "the times must be of the years 1 to 9999")
	}
	slot := Slot{ID: r.GetSlotId(), Start: r.GetStartTime().AsTime(), End: r.GetEndTime().AsTime(), Capacity: int64(r.GetCapacity())}
	slot, err := s.service.PutSlot(ctx, r.GetStoreId(), slot, s.now(), identity.FromContext(ctx).UserID)
	if err != nil {
		return nil, err
	}
	return slotProto(r.GetStoreId(), slot), nil
}

// ListSlots implements the service.
func (s *Server) ListSlots(ctx context.Context, r *stockpb.ListSlotsRequest) (*stockpb.ListSlotsResponse, error) {
	if err := s.known(ctx, r.GetStoreId(), nil); err != nil {
		return nil, err
	}
	size := int(r.GetPageSize())
	if size == 0 {
		size = 50
	}
	slots, err := s.service.Slots(ctx, r.GetStoreId(), s.now(), size)
	if err != nil {
		return nil, err
	}
	answer := &stockpb.ListSlotsResponse{}
	for _, slot := range slots {
		answer.Slots = append(answer.Slots, slotProto(r.GetStoreId(), slot))
	}
	return answer, nil
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

func slotProto(store string, slot Slot) *stockpb.DeliverySlot {
	return &stockpb.DeliverySlot{
		StoreId: store, Slot: &typepb.Slot{SlotId: slot.ID, StartTime: timestamppb.New(slot.Start), EndTime: timestamppb.New(slot.End)},
		Capacity: int32(slot.Capacity), Available: int32(slot.Available),
	}
}
