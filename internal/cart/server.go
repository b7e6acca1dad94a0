package cart

import (
	"context"

	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	cartpb "larder.dev/api/cart/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/money"
)

// me is the alias of the caller's own cart.
const me = "me"

// Server answers api/cart/v1.
type Server struct {
	cartpb.UnimplementedCartServiceServer
	service *Service
}

// NewServer makes one.
func NewServer(service *Service) *Server { return &Server{service: service} }

// CreateCart implements cartpb.CartServiceServer.
func (s *Server) CreateCart(ctx context.Context, request *cartpb.CreateCartRequest) (*cartpb.Cart, error) {
	user := identity.FromContext(ctx).UserID
	if user == "" {
		return answer(s.service.OpenGuest(ctx, request.GetStoreId()))
	}
	return answer(s.service.Open(ctx, Of(user), request.GetStoreId()))
}

// GetCart implements cartpb.CartServiceServer.
func (s *Server) GetCart(ctx context.Context, request *cartpb.GetCartRequest) (*cartpb.Cart, error) {
	ref, err := named(ctx, request.GetCartId())
	if err != nil {
		return nil, err
	}
	return answer(s.service.Get(ctx, ref))
}

// PutItem implements cartpb.CartServiceServer.
func (s *Server) PutItem(ctx context.Context, request *cartpb.PutItemRequest) (*cartpb.Cart, error) {
	ref, err := named(ctx, request.GetCartId())
	if err != nil {
		return nil, err
	}
	return answer(s.service.Put(ctx, ref, request.GetProductId(), int64(request.GetQuantity()), request.Substitutable, request.GetEtag()))
}

// DeleteItem implements cartpb.CartServiceServer.
func (s *Server) DeleteItem(ctx context.Context, request *cartpb.DeleteItemRequest) (*cartpb.Cart, error) {
	ref, err := named(ctx, request.GetCartId())
	if err != nil {
		return nil, err
	}
	return answer(s.service.Delete(ctx, ref, request.GetProductId(), request.GetEtag()))
}

// MergeCart implements cartpb.CartServiceServer.
func (s *Server) MergeCart(ctx context.Context, request *cartpb.MergeCartRequest) (*cartpb.Cart, error) {
	return answer(s.service.Merge(ctx, request.GetCartId(), identity.FromContext(ctx).UserID))
}

// ForgetCart implements cartpb.CartServiceServer.
func (s *Server) ForgetCart(ctx context.Context, request *cartpb.ForgetCartRequest) (*emptypb.Empty, error) {
	if err := s.service.Forget(ctx, request.GetUserId()); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// ClearCart implements cartpb.CartServiceServer. Only services call it, so it takes any cart.
func (s *Server) ClearCart(ctx context.Context, request *cartpb.ClearCartRequest) (*emptypb.Empty, error) {
	if err := s.service.Clear(ctx, request.GetCartId(), request.GetEtag()); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// named is the cart that a request names: the caller's own, or else a guest's, since a shopper's id opens a cart for that shopper
// alone. Errors: UNAUTHENTICATED.
func named(ctx context.Context, id string) (Ref, error) {
	user := identity.FromContext(ctx).UserID
	switch {
	case id == me && user == "":
		return Ref{}, fault.Unauthenticated.New("your own cart needs an access token")
	case id == me || id == user:
		return Of(user), nil
	default:
		return GuestRef(id), nil
	}
}

func answer(cart Priced, err error) (*cartpb.Cart, error) {
	if err != nil {
		return nil, err
	}
	p := &cartpb.Cart{
		CartId: cart.ID, StoreId: cart.StoreID, Etag: cart.Etag,
		UpdateTime: timestamppb.New(cart.UpdateTime), ExpireTime: timestamppb.New(cart.ExpireTime),
	}
	if cart.Totals != nil {
		p.Totals = cart.Totals.Proto()
	}
	for _, item := range cart.Items {
		changes := make([]cartpb.CartItem_Change, 0, len(item.Changes))
		for _, change := range item.Changes {
			changes = append(changes, cartpb.CartItem_Change(cartpb.CartItem_Change_value[string(change)]))
		}
		p.Items = append(p.Items, &cartpb.CartItem{
			ProductId: item.ProductID, Name: item.Name, Size: item.Size, ImageUri: item.ImageURI,
			Quantity: int32(item.Quantity), UnitPrice: amount(item.UnitPrice), LineTotal: amount(item.LineTotal),
			Sold: item.Sold, Available: item.Available,
			PreviousUnitPrice: amount(item.PreviousUnitPrice), TaxRateBps: item.TaxRateBPS,
			MaxPerShopper: item.MaxPerShopper, PieceGrams: item.PieceGrams, Substitutable: item.Substitutable, Changes: changes,
		})
	}
	return p, nil
}

func amount(m *money.Money) *typepb.Money {
	if m == nil {
		return nil
	}
	return m.Proto()
}
