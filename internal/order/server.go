package order

import (
	"context"
	"strconv"

	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	orderpb "larder.dev/api/order/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/identity"
	"larder.dev/internal/pricing"
	"larder.dev/internal/serve"
)

// Server answers api/order/v1.
type Server struct {
	orderpb.UnimplementedOrderServiceServer
	service *Service
}

// NewServer makes one.
func NewServer(service *Service) *Server { return &Server{service: service} }

// GetOrder implements orderpb.OrderServiceServer.
func (s *Server) GetOrder(ctx context.Context, request *orderpb.GetOrderRequest) (*orderpb.Order, error) {
	return answer(s.service.Get(ctx, identity.FromContext(ctx), request.GetOrderId()))
}

// ListOrders implements orderpb.OrderServiceServer.
func (s *Server) ListOrders(ctx context.Context, request *orderpb.ListOrdersRequest) (*orderpb.ListOrdersResponse, error) {
	orders, next, err := s.service.List(ctx, identity.FromContext(ctx), int(request.GetPageSize()), request.GetPageToken())
	if err != nil {
		return nil, err
	}
	page := &orderpb.ListOrdersResponse{NextPageToken: next}
	for _, o := range orders {
		page.Orders = append(page.Orders, o.Proto())
	}
	return page, nil
}

// GetOrderHistory implements orderpb.OrderServiceServer. Its access rule keeps it to operators.
func (s *Server) GetOrderHistory(ctx context.Context, request *orderpb.GetOrderHistoryRequest) (*orderpb.OrderHistory, error) {
	found, err := s.service.Get(ctx, identity.FromContext(ctx), request.GetOrderId())
	if err != nil {
		return nil, err
	}
	history := &orderpb.OrderHistory{OrderId: found.ID}
	for i, event := range found.Proto().GetHistory() {
		history.Steps = append(history.Steps, &orderpb.OrderStep{Event: event, OperatorId: found.History[i].OperatorID})
	}
	return history, nil
}

// WatchOrder implements orderpb.OrderServiceServer. Watchers stream it.
func (s *Server) WatchOrder(ctx context.Context, request *orderpb.WatchOrderRequest) (*orderpb.WatchOrderResponse, error) {
	found, err := s.service.Get(ctx, identity.FromContext(ctx), request.GetOrderId())
	if err != nil {
		return nil, err
	}
	p := found.Proto()
	changes := &orderpb.WatchOrderResponse{Order: p}
	for i, event := range p.GetHistory() {
		if version := int64(i + 1); version > request.GetAfterVersion() {
			changes.Changes = append(changes.Changes, &orderpb.OrderChange{Version: version, Event: event, Final: found.History[i].State.Final()})
		}
	}
	return changes, nil
}

// ForgetUser implements orderpb.OrderServiceServer.
func (s *Server) ForgetUser(ctx context.Context, request *orderpb.ForgetUserRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.service.ForgetUser(ctx, request.GetUserId())
}

// ForgetOrder implements orderpb.OrderServiceServer.
func (s *Server) ForgetOrder(ctx context.Context, request *orderpb.ForgetOrderRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.service.ForgetOrder(ctx, request.GetOrderId())
}

// PickOrder implements orderpb.OrderServiceServer.
func (s *Server) PickOrder(ctx context.Context, request *orderpb.PickOrderRequest) (*orderpb.Order, error) {
	return s.move(ctx, Picking, request)
}

// PackOrder implements orderpb.OrderServiceServer.
func (s *Server) PackOrder(ctx context.Context, request *orderpb.PackOrderRequest) (*orderpb.Order, error) {
	return answer(s.service.Pack(ctx, identity.FromContext(ctx), request.GetOrderId(), request.GetEtag(), request.GetReason(), PicksOf(request)))
}

// DispatchOrder implements orderpb.OrderServiceServer.
func (s *Server) DispatchOrder(ctx context.Context, request *orderpb.DispatchOrderRequest) (*orderpb.Order, error) {
	return s.move(ctx, Dispatched, request)
}

// DeliverOrder implements orderpb.OrderServiceServer.
func (s *Server) DeliverOrder(ctx context.Context, request *orderpb.DeliverOrderRequest) (*orderpb.Order, error) {
	return s.move(ctx, Delivered, request)
}

// move takes a step that only operators can call for.
func (s *Server) move(ctx context.Context, to State, request interface {
	GetOrderId() string
	GetEtag() string
	GetReason() string
}) (*orderpb.Order, error) {
	return answer(s.service.Move(ctx, request.GetOrderId(), Step{
		To: to, By: Operator, OperatorID: identity.FromContext(ctx).UserID, ETag: request.GetEtag(), Reason: request.GetReason(),
	}))
}

// CancelOrder implements orderpb.OrderServiceServer.
func (s *Server) CancelOrder(ctx context.Context, request *orderpb.CancelOrderRequest) (*orderpb.Order, error) {
	return answer(s.service.Cancel(ctx, identity.FromContext(ctx), request.GetOrderId(), request.GetEtag(), request.GetReason()))
}

// RefundOrder implements orderpb.OrderServiceServer.
func (s *Server) RefundOrder(ctx context.Context, request *orderpb.RefundOrderRequest) (*orderpb.Order, error) {
	key, err := serve.IdempotencyKey(ctx)
	if err != nil {
		return nil, err
	}
	refund := Refund{OrderID: request.GetOrderId(), Reason: request.GetReason()}
	for _, line := range request.GetLines() {
		refund.Lines = append(refund.Lines, RefundLine{ProductID: line.GetProductId(), Quantity: int64(line.GetQuantity())})
	}
	return answer(s.service.Refund(ctx, identity.FromContext(ctx), key, refund))
}

// PicksOf reads what was picked.
func PicksOf(request *orderpb.PackOrderRequest) []Pick {
	picks := make([]Pick, 0, len(request.GetLines()))
	for _, line := range request.GetLines() {
		pick := Pick{ProductID: line.GetProductId(), Quantity: int64(line.GetQuantity()), Grams: int64(line.GetGrams())}
		for _, s := range line.GetSubstitutes() {
			pick.Substitutes = append(pick.Substitutes, Substitute{ProductID: s.GetProductId(), Quantity: int64(s.GetQuantity())})
		}
		picks = append(picks, pick)
	}
	return picks
}

func answer(o Order, err error) (*orderpb.Order, error) {
	if err != nil {
		return nil, err
	}
	return o.Proto(), nil
}

// Proto is the wire's form.
func (o Order) Proto() *orderpb.Order {
	p := &orderpb.Order{
		OrderId: o.ID, State: stateOf(o.State), UserId: o.UserID, StoreId: o.StoreID,
		Totals: o.Totals.Proto(), Address: o.Address,
		CreateTime: timestamppb.New(o.CreateTime), UpdateTime: timestamppb.New(o.UpdateTime),
		Etag: strconv.FormatInt(o.Version, 10),
	}
	if o.Payment.State != "" {
		p.Payment = &orderpb.OrderPayment{
			State:      orderpb.OrderPayment_State(orderpb.OrderPayment_State_value[string(o.Payment.State)]),
			Authorized: o.Payment.Authorized.Proto(), Captured: o.Payment.Captured.Proto(), Refunded: o.Payment.Refunded.Proto(),
		}
	}
	if o.Slot != nil {
		p.DeliverySlot = &typepb.Slot{SlotId: o.Slot.ID, StartTime: timestamppb.New(o.Slot.Start), EndTime: timestamppb.New(o.Slot.End)}
	}
	for _, line := range o.Lines {
		total := line.UnitPrice
		total.Minor *= line.Quantity // the total was computed from it, so it fits
		p.Lines = append(p.Lines, &orderpb.OrderLine{
			ProductId: line.ProductID, Name: line.Name, Quantity: int32(line.Quantity),
			UnitPrice: line.UnitPrice.Proto(), LineTotal: total.Proto(), TaxRateBps: int32(line.TaxRateBPS),
			PieceGrams: int32(line.PieceGrams), Substitutable: line.Substitutable,
		})
	}
	p.Receipt = receiptProto(o.Receipt)
	for _, event := range o.History {
		p.History = append(p.History, &orderpb.OrderEvent{
			State: stateOf(event.State), Time: timestamppb.New(event.Time), Actor: string(event.Actor), Reason: event.Reason,
		})
	}
	return p
}

func receiptProto(r *pricing.Receipt) *orderpb.Receipt {
	if r == nil {
		return nil
	}
	p := &orderpb.Receipt{Totals: r.Totals.Proto()}
	for _, line := range r.Lines {
		paid, err := line.PaidFor(line.Quantity)
		if err != nil {
			continue // the total was computed from it, so it fits
		}
		shown := &orderpb.ReceiptLine{
			ProductId: line.ProductID, Name: line.Name, Quantity: int32(line.Quantity), Grams: int32(line.Grams), PieceGrams: int32(line.PieceGrams),
			UnitPrice: line.UnitPrice.Proto(), LineTotal: paid.Proto(), TaxRateBps: int32(line.TaxRateBPS), SubstituteFor: line.SubstituteFor,
		}
		if line.Discount > 0 {
			shown.Discount = &typepb.Money{Currency: line.UnitPrice.Currency, MinorUnits: line.Discount}
		}
		p.Lines = append(p.Lines, shown)
	}
	return p
}

// stateOf is the wire's name of a state; the names are the same.
func stateOf(s State) orderpb.Order_State {
	return orderpb.Order_State(orderpb.Order_State_value[string(s)])
}
