package redis

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"larder.dev/internal/stock"
)

//go:embed snapshot.lua
var snapshotLua string

//go:embed index.lua
var indexLua string

var (
	snapshot = fenced(storeLua + snapshotLua)
	index    = redis.NewScript(fenced(storeLua + indexLua))
)

// Snapshot implements stock.Virtual. It holds up the server for as long as it takes to write a store's hash down.
func (v *Virtual) Snapshot(ctx context.Context, store string) (stock.Snapshot, error) {
	var loaded *redis.Cmd
	var fields *redis.MapStringStringCmd
	_, err := v.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		loaded = p.EvalRO(ctx, snapshot, keys(store))
		fields = p.HGetAll(ctx, keys(store)[0])
		return nil
	})
	if err != nil {
		return stock.Snapshot{}, fmt.Errorf("take a snapshot: %w", err)
	}
	epoch, err := loaded.Text()
	if err != nil {
		return stock.Snapshot{}, fmt.Errorf("take a snapshot: %w", err)
	}
	if epoch == "" {
		return stock.Snapshot{}, stock.ErrNeedsRebuild
	}
	hold, err := parseHold(epoch, "0")
	if err != nil {
		return stock.Snapshot{}, err
	}
	s := stock.Snapshot{Epoch: hold.Epoch, Quantities: map[string]int64{}, Holds: map[string]stock.Held{}, Applied: map[string]bool{}}
	for field, value := range fields.Val() {
		if err := take(&s, field, value); err != nil {
			return stock.Snapshot{}, fmt.Errorf("read the field %s of %s: %w", field, store, err)
		}
	}
	return s, nil
}

// Index implements stock.Virtual.
func (v *Virtual) Index(ctx context.Context, store string, holds []string) error {
	args := make([]any, len(holds))
	for i, hold := range holds {
		args[i] = hold
	}
	if err := index.Run(ctx, v.client, keys(store), args...).Err(); err != nil {
		return fmt.Errorf("index holds: %w", err)
	}
	return nil
}

// take reads a field of a store's hash; store.lua lists them.
func take(s *stock.Snapshot, field, value string) (err error) {
	kind, name, _ := strings.Cut(field, ":")
	switch kind {
	case "seq":
		s.Token, err = strconv.ParseInt(value, 10, 64)
	case "stock":
		s.Quantities[name], err = strconv.ParseInt(value, 10, 64)
	case "hold":
		s.Holds[name], err = decodeHold(value)
	case "applied":
		s.Applied[name] = true
	}
	return err
}

// decodeHold reads "<epoch>|<token>|<deadline>|<lines>".
func decodeHold(value string) (stock.Held, error) {
	parts := strings.SplitN(value, "|", 4)
	if len(parts) != 4 {
		return stock.Held{}, fmt.Errorf("%q is no hold", value)
	}
	hold, err := parseHold(parts[0], parts[1])
	if err != nil {
		return stock.Held{}, err
	}
	held := stock.Held{Hold: hold}
	for pair := range strings.SplitSeq(parts[3], ",") {
		line, err := decodeLine(pair)
		if err != nil {
			return stock.Held{}, fmt.Errorf("%q is no hold: %w", value, err)
		}
		held.Lines = append(held.Lines, line)
	}
	return held, nil
}

// decodeLine reads "<product>=<quantity>" or "<product>=<quantity>/<limit>".
func decodeLine(text string) (line stock.Line, err error) {
	product, text, _ := strings.Cut(text, "=")
	quantity, limit, limited := strings.Cut(text, "/")
	line.ProductID = product
	if line.Quantity, err = strconv.ParseInt(quantity, 10, 64); err == nil && limited {
		line.Limit, err = strconv.ParseInt(limit, 10, 64)
	}
	return line, err
}
