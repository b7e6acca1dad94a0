package order

import (
	"context"
	"strconv"

	"google.golang.org/protobuf/types/known/timestamppb"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/identity"
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
	found, err := s.service.Get(ctx, identity.FromContext(ctx), request.GetOrderId())
	if err != nil {
		return nil, err
	}
	return found.Proto(), nil
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
	for _, line := range o.Lines {
		total := line.UnitPrice
		total.Minor *= line.Quantity // the total was computed from it, so it fits
		p.Lines = append(p.Lines, &orderpb.OrderLine{
			ProductId: line.ProductID, Name: line.Name, Quantity: int32(line.Quantity),
			UnitPrice: line.UnitPrice.Proto(), LineTotal: total.Proto(), TaxRateBps: int32(line.TaxRateBPS),
		})
	}
	for _, event := range o.History {
		p.History = append(p.History, &orderpb.OrderEvent{
			State: stateOf(event.State), Time: timestamppb.New(event.Time), Actor: string(event.Actor), Reason: event.Reason,
		})
	}
	return p
}

// stateOf is the wire's name of a state; the names are the same.
func stateOf(s State) orderpb.Order_State {
	return orderpb.Order_State(orderpb.Order_State_value[string(s)])
}
