package world

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Limits of the deliveries of one subscription.
const (
	pulled       = 100                    // messages at a time
	onTheWay     = 24                     // posts at once; the invoker lets 32 through
	undelivered  = 5000                   // messages that were pulled and not taken in yet
	firstBackoff = 200 * time.Millisecond // doubled up to
	lastBackoff  = 2 * time.Second
	postLimit    = 30 * time.Second
)

// postman pushes messages to the functions in the place of the Pub/Sub emulator. Of messages that were refused a few times, some were never
// seen to be pushed again by the emulator within a round; why isn't known. So the postman pulls, and delivers each message until it is taken
// in. It never dies before the round does, so it acknowledges a message when it has it.
type postman struct {
	conn   *grpc.ClientConn
	client pubsubpb.SubscriberClient
	http   *http.Client
	url    string // of deliveries; the function's name and its filter follow
	log    *slog.Logger
	stop   context.CancelFunc
	work   sync.WaitGroup
}

// newPostman begins to deliver; subscriptions has the path of each below the url: a function's name, in lower case, and its filter.
func newPostman(ctx context.Context, address, url string, subscriptions map[string]string, log *slog.Logger) (*postman, error) {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("connect to Pub/Sub: %w", err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // end ends it
	p := &postman{
		conn: conn, client: pubsubpb.NewSubscriberClient(conn), url: url, log: log, stop: stop,
		http: &http.Client{Timeout: postLimit, Transport: &http.Transport{MaxIdleConnsPerHost: 8 * onTheWay}},
	}
	for subscription, function := range subscriptions {
		p.work.Go(func() { p.serve(ctx, subscription, function) })
	}
	return p, nil
}

// end gives up what isn't delivered.
func (p *postman) end() error {
	p.stop()
	p.work.Wait()
	p.http.CloseIdleConnections()
	return p.conn.Close()
}

// serve delivers what is published to one subscription, until ctx ends.
func (p *postman) serve(ctx context.Context, subscription, function string) {
	waiting, posting := make(chan struct{}, undelivered), make(chan struct{}, onTheWay)
	var deliveries sync.WaitGroup
	defer deliveries.Wait()
	for ctx.Err() == nil {
		messages, err := p.pull(ctx, subscription)
		if err != nil {
			if ctx.Err() == nil {
				p.log.WarnContext(ctx, "pull", "subscription", subscription, "error", err)
				wait(ctx, lastBackoff)
			}
			continue
		}
		for _, m := range messages {
			select {
			case waiting <- struct{}{}:
			case <-ctx.Done():
				return
			}
			deliveries.Go(func() {
				defer func() { <-waiting }()
				p.deliver(ctx, posting, subscription, function, m)
			})
		}
	}
}

// pull takes messages over. It waits for some.
func (p *postman) pull(ctx context.Context, subscription string) ([]*pubsubpb.PubsubMessage, error) {
	got, err := p.client.Pull(ctx, &pubsubpb.PullRequest{Subscription: subscription, MaxMessages: pulled})
	if err != nil || len(got.GetReceivedMessages()) == 0 {
		return nil, err
	}
	var messages []*pubsubpb.PubsubMessage
	ack := &pubsubpb.AcknowledgeRequest{Subscription: subscription}
	for _, m := range got.GetReceivedMessages() {
		messages = append(messages, m.GetMessage())
		ack.AckIds = append(ack.AckIds, m.GetAckId())
	}
	if _, err := p.client.Acknowledge(ctx, ack); err != nil {
		return nil, fmt.Errorf("acknowledge: %w", err) // they come again
	}
	return messages, nil
}

// delivery is what Pub/Sub pushes: https://cloud.google.com/pubsub/docs/push#receive_push
type delivery struct {
	Message struct {
		Data        []byte            `json:"data"`
		Attributes  map[string]string `json:"attributes,omitempty"`
		ID          string            `json:"messageId"`
		PublishTime time.Time         `json:"publishTime"`
	} `json:"message"`
	Subscription string `json:"subscription"`
	Attempt      int    `json:"deliveryAttempt"`
}

// deliver posts a message until it is taken in, or ctx ends.
func (p *postman) deliver(ctx context.Context, posting chan struct{}, subscription, function string, m *pubsubpb.PubsubMessage) {
	var d delivery
	d.Message.Data, d.Message.Attributes, d.Message.ID = m.GetData(), m.GetAttributes(), m.GetMessageId()
	d.Message.PublishTime, d.Subscription = m.GetPublishTime().AsTime(), subscription
	for pause := firstBackoff; ; pause = min(2*pause, lastBackoff) {
		d.Attempt++
		select {
		case posting <- struct{}{}:
		case <-ctx.Done():
			return
		}
		err := p.post(ctx, function, d)
		<-posting
		if err == nil {
			return
		}
		p.log.DebugContext(ctx, "delivery put off", "function", function, "message", d.Message.ID, "attempt", d.Attempt, "error", err)
		if !wait(ctx, pause) {
			return
		}
	}
}

func (p *postman) post(ctx context.Context, function string, d delivery) error {
	body, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+function, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("status %d: %s", resp.StatusCode, strings.TrimSpace(string(answer)))
	}
	return nil
}
