package push

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"

	"larder.dev/internal/event"
	"larder.dev/internal/fault"
)

// Reasons of dead letters that no service gave. Others are the reasons of internal/fault.
const (
	// Malformed: the attributes are no CloudEvent's, or the data isn't the JSON of its type.
	Malformed = "MALFORMED_EVENT"
	// Invalid: the data breaks the rules of its proto.
	Invalid = "INVALID_EVENT"
)

// Attributes that are added to a dead letter. A replay takes them off.
const (
	reasonAttribute       = "dead_letter_reason"       // a stable word: one of the above, or a reason of internal/fault
	detailAttribute       = "dead_letter_detail"       // what exactly, for people
	functionAttribute     = "dead_letter_function"     // that put it aside
	messageAttribute      = "dead_letter_message_id"   // of the message on its topic
	timeAttribute         = "dead_letter_time"         // RFC 3339
	subscriptionAttribute = "dead_letter_subscription" // through which it came
)

// Pub/Sub's limits: bytes of an attribute's value, attributes of a message.
const (
	maxValue      = 1024
	maxAttributes = 100
)

// verdict says what becomes of a delivery.
type verdict struct {
	again          bool
	reason, detail string
	cause          error
}

func (v *verdict) Error() string {
	if v.cause != nil {
		return v.cause.Error()
	}
	return v.reason + ": " + v.detail
}

func (v *verdict) Unwrap() error { return v.cause }

// Final is the error of an event that can never be taken in. The detail is kept with it for people: it holds nothing secret.
func Final(reason, detail string) error { return &verdict{reason: reason, detail: detail} }

// Again is an error after which the event is to come again, whatever its code says.
func Again(err error) error { return &verdict{again: true, cause: err} }

// verdictOf tells whether an error is final: what it says itself, else by the code that a service gave. A code that tells of the state
// that things are in for now, or of a fault of ours, is not.
func verdictOf(err error) (v *verdict, final bool) {
	if errors.As(err, &v) {
		return v, !v.again
	}
	coded := fault.From(err)
	switch coded.Reason().Code {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.FailedPrecondition, codes.OutOfRange, codes.PermissionDenied:
		return &verdict{reason: coded.Reason().Name, detail: told(coded), cause: err}, true
	default:
		return nil, false
	}
}

// putAside publishes a message to the dead-letter topic of its topic.
func (r *Receiver) putAside(ctx context.Context, topic string, d delivery, v *verdict) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	attributes := map[string]string{
		reasonAttribute: v.reason, detailAttribute: v.detail, functionAttribute: r.function, messageAttribute: d.Message.ID,
		timeAttribute: r.now().UTC().Format(time.RFC3339Nano), subscriptionAttribute: d.Subscription,
	}
	for name, value := range attributes {
		attributes[name] = strings.ToValidUTF8(value[:min(len(value), maxValue)], "")
	}
	return r.publish(ctx, event.DeadLetters(topic), &pubsubpb.PubsubMessage{
		Data: d.Message.Data, Attributes: withRoom(d.Message.Attributes, attributes),
	})
}

// withRoom adds attributes to those of a message. Where there is no room for all, the event's own are kept.
func withRoom(given, added map[string]string) map[string]string {
	all := maps.Clone(given)
	if len(all) > maxAttributes-len(added) {
		maps.DeleteFunc(all, func(name, _ string) bool {
			return !strings.HasPrefix(name, "ce-") && name != "content-type" && name != "traceparent"
		})
	}
	if all == nil || len(all) > maxAttributes-len(added) {
		all = map[string]string{}
	}
	maps.Copy(all, added)
	return all
}
