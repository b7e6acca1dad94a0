package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

const (
	subscription = "prove-account"
	eventTopic   = "order-events"
	mostMessages = 500
	ackDeadline  = 30 // seconds
	pullAgain    = 500 * time.Millisecond
	eventPrefix  = "larder.order.v1.Order"
	refundedType = eventPrefix + "Refunded"
)

// ear is a subscription of the accountant's own on order-events.
type ear struct {
	client *pubsub.Client
	name   string
	log    *slog.Logger
	stop   context.CancelFunc
	work   sync.WaitGroup

	mu     sync.Mutex
	events map[Event]int
	broken []string // messages that can't be read
}

// listen subscribes, in the place of a subscription that an earlier round may have left.
func listen(ctx context.Context, config Config) (*ear, error) {
	client, err := pubsub.NewClient(ctx, config.Project, insecureHost(config.PubSubHost)...)
	if err != nil {
		return nil, fmt.Errorf("connect to order-events: %w", err)
	}
	e := &ear{
		client: client, name: fmt.Sprintf("projects/%s/subscriptions/%s", config.Project, subscription), log: config.Log, events: map[Event]int{},
	}
	admin := client.SubscriptionAdminClient
	_ = admin.DeleteSubscription(ctx, &pubsubpb.DeleteSubscriptionRequest{Subscription: e.name}) // there mostly is none
	_, err = admin.CreateSubscription(ctx, &pubsubpb.Subscription{
		Name: e.name, Topic: fmt.Sprintf("projects/%s/topics/%s", config.Project, eventTopic), AckDeadlineSeconds: ackDeadline,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("subscribe to order-events: %w", err), client.Close())
	}
	listening, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	e.work.Go(func() { e.pull(listening) })
	return e, nil
}

func (e *ear) close() error {
	if e == nil {
		return nil
	}
	e.stop()
	e.work.Wait()
	return e.client.Close()
}

// pull takes what comes until ctx ends. What isn't acknowledged comes again, which is no harm.
func (e *ear) pull(ctx context.Context) {
	admin := e.client.SubscriptionAdminClient
	for ctx.Err() == nil {
		answer, err := admin.Pull(ctx, &pubsubpb.PullRequest{Subscription: e.name, MaxMessages: mostMessages})
		if err != nil {
			if ctx.Err() == nil {
				e.log.WarnContext(ctx, "pull order-events", "error", err)
				wait(ctx, pullAgain)
			}
			continue
		}
		ids := make([]string, 0, len(answer.GetReceivedMessages()))
		for _, message := range answer.GetReceivedMessages() {
			e.take(message.GetMessage())
			ids = append(ids, message.GetAckId())
		}
		if len(ids) == 0 {
			continue
		}
		if err := admin.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: e.name, AckIds: ids}); err != nil {
			e.log.WarnContext(ctx, "acknowledge order-events", "error", err)
		}
	}
}

func (e *ear) take(message *pubsubpb.PubsubMessage) {
	event, err := readEvent(message.GetAttributes(), message.GetData())
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.broken = append(e.broken, err.Error())
		e.log.Error("an event that can't be read", "error", err)
		return
	}
	e.events[event]++
}

// readEvent reads what an event tells of, by its attributes and its data, which must agree.
func readEvent(attributes map[string]string, data []byte) (Event, error) {
	kind := attributes["ce-type"]
	var told struct {
		Order struct {
			ID    string `json:"order_id"`
			State string `json:"state"`
		} `json:"order"`
		Version string `json:"version"`
		ID      string `json:"order_id"` // of a refund
		Refund  string `json:"refund_id"`
	}
	if err := json.Unmarshal(data, &told); err != nil {
		return Event{}, fmt.Errorf("event %s, a %s: %w", attributes["ce-id"], kind, err)
	}
	event := Event{Order: told.Order.ID, State: told.Order.State, Refund: told.Refund}
	if kind == refundedType {
		event.Order = told.ID
	} else {
		var err error
		if event.Version, err = strconv.ParseInt(told.Version, 10, 64); err != nil {
			return Event{}, fmt.Errorf("event %s, a %s: version: %w", attributes["ce-id"], kind, err)
		}
	}
	named, ok := strings.CutPrefix(kind, eventPrefix)
	if !ok || attributes["ce-subject"] != "orders/"+event.Order || (kind != refundedType && !strings.EqualFold(named, event.State)) {
		return Event{}, fmt.Errorf("event %s is a %s about %s, and tells of %+v", attributes["ce-id"], kind, attributes["ce-subject"], event)
	}
	return event, nil
}

// heard is how often each event came so far.
func (e *ear) heard() map[Event]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.events)
}

// count is how many different ones came.
func (e *ear) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.events)
}
