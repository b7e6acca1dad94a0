package payment

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	orderpb "larder.dev/api/order/v1"
	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/internal/money"
)

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

// Proto is the wire's form; the states' names are the same.
func (r Refund) Proto() *paymentpb.Refund {
	p := &paymentpb.Refund{
		RefundId: r.ID, State: paymentpb.Refund_State(paymentpb.Refund_State_value[string(r.State)]), Amount: r.Amount.Proto(),
		Reason: r.Reason, CreateTime: timestamppb.New(r.CreateTime), OperatorId: r.Actor,
	}
	for _, line := range r.Lines {
		p.Lines = append(p.Lines, &orderpb.RefundLine{ProductId: line.ProductID, Quantity: int32(line.Quantity)})
	}
	return p
}

// Proto is the wire's form. What was asked for is shown as authorised once it may have been.
func (r Record) Proto() *paymentpb.Payment {
	authorized := r.Amount
	if r.State == Initiated || r.State == RequiresAction {
		authorized.Minor = 0
	}
	return &paymentpb.Payment{
		OrderId: r.OrderID, IntentId: r.IntentID, State: r.State.Proto(),
		Authorized: authorized.Proto(), Captured: r.Captured.Proto(), Refunded: r.Refunded.Proto(),
		CreateTime: timestamppb.New(r.CreateTime), UpdateTime: timestamppb.New(r.UpdateTime),
	}
}

// Proto is the wire's form.
func (a Account) Proto() *paymentpb.Payment {
	p := a.Record.Proto()
	for _, refund := range a.Refunds {
		p.Refunds = append(p.Refunds, refund.Proto())
	}
	for _, e := range a.History {
		p.History = append(p.History, &paymentpb.PaymentChange{
			State: e.State.Proto(), Time: timestamppb.New(e.Time), Actor: string(e.Actor), Reason: e.Reason, OperatorId: e.OperatorID,
		})
	}
	for _, e := range a.Events {
		p.Events = append(p.Events, &paymentpb.ReceivedEvent{
			EventId: e.ID, Type: e.Type, CreateTime: timestamppb.New(e.Time), ReceiveTime: timestamppb.New(e.ReceiveTime),
		})
	}
	return p
}
