package client

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"iter"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"

	orderpb "larder.dev/api/order/v1"
)

// FollowOrder yields an order's changes behind a version, 0 for all, each once and in their order, those to come as they come, until one is
// final: the order is delivered or cancelled. A connection that breaks is made again. An error is the last that is yielded: the API's
// refusal, that Tries connections in a row brought nothing, or the context's.
func (c *Client) FollowOrder(ctx context.Context, orderID string, afterVersion int64) iter.Seq2[*orderpb.OrderChange, error] {
	return func(yield func(*orderpb.OrderChange, error) bool) {
		for try := 1; ; {
			before := afterVersion
			over, err := c.stream(ctx, orderID, &afterVersion, yield)
			if over {
				return
			}
			if ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
			if afterVersion > before {
				try = 1
			}
			if err != nil {
				if !c.again(message{verb: "GET"}, err, try) {
					yield(nil, err)
					return
				}
				if waited := c.wait(ctx, err, try); waited != nil {
					yield(nil, waited)
					return
				}
				try++
			}
		}
	}
}

// stream reads one stream of server-sent events to its end. over: nothing comes behind, or nobody wants it.
func (c *Client) stream(ctx context.Context, orderID string, after *int64, yield func(*orderpb.OrderChange, error) bool) (over bool, err error) {
	message, err := encode("larder.order.v1.OrderService.WatchOrder", &orderpb.WatchOrderRequest{OrderId: orderID})
	if err != nil {
		return false, err
	}
	message.header.Set("Accept", "text/event-stream")
	message.header.Set("Last-Event-ID", strconv.FormatInt(*after, 10))
	token, err := c.token(ctx, message)
	if err != nil {
		return false, err
	}
	response, err := c.open(ctx, message, token)
	if ReasonOf(err) == "TOKEN_EXPIRED" {
		c.expire(token)
		return false, &unanswered{err}
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = response.Body.Close() }()

	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")) // one line an event; id and event say what data says
		if !ok {
			continue
		}
		change := new(orderpb.OrderChange)
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, change); err != nil {
			return false, fmt.Errorf("read a change of order %s: %w", orderID, err)
		}
		*after = change.GetVersion()
		if !yield(change, nil) || change.GetFinal() {
			return true, nil
		}
	}
	if err := lines.Err(); err != nil {
		return false, &unanswered{err}
	}
	return false, nil // the server ends a stream now and then
}
