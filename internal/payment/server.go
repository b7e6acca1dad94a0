package payment

import (
	"cmp"
	"context"
	"errors"
	"time"

	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/money"
)

// Server answers larder.payment.v1.PaymentService.
type Server struct {
	paymentpb.UnimplementedPaymentServiceServer
	service *Service
	// returnURL is where the provider sends a shopper back to after an action; the order's id is appended.
	returnURL string
	healthy   Healthy
}

// NewServer makes one.
func NewServer(service *Service, returnURL string, healthy Healthy) *Server {
	return &Server{service: service, returnURL: returnURL, healthy: healthy}
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

// CapturePayment implements the service.
func (s *Server) CapturePayment(ctx context.Context, r *paymentpb.CapturePaymentRequest) (*paymentpb.CapturePaymentResponse, error) {
	by := Step{By: System}
	if caller := identity.FromContext(ctx); caller.HasRole(identity.RoleOperator) {
		by = Step{By: Operator, OperatorID: caller.UserID}
	}
	state, err := s.service.Capture(ctx, r.GetOrderId(), by)
	if err != nil {
		return nil, translate(err)
	}
	return &paymentpb.CapturePaymentResponse{State: state.Proto()}, nil
}

// VoidPayment implements the service.
func (s *Server) VoidPayment(ctx context.Context, r *paymentpb.VoidPaymentRequest) (*paymentpb.VoidPaymentResponse, error) {
	state, err := s.service.Void(ctx, r.GetOrderId())
	if err != nil {
		return nil, translate(err)
	}
	return &paymentpb.VoidPaymentResponse{State: state.Proto()}, nil
}

// RefundPayment implements the service.
func (s *Server) RefundPayment(ctx context.Context, r *paymentpb.RefundPaymentRequest) (*paymentpb.Refund, error) {
	wanted := Refund{ID: r.GetRefundId(), Reason: r.GetReason(), Actor: r.GetActor()}
	for _, line := range r.GetLines() {
		wanted.Lines = append(wanted.Lines, RefundLine{ProductID: line.GetProductId(), Quantity: int64(line.GetQuantity())})
	}
	refund, err := s.service.Refund(ctx, r.GetOrderId(), wanted)
	if err != nil {
		return nil, translate(err)
	}
	return refund.Proto(), nil
}

// attendRefunds is how many orders' refunds a call looks after if it doesn't say.
const attendRefunds = 100

// FinishRefunds implements the service.
func (s *Server) FinishRefunds(ctx context.Context, r *paymentpb.FinishRefundsRequest) (*paymentpb.FinishRefundsResponse, error) {
	n, err := s.service.AttendRefunds(ctx, cmp.Or(int(r.GetLimit()), attendRefunds))
	if err != nil {
		return nil, translate(err)
	}
	return &paymentpb.FinishRefundsResponse{Attended: int32(n)}, nil
}

// GetPayment implements the service.
func (s *Server) GetPayment(ctx context.Context, r *paymentpb.GetPaymentRequest) (*paymentpb.Payment, error) {
	account, err := s.service.Account(ctx, r.GetOrderId())
	if err != nil {
		return nil, err
	}
	return account.Proto(), nil
}

// ListPayments implements the service.
func (s *Server) ListPayments(ctx context.Context, r *paymentpb.ListPaymentsRequest) (*paymentpb.ListPaymentsResponse, error) {
	payments, next, err := s.service.List(ctx, State(r.GetState().String()), int(r.GetPageSize()), r.GetPageToken())
	if err != nil {
		return nil, err
	}
	page := &paymentpb.ListPaymentsResponse{NextPageToken: next}
	for _, record := range payments {
		page.Payments = append(page.Payments, record.Proto())
	}
	return page, nil
}

// ApplyProviderEvent implements the service.
func (s *Server) ApplyProviderEvent(ctx context.Context, r *paymentpb.ApplyProviderEventRequest) (*paymentpb.ApplyProviderEventResponse, error) {
	e := r.GetEvent()
	applied, resume, err := s.service.Apply(ctx, Event{
		ID: e.GetEventId(), Type: e.GetType(), IntentID: e.GetIntentId(), OrderID: e.GetOrderId(), Time: e.GetCreateTime().AsTime(),
	})
	if err != nil {
		return nil, translate(err)
	}
	return &paymentpb.ApplyProviderEventResponse{Applied: applied, ResumeCheckout: resume}, nil
}

// AuditPayments implements the service.
func (s *Server) AuditPayments(ctx context.Context, r *paymentpb.AuditPaymentsRequest) (*paymentpb.AuditPaymentsResponse, error) {
	checked, findings, next, err := s.service.Audit(ctx, AuditPage{
		Back:    time.Duration(cmp.Or(r.GetHours(), 48)) * time.Hour,
		Settled: time.Duration(cmp.Or(r.GetSettledSeconds(), 60)) * time.Second,
		Size:    int(cmp.Or(r.GetPageSize(), 100)), Token: r.GetPageToken(), Mend: r.GetMend(),
	})
	if err != nil {
		return nil, translate(err)
	}
	answer := &paymentpb.AuditPaymentsResponse{Checked: int32(checked), NextPageToken: next}
	for _, finding := range findings {
		answer.Findings = append(answer.Findings, &paymentpb.PaymentFinding{
			Kind:    paymentpb.PaymentFinding_Kind(paymentpb.PaymentFinding_Kind_value[string(finding.Kind)]),
			OrderId: finding.OrderID, IntentId: finding.IntentID, Detail: finding.Detail, Mended: finding.Mended,
		})
	}
	return answer, nil
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
	var coded *fault.Error
	switch {
	case errors.As(err, &coded):
		return err // its cause is for the log
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
