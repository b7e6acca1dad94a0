package world

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	remembered = 500 // messages of each topic
	repeated   = 12  // messages at a time
	pullPause  = 500 * time.Millisecond
)

// message is one of Pub/Sub's, as its REST side writes it.
type message struct {
	Data       string            `json:"data,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	ID         string            `json:"messageId,omitempty"`
}

// echo publishes events again, as they are, late and in another order: to those who take them in, Pub/Sub has delivered them again.
type echo struct {
	storm  *Storm
	topic  string
	heard  []message       // the last ones, in no order
	copies map[string]bool // ids of what it published itself, until it hears them
}

// listen begins to listen to order events and payment events.
func (s *Storm) listen(ctx context.Context) ([]*echo, error) {
	var all []*echo
	for _, topic := range []string{"order-events", "payment-events"} {
		e := &echo{storm: s, topic: topic, copies: map[string]bool{}}
		err := putPubSub(ctx, e.subscription(), map[string]any{"topic": topicName(topic), "ackDeadlineSeconds": 10})
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func (e *echo) subscription() string {
	return subscriptionName("prover-echo-" + e.topic)
}

func (e *echo) run(ctx context.Context, rng *rand.Rand) {
	next := time.Now().Add(e.storm.every(5 * time.Second))
	for wait(ctx, pullPause) {
		if err := e.pull(ctx, rng); err != nil {
			e.storm.warn(ctx, fmt.Errorf("listen to %s: %w", e.topic, err))
			continue
		}
		if time.Now().Before(next) || len(e.heard) == 0 {
			continue
		}
		next = time.Now().Add(e.storm.every(8*time.Second + time.Duration(rng.Int64N(int64(8*time.Second)))))
		n, err := e.publish(ctx, rng)
		if err != nil {
			e.storm.warn(ctx, fmt.Errorf("publish to %s again: %w", e.topic, err))
			continue
		}
		e.storm.count("redelivery", e.topic, "events", n)
	}
}

// pull hears what was published since the last time, and keeps some.
func (e *echo) pull(ctx context.Context, rng *rand.Rand) error {
	// A pull without messages would wait for one.
	answer, err := callPubSub(ctx, http.MethodPost, e.subscription()+":pull",
		map[string]any{"maxMessages": 500, "returnImmediately": true}, http.StatusOK)
	if err != nil {
		return err
	}
	var got struct {
		ReceivedMessages []struct {
			AckID   string  `json:"ackId"`
			Message message `json:"message"`
		} `json:"receivedMessages"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	var acks []string
	for _, m := range got.ReceivedMessages {
		acks = append(acks, m.AckID)
		id := m.Message.ID
		if e.copies[id] {
			delete(e.copies, id)
			continue
		}
		m.Message.ID = ""
		if len(e.heard) < remembered {
			e.heard = append(e.heard, m.Message)
		} else {
			e.heard[rng.IntN(remembered)] = m.Message
		}
	}
	if len(acks) == 0 {
		return nil
	}
	_, err = callPubSub(ctx, http.MethodPost, e.subscription()+":acknowledge", map[string]any{"ackIds": acks}, http.StatusOK)
	return err
}

// publish sends some of what was heard again.
func (e *echo) publish(ctx context.Context, rng *rand.Rand) (int, error) {
	var again []message
	for range 1 + rng.IntN(repeated) {
		again = append(again, e.heard[rng.IntN(len(e.heard))])
	}
	answer, err := callPubSub(ctx, http.MethodPost, topicName(e.topic)+":publish",
		map[string]any{"messages": again}, http.StatusOK)
	if err != nil {
		return 0, err
	}
	var got struct {
		MessageIDs []string `json:"messageIds"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	for _, id := range got.MessageIDs {
		e.copies[id] = true
	}
	return len(again), nil
}
