// Package event has the one form of every event of the platform: CloudEvents 1.0 in the attributes of a Pub/Sub message (binary mode),
// the data protobuf JSON of one message of api/. Whoever publishes or reads events goes through it.
package event

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Topics of the platform. Of each, what can never be taken in lies in the topic DeadLetters(topic).
const (
	OrderEvents      = "order-events"
	UserEvents       = "user-events"
	PaymentEvents    = "payment-events"
	StockEvents      = "stock-events"
	StockAdjustments = "stock-adjustments"
	ProductCDC       = "product-cdc"
)

// DeadLetters is a topic's dead-letter topic, and the name of its subscription.
func DeadLetters(topic string) string { return topic + "-dead-letters" }

// Event is a CloudEvent.
type Event struct {
	// Source and ID name the event for good: one that comes again is the same.
	ID, Source string
	// Type is the full name of the data's message.
	Type string
	// Subject is what the event is about: "orders/<id>".
	Subject string
	// Time is when it happened.
	Time time.Time
	// Data is protobuf JSON.
	Data []byte
	// TraceParent continues the trace of the cause (W3C Trace Context); empty for none.
	TraceParent string
}

// New makes an event of a message.
func New(id, source, subject string, at time.Time, message proto.Message) (Event, error) {
	data, err := Encode(message)
	if err != nil {
		return Event{}, fmt.Errorf("encode event %s: %w", id, err)
	}
	return Event{ID: id, Source: source, Type: TypeOf(message), Subject: subject, Time: at, Data: data}, nil
}

// TypeOf is the ce-type of a message's events.
func TypeOf(message proto.Message) string {
	return string(message.ProtoReflect().Descriptor().FullName())
}

// Encode writes an event's data.
func Encode(message proto.Message) ([]byte, error) {
	return protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
}

// Decode reads an event's data into a message of the event's type. Fields that aren't known are passed over: the producer may be newer.
func (e Event) Decode(into proto.Message) error {
	if e.Type != TypeOf(into) {
		return fmt.Errorf("the event is a %s, not a %s", e.Type, TypeOf(into))
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(e.Data, into)
}

// TraceParent is the trace of a context, to be continued by an event; empty for none.
func TraceParent(ctx context.Context) string {
	trace := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, trace)
	return trace.Get("traceparent")
}

// WithTrace returns a context that continues an event's trace.
func (e Event) WithTrace(ctx context.Context) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": e.TraceParent})
}

var tracer = otel.Tracer("larder.dev/internal/event")

// Send begins the span of an event's sending, in the event's own trace, and lets the event continue behind it; nil where that trace isn't
// recorded. The caller ends it when the event is acknowledged.
func (e *Event) Send(ctx context.Context, topic string) trace.Span {
	within := e.WithTrace(ctx)
	if !trace.SpanContextFromContext(within).IsSampled() || e.TraceParent == "" {
		return nil
	}
	within, span := tracer.Start(within, "send "+topic, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		semconv.MessagingSystemGCPPubSub, semconv.MessagingOperationTypeSend, semconv.MessagingOperationName("send"), semconv.MessagingDestinationName(topic),
		attribute.String("cloudevents.event_type", e.Type), attribute.String("cloudevents.event_id", e.ID)))
	if span.IsRecording() { // where nothing is sent, no span of ours stands between
		e.TraceParent = TraceParent(within)
	}
	return span
}

// Attributes are the event's attributes in Pub/Sub.
func (e Event) Attributes() map[string]string {
	attributes := map[string]string{
		"ce-id": e.ID, "ce-type": e.Type, "ce-source": e.Source, "ce-specversion": "1.0", "ce-subject": e.Subject,
		"ce-time": e.Time.UTC().Format(time.RFC3339Nano), "content-type": "application/json",
	}
	if e.TraceParent != "" {
		attributes["traceparent"] = e.TraceParent
	}
	return attributes
}

// FromMessage reads a message's attributes and data. The error names every attribute that is missing or malformed.
func FromMessage(attributes map[string]string, data []byte) (Event, error) {
	e := Event{
		ID: attributes["ce-id"], Source: attributes["ce-source"], Type: attributes["ce-type"], Subject: attributes["ce-subject"],
		TraceParent: attributes["traceparent"], Data: data,
	}
	var faults []error
	for _, name := range []string{"ce-id", "ce-source", "ce-type"} {
		if strings.TrimSpace(attributes[name]) == "" {
			faults = append(faults, fmt.Errorf("attribute %s is missing", name))
		}
	}
	if version := attributes["ce-specversion"]; version != "1.0" {
		faults = append(faults, fmt.Errorf("attribute ce-specversion is %q, not \"1.0\"", version))
	}
	if text := attributes["ce-time"]; text != "" { // optional in CloudEvents
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			faults = append(faults, fmt.Errorf("attribute ce-time is no RFC 3339 time"))
		}
		e.Time = at
	}
	return e, errors.Join(faults...)
}

// Publish publishes events to a topic in one request, and returns nil when all are acknowledged; after an error any of them may have
// been published. The client sends again until ctx ends where that may help.
func Publish(ctx context.Context, client *pubsub.Client, project, topic string, events ...Event) error {
	request := &pubsubpb.PublishRequest{
		Topic: fmt.Sprintf("projects/%s/topics/%s", project, topic), Messages: make([]*pubsubpb.PubsubMessage, len(events)),
	}
	for i, e := range events {
		request.Messages[i] = &pubsubpb.PubsubMessage{Data: e.Data, Attributes: e.Attributes()}
	}
	answer, err := client.TopicAdminClient.Publish(ctx, request)
	if err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	if got := len(answer.GetMessageIds()); got != len(events) {
		return fmt.Errorf("publish to %s: %d of %d events acknowledged", topic, got, len(events))
	}
	return nil
}
