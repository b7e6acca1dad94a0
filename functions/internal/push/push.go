// Package push takes in the events that Pub/Sub pushes to a function: https://cloud.google.com/pubsub/docs/push.
//
// A delivery ends in one of three ways:
//
//   - Taken in, or none of the function's: 204, which acknowledges it.
//   - It can never succeed: it isn't an event of the contract, or a service refuses it for good. The message is published as it came to
//     its topic's dead-letter topic, with the reason, and only then acknowledged (see deadletter.go).
//   - Anything else: 503, and Pub/Sub delivers it again. What isn't understood is tried again; after 100 times the subscription's own
//     policy puts it aside.
//
// Deliveries come at least once and in any order. So a handler calls methods that may be repeated, with what the event names.
package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"larder.dev/internal/chaos"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
	"larder.dev/internal/serve"
	"larder.dev/internal/telemetry"
)

// maxBody is the largest delivery that is read, bytes: a message's data is base64 in it.
const maxBody = 10 << 20

var tracer = otel.Tracer("larder.dev/functions/internal/push")

// Handler takes in events of one type from one topic.
type Handler struct {
	topic, kind string
	handle      func(ctx context.Context, validator protovalidate.Validator, e event.Event) error
}

// On makes a handler of the message that the events' data is. Its errors are the service's, by fault.FromRPC, or say by Final and Again
// what becomes of the delivery.
func On[M any, P interface {
	*M
	proto.Message
}](topic string, handle func(ctx context.Context, e event.Event, message P) error) Handler {
	return Handler{
		topic: topic, kind: event.TypeOf(P(new(M))),
		handle: func(ctx context.Context, validator protovalidate.Validator, e event.Event) error {
			message := P(new(M))
			if err := e.Decode(message); err != nil {
				return Final(Malformed, "data: "+plain(err))
			}
			if err := serve.Validate(validator, message); err != nil {
				return Final(Invalid, told(fault.From(err)))
			}
			return handle(ctx, e, message)
		},
	}
}

// Publish publishes a message to a topic, and returns nil when it is acknowledged.
type Publish func(ctx context.Context, topic string, message *pubsubpb.PubsubMessage) error

// Receiver is a function's endpoint. It believes its caller: who that is has been looked at before.
type Receiver struct {
	function  string
	timeout   time.Duration
	publish   Publish
	validator protovalidate.Validator
	now       func() time.Time
	handlers  []Handler
}

// NewReceiver makes one. A handler has the timeout for an event, which with five seconds for a dead letter is to be less than the
// subscription's acknowledgement deadline.
func NewReceiver(function string, timeout time.Duration, publish Publish, validator protovalidate.Validator, now func() time.Time, handlers ...Handler) *Receiver {
	return &Receiver{function: function, timeout: timeout, publish: publish, validator: validator, now: now, handlers: handlers}
}

// delivery is what Pub/Sub posts.
type delivery struct {
	Message struct {
		Attributes map[string]string `json:"attributes"`
		Data       []byte            `json:"data"`
		ID         string            `json:"messageId"`
	} `json:"message"`
	// Attempt counts deliveries; 0 where the subscription has no dead-letter policy.
	Attempt      int    `json:"deliveryAttempt"`
	Subscription string `json:"subscription"`
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		serve.WriteError(w, req, fault.MethodNotAllowed.New("a function is called by POST"))
		return
	}
	var d delivery
	err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxBody)).Decode(&d)
	if err == nil && d.Message.ID == "" {
		err = errors.New("no message.messageId")
	}
	if err != nil {
		slog.WarnContext(req.Context(), "delivery can't be read", "error", err.Error())
		serve.WriteError(w, req, fault.Invalid("body", "is no push delivery of Pub/Sub, or has more than %d bytes", maxBody))
		return
	}
	chaos.At(chaos.FunctionReceived)
	if r.deliver(req.Context(), d) {
		chaos.At(chaos.FunctionDone)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	serve.WriteError(w, req, fault.Unavailable.New("the event is to be delivered again"))
}

// deliver tells whether a delivery is to be acknowledged, and logs what became of it.
func (r *Receiver) deliver(ctx context.Context, d delivery) (done bool) {
	began, outcome := time.Now(), telemetry.OK
	e, err := event.FromMessage(d.Message.Attributes, d.Message.Data)
	topic := r.topicOf(d.Subscription)
	ctx, span := tracer.Start(e.WithTrace(ctx), "process "+r.function, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		semconv.MessagingSystemGCPPubSub, semconv.MessagingOperationTypeProcess, semconv.MessagingOperationName("process"),
		semconv.MessagingDestinationName(topic), semconv.MessagingDestinationSubscriptionName(d.Subscription),
		semconv.MessagingMessageID(d.Message.ID), semconv.MessagingGCPPubSubMessageDeliveryAttempt(d.Attempt),
		attribute.String("cloudevents.event_type", e.Type), attribute.String("cloudevents.event_id", e.ID)))
	defer func() {
		span.SetAttributes(attribute.String("larder.outcome", outcome))
		if outcome == "again" || outcome == "aside" {
			span.SetStatus(codes.Error, outcome)
		}
		span.End()
		telemetry.Deliveries.Since(ctx, began, r.function, outcome)
	}()
	log := slog.With("event", e.ID, "type", e.Type, "message", d.Message.ID, "attempt", d.Attempt)

	if err != nil {
		err = Final(Malformed, plain(err))
	} else {
		handler, wanted := r.handlerOf(e.Type)
		if !wanted {
			outcome = "ignored"
			log.DebugContext(ctx, "event is for others")
			return true
		}
		topic = handler.topic
		err = r.handle(ctx, handler, e)
	}
	if err == nil {
		log.DebugContext(ctx, "event taken in")
		return true
	}
	outcome = "again"
	verdict, final := verdictOf(err)
	if !final {
		log.WarnContext(ctx, "event is to come again", "error", err.Error())
		return false
	}
	if failed := r.putAside(ctx, topic, d, verdict); failed != nil {
		log.ErrorContext(ctx, "event can't be put aside", "reason", verdict.reason, "error", errors.Join(err, failed).Error())
		return false
	}
	outcome = "aside"
	log.ErrorContext(ctx, "event put aside", "reason", verdict.reason, "error", err.Error(), "topic", event.DeadLetters(topic))
	return true
}

func (r *Receiver) handle(ctx context.Context, handler Handler, e event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return handler.handle(ctx, r.validator, e)
}

func (r *Receiver) handlerOf(kind string) (Handler, bool) {
	for _, handler := range r.handlers {
		if handler.kind == kind {
			return handler, true
		}
	}
	return Handler{}, false
}

// topicOf is the topic that a message came from which doesn't say what it is. A function of several topics has a subscription of each,
// with a name that ends in the topic's.
func (r *Receiver) topicOf(subscription string) string {
	for _, handler := range r.handlers {
		if strings.HasSuffix(subscription, "-"+handler.topic) {
			return handler.topic
		}
	}
	return r.handlers[0].topic
}

// plain is a decoder's error for people: protojson varies its spaces on purpose, and errors.Join takes lines.
func plain(err error) string {
	return strings.NewReplacer("\u00a0", " ", "\n", "; ").Replace(err.Error())
}

// told is what a coded error tells callers, without its cause.
func told(e *fault.Error) string {
	text := e.Status().Message()
	for _, detail := range e.Status().Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				text += fmt.Sprintf("; %s: %s", v.GetField(), v.GetDescription())
			}
		}
	}
	return text
}
