package checkout

import (
	"context"
	"crypto/sha256"
	"errors"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	checkoutpb "larder.dev/api/checkout/v1"
	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/money"
	"larder.dev/internal/serve"
)

// Orders shows an order that a checkout made.
type Orders interface {
	Order(ctx context.Context, id string) (*orderpb.Order, error)
}

// Server answers larder.checkout.v1.CheckoutService.
type Server struct {
	checkoutpb.UnimplementedCheckoutServiceServer
	service *Service
	orders  Orders
}

// NewServer makes one.
func NewServer(service *Service, orders Orders) *Server {
	return &Server{service: service, orders: orders}
}

// CreateCheckout implements the service.
func (s *Server) CreateCheckout(ctx context.Context, r *checkoutpb.CreateCheckoutRequest) (*checkoutpb.Checkout, error) {
	request, err := read(ctx, r)
	if err != nil {
		return nil, err
	}
	outcome, err := s.service.Checkout(ctx, request)
	if err != nil {
		return nil, withID(err, request.ID)
	}
	return s.answer(ctx, request.ID, outcome)
}

// read checks what depends on the request's bytes alone; such refusals need no tombstone (rule 6).
func read(ctx context.Context, r *checkoutpb.CreateCheckoutRequest) (Request, error) {
	key, err := serve.IdempotencyKey(ctx)
	if err != nil {
		return Request{}, err
	}
	user := identity.FromContext(ctx).UserID
	expected := money.FromProto(r.GetExpectedTotal())
	if expected.Minor <= 0 {
		return Request{}, fault.Invalid("expected_total.minor_units", "must be positive")
	}
	address, err := protojson.Marshal(r.GetAddress())
	if err != nil {
		return Request{}, fault.Invalid("address", "not valid").WithCause(err)
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return Request{}, fault.Invalid("body", "not valid").WithCause(err)
	}
	fingerprint := sha256.Sum256(bytes)
	return Request{
		ID: ID(user, key), Fingerprint: fingerprint[:], UserID: user, CartID: r.GetCartId(), StoreID: r.GetStoreId(),
		Address: address, PaymentMethod: r.GetPaymentMethod(), ExpectedTotal: expected,
	}, nil
}

// GetCheckout implements the service. It goes on with a checkout that can go on, so a shopper who has confirmed a payment need only look.
func (s *Server) GetCheckout(ctx context.Context, r *checkoutpb.GetCheckoutRequest) (*checkoutpb.Checkout, error) {
	outcome, err := s.service.Poll(ctx, r.GetCheckoutId(), identity.FromContext(ctx).UserID)
	var refusal *fault.Error
	switch {
	case err == nil:
		return s.answer(ctx, r.GetCheckoutId(), outcome)
	case !errors.As(err, &refusal), refusal.Reason().Internal, refusal.Reason().Name == fault.CheckoutNotFound.Name:
		return nil, err
	default:
		return &checkoutpb.Checkout{CheckoutId: r.GetCheckoutId(), State: checkoutpb.Checkout_FAILED, Failure: refusal.Status().Proto()}, nil
	}
}

func (s *Server) answer(ctx context.Context, id string, outcome Outcome) (*checkoutpb.Checkout, error) {
	checkout := &checkoutpb.Checkout{CheckoutId: id}
	switch outcome.State {
	case Confirmed:
		order, err := s.orders.Order(ctx, id)
		if err != nil {
			return nil, err
		}
		checkout.State, checkout.Order = checkoutpb.Checkout_CONFIRMED, order
	case RequiresAction:
		checkout.State, checkout.ActionUrl = checkoutpb.Checkout_REQUIRES_ACTION, outcome.ActionURL
	default:
		checkout.State = checkoutpb.Checkout_PROCESSING
	}
	return checkout, nil
}

// withID tells the checkout's id with a refusal, so that it can be asked for later.
func withID(err error, id string) error {
	var refusal *fault.Error
	if errors.As(err, &refusal) {
		return refusal.WithMetadata("checkout_id", id)
	}
	return err
}
