// Package redis keeps virtual stock in Redis: one Lua script an operation, all keys of a store in one hash slot.
package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bsm/redislock"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"larder.dev/internal/redisdb"
	"larder.dev/internal/stock"
)

//go:embed store.lua
var storeLua string

//go:embed lines.lua
var linesLua string

//go:embed reserve.lua
var reserveLua string

//go:embed settle.lua
var settleLua string

//go:embed release.lua
var releaseLua string

//go:embed apply.lua
var applyLua string

//go:embed read.lua
var readLua string

var (
	reserve = redis.NewScript(fenced(storeLua + reserveLua))
	settle  = redis.NewScript(fenced(storeLua + linesLua + settleLua))
	release = redis.NewScript(fenced(storeLua + linesLua + releaseLua))
	apply   = redis.NewScript(fenced(storeLua + linesLua + applyLua))
	read    = redis.NewScript(fenced(storeLua + readLua))
)

// maxApplied is how many ledger entries a store remembers between loads; the next one asks for a rebuild.
const maxApplied = 5000

// rebuildLock bounds how long a dead rebuilder keeps others waiting.
const rebuildLock = 5 * time.Second

// Virtual implements stock.Virtual.
type Virtual struct {
	client redis.UniversalClient
	// once sends each command at most once: go-redis resends by default, and a load sent twice could oversell (rule 9).
	once  redis.UniversalClient
	locks *redislock.Client
}

var _ stock.Virtual = (*Virtual)(nil)

// Open connects to the stock's Redis; its address is as redisdb.Options reads it.
func Open(address string) (*Virtual, error) {
	options, err := redisdb.Options(address)
	if err != nil {
		return nil, err
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = 2*time.Second, 2*time.Second, 2*time.Second
	options.ContextTimeoutEnabled, options.PoolSize = true, 64
	connect := func(retries int) redis.UniversalClient {
		options.MaxRetries = retries
		client := redis.NewUniversalClient(options)
		redisdb.Trace(client)
		return client
	}
	client := connect(2)
	return &Virtual{client: client, once: connect(-1), locks: redislock.New(client)}, nil
}

// Close closes the connections.
func (v *Virtual) Close() error { return errors.Join(v.client.Close(), v.once.Close()) }

// Client gives the checkout's courtesy lock a connection.
func (v *Virtual) Client() redis.UniversalClient { return v.client }

// Ping asks the server for an answer.
func (v *Virtual) Ping(ctx context.Context) error { return v.client.Ping(ctx).Err() }

// SelfTest runs every script against a store of no products. A server that can't tell a script its identity fails it, and sells nothing.
func (v *Virtual) SelfTest(ctx context.Context) error {
	store := "self-test-" + uuid.NewString() // probes may overlap
	defer func() { _ = v.client.Del(context.WithoutCancel(ctx), keys(store)...).Err() }()
	if err := v.client.Del(ctx, keys(store)...).Err(); err != nil {
		return fmt.Errorf("reach the stock's Redis: %w", err)
	}
	if err := v.Load(ctx, store, 1, map[string]int64{"p": 1}); err != nil {
		return fmt.Errorf("stock self-test: load: %w", err)
	}
	hold, err := v.Reserve(ctx, store, "o", []stock.Line{{ProductID: "p", Quantity: 1}}, time.UnixMilli(1), 1)
	if err != nil {
		return fmt.Errorf("stock self-test: reserve: %w", err)
	}
	overdue, err := v.Overdue(ctx, store, time.UnixMilli(2), 1)
	if err != nil || len(overdue) != 1 {
		return fmt.Errorf("stock self-test: overdue: %v, %w", overdue, err)
	}
	if _, err := v.Snapshot(ctx, store); err != nil {
		return fmt.Errorf("stock self-test: snapshot: %w", err)
	}
	return errors.Join(v.Settle(ctx, store, "o", hold), v.Release(ctx, store, "o"),
		v.Apply(ctx, store, "e", 1, []stock.Line{{ProductID: "p", Quantity: 1}}))
}

// keys of a store: one hash tag, so one slot of a cluster.
func keys(store string) []string {
	base := "stock:{" + store + "}"
	return []string{base, base + ":deadlines", base + ":flips"}
}

// encode is the canonical form of lines; store.lua has it.
func encode(lines []stock.Line) string {
	var text strings.Builder
	for i, line := range inOrder(lines) {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(line.ProductID)
		text.WriteByte('=')
		text.WriteString(strconv.FormatInt(line.Quantity, 10))
		if line.Limit != 0 {
			text.WriteByte('/')
			text.WriteString(strconv.FormatInt(line.Limit, 10))
		}
	}
	return text.String()
}

func inOrder(lines []stock.Line) []stock.Line {
	lines = slices.Clone(lines)
	slices.SortFunc(lines, func(a, b stock.Line) int { return strings.Compare(a.ProductID, b.ProductID) })
	return lines
}

// takenApart are lines as reserve.lua takes them.
func takenApart(lines []stock.Line) []any {
	n := len(lines)
	args := make([]any, 1+2*n, 1+3*n)
	args[0] = n
	limited := false
	for i, line := range lines {
		args[1+i] = "stock:" + line.ProductID
		args[1+n+i] = line.Quantity
		limited = limited || line.Limit != 0
	}
	if limited {
		for _, line := range lines {
			args = append(args, line.Limit)
		}
	}
	return args
}

// Reserve implements stock.Virtual.
func (v *Virtual) Reserve(ctx context.Context, store, order string, lines []stock.Line, deadline time.Time, minimum stock.Epoch) (stock.Hold, error) {
	args := append([]any{order, deadline.UnixMilli(), minimum.String(), encode(lines)}, takenApart(lines)...)
	reply := reserve.Run(ctx, v.client, keys(store), args...)
	if held, err := reply.Text(); err == nil {
		epoch, token, _ := strings.Cut(held, "|")
		return parseHold(epoch, token)
	}
	answer, err := reply.StringSlice()
	if err != nil {
		return stock.Hold{}, fmt.Errorf("reserve: %w", err)
	}
	switch answer[0] {
	case "NEEDS_REBUILD":
		return stock.Hold{}, stock.ErrNeedsRebuild
	case "OTHER_LINES":
		return stock.Hold{}, stock.ErrOtherLines
	case "UNSTOCKED":
		return stock.Hold{}, &stock.UnstockedError{ProductIDs: answer[1:]}
	case "INSUFFICIENT":
		return stock.Hold{}, insufficient(lines, answer[1:])
	default:
		return stock.Hold{}, fmt.Errorf("reserve: unknown answer %q", answer[0])
	}
}

func parseHold(epoch, token string) (stock.Hold, error) {
	e, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return stock.Hold{}, fmt.Errorf("read the epoch of a hold: %w", err)
	}
	n, err := strconv.ParseInt(token, 10, 64)
	if err != nil {
		return stock.Hold{}, fmt.Errorf("read the token of a hold: %w", err)
	}
	return stock.Hold{Epoch: stock.Epoch(e), Token: n}, nil
}

func insufficient(lines []stock.Line, pairs []string) error {
	short := &stock.InsufficientError{}
	for i := 0; i+1 < len(pairs); i += 2 {
		left, err := strconv.ParseInt(pairs[i+1], 10, 64)
		if err != nil {
			return fmt.Errorf("read what is left: %w", err)
		}
		shortage := stock.Shortage{ProductID: pairs[i], Available: max(left, 0)}
		for _, line := range lines {
			if line.ProductID == pairs[i] {
				shortage.Requested = line.Quantity
			}
		}
		short.Shortages = append(short.Shortages, shortage)
	}
	return short
}

// Settle implements stock.Virtual.
func (v *Virtual) Settle(ctx context.Context, store, order string, sold stock.Hold) error {
	if err := settle.Run(ctx, v.client, keys(store), order, sold.Epoch.String(), sold.Token).Err(); err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return nil
}

// Release implements stock.Virtual.
func (v *Virtual) Release(ctx context.Context, store, order string) error {
	if err := release.Run(ctx, v.client, keys(store), order).Err(); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	return nil
}

// Apply implements stock.Virtual.
func (v *Virtual) Apply(ctx context.Context, store, entry string, epoch stock.Epoch, lines []stock.Line) error {
	answer, err := apply.Run(ctx, v.client, keys(store), entry, epoch.String(), encode(lines), maxApplied, stock.WithdrawalHold(entry)).Text()
	switch {
	case err != nil:
		return fmt.Errorf("apply: %w", err)
	case answer == "NEEDS_REBUILD":
		return stock.ErrNeedsRebuild
	default:
		return nil
	}
}

// Read implements stock.Virtual.
func (v *Virtual) Read(ctx context.Context, store string, products []string) (stock.Epoch, map[string]int64, error) {
	args := make([]any, len(products))
	for i, product := range products {
		args[i] = product
	}
	answer, err := read.RunRO(ctx, v.client, keys(store), args...).StringSlice()
	if err != nil {
		return 0, nil, fmt.Errorf("read: %w", err)
	}
	if answer[0] == "NEEDS_REBUILD" {
		return 0, nil, stock.ErrNeedsRebuild
	}
	hold, err := parseHold(answer[1], "0")
	if err != nil {
		return 0, nil, err
	}
	quantities := make(map[string]int64, len(products))
	for i, product := range products {
		if answer[2+i] == "" {
			continue
		}
		if quantities[product], err = strconv.ParseInt(answer[2+i], 10, 64); err != nil {
			return 0, nil, fmt.Errorf("read the stock of %s: %w", product, err)
		}
	}
	return hold.Epoch, quantities, nil
}

// Overdue implements stock.Virtual, by the index of deadlines.
func (v *Virtual) Overdue(ctx context.Context, store string, now time.Time, limit int) ([]string, error) {
	orders, err := v.client.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: keys(store)[1], ByScore: true, Start: "-inf", Stop: now.UnixMilli(), Count: int64(limit),
	}).Result()
	if err != nil {
		return nil, fmt.Errorf("list overdue holds: %w", err)
	}
	return orders, nil
}

// Forget implements stock.Virtual. A limit without a field is zero, so one that is given back to later does no harm.
func (v *Virtual) Forget(ctx context.Context, store string, limits []string) error {
	fields := make([]string, len(limits))
	for i, limit := range limits {
		fields[i] = "stock:" + limit
	}
	if err := v.client.HDel(ctx, keys(store)[0], fields...).Err(); err != nil {
		return fmt.Errorf("forget limits: %w", err)
	}
	return nil
}

// lockKey is the rebuilders' lock of a store.
func lockKey(store string) string { return keys(store)[0] + ":rebuild" }

// TryLock implements stock.Virtual. Losing the lock is harmless: a second rebuild only costs time.
func (v *Virtual) TryLock(ctx context.Context, store string) (unlock func(), locked bool, err error) {
	lock, err := v.locks.Obtain(ctx, lockKey(store), rebuildLock, nil)
	switch {
	case errors.Is(err, redislock.ErrNotObtained):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("lock the rebuild of %s: %w", store, err)
	}
	return func() {
		_ = lock.Release(context.WithoutCancel(ctx)) // expired or lost: it ends by itself
	}, true, nil
}
