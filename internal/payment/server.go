package payment

import (
	"context"
	"errors"
	"time"

	orderpb "larder.dev/api/order/v1"
	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/money"
)

// Server answers larder.payment.v1.PaymentService.
type Server struct {
	paymentpb.UnimplementedPaymentServiceServer
	service *Service
	// returnURL is where the provider sends a shopper back to after an action; the order's id is appended.
	returnURL string
}

// NewServer makes one.
func NewServer(service *Service, returnURL string) *Server {
	return &Server{service: service, returnURL: returnURL}
}

// CreateIntent implements the service.
func (s *Server) CreateIntent(ctx context.Context, r *paymentpb.CreateIntentRequest) (*paymentpb.Intent, error) {
	amount := money.FromProto(r.GetAmount())
	if amount.Minor <= 0 {
		return nil, fault.Invalid("amount.minor_units", "must be positive")
	}
	return answer(s.service.Create(ctx, r.GetOrderId(), amount))
}

// ConfirmIntent implements the service.
func (s *Server) ConfirmIntent(ctx context.Context, r *paymentpb.ConfirmIntentRequest) (*paymentpb.Intent, error) {
	return answer(s.service.Confirm(ctx, r.GetIntentId(), r.GetOrderId(), r.GetPaymentMethod(), s.returnURL+r.GetOrderId()))
}

// GetIntent implements the service.
func (s *Server) GetIntent(ctx context.Context, r *paymentpb.GetIntentRequest) (*paymentpb.Intent, error) {
	return answer(s.service.Get(ctx, r.GetIntentId()))
}

// CancelIntent implements the service.
func (s *Server) CancelIntent(ctx context.Context, r *paymentpb.CancelIntentRequest) (*paymentpb.Intent, error) {
	return answer(s.service.Cancel(ctx, r.GetIntentId(), r.GetOrderId()))
}

// CapturePayment implements the service.
func (s *Server) CapturePayment(ctx context.Context, r *paymentpb.CapturePaymentRequest) (*paymentpb.CapturePaymentResponse, error) {
	state, err := s.service.Capture(ctx, r.GetOrderId())
	if err != nil {
		return nil, translate(err)
	}
	return &paymentpb.CapturePaymentResponse{State: state.Proto()}, nil
}

func answer(intent Intent, err error) (*paymentpb.Intent, error) {
	if err != nil {
		return nil, translate(err)
	}
	p := &paymentpb.Intent{
		IntentId: intent.ID, Status: statusProto[intent.Status], Amount: intent.Amount.Proto(),
		ActionUrl: intent.ActionURL, Refunded: intent.Refunded.Proto(),
	}
	if intent.Decline != nil {
		p.DeclineClass = intent.Decline.Class
	}
	return p, nil
}

// translate gives a provider's refusals their codes.
func translate(err error) error {
	switch {
	case errors.Is(err, ErrProcessing):
		return fault.PaymentProcessing.New("the provider is still at work on the payment").WithRetryAfter(2 * time.Second)
	case errors.Is(err, ErrNotFound):
		return fault.IntentNotFound.New("the provider knows no such payment")
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrUnknownOutcome):
		return fault.Unavailable.New("the payment provider is away").WithRetryAfter(time.Second).WithCause(err)
	default:
		return err
	}
}

var statusProto = map[IntentStatus]paymentpb.Intent_Status{
	IntentRequiresConfirmation: paymentpb.Intent_REQUIRES_CONFIRMATION,
	IntentRequiresAction:       paymentpb.Intent_REQUIRES_ACTION,
	IntentProcessing:           paymentpb.Intent_PROCESSING,
	IntentAuthorized:           paymentpb.Intent_AUTHORIZED,
	IntentCaptured:             paymentpb.Intent_CAPTURED,
	IntentCancelled:            paymentpb.Intent_CANCELLED,
	IntentFailed:               paymentpb.Intent_FAILED,
}

// IntentFromProto reads the wire's form.
func IntentFromProto(p *paymentpb.Intent) Intent {
	intent := Intent{ID: p.GetIntentId(), Amount: money.FromProto(p.GetAmount()), ActionURL: p.GetActionUrl(), Refunded: money.FromProto(p.GetRefunded())}
	for status, wire := range statusProto {
		if wire == p.GetStatus() {
			intent.Status = status
		}
	}
	if p.GetDeclineClass() != "" {
		intent.Decline = &Decline{Class: p.GetDeclineClass()}
	}
	return intent
}

// Proto is the wire's form: the same name.
func (s State) Proto() orderpb.OrderPayment_State {
	return orderpb.OrderPayment_State(orderpb.OrderPayment_State_value[string(s)])
}
