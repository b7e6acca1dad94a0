// Package redis keeps carts in Redis: one hash a cart, each operation one script, so that writers of one cart can't
// overwrite each other. The layout is in shared.lua.
package redis

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"larder.dev/internal/cart"
	"larder.dev/internal/money"
	"larder.dev/internal/redisdb"
)

//go:embed *.lua
var files embed.FS

var (
	openScript   = script("open.lua")
	readScript   = script("read.lua")
	putScript    = script("put.lua")
	deleteScript = script("delete.lua")
	clearScript  = script("clear.lua")
	forgetScript = script("forget.lua")
)

func script(name string) *redis.Script {
	var source strings.Builder
	for _, file := range []string{"shared.lua", name} {
		text, err := files.ReadFile(file)
		if err != nil {
			panic(err) // the file is part of the program
		}
		source.Write(text)
	}
	return redis.NewScript(source.String())
}

// Open makes a client of the Redis server of carts; it connects when it is first used.
func Open(address string) (*redis.Client, error) {
	at, err := redisdb.Options(address)
	if err != nil {
		return nil, err
	}
	options := at.Simple()
	// A script whose reply was lost may have run. Sent again by itself it could undo another's later change: the caller decides.
	options.MaxRetries = -1
	options.DialerRetries = 1 // a shopper who is told at once tries again sooner
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = time.Second, time.Second, time.Second
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	redisdb.Trace(client)
	return client, nil
}

// Store implements cart.Store.
type Store struct {
	client *redis.Client
	now    func() time.Time
}

var _ cart.Store = (*Store)(nil)

// New makes a store. now is the clock of update and expiry times; Redis itself expires.
func New(client *redis.Client, now func() time.Time) *Store { return &Store{client: client, now: now} }

// Open implements cart.Store.
func (s *Store) Open(ctx context.Context, ref cart.Ref, storeID string) (cart.Cart, error) {
	return s.run(ctx, openScript, ref, storeID, uuid.NewString()[:8])
}

// Read implements cart.Store.
func (s *Store) Read(ctx context.Context, ref cart.Ref) (cart.Cart, error) {
	return s.run(ctx, readScript, ref)
}

// Put implements cart.Store.
func (s *Store) Put(ctx context.Context, ref cart.Ref, storeID string, line cart.Line, etag string) (cart.Cart, error) {
	return s.run(ctx, putScript, ref, etag, storeID, line.ProductID, cart.MaxLines,
		line.Quantity, line.UnitPrice.Minor, line.UnitPrice.Currency, line.Name, strconv.FormatBool(line.Substitutable), string(line.Stock))
}

// Delete implements cart.Store.
func (s *Store) Delete(ctx context.Context, ref cart.Ref, productID, etag string) (cart.Cart, error) {
	kept, err := s.run(ctx, deleteScript, ref, etag, productID)
	if errors.Is(err, errNoItem) {
		return cart.Cart{}, cart.ErrNoItem(productID)
	}
	return kept, err
}

// Clear implements cart.Store.
func (s *Store) Clear(ctx context.Context, id, etag string) error {
	outcome, _, err := s.call(ctx, clearScript, id, anyOwner, 0, etag)
	if err != nil || outcome == "ETAG" || outcome == "NOT_FOUND" {
		return err
	}
	return refused(outcome)
}

// Forget implements cart.Store.
func (s *Store) Forget(ctx context.Context, userID string) error {
	ref := cart.Of(userID)
	outcome, _, err := s.call(ctx, forgetScript, ref.ID, owner(ref), ref.Lifetime())
	if err != nil {
		return err
	}
	return refused(outcome)
}

// Ping tells whether carts can be reached.
func (s *Store) Ping(ctx context.Context) error { return s.client.Ping(ctx).Err() }

// run calls a script that answers the cart.
func (s *Store) run(ctx context.Context, script *redis.Script, ref cart.Ref, args ...any) (cart.Cart, error) {
	outcome, fields, err := s.call(ctx, script, ref.ID, owner(ref), ref.Lifetime(), args...)
	if err == nil {
		err = refused(outcome)
	}
	if err != nil {
		return cart.Cart{}, err
	}
	return s.decode(ref, fields)
}

// Whose a cart must be, to the scripts.
const (
	anyOwner   = "any"
	userOwner  = "user"
	guestOwner = "guest"
)

func owner(ref cart.Ref) string {
	if ref.Guest {
		return guestOwner
	}
	return userOwner
}

// call runs a script; a server that can't serve now is told from a script that fails.
func (s *Store) call(ctx context.Context, script *redis.Script, id, owner string, lifetime time.Duration, args ...any) (outcome string, fields []any, err error) {
	args = append([]any{lifetime.Milliseconds(), s.now().UnixMilli(), owner}, args...)
	answer, err := script.Run(ctx, s.client, []string{"cart:{" + id + "}"}, args...).Slice()
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return "", nil, fmt.Errorf("call redis: %w", ctx.Err())
	case away(err):
		return "", nil, cart.ErrAway(fmt.Errorf("call redis: %w", err))
	default:
		return "", nil, fmt.Errorf("call redis: %w", err)
	}
	if len(answer) > 1 {
		fields, _ = answer[1].([]any)
	}
	outcome, _ = answer[0].(string)
	return outcome, fields, nil
}

// away tells whether it is the server that can't serve: anything but a reply, and the replies that pass with time.
func away(err error) bool {
	var reply redis.Error
	return !errors.As(err, &reply) || redis.IsLoadingError(err) || redis.IsReadOnlyError(err) || redis.IsMasterDownError(err) ||
		redis.IsMaxClientsError(err) || redis.IsNoReplicasError(err) || redis.IsOOMError(err) || redis.HasErrorPrefix(err, "BUSY ")
}

var errNoItem = errors.New("no such line")

func refused(outcome string) error {
	switch outcome {
	case "OK":
		return nil
	case "NOT_FOUND":
		return cart.ErrNotFound()
	case "ETAG":
		return cart.ErrEtag()
	case "FULL":
		return cart.ErrFull()
	case "NO_ITEM":
		return errNoItem
	case "FORMAT":
		// During a roll-back: the release that wrote it will read it. Until then it stays untouched.
		return cart.ErrAway(errors.New("the cart is of a format that this release doesn't know"))
	default:
		return fmt.Errorf("script answered %q", outcome)
	}
}

// storedLine is a line's JSON; what it doesn't name is left alone.
type storedLine struct {
	Quantity  int64  `json:"quantity,string"`
	UnitPrice int64  `json:"unit_price,string"`
	Currency  string `json:"currency"`
	Name      string `json:"name"`
	Position  int64  `json:"position,string"`
	// Substitutable is missing in lines of earlier releases.
	Substitutable bool `json:"substitutable,string"`
	// Stock is missing in lines of earlier releases.
	Stock cart.Stock `json:"stock"`
}

// decode reads a hash's fields and values. Fields that it doesn't know are a later release's, and passed over.
func (s *Store) decode(ref cart.Ref, fields []any) (cart.Cart, error) {
	read := cart.Cart{Ref: ref, ExpireTime: s.now().Add(ref.Lifetime()).UTC()}
	var generation, version string
	positions := map[string]int64{}
	for pair := range slices.Chunk(fields, 2) {
		field, _ := pair[0].(string)
		value, _ := pair[1].(string)
		switch field {
		case "generation":
			generation = value
		case "version":
			version = value
		case "store":
			read.StoreID = value
		case "updated":
			ms, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return cart.Cart{}, fmt.Errorf("cart's update time: %w", err)
			}
			read.UpdateTime = time.UnixMilli(ms).UTC()
		}
		product, ok := strings.CutPrefix(field, "line:")
		if !ok {
			continue
		}
		var line storedLine
		if err := json.Unmarshal([]byte(value), &line); err != nil {
			return cart.Cart{}, fmt.Errorf("cart's line of %s: %w", product, err)
		}
		positions[product] = line.Position
		read.Lines = append(read.Lines, cart.Line{
			ProductID: product, Name: line.Name, Quantity: line.Quantity, UnitPrice: money.Of(line.UnitPrice, line.Currency),
			Substitutable: line.Substitutable, Stock: line.Stock,
		})
	}
	slices.SortFunc(read.Lines, func(a, b cart.Line) int { return cmp.Compare(positions[a.ProductID], positions[b.ProductID]) })
	read.Etag = generation + "-" + version
	return read, nil
}
