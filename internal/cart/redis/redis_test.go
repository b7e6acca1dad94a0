package redis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"larder.dev/internal/cart"
	"larder.dev/internal/cart/redis"
	"larder.dev/internal/fault"
	"larder.dev/internal/money"
)

func address(t *testing.T) string {
	t.Helper()
	at := os.Getenv("CART_REDIS_ADDR")
	if at == "" {
		t.Fatal("CART_REDIS_ADDR is not set: run the tests by `make test`, which starts Redis")
	}
	return at
}

func open(t *testing.T, at string, now func() time.Time) (*redis.Store, *goredis.Client) {
	t.Helper()
	client, err := redis.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return redis.New(client, now), client
}

func line(product string, quantity int64) cart.Line {
	return cart.Line{ProductID: product, Name: strings.ToUpper(product), Quantity: quantity, UnitPrice: money.Of(125, "GBP"), Stock: cart.InStock}
}

func refusal(t *testing.T, err error, want fault.Reason) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Errorf("got %v, want %s", err, want.Name)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 30, 0, 123_000_000, time.UTC)
	store, _ := open(t, address(t), func() time.Time { return now })
	ctx, id := t.Context(), cart.Of(uuid.NewString())

	_, err := store.Read(ctx, id)
	refusal(t, err, fault.CartNotFound)
	_, err = store.Put(ctx, id, "soho", line("milk", 1), "")
	refusal(t, err, fault.CartNotFound)
	_, err = store.Delete(ctx, id, "milk", "")
	refusal(t, err, fault.CartNotFound)

	opened, err := store.Open(ctx, id, "soho")
	must(t, err)
	if len(opened.Lines) != 0 || opened.StoreID != "soho" {
		t.Errorf("a new cart is %+v", opened)
	}
	odd := cart.Line{ProductID: "eggs", Name: `Six "big" eggs, naïve \ £`, Quantity: 99, UnitPrice: money.Of(9_007_199_254_740_993, "GBP")}
	for _, l := range []cart.Line{line("milk", 1), odd, line("bread", 2)} {
		now = now.Add(time.Minute)
		_, err := store.Put(ctx, id, "soho", l, "")
		must(t, err)
	}
	now = now.Add(time.Minute)
	put, err := store.Put(ctx, id, "soho", line("milk", 7), "")
	must(t, err)
	read, err := store.Read(ctx, id)
	must(t, err)
	if want := []cart.Line{line("milk", 7), odd, line("bread", 2)}; !slices.Equal(read.Lines, want) {
		t.Errorf("lines are %+v, want %+v", read.Lines, want)
	}
	if read.Etag != put.Etag || !read.UpdateTime.Equal(now) || !read.ExpireTime.Equal(now.Add(cart.UserLifetime)) {
		t.Errorf("etag %s, updated %s, expires %s; now is %s", read.Etag, read.UpdateTime, read.ExpireTime, now)
	}

	again, err := store.Open(ctx, id, "soho")
	must(t, err)
	if again.Etag != read.Etag {
		t.Errorf("opening a cart where it is changed its etag")
	}
	moved, err := store.Open(ctx, id, "camden")
	must(t, err)
	if moved.StoreID != "camden" || moved.Etag == read.Etag || len(moved.Lines) != 3 {
		t.Errorf("moved cart is %+v", moved)
	}
	_, err = store.Put(ctx, id, "soho", line("tea", 1), "")
	refusal(t, err, fault.EtagMismatch) // priced for a store that the cart has left
}

func TestEtags(t *testing.T) {
	store, client := open(t, address(t), time.Now)
	ctx, id := t.Context(), cart.Of(uuid.NewString())
	first, err := store.Open(ctx, id, "soho")
	must(t, err)
	second, err := store.Put(ctx, id, "soho", line("milk", 1), first.Etag)
	must(t, err)

	_, err = store.Put(ctx, id, "soho", line("milk", 2), first.Etag)
	refusal(t, err, fault.EtagMismatch)
	_, err = store.Delete(ctx, id, "milk", first.Etag)
	refusal(t, err, fault.EtagMismatch)
	_, err = store.Delete(ctx, id, "tea", second.Etag)
	refusal(t, err, fault.ItemNotFound)
	for _, etag := range []string{first.Etag, "", "nonsense"} {
		if err := store.Clear(ctx, id.ID, etag); err != nil {
			t.Errorf("clear with etag %q: %v", etag, err)
		}
		if kept, err := store.Read(ctx, id); err != nil || len(kept.Lines) != 1 {
			t.Errorf("after clear with etag %q the cart is %+v, %v", etag, kept, err)
		}
	}

	if err := store.Clear(ctx, id.ID, second.Etag); err != nil {
		t.Fatal(err)
	}
	cleared, err := store.Read(ctx, id)
	must(t, err)
	if len(cleared.Lines) != 0 || cleared.StoreID != "soho" || cleared.Etag == second.Etag {
		t.Errorf("a cleared cart is %+v", cleared)
	}
	if err := store.Clear(ctx, uuid.NewString(), second.Etag); err != nil {
		t.Errorf("clear of a cart that is gone: %v", err)
	}

	// Expired and opened anew, the cart counts from the start, but an old etag doesn't fit.
	if err := client.Del(ctx, "cart:{"+id.ID+"}").Err(); err != nil {
		t.Fatal(err)
	}
	anew, err := store.Open(ctx, id, "soho")
	must(t, err)
	if anew.Etag == first.Etag {
		t.Errorf("etag %s came again", anew.Etag)
	}
	_, err = store.Put(ctx, id, "soho", line("milk", 1), first.Etag)
	refusal(t, err, fault.EtagMismatch)
}

// Fifty writers, each with products of its own and one that all share, some by etag: every write that was acknowledged is there.
func TestConcurrentWriters(t *testing.T) {
	store, _ := open(t, address(t), time.Now)
	id := cart.Of(uuid.NewString())
	_, err := store.Open(t.Context(), id, "soho")
	must(t, err)

	const writers = 50
	var group errgroup.Group
	var mu sync.Mutex
	lastShared := map[string]int64{} // quantity of the shared line by the etag that its put answered
	for w := range writers {
		group.Go(func() error {
			ctx := t.Context()
			keep, drop := fmt.Sprintf("keep-%d", w), fmt.Sprintf("drop-%d", w%40)
			if _, err := store.Put(ctx, id, "soho", line(keep, int64(w+1)), ""); err != nil {
				return fmt.Errorf("put %s: %w", keep, err)
			}
			if w < 40 {
				if _, err := store.Put(ctx, id, "soho", line(drop, 1), ""); err != nil {
					return fmt.Errorf("put %s: %w", drop, err)
				}
				if _, err := store.Delete(ctx, id, drop, ""); err != nil {
					return fmt.Errorf("delete %s: %w", drop, err)
				}
			}
			// Add one to the shared line by optimistic retries.
			for {
				seen, err := store.Read(ctx, id)
				if err != nil {
					return err
				}
				quantity := int64(1)
				for _, l := range seen.Lines {
					if l.ProductID == "shared" {
						quantity = l.Quantity + 1
					}
				}
				put, err := store.Put(ctx, id, "soho", line("shared", quantity), seen.Etag)
				if fault.Is(err, fault.EtagMismatch) {
					continue
				}
				mu.Lock()
				lastShared[put.Etag] = quantity
				mu.Unlock()
				return err
			}
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	after, err := store.Read(t.Context(), id)
	must(t, err)
	quantities := map[string]int64{}
	for _, l := range after.Lines {
		quantities[l.ProductID] = l.Quantity
	}
	if len(quantities) != writers+1 || quantities["shared"] != writers || len(lastShared) != writers {
		t.Errorf("%d lines, %d shared, %d etags; want %d, %d, %d", len(quantities), quantities["shared"], len(lastShared), writers+1, writers, writers)
	}
	for w := range writers {
		if got := quantities[fmt.Sprintf("keep-%d", w)]; got != int64(w+1) {
			t.Errorf("writer %d's line has quantity %d", w, got)
		}
	}
}

// However many ask at once, the hundred-and-first line doesn't get in.
func TestFull(t *testing.T) {
	store, _ := open(t, address(t), time.Now)
	id := cart.Of(uuid.NewString())
	_, err := store.Open(t.Context(), id, "soho")
	must(t, err)
	var group errgroup.Group
	var mu sync.Mutex
	full := 0
	for n := range cart.MaxLines + 10 {
		group.Go(func() error {
			_, err := store.Put(t.Context(), id, "soho", line(fmt.Sprintf("p-%d", n), 1), "")
			if fault.Is(err, fault.CartFull) {
				mu.Lock()
				defer mu.Unlock()
				full++
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	after, err := store.Read(t.Context(), id)
	must(t, err)
	if len(after.Lines) != cart.MaxLines || full != 10 {
		t.Errorf("%d lines, %d refused", len(after.Lines), full)
	}
	changed, err := store.Put(t.Context(), id, "soho", line(after.Lines[0].ProductID, 9), "")
	must(t, err)
	if changed.Lines[0].Quantity != 9 {
		t.Errorf("a full cart's line has quantity %d, want 9", changed.Lines[0].Quantity)
	}
}

func TestExpirySlides(t *testing.T) {
	store, client := open(t, address(t), time.Now)
	ctx, id := t.Context(), cart.Of(uuid.NewString())
	key := "cart:{" + id.ID + "}"
	touches := map[string]func() error{
		"open":   func() error { _, err := store.Open(ctx, id, "soho"); return err },
		"put":    func() error { _, err := store.Put(ctx, id, "soho", line("milk", 1), ""); return err },
		"read":   func() error { _, err := store.Read(ctx, id); return err },
		"delete": func() error { _, err := store.Delete(ctx, id, "milk", ""); return err },
	}
	for _, name := range []string{"open", "put", "read", "delete"} {
		if err := touches[name](); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		left, err := client.PTTL(ctx, key).Result()
		if err != nil || left > cart.UserLifetime || left < cart.UserLifetime-time.Minute {
			t.Errorf("after %s the cart lives for %s, %v", name, left, err)
		}
		if err := client.PExpire(ctx, key, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.PExpire(ctx, key, time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); ; {
		_, err := client.HGet(ctx, key, "store").Result()
		if errors.Is(err, goredis.Nil) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the cart didn't expire")
		}
	}
	_, err := store.Read(ctx, id)
	refusal(t, err, fault.CartNotFound)
}

// During a roll-out two releases share carts: what a later one has added to a line stays, and a layout that this one
// doesn't know is left as it is.
func TestLaterReleases(t *testing.T) {
	store, client := open(t, address(t), time.Now)
	ctx, id := t.Context(), cart.Of(uuid.NewString())
	key := "cart:{" + id.ID + "}"
	_, err := store.Open(ctx, id, "soho")
	must(t, err)
	put, err := store.Put(ctx, id, "soho", line("milk", 1), "")
	must(t, err)
	text, err := client.HGet(ctx, key, "line:milk").Result()
	if err != nil {
		t.Fatal(err)
	}
	client.HSet(ctx, key, "line:milk", strings.Replace(text, "{", `{"later":"kept",`, 1), "later", "field")
	put, err = store.Put(ctx, id, "soho", line("milk", 2), "")
	must(t, err)
	if !slices.Equal(put.Lines, []cart.Line{line("milk", 2)}) {
		t.Errorf("lines are %+v", put.Lines)
	}
	if text, err := client.HGet(ctx, key, "line:milk").Result(); err != nil || !strings.Contains(text, `"later":"kept"`) {
		t.Errorf("the line is %s, %v", text, err)
	}

	client.HSet(ctx, key, "format", "2")
	before := client.HGetAll(ctx, key).Val()
	calls := map[string]func() error{
		"open":   func() error { _, err := store.Open(ctx, id, "camden"); return err },
		"read":   func() error { _, err := store.Read(ctx, id); return err },
		"put":    func() error { _, err := store.Put(ctx, id, "soho", line("tea", 1), ""); return err },
		"delete": func() error { _, err := store.Delete(ctx, id, "milk", ""); return err },
		"clear":  func() error { return store.Clear(ctx, id.ID, put.Etag) },
	}
	for name, call := range calls {
		if err := call(); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := client.HGetAll(ctx, key).Val(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("a later release's cart became %v", after)
	}
}

// Redis away is UNAVAILABLE with a time to try again; with Redis the cart is back.
func TestRedisAway(t *testing.T) {
	link := newLink(t, address(t))
	store, _ := open(t, link.address, time.Now)
	ctx, id := t.Context(), cart.Of(uuid.NewString())
	opened, err := store.Open(ctx, id, "soho")
	must(t, err)
	if err := store.Ping(ctx); err != nil {
		t.Fatal(err)
	}

	link.cut()
	_, err = store.Read(ctx, id)
	refusal(t, err, fault.Unavailable)
	if retry := fault.From(err).Status().Details(); len(retry) < 2 {
		t.Errorf("no time to try again in %v", retry)
	}
	if err := store.Clear(ctx, id.ID, opened.Etag); !fault.Is(err, fault.Unavailable) {
		t.Errorf("clear: %v", err)
	}
	if err := store.Ping(ctx); err == nil {
		t.Error("ready without Redis")
	}

	link.mend(t)
	for end := time.Now().Add(10 * time.Second); ; {
		back, err := store.Read(ctx, id)
		if err == nil {
			if back.Etag != opened.Etag {
				t.Errorf("the cart is back as %+v", back)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the cart isn't back: %v", err)
		}
	}
}

// link is a TCP connection's way to a server that can be cut.
type link struct {
	address, target string

	mu       sync.Mutex
	listener net.Listener
	open     []net.Conn
}

func newLink(t *testing.T, target string) *link {
	l := &link{address: "127.0.0.1:0", target: target}
	l.mend(t)
	t.Cleanup(l.cut)
	return l
}

func (l *link) mend(t *testing.T) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.listener, l.address = listener, listener.Addr().String()
	l.mu.Unlock()
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return // cut
			}
			far, err := new(net.Dialer).DialContext(context.Background(), "tcp", l.target)
			if err != nil {
				_ = near.Close()
				continue
			}
			l.mu.Lock()
			l.open = append(l.open, near, far)
			l.mu.Unlock()
			go func() { _, _ = io.Copy(far, near) }()
			go func() { _, _ = io.Copy(near, far) }()
		}
	}()
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.listener.Close()
	for _, conn := range l.open {
		_ = conn.Close()
	}
	l.open = nil
}
