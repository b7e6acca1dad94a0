package redis_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"larder.dev/internal/cart"
	"larder.dev/internal/cart/redis"
	"larder.dev/internal/fault"
)

// filled opens a cart with lines.
func filled(t *testing.T, store *redis.Store, ref cart.Ref, storeID string, lines ...cart.Line) cart.Cart {
	t.Helper()
	c, err := store.Open(t.Context(), ref, storeID)
	must(t, err)
	for _, l := range lines {
		c, err = store.Put(t.Context(), ref, storeID, l, "")
		must(t, err)
	}
	return c
}

func pair() (guest, user cart.Ref) {
	return cart.GuestRef(uuid.NewString()), cart.Of(uuid.NewString())
}

func series(prefix string, n int) []cart.Line {
	lines := make([]cart.Line, 0, n)
	for i := range n {
		lines = append(lines, line(fmt.Sprintf("%s-%d", prefix, i), int64(i%cart.MaxQuantity+1)))
	}
	return lines
}

func TestMergeRule(t *testing.T) {
	store, _ := open(t, address(t), time.Now)
	ctx := t.Context()
	for _, test := range []struct {
		name              string
		guest, user, want []cart.Line
		store             string // guest's is soho, the user's camden
	}{
		{"the larger quantity", []cart.Line{line("milk", 5), line("tea", 1)}, []cart.Line{line("tea", 7), line("milk", 2)},
			[]cart.Line{line("tea", 7), line("milk", 5)}, "camden"},
		{"the most of a product", []cart.Line{line("milk", 99)}, []cart.Line{line("milk", 99)}, []cart.Line{line("milk", 99)}, "camden"},
		{"others behind, in order", []cart.Line{line("z", 1), line("milk", 1), line("a", 2)}, []cart.Line{line("milk", 3), line("m", 1)},
			[]cart.Line{line("milk", 3), line("m", 1), line("z", 1), line("a", 2)}, "camden"},
		{"into a cart without lines", []cart.Line{line("b", 1), line("a", 2)}, nil, []cart.Line{line("b", 1), line("a", 2)}, "soho"},
		{"nothing into lines", nil, []cart.Line{line("milk", 3)}, []cart.Line{line("milk", 3)}, "camden"},
		{"nothing into nothing", nil, nil, nil, "soho"},
		{"as many as fit", append(series("new", 60), line("old-3", 99)), series("old", 70),
			append(slices.Replace(series("old", 70), 3, 4, line("old-3", 99)), series("new", 30)...), "camden"},
		{"full into full", series("new", 100), series("old", 100), series("old", 100), "camden"},
	} {
		guest, user := pair()
		filled(t, store, guest, "soho", test.guest...)
		before := filled(t, store, user, "camden", test.user...)
		merged, err := store.Merge(ctx, guest.ID, user.ID)
		must(t, err)
		if !slices.Equal(merged.Lines, test.want) || merged.StoreID != test.store || merged.Ref != user {
			t.Errorf("%s: %s for %s: %+v, want %+v", test.name, merged.ID, merged.StoreID, merged.Lines, test.want)
		}
		if changed := !slices.Equal(before.Lines, merged.Lines) || before.StoreID != merged.StoreID; changed == (before.Etag == merged.Etag) {
			t.Errorf("%s: changed is %v, etag before %s, after %s", test.name, changed, before.Etag, merged.Etag)
		}
		_, err = store.Read(ctx, guest)
		refusal(t, err, fault.CartNotFound)
	}

	guest, user := pair()
	filled(t, store, guest, "soho", line("milk", 2))
	merged, err := store.Merge(ctx, guest.ID, user.ID)
	if must(t, err); merged.StoreID != "soho" || !slices.Equal(merged.Lines, []cart.Line{line("milk", 2)}) {
		t.Errorf("into no cart: %+v", merged)
	}
}

// Asked again, a merge undoes nothing that the shopper has done since.
func TestMergeTwice(t *testing.T) {
	store, client := open(t, address(t), time.Now)
	ctx := t.Context()
	guest, user := pair()
	filled(t, store, guest, "soho", line("milk", 5), line("tea", 1))
	filled(t, store, user, "soho", line("milk", 1))
	merged, err := store.Merge(ctx, guest.ID, user.ID)
	must(t, err)
	if client.Exists(ctx, "cart:{"+guest.ID+"}").Val() != 0 {
		t.Error("the guest cart is still there")
	}
	since, err := store.Put(ctx, user, "soho", line("milk", 2), merged.Etag)
	must(t, err)
	since, err = store.Delete(ctx, user, "tea", since.Etag)
	must(t, err)

	again, err := store.Merge(ctx, guest.ID, user.ID)
	if must(t, err); again.Etag != since.Etag || !slices.Equal(again.Lines, since.Lines) {
		t.Errorf("merged again: %+v, want %+v", again, since)
	}
	_, err = store.Merge(ctx, guest.ID, uuid.NewString())
	refusal(t, err, fault.CartNotFound)
	_, err = store.Merge(ctx, uuid.NewString(), user.ID)
	refusal(t, err, fault.CartNotFound)
}

// Wherever a merge is cut short, the shopper who asks again has everything, once, and nobody else anything.
func TestMergeCutShort(t *testing.T) {
	store, _ := open(t, address(t), time.Now)
	ctx := t.Context()
	for _, after := range []string{"take", "join", "drop"} {
		guest, user := pair()
		was := filled(t, store, guest, "soho", line("milk", 5), line("tea", 1))
		filled(t, store, user, "soho", line("milk", 1))

		taken, err := store.Take(ctx, guest.ID, user.ID)
		if err != nil {
			t.Fatal(err)
		}
		if after != "take" {
			_, err := store.Join(ctx, taken)
			must(t, err)
		}
		if after == "drop" {
			if err := store.Drop(ctx, taken); err != nil {
				t.Fatal(err)
			}
		}

		calls := map[string]func() error{
			"read":            func() error { _, err := store.Read(ctx, guest); return err },
			"put":             func() error { _, err := store.Put(ctx, guest, "soho", line("late", 1), ""); return err },
			"delete":          func() error { _, err := store.Delete(ctx, guest, "milk", ""); return err },
			"another's merge": func() error { _, err := store.Merge(ctx, guest.ID, uuid.NewString()); return err },
		}
		for name, call := range calls {
			if err := call(); !fault.Is(err, fault.CartNotFound) {
				t.Errorf("cut short after %s, %s: %v", after, name, err)
			}
		}
		if err := store.Clear(ctx, guest.ID, was.Etag); err != nil {
			t.Errorf("cut short after %s, clear: %v", after, err)
		}

		want := []cart.Line{line("milk", 5), line("tea", 1)}
		if after != "take" { // joined already: what the shopper does now, stays
			_, err := store.Put(ctx, user, "soho", line("milk", 3), "")
			must(t, err)
			want[0] = line("milk", 3)
		}
		for range 2 {
			merged, err := store.Merge(ctx, guest.ID, user.ID)
			if must(t, err); !slices.Equal(merged.Lines, want) {
				t.Errorf("cut short after %s and asked again: %+v, want %+v", after, merged.Lines, want)
			}
		}
		joined, err := store.Join(ctx, taken) // another process was as slow as this
		if must(t, err); !slices.Equal(joined.Lines, want) {
			t.Errorf("cut short after %s and joined late: %+v, want %+v", after, joined.Lines, want)
		}
	}
}

// Fifty writers, half of them in the guest cart, while several requests merge: every write that was acknowledged is in the
// user's cart, none that was refused.
func TestWritersDuringAMerge(t *testing.T) {
	store, _ := open(t, address(t), time.Now)
	guest, user := pair()
	filled(t, store, guest, "soho")
	filled(t, store, user, "soho")

	const writers = 50
	var mu sync.Mutex
	acknowledged, late := map[string]int64{}, map[string]bool{}
	var count atomic.Int64
	begin := make(chan struct{})
	group, ctx := errgroup.WithContext(t.Context())
	for w := range writers {
		ref, product := guest, fmt.Sprintf("guest-%d", w)
		if w%2 == 1 {
			ref, product = user, fmt.Sprintf("user-%d", w)
		}
		group.Go(func() error {
			for quantity := int64(1); quantity <= 40; quantity++ {
				_, err := store.Put(ctx, ref, "soho", line(product, quantity), "")
				if ref.Guest && fault.Is(err, fault.CartNotFound) {
					mu.Lock()
					late[product] = true
					mu.Unlock()
					return nil
				}
				if err != nil {
					return fmt.Errorf("put %s: %w", product, err)
				}
				mu.Lock()
				acknowledged[product] = quantity
				mu.Unlock()
				if count.Add(1) == writers*10 {
					close(begin)
				}
			}
			return nil
		})
	}
	for range 3 {
		group.Go(func() error {
			select {
			case <-begin:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			_, err := store.Merge(ctx, guest.ID, user.ID)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	after, err := store.Read(t.Context(), user)
	must(t, err)
	got := map[string]int64{}
	for _, l := range after.Lines {
		got[l.ProductID] = l.Quantity
	}
	if fmt.Sprint(got) != fmt.Sprint(acknowledged) {
		t.Errorf("the cart has %v, acknowledged were %v", got, acknowledged)
	}
	if len(late) == 0 {
		t.Error("no write came after the merge had begun")
	}
	_, err = store.Read(t.Context(), guest)
	refusal(t, err, fault.CartNotFound)
}

// An id of one kind opens nothing of the other, and changes nothing.
func TestKindsApart(t *testing.T) {
	store, client := open(t, address(t), time.Now)
	ctx := t.Context()
	for _, ref := range []cart.Ref{cart.Of(uuid.NewString()), cart.GuestRef(uuid.NewString())} {
		filled(t, store, ref, "soho", line("milk", 1))
		before := client.HGetAll(ctx, "cart:{"+ref.ID+"}").Val()
		other := cart.Ref{ID: ref.ID, Guest: !ref.Guest}
		calls := map[string]func() error{
			"open":   func() error { _, err := store.Open(ctx, other, "camden"); return err },
			"read":   func() error { _, err := store.Read(ctx, other); return err },
			"put":    func() error { _, err := store.Put(ctx, other, "soho", line("tea", 1), ""); return err },
			"delete": func() error { _, err := store.Delete(ctx, other, "milk", ""); return err },
		}
		if !ref.Guest {
			calls["merge"] = func() error { _, err := store.Merge(ctx, ref.ID, uuid.NewString()); return err }
			_, err := store.Merge(ctx, ref.ID, ref.ID)
			refusal(t, err, fault.CartNotFound)
			client.HSet(ctx, "cart:{"+ref.ID+"}", "format", "2") // not even that it is there
		}
		for name, call := range calls {
			if err := call(); !fault.Is(err, fault.CartNotFound) {
				t.Errorf("%+v as the other kind, %s: %v", ref, name, err)
			}
		}
		if !ref.Guest {
			client.HSet(ctx, "cart:{"+ref.ID+"}", "format", "1")
		}
		if after := client.HGetAll(ctx, "cart:{"+ref.ID+"}").Val(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%+v became %v", ref, after)
		}
	}

	// Carts of the release before guest carts say nothing of an owner, and are users'.
	user := cart.Of(uuid.NewString())
	filled(t, store, user, "soho", line("milk", 1))
	client.HDel(ctx, "cart:{"+user.ID+"}", "owner")
	kept, err := store.Read(ctx, user)
	if must(t, err); len(kept.Lines) != 1 {
		t.Errorf("a cart of an earlier release is %+v", kept)
	}
	_, err = store.Read(ctx, cart.GuestRef(user.ID))
	refusal(t, err, fault.CartNotFound)
}

func TestGuestExpiry(t *testing.T) {
	store, client := open(t, address(t), time.Now)
	ctx := t.Context()
	guest, user := pair()
	key := "cart:{" + guest.ID + "}"
	lives := func(when string, want time.Duration) {
		t.Helper()
		left, err := client.PTTL(ctx, key).Result()
		if err != nil || left > want || left < want-time.Minute {
			t.Errorf("%s the guest cart lives for %s, %v; want %s", when, left, err, want)
		}
	}
	opened := filled(t, store, guest, "soho", line("milk", 1))
	lives("filled,", cart.GuestLifetime)
	if left := time.Until(opened.ExpireTime); left > cart.GuestLifetime || left < cart.GuestLifetime-time.Minute {
		t.Errorf("told that it expires in %s", left)
	}
	client.PExpire(ctx, key, time.Hour)
	read, err := store.Read(ctx, guest)
	must(t, err)
	lives("read again,", cart.GuestLifetime)

	client.PExpire(ctx, key, time.Hour)
	if err := store.Clear(ctx, guest.ID, read.Etag); err != nil {
		t.Fatal(err)
	}
	lives("cleared,", time.Hour)
	if cleared, err := store.Read(ctx, guest); err != nil || len(cleared.Lines) != 0 {
		t.Errorf("cleared it is %+v, %v", cleared, err)
	}

	// Taken, it waits for its merge to be asked again, but not for ever.
	for _, want := range []time.Duration{cart.GuestLifetime, time.Hour} {
		if _, err := store.Take(ctx, guest.ID, user.ID); err != nil {
			t.Fatal(err)
		}
		lives("taken,", want)
		client.PExpire(ctx, key, time.Hour)
	}
	client.PExpire(ctx, key, time.Millisecond)
	for end := time.Now().Add(5 * time.Second); client.Exists(ctx, key).Val() != 0; {
		if time.Now().After(end) {
			t.Fatal("the guest cart didn't expire")
		}
	}
	_, err = store.Merge(ctx, guest.ID, user.ID)
	refusal(t, err, fault.CartNotFound)
	_, err = store.Put(ctx, guest, "soho", line("milk", 1), "")
	refusal(t, err, fault.CartNotFound)
}

// A cart remembers what was merged into it for as long as a merge can be asked again, and not without end.
func TestMergedAreForgotten(t *testing.T) {
	now := time.Now()
	store, client := open(t, address(t), func() time.Time { return now })
	ctx := t.Context()
	_, user := pair()
	memory := func() (fields []string) {
		for field := range client.HGetAll(ctx, "cart:{"+user.ID+"}").Val() {
			if strings.HasPrefix(field, "merged:") {
				fields = append(fields, field)
			}
		}
		return fields
	}
	var last cart.Ref
	for range 60 {
		now = now.Add(time.Second)
		last = cart.GuestRef(uuid.NewString())
		filled(t, store, last, "soho")
		_, err := store.Merge(ctx, last.ID, user.ID)
		must(t, err)
	}
	if got := memory(); len(got) != 50 || !slices.Contains(got, "merged:"+last.ID) {
		t.Errorf("%d carts are remembered", len(got))
	}
	now = now.Add(cart.GuestLifetime + time.Second)
	last = cart.GuestRef(uuid.NewString())
	filled(t, store, last, "soho")
	_, err := store.Merge(ctx, last.ID, user.ID)
	must(t, err)
	if got := memory(); !slices.Equal(got, []string{"merged:" + last.ID}) {
		t.Errorf("%d carts are remembered after a guest cart's life", len(got))
	}
}

// The steps of a merge run on Redis that goes away in between: the shopper is told to try again, and then has everything.
func TestRedisAwayDuringAMerge(t *testing.T) {
	link := newLink(t, address(t))
	store, _ := open(t, link.address, time.Now)
	ctx := t.Context()
	guest, user := pair()
	filled(t, store, guest, "soho", line("milk", 5))
	if _, err := store.Take(ctx, guest.ID, user.ID); err != nil {
		t.Fatal(err)
	}
	link.cut()
	_, err := store.Merge(ctx, guest.ID, user.ID)
	refusal(t, err, fault.Unavailable)
	link.mend(t)
	for end := time.Now().Add(10 * time.Second); ; {
		merged, err := store.Merge(ctx, guest.ID, user.ID)
		if err == nil {
			if !slices.Equal(merged.Lines, []cart.Line{line("milk", 5)}) {
				t.Errorf("merged: %+v", merged)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not merged: %v", err)
		}
	}
}

// What a later release has added to a guest's line goes with it, but not more pieces than a line may have.
func TestMergeKeepsLaterFields(t *testing.T) {
	store, client := open(t, address(t), time.Now)
	ctx := t.Context()
	guest, user := pair()
	filled(t, store, guest, "soho", line("milk", 1))
	client.HSet(ctx, "cart:{"+guest.ID+"}", "line:milk", `{"quantity":"120","unit_price":"125","currency":"GBP","name":"MILK","stock":"in","position":"1","later":"kept"}`)
	merged, err := store.Merge(ctx, guest.ID, user.ID)
	must(t, err)
	text, err := client.HGet(ctx, "cart:{"+user.ID+"}", "line:milk").Result()
	if err != nil || !slices.Equal(merged.Lines, []cart.Line{line("milk", 99)}) || !strings.Contains(text, `"later":"kept"`) {
		t.Errorf("the line is %s, %v", text, err)
	}

	guest = cart.GuestRef(uuid.NewString())
	filled(t, store, guest, "soho", line("tea", 1))
	client.HSet(ctx, "cart:{"+guest.ID+"}", "format", "2")
	_, err = store.Merge(ctx, guest.ID, user.ID)
	refusal(t, err, fault.Unavailable)
}
