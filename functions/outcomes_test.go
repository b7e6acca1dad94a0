package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
)

// direct delivers an event to the function, without Pub/Sub between.
func (r *rig) direct(id string, e event.Event) int {
	r.t.Helper()
	status, _ := r.post(r.t.Context(), r.issuer.IDToken(r.t, "pubsub-push", r.audience, time.Hour), wrapped(r.t, id, e))
	return status
}

func row(t *testing.T, function string) takes {
	t.Helper()
	for _, c := range table {
		if c.function == function {
			return c
		}
	}
	t.Fatalf("there is no row of %s", function)
	return takes{}
}

// A payment that can't be captured any more is an outcome, which somebody has to see.
func TestNotCapturable(t *testing.T) {
	c := row(t, "CapturePayment")
	r := c.begin(t)
	r.services.answers("CapturePayment", func(context.Context, proto.Message) (proto.Message, error) {
		return nil, fault.PaymentNotCapturable.New("it has expired")
	})
	r.acknowledged(r.sendEvent(c.topic, happened(t, "late", c.good)))
	if n := len(r.services.got("CapturePayment")); n != 1 || len(r.collected()) != 0 {
		t.Errorf("%d calls, %d dead letters", n, len(r.collected()))
	}
	if !strings.Contains(r.logs(), `"severity":"ERROR","message":"payment can't be captured"`) || !strings.Contains(r.logs(), orderID) {
		t.Errorf("nobody is told: %s", r.logs())
	}
}

// The provider is at work on the payment: FAILED_PRECONDITION by its code, and yet only for now.
func TestProcessingIsTriedAgain(t *testing.T) {
	c := row(t, "VoidPayment")
	r := c.begin(t)
	var processing atomic.Bool
	processing.Store(true)
	r.services.answers("VoidPayment", func(context.Context, proto.Message) (proto.Message, error) {
		if processing.Swap(false) {
			return nil, fault.PaymentProcessing.New("the provider is at work")
		}
		return nil, nil
	})
	if outcomes := r.acknowledged(r.sendEvent(c.topic, happened(t, "soon", c.good))); len(outcomes) != 2 || outcomes[0] != http.StatusServiceUnavailable {
		t.Errorf("the deliveries were answered %v", outcomes)
	}
	if n := len(r.collected()); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// A checkout goes on only if the payment says so; and it does when the event was taken in before but the checkout couldn't be reached.
func TestResume(t *testing.T) {
	c := row(t, "ApplyPaymentEvent")
	r := c.begin(t)
	var away atomic.Bool
	away.Store(true)
	r.services.answers("ResumeCheckout", func(context.Context, proto.Message) (proto.Message, error) {
		if away.Swap(false) {
			return nil, fault.Unavailable.New("away")
		}
		return nil, nil
	})
	r.acknowledged(r.sendEvent(c.topic, happened(t, "news", c.good)))
	if applied, resumed := len(r.services.got("ApplyProviderEvent")), len(r.services.got("ResumeCheckout")); applied != 2 || resumed != 2 {
		t.Errorf("applied %d times, resumed %d times", applied, resumed)
	}
	r.services.answers("ApplyProviderEvent", func(context.Context, proto.Message) (proto.Message, error) {
		return &paymentpb.ApplyProviderEventResponse{Applied: true}, nil
	})
	r.acknowledged(r.sendEvent(c.topic, happened(t, "no news", c.good)))
	if resumed := len(r.services.got("ResumeCheckout")); resumed != 2 {
		t.Errorf("resumed %d times", resumed)
	}
}

// A service that isn't there at all is one that is away: the event waits for it.
func TestNobodyThere(t *testing.T) {
	r := newRig(t)
	t.Setenv("CART_ADDR", "127.0.0.1:1")
	r.start("ClearCart")
	c := row(t, "ClearCart")
	if status := r.direct("1", happened(t, "good", c.good)); status != http.StatusServiceUnavailable {
		t.Errorf("answered %d", status)
	}
}

// A service that doesn't answer holds an event up no longer than the function's time for it.
func TestDeadline(t *testing.T) {
	r := newRig(t)
	t.Setenv("FUNCTION_TIMEOUT", "200ms")
	r.start("ClearCart")
	r.services.answers("ClearCart", func(ctx context.Context, _ proto.Message) (proto.Message, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	begun := time.Now()
	if status := r.direct("1", happened(t, "good", row(t, "ClearCart").good)); status != http.StatusServiceUnavailable || time.Since(begun) > 5*time.Second {
		t.Errorf("answered %d after %v", status, time.Since(begun))
	}
}

// What can't be put aside isn't acknowledged.
func TestNoDeadLetterTopic(t *testing.T) {
	r := newRig(t)
	r.start("ClearCart")
	e := happened(t, "bad", row(t, "ClearCart").good)
	e.Data = []byte("{")
	if status := r.direct("1", e); status != http.StatusServiceUnavailable {
		t.Errorf("answered %d", status)
	}
	r.topic(event.DeadLetters(event.OrderEvents))
	if status := r.direct("1", e); status != http.StatusNoContent {
		t.Errorf("with the topic there, answered %d", status)
	}
}

// Pub/Sub's limits hold for dead letters too: values of 1024 bytes, 100 attributes; the event's own attributes are kept.
func TestLettersWithinLimits(t *testing.T) {
	c := row(t, "ClearCart")
	r := c.begin(t)
	r.services.answers("ClearCart", func(context.Context, proto.Message) (proto.Message, error) {
		return nil, fault.CartNotFound.New("%s", strings.Repeat("é", 600))
	})
	attributes := happened(t, "many", c.good).Attributes()
	for i := len(attributes); i < 100; i++ {
		attributes[fmt.Sprintf("x-%d", i)] = "y"
	}
	message := r.send(c.topic, attributes, happened(t, "many", c.good).Data)
	letter := r.letter(message)
	if a := letter.Attributes; len(a) > 100 || a["ce-id"] != "many" || a["ce-type"] == "" || a["content-type"] == "" || a["x-99"] != "" {
		t.Errorf("%d attributes: %v", len(a), a)
	}
	if detail := letter.Attributes["dead_letter_detail"]; detail != strings.Repeat("é", 512) {
		t.Errorf("a detail of %d bytes: %q", len(detail), detail)
	}
}

// A function of two topics puts an event that doesn't say what it is to the dead letters of the topic that it came from.
func TestTwoTopics(t *testing.T) {
	r := newRig(t)
	r.start("NotifyShopper")
	for _, topic := range []string{event.UserEvents, event.OrderEvents} {
		r.push(topic)
	}
	for _, topic := range []string{event.UserEvents, event.OrderEvents} {
		letter := r.letter(r.send(topic, map[string]string{"hello": "world"}, []byte("?")))
		if letter.topic != event.DeadLetters(topic) {
			t.Errorf("of %s in %s: %v", topic, letter.topic, letter.Attributes)
		}
	}
}
