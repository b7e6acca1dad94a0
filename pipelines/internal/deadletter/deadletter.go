// Package deadletter publishes messages that can never succeed, with the reason, so that they can be acknowledged.
//
// A dead letter is the message as it came, data and attributes, with these attributes added (where there is no
// room for both, only these):
//
//	reason          a stable word, see package cdc; INDEX_REFUSED if Elasticsearch refused the document
//	detail          what exactly, for people
//	message_id      of the message on its topic
//	subscription    through which it came
//	product_id, revision, lsn, ts_ms
//	                of the change, where known; lsn and ts_ms are its position in the source
package deadletter

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2"

	"larder.dev/pipelines/internal/cdc"
	"larder.dev/pipelines/internal/process"
)

// Part is the name under which publishing reports how it fares.
const Part = "dead_letters"

// IndexRefused is the reason of a document that Elasticsearch will never take.
const IndexRefused = "INDEX_REFUSED"

// Pub/Sub's limits: bytes of an attribute's value, attributes of a message.
const (
	maxAttribute  = 1024
	maxAttributes = 100
)

// Letter is a message with the fault that it is put aside for.
type Letter struct {
	Message      cdc.Message
	Fault        cdc.Fault
	Subscription string
}

func (l Letter) attributes() map[string]string {
	a := map[string]string{}
	if len(l.Message.Attributes) <= maxAttributes-8 {
		maps.Copy(a, l.Message.Attributes)
	}
	set := func(key, value string) {
		if value != "" && value != "0" {
			a[key] = valid(value)
		}
	}
	set("reason", l.Fault.Reason)
	set("detail", l.Fault.Detail)
	set("message_id", l.Message.ID)
	set("subscription", l.Subscription)
	set("product_id", l.Fault.ProductID)
	set("revision", strconv.FormatInt(l.Fault.Revision, 10))
	set("lsn", strconv.FormatInt(l.Fault.Position.LSN, 10))
	set("ts_ms", strconv.FormatInt(l.Fault.Position.TimeMS, 10))
	return a
}

// valid returns as much of a string as an attribute holds, in whole characters.
func valid(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxAttribute)], "") }

// Publish returns when the topic has all the letters, or with an error when ctx ends.
func Publish(ctx context.Context, topic *pubsub.Publisher, letters []Letter) error {
	for len(letters) > 0 {
		n := min(len(letters), 100) // a letter is up to 10 MB: not all at once
		err := process.Retry(ctx, "publish dead letters", func(ctx context.Context) error {
			err := publish(ctx, topic, letters[:n])
			process.Report(Part, err)
			return err
		})
		if err != nil {
			return err
		}
		letters = letters[n:]
	}
	return nil
}

// publish may leave some published and return an error: a dead letter can come twice.
func publish(ctx context.Context, topic *pubsub.Publisher, letters []Letter) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	results := make([]*pubsub.PublishResult, len(letters))
	for i, l := range letters {
		results[i] = topic.Publish(ctx, &pubsub.Message{Data: l.Message.Data, Attributes: l.attributes()})
	}
	var first error
	for _, r := range results {
		if _, err := r.Get(ctx); err != nil && first == nil {
			first = err
		}
	}
	return first
}
