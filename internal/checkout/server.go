package checkout

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	checkoutpb "larder.dev/api/checkout/v1"
	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/money"
	"larder.dev/internal/order"
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
	answered(ctx, outcome, err)
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
		Address: address, PaymentMethod: r.GetPaymentMethod(), ExpectedTotal: expected, SlotID: r.GetDeliverySlotId(),
	}, nil
}

// GetCheckout implements the service. It goes on with a checkout that can go on, so a shopper who has confirmed a payment need only look.
func (s *Server) GetCheckout(ctx context.Context, r *checkoutpb.GetCheckoutRequest) (*checkoutpb.Checkout, error) {
	outcome, err := s.service.Poll(ctx, r.GetCheckoutId(), identity.FromContext(ctx).UserID)
	if err == nil {
		return s.answer(ctx, r.GetCheckoutId(), outcome)
	}
	refused := refusal(err)
	if refused == nil || fault.Is(err, fault.CheckoutNotFound) {
		return nil, err
	}
	return &checkoutpb.Checkout{CheckoutId: r.GetCheckoutId(), State: checkoutpb.Checkout_FAILED, Failure: refused.Status().Proto()}, nil
}

// ResumeCheckout implements the service. A refusal that the checkout comes to is its state, no error.
func (s *Server) ResumeCheckout(ctx context.Context, r *checkoutpb.ResumeCheckoutRequest) (*checkoutpb.ResumeCheckoutResponse, error) {
	outcome, known, err := s.service.Resume(ctx, r.GetCheckoutId())
	if fault := expired(outcome, err); fault != nil {
		return nil, fault
	}
	return &checkoutpb.ResumeCheckoutResponse{State: resumed(outcome, known, err != nil)}, nil
}

// resumed is what a checkout has come to; one that Spanner knows nothing of, to nothing.
func resumed(outcome Outcome, known, refused bool) checkoutpb.Checkout_State {
	switch {
	case refused:
		return checkoutpb.Checkout_FAILED
	case !known:
		return checkoutpb.Checkout_STATE_UNSPECIFIED
	default:
		return outcome.State.proto()
	}
}

// lookAgain is how long a shopper waits before another look at a checkout whose outcome isn't known.
const lookAgain = 2 * time.Second

// lookAfter is how many holds or payments a call looks after if it doesn't say.
const lookAfter = 100

// ReapCheckouts implements the service.
func (s *Server) ReapCheckouts(ctx context.Context, r *checkoutpb.ReapCheckoutsRequest) (*checkoutpb.ReapCheckoutsResponse, error) {
	n, err := s.service.attendStore(ctx, r.GetStoreId(), cmp.Or(int(r.GetLimit()), lookAfter))
	if err != nil {
		return nil, err
	}
	return &checkoutpb.ReapCheckoutsResponse{Reaped: int32(n)}, nil
}

// ReconcileCheckouts implements the service.
func (s *Server) ReconcileCheckouts(ctx context.Context, r *checkoutpb.ReconcileCheckoutsRequest) (*checkoutpb.ReconcileCheckoutsResponse, error) {
	n, err := s.service.Reconcile(ctx, cmp.Or(int(r.GetLimit()), lookAfter))
	if err != nil {
		return nil, err
	}
	return &checkoutpb.ReconcileCheckoutsResponse{Reconciled: int32(n)}, nil
}

// CancelOrder implements the service. The service that calls says in whose role; the ledger names the person, if there is one.
func (s *Server) CancelOrder(ctx context.Context, r *checkoutpb.CancelOrderRequest) (*checkoutpb.CancelOrderResponse, error) {
	person := identity.FromContext(ctx).UserID
	cancellation := Cancellation{
		Step: order.Step{To: order.Cancelled, By: order.Actor(r.GetActor()), ETag: r.GetEtag(), Reason: r.GetReason()},
		For:  cmp.Or(person, r.GetActor()),
	}
	if cancellation.By == order.Operator {
		cancellation.OperatorID = person
	}
	if err := s.service.Cancel(ctx, r.GetOrderId(), cancellation); err != nil {
		return nil, err
	}
	return &checkoutpb.CancelOrderResponse{}, nil
}

// PackOrder implements the service. The operator for whom the order service calls is named in the ledger and in the history.
func (s *Server) PackOrder(ctx context.Context, r *checkoutpb.PackOrderRequest) (*checkoutpb.PackOrderResponse, error) {
	packing, person := r.GetPacking(), identity.FromContext(ctx).UserID
	err := s.service.Pack(ctx, packing.GetOrderId(), Packing{
		Step:  order.Step{To: order.Packed, By: order.Operator, OperatorID: person, ETag: packing.GetEtag(), Reason: packing.GetReason()},
		For:   cmp.Or(person, string(order.Operator)),
		Picks: order.PicksOf(packing),
	})
	if err != nil {
		return nil, err
	}
	return &checkoutpb.PackOrderResponse{}, nil
}

func (s *Server) answer(ctx context.Context, id string, outcome Outcome) (*checkoutpb.Checkout, error) {
	checkout := &checkoutpb.Checkout{CheckoutId: id, State: outcome.State.proto(), ActionUrl: outcome.ActionURL}
	if outcome.State == Processing {
		checkout.RetryAfter = durationpb.New(lookAgain)
	}
	checkout.Order = outcome.Order
	if outcome.State == Confirmed && outcome.Order == nil {
		var err error
		if checkout.Order, err = s.orders.Order(ctx, id); err != nil {
			return nil, err
		}
	}
	return checkout, nil
}

func (p Progress) proto() checkoutpb.Checkout_State {
	switch p {
	case Confirmed:
		return checkoutpb.Checkout_CONFIRMED
	case RequiresAction:
		return checkoutpb.Checkout_REQUIRES_ACTION
	default:
		return checkoutpb.Checkout_PROCESSING
	}
}

// withID tells the checkout's id with a refusal, so that it can be asked for later.
func withID(err error, id string) error {
	var refusal *fault.Error
	if errors.As(err, &refusal) {
		return refusal.WithMetadata("checkout_id", id)
	}
	return err
}
