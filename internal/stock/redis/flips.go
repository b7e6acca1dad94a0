package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"larder.dev/internal/stock"
)

// group is the consumer group of the stream of flips; abandoned is when another reader takes over what one didn't finish.
const (
	group     = "catalogue"
	abandoned = 3 * time.Second
)

var consumer = func() string {
	host, _ := os.Hostname() // without a name, the number tells readers apart well enough
	return host + "-" + strconv.Itoa(os.Getpid())
}()

// Flips implements stock.FlipStream.
func (v *Virtual) Flips(ctx context.Context, store string, limit int) ([]stock.Flip, error) {
	stream := keys(store)[2]
	claimed, _, err := v.client.XAutoClaim(ctx, &redis.XAutoClaimArgs{
		Stream: stream, Group: group, Consumer: consumer, MinIdle: abandoned, Start: "0", Count: int64(limit),
	}).Result()
	if err == nil && len(claimed) > 0 {
		return parseFlips(claimed)
	}
	if err == nil {
		var streams []redis.XStream
		streams, err = v.client.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: group, Consumer: consumer, Streams: []string{stream, ">"}, Count: int64(limit), Block: -1,
		}).Result()
		if err == nil && len(streams) > 0 {
			return parseFlips(streams[0].Messages)
		}
	}
	switch {
	case err == nil || errors.Is(err, redis.Nil):
		return nil, nil
	case strings.HasPrefix(err.Error(), "NOGROUP"): // a new or flushed server
		if err := v.client.XGroupCreateMkStream(ctx, stream, group, "0").Err(); err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
			return nil, fmt.Errorf("make the group of flips: %w", err)
		}
		return nil, nil
	default:
		return nil, fmt.Errorf("read flips: %w", err)
	}
}

func parseFlips(messages []redis.XMessage) ([]stock.Flip, error) {
	flips := make([]stock.Flip, 0, len(messages))
	for _, message := range messages {
		text := func(field string) string { s, _ := message.Values[field].(string); return s }
		epoch, err := strconv.ParseInt(text("epoch"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read flip %s: %w", message.ID, err)
		}
		// Redis numbers entries by its clock, "<ms>-<n>".
		millis, err := strconv.ParseInt(message.ID[:max(strings.IndexByte(message.ID, '-'), 0)], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read the time of flip %s: %w", message.ID, err)
		}
		flip := stock.Flip{
			ID: message.ID, Time: time.UnixMilli(millis).UTC(), Epoch: stock.Epoch(epoch),
			ProductID: text("product"), Available: text("available") == "1", Load: text("load") == "1",
		}
		if !flip.Load {
			if flip.Sequence, err = strconv.ParseInt(text("seq"), 10, 64); err != nil {
				return nil, fmt.Errorf("read flip %s: %w", message.ID, err)
			}
		}
		flips = append(flips, flip)
	}
	return flips, nil
}

// Acknowledge implements stock.FlipStream.
func (v *Virtual) Acknowledge(ctx context.Context, store string, flips []stock.Flip) error {
	ids := make([]string, len(flips))
	for i, flip := range flips {
		ids[i] = flip.ID
	}
	stream := keys(store)[2]
	_, err := v.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.XAck(ctx, stream, group, ids...)
		p.XDel(ctx, stream, ids...)
		return nil
	})
	if err != nil {
		return fmt.Errorf("acknowledge flips: %w", err)
	}
	return nil
}

// Scan implements stock.FlipStream.
func (v *Virtual) Scan(ctx context.Context, store string, batch func(map[string]bool) error) error {
	const size = 1000
	available := make(map[string]bool, size)
	flush := func() error {
		if len(available) == 0 {
			return nil
		}
		err := batch(available)
		clear(available)
		return err
	}
	for cursor := uint64(0); ; {
		fields, next, err := v.client.HScan(ctx, keys(store)[0], cursor, "stock:*", size).Result()
		if err != nil {
			return fmt.Errorf("scan stock: %w", err)
		}
		for i := 0; i+1 < len(fields); i += 2 {
			quantity, err := strconv.ParseInt(fields[i+1], 10, 64)
			if err != nil {
				return fmt.Errorf("scan stock: %w", err)
			}
			available[strings.TrimPrefix(fields[i], "stock:")] = quantity > 0
			if len(available) >= size {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if cursor = next; cursor == 0 {
			return flush()
		}
	}
}
