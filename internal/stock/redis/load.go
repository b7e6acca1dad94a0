package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"larder.dev/internal/stock"
)

//go:embed load.lua
var loadLua string

var load = redis.NewScript(fenced(storeLua + loadLua))

const (
	// piece is how many products are written at once: about a millisecond of the server's time.
	piece = 1000
	// readyFor is when what was written for a load vanishes, if that load doesn't come.
	readyFor = time.Minute
)

// Load implements stock.Virtual. The stock is written beside the store's in pieces, which may be sent again. Then one script puts it in the
// store's place. That goes by EVAL, not by EVALSHA and then EVAL, which would be two sendings.
func (v *Virtual) Load(ctx context.Context, store string, epoch stock.Epoch, quantities map[string]int64) error {
	keys := keys(store)
	ready := keys[0] + ":load:" + epoch.String() + ":" + uuid.NewString()
	// For who watches; nothing depends on it, and what a process that dies leaves of it ends by itself.
	loading, began, loaded := loadingKey(store), time.Now(), 0
	defer func() { _ = v.client.Del(context.WithoutCancel(ctx), loading).Err() }()
	for products := range slices.Chunk(slices.Collect(maps.Keys(quantities)), piece) {
		fields := make([]any, 0, 2*len(products))
		for _, product := range products {
			fields = append(fields, "stock:"+product, quantities[product])
		}
		_, err := v.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.HSet(ctx, ready, fields...)
			p.Expire(ctx, ready, readyFor)
			p.HSet(ctx, loading, "products", len(quantities), "loaded", loaded, "began", began.UnixMilli())
			p.Expire(ctx, loading, rebuildLock)
			return nil
		})
		if err != nil {
			return fmt.Errorf("write a load: %w", err)
		}
		loaded += len(products)
	}
	answer, err := load.Eval(ctx, v.once, append(keys, ready), epoch.String(), len(quantities)).Text()
	switch {
	case err != nil:
		return fmt.Errorf("load: %w", err)
	case answer == "NO_IDENTITY":
		return errors.New("load: the Redis server doesn't tell scripts that it is a master, and its master_replid; without these nothing is sold")
	case answer == "INCOMPLETE":
		return errors.New("load: what was written for it is gone")
	default:
		return nil
	}
}

func loadingKey(store string) string { return keys(store)[0] + ":loading" }

// Loading implements stock.Virtual: somebody has noted how far they are, or has the rebuilders' lock and still sums the ledger.
func (v *Virtual) Loading(ctx context.Context, store string) (*stock.Loading, error) {
	var locked *redis.IntCmd
	var noted *redis.MapStringStringCmd
	_, err := v.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		locked, noted = p.Exists(ctx, lockKey(store)), p.HGetAll(ctx, loadingKey(store))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for a load: %w", err)
	}
	began, err := strconv.ParseInt(noted.Val()["began"], 10, 64)
	switch {
	case err == nil:
		products, _ := strconv.ParseInt(noted.Val()["products"], 10, 64) // written together
		loaded, _ := strconv.ParseInt(noted.Val()["loaded"], 10, 64)
		return &stock.Loading{Products: products, Loaded: loaded, Began: time.UnixMilli(began)}, nil
	case locked.Val() > 0:
		return &stock.Loading{}, nil
	default:
		return nil, nil //nolint:nilnil // none is no error
	}
}
