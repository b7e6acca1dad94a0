package account

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"larder.dev/load/prove/shop"
)

// Virtual is a store's virtual stock at one instant.
type Virtual struct {
	Epoch time.Time
	// Elsewhere: it was loaded on another server, and must not be used here.
	Elsewhere bool
	Stock     map[string]int64
	Holds     map[string]Hold // by order
	Applied   map[string]bool // entries of the ledger
}

// Hold is what an order holds.
type Hold struct {
	Epoch time.Time
	Token int64
	Lines []shop.Line
}

// errNotLoaded tells that a store's virtual stock isn't there, or may not be used: nothing can be said of it.
var errNotLoaded = errors.New("the virtual stock isn't loaded")

const redisWait = 5 * time.Second

// virtual reads a store's virtual stock. Errors: errNotLoaded.
func (a *Account) virtual(ctx context.Context, store string) (*Virtual, error) {
	ctx, cancel := context.WithTimeout(ctx, redisWait)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: a.config.StockRedis(), ContextTimeoutEnabled: true, PoolSize: 1, MaxRetries: -1})
	defer func() { _ = client.Close() }() // nothing is on its way
	fields, err := client.HGetAll(ctx, "stock:{"+store+"}").Result()
	if err != nil {
		return nil, fmt.Errorf("read the virtual stock of %s: %w", store, err)
	}
	identity, err := client.Info(ctx, "replication").Result()
	if err != nil {
		return nil, fmt.Errorf("ask the stock's Redis who it is: %w", err)
	}
	return readVirtual(fields, identity)
}

var (
	isMaster = regexp.MustCompile(`(?m)^role:master\b`)
	replID   = regexp.MustCompile(`(?m)^master_replid:(\w+)`)
)

// readVirtual reads the hash of a store. info is the server's.
func readVirtual(fields map[string]string, info string) (*Virtual, error) {
	repl := replID.FindStringSubmatch(info)
	epoch, server, ok := strings.Cut(fields["ep"], "|")
	if !ok || repl == nil || !isMaster.MatchString(info) {
		return nil, errNotLoaded
	}
	v := &Virtual{Elsewhere: server != repl[1], Stock: map[string]int64{}, Holds: map[string]Hold{}, Applied: map[string]bool{}}
	var err error
	if v.Epoch, err = readTime(epoch); err != nil {
		return nil, err
	}
	for name, value := range fields {
		kind, of, _ := strings.Cut(name, ":")
		switch kind {
		case "stock":
			if v.Stock[of], err = strconv.ParseInt(value, 10, 64); err != nil {
				return nil, fmt.Errorf("read the stock of %s: %w", of, err)
			}
		case "hold":
			if v.Holds[of], err = readHold(value); err != nil {
				return nil, fmt.Errorf("read the hold of %s: %w", of, err)
			}
		case "applied":
			v.Applied[of] = true
		}
	}
	return v, nil
}

func readTime(nanoseconds string) (time.Time, error) {
	n, err := strconv.ParseInt(nanoseconds, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read an epoch: %w", err)
	}
	return time.Unix(0, n).UTC(), nil
}

// readHold reads "<epoch>|<token>|<deadline>|<product>=<quantity>[/<limit>],...".
func readHold(text string) (Hold, error) {
	parts := strings.Split(text, "|")
	if len(parts) != 4 {
		return Hold{}, fmt.Errorf("%q is no hold", text)
	}
	var h Hold
	var err error
	if h.Epoch, err = readTime(parts[0]); err != nil {
		return Hold{}, err
	}
	if h.Token, err = strconv.ParseInt(parts[1], 10, 64); err != nil {
		return Hold{}, fmt.Errorf("read a token: %w", err)
	}
	for pair := range strings.SplitSeq(parts[3], ",") {
		product, quantity, _ := strings.Cut(pair, "=")
		quantity, _, _ = strings.Cut(quantity, "/")
		n, err := strconv.ParseInt(quantity, 10, 64)
		if err != nil {
			return Hold{}, fmt.Errorf("%q is no line: %w", pair, err)
		}
		h.Lines = append(h.Lines, shop.Line{Product: product, Quantity: n})
	}
	return h, nil
}
