// Package pubsub publishes the outbox's events to Pub/Sub, as CloudEvents 1.0 in attributes (binary mode).
package pubsub

import (
	"context"
	"fmt"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"larder.dev/internal/event"
	"larder.dev/internal/outbox"
)

// Source is the ce-source of every event: with the ce-id it names an event for good.
const Source = "//larder.dev/outbox"

// Publisher implements outbox.Publisher. Each call is one request, and the relay has at most one for each shard under way: that is
// the flow control. In one request the events are in order, and the next one is sent when it is acknowledged; so what a subscription
// without ordering keys may shuffle, a shard's publish order doesn't. Ordering keys would cost a request for each subject.
type Publisher struct {
	client  *pubsub.Client
	project string
}

var _ outbox.Publisher = Publisher{}

// New makes one for a project's topics.
func New(client *pubsub.Client, project string) Publisher { return Publisher{client, project} }

// Publish implements outbox.Publisher. The client sends it again until ctx ends where that may help; a missing topic is NotFound at once.
// Each event whose trace is recorded gets a span in it; what takes it in continues the trace behind that.
func (p Publisher) Publish(ctx context.Context, topic string, events []outbox.Committed) error {
	told := make([]event.Event, len(events))
	var spans []trace.Span
	for i, e := range events {
		told[i] = cloudEvent(e)
		if span := told[i].Send(ctx, topic); span != nil {
			spans = append(spans, span)
		}
	}
	err := event.Publish(ctx, p.client, p.project, topic, told...)
	for _, span := range spans {
		if err != nil {
			span.SetStatus(codes.Error, "not acknowledged")
		}
		span.End()
	}
	return err
}

// cloudEvent is what happened as it is told; its time is the commit's.
func cloudEvent(e outbox.Committed) event.Event {
	return event.Event{
		ID: e.ID, Source: Source, Type: e.Type, Subject: e.Subject, Time: e.Time, Data: e.Data, TraceParent: e.TraceParent,
	}
}

// Reachable asks Pub/Sub for a topic. It needn't be there: publishing is tried until it is.
func (p Publisher) Reachable(topic string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := p.client.TopicAdminClient.GetTopic(ctx, &pubsubpb.GetTopicRequest{
			Topic: fmt.Sprintf("projects/%s/topics/%s", p.project, topic),
		})
		if status.Code(err) == grpccodes.NotFound {
			return nil
		}
		return err
	}
}
