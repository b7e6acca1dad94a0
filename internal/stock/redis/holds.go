package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"larder.dev/internal/stock"
)

// Holds implements stock.Virtual. The index of deadlines may have holds that ended a moment ago: those are counted and not shown.
func (v *Virtual) Holds(ctx context.Context, store string, now time.Time, limit int) (stock.Holds, error) {
	key := keys(store)
	var all, overdue *redis.IntCmd
	var first *redis.ZSliceCmd
	_, err := v.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		all = p.ZCard(ctx, key[1])
		overdue = p.ZCount(ctx, key[1], "-inf", "("+strconv.FormatInt(now.UnixMilli(), 10))
		if limit > 0 {
			first = p.ZRangeWithScores(ctx, key[1], 0, int64(limit)-1)
		}
		return nil
	})
	if err != nil {
		return stock.Holds{}, fmt.Errorf("list holds: %w", err)
	}
	holds := stock.Holds{All: all.Val(), Overdue: overdue.Val()}
	if first == nil || len(first.Val()) == 0 {
		return holds, nil
	}
	fields := make([]string, len(first.Val()))
	for i, z := range first.Val() {
		id, _ := z.Member.(string)
		fields[i] = "hold:" + id
	}
	values, err := v.client.HMGet(ctx, key[0], fields...).Result()
	if err != nil {
		return stock.Holds{}, fmt.Errorf("read holds: %w", err)
	}
	for i, value := range values {
		text, there := value.(string)
		if !there {
			continue
		}
		held, err := decodeHold(text)
		if err != nil {
			return stock.Holds{}, err
		}
		holds.First = append(holds.First, stock.OpenHold{
			ID: fields[i][len("hold:"):], Lines: held.Lines, Deadline: time.UnixMilli(int64(first.Val()[i].Score)),
		})
	}
	return holds, nil
}
