// Package notifyshopper is the function NotifyShopper: people are told by mail what happens to their orders and their account.
//
// Events hold no address: the user service tells it, and remembers which event's notice has been sent (BeginNotice, EndNotice). So of two
// deliveries of an event at once one sends the mail, and the other comes again later. A process that dies between sending and EndNotice
// lets a second mail out; both have the same Message-ID. Addresses are kept out of logs and dead letters, and so are the tokens that some
// mails bring: the user service makes one for the mail that is about to be written.
package notifyshopper

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	orderpb "larder.dev/api/order/v1"
	userpb "larder.dev/api/user/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/functions/internal/push"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
)

// MailRefused is the reason of a dead letter whose mail the mail server refused for good.
const MailRefused = "MAIL_REFUSED"

type config struct {
	function.Config
	// UserAddr is the user service, host:port.
	UserAddr string `env:"USER_ADDR,required"`
	Mail     mailConfig
}

// New makes the function.
func New(ctx context.Context, app *function.App) (http.Handler, error) {
	var config config
	if err := app.Load(&config); err != nil {
		return nil, err
	}
	conn, err := app.Dial(config.UserAddr)
	if err != nil {
		return nil, err
	}
	post, err := newPost(config.Mail)
	if err != nil {
		return nil, err
	}
	n := notifier{users: userpb.NewUserServiceClient(conn), post: post}
	return app.Push(ctx,
		push.On(event.OrderEvents, func(ctx context.Context, e event.Event, m *orderpb.OrderConfirmed) error {
			return n.ofOrder(ctx, e, m.GetOrder(), letter{Kind: "confirmed", Subject: "Thank you for your order"})
		}),
		push.On(event.OrderEvents, func(ctx context.Context, e event.Event, m *orderpb.OrderPacked) error {
			if !differs(m.GetOrder()) {
				return nil
			}
			return n.ofOrder(ctx, e, m.GetOrder(), letter{Kind: "packed", Subject: "What we picked for you"})
		}),
		push.On(event.OrderEvents, func(ctx context.Context, e event.Event, m *orderpb.OrderDispatched) error {
			return n.ofOrder(ctx, e, m.GetOrder(), letter{Kind: "dispatched", Subject: "Your order is on its way"})
		}),
		push.On(event.OrderEvents, func(ctx context.Context, e event.Event, m *orderpb.OrderDelivered) error {
			return n.ofOrder(ctx, e, m.GetOrder(), letter{Kind: "delivered", Subject: "Your order has been delivered"})
		}),
		push.On(event.OrderEvents, func(ctx context.Context, e event.Event, m *orderpb.OrderCancelled) error {
			return n.ofOrder(ctx, e, m.GetOrder(), letter{Kind: "cancelled", Subject: "Your order is cancelled"})
		}),
		push.On(event.OrderEvents, func(ctx context.Context, e event.Event, m *orderpb.OrderRefunded) error {
			return n.notify(ctx, e, toUser(m.GetUserId()), letter{Kind: "refunded", Subject: "Your refund, order " + number(m.GetOrderId()), Refund: m})
		}),
		push.On(event.UserEvents, func(ctx context.Context, e event.Event, m *userpb.UserRegistered) error {
			return n.notify(ctx, e, toVerify(m.GetUserId()), letter{Kind: "registered", Subject: "Welcome to Larder: please verify your address"})
		}),
		push.On(event.UserEvents, func(ctx context.Context, e event.Event, m *userpb.EmailVerificationRequested) error {
			return n.notify(ctx, e, toVerify(m.GetUserId()), letter{Kind: "verify", Subject: "Please verify your address"})
		}),
		push.On(event.UserEvents, func(ctx context.Context, e event.Event, m *userpb.PasswordResetRequested) error {
			to := &userpb.BeginNoticeRequest{PasswordResetId: m.GetPasswordResetId()}
			return n.notify(ctx, e, to, letter{Kind: "reset", Subject: "Set a new password"})
		}),
		push.On(event.UserEvents, func(ctx context.Context, e event.Event, m *userpb.PasswordReset) error {
			return n.notify(ctx, e, toUser(m.GetUserId()), letter{Kind: "wasreset", Subject: "Your password was changed"})
		}),
	)
}

type notifier struct {
	users userpb.UserServiceClient
	post  *post
}

func (n notifier) ofOrder(ctx context.Context, e event.Event, order *orderpb.Order, l letter) error {
	l.Subject += ", " + number(order.GetOrderId())
	l.Order = order
	return n.notify(ctx, e, toUser(order.GetUserId()), l)
}

func toUser(id string) *userpb.BeginNoticeRequest { return &userpb.BeginNoticeRequest{UserId: id} }

// toVerify asks for a token to verify the address with.
func toVerify(id string) *userpb.BeginNoticeRequest {
	return &userpb.BeginNoticeRequest{UserId: id, VerifyEmail: true}
}

// notify sends an event's letter to whom it is for, once.
func (n notifier) notify(ctx context.Context, e event.Event, to *userpb.BeginNoticeRequest, l letter) error {
	to.EventId = e.ID
	begun, err := n.users.BeginNotice(ctx, to)
	if err != nil {
		return fault.FromRPC(err)
	}
	switch begun.GetState() {
	case userpb.BeginNoticeResponse_DUE:
	case userpb.BeginNoticeResponse_SENT, userpb.BeginNoticeResponse_GONE:
		return nil
	case userpb.BeginNoticeResponse_BUSY:
		return push.Again(errors.New("another delivery of the event is sending its mail"))
	default:
		return push.Again(fmt.Errorf("the notice is in the unknown state %s", begun.GetState()))
	}
	l.Name, l.Token = begun.GetDisplayName(), begun.GetToken()
	if begun.GetAddressTaken() {
		l.Kind, l.Subject = "taken", "You have an account with Larder already"
	}
	if err := n.post.send(ctx, begun.GetEmail(), messageID(e), l); err != nil {
		return err
	}
	// The mail is out: this is told even if the time for the event is over.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	_, err = n.users.EndNotice(ctx, &userpb.EndNoticeRequest{EventId: e.ID})
	return fault.FromRPC(err)
}

// number is an order's number for people, the beginning of its id.
func number(orderID string) string { return orderID[:min(len(orderID), 8)] }
