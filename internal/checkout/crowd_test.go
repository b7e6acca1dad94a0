package checkout_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"larder.dev/internal/checkout"
	checkoutredis "larder.dev/internal/checkout/redis"
	checkoutspanner "larder.dev/internal/checkout/spanner"
	"larder.dev/internal/fault"
	"larder.dev/internal/payment"
	"larder.dev/internal/pricing"
)

// branch is another store of the same grocer, with the same shopper.
func (s *shop) branch() *shop {
	s.t.Helper()
	b := *s
	b.store, b.cart = "t-"+uuid.NewString()[:8], &cart{}
	b.Service = b.another(b.books, checkoutredis.NewLocks(b.virtual.Client()))
	s.t.Cleanup(b.flush)
	return &b
}

// insist sends a request until its outcome is known.
func insist(ctx context.Context, service *checkout.Service, r checkout.Request) (bool, error) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		outcome, err := service.Checkout(ctx, r)
		switch {
		case err == nil && outcome.State == checkout.Confirmed:
			return true, nil
		case err == nil || fault.Is(err, fault.StockRebuilding): // not known yet
		default:
			return false, err
		}
	}
	return false, fmt.Errorf("checkout %s never ends", r.ID)
}

// wantAuthorised compares the provider's list: one authorisation for each order, and no other.
func (s *shop) wantAuthorised(orders map[string]bool) {
	s.t.Helper()
	authorised := map[string]int{}
	for page := ""; ; {
		intents, next, err := s.provider.List(s.t.Context(), time.Unix(0, 0), page, 100)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, intent := range intents {
			if intent.Status == payment.IntentAuthorized {
				authorised[intent.Order]++
			}
		}
		if page = next; page == "" {
			break
		}
	}
	for id := range orders {
		if authorised[id] != 1 {
			s.t.Errorf("order %s has %d authorisations", id, authorised[id])
		}
	}
	if len(authorised) != len(orders) {
		s.t.Errorf("%d authorisations for %d orders", len(authorised), len(orders))
	}
}

// away are locks whose server isn't there.
func away(t *testing.T) checkout.Locks {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: listener.Addr().String(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return checkoutredis.NewLocks(client)
}

// Nothing depends on the courtesy lock: double clicks on several processes without it make one order and one charge each.
func TestDoubleClicksWithoutTheLock(t *testing.T) {
	for name, locks := range map[string]checkout.Locks{"locks that give nothing": noLocks{}, "the lock server is away": away(t)} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			s.restock("apples", 10)
			s.restock("pears", 10)
			processes := []*checkout.Service{s.another(s.books, locks), s.another(s.books, locks), s.another(s.books, locks)}
			orders := map[string]bool{}
			var wg sync.WaitGroup
			for i := range 5 {
				r := s.request(fmt.Sprint("key-", i), visa)
				orders[r.ID] = true
				for _, process := range processes {
					wg.Go(func() {
						if _, err := insist(t.Context(), process, r); err != nil {
							t.Errorf("%v", err)
						}
					})
				}
			}
			wg.Wait()
			s.later()
			s.wantAuthorised(orders)
			left := map[string]int64{"apples": 10, "pears": 10}
			s.wantStock(left, left)
		})
	}
}

// Everybody wants the same ten units at once, from two processes: ten orders, and a quick refusal for all others.
func TestHotProduct(t *testing.T) {
	const shoppers, units = 300, 10
	s := open(t)
	s.restock("tickets", units)
	s.fill(pricing.Line{ProductID: "tickets", Quantity: 1})
	var processes [2]*checkout.Service
	for i := range processes {
		books := checkout.Books(s.books)
		if s.database != nil {
			// The emulator lets one transaction write at a time and has all others try again, later and later: so few are sent at once.
			books = checkoutspanner.NewBooks(s.connect(2), time.Now)
		}
		processes[i] = s.another(books, noLocks{})
	}
	var mu sync.Mutex
	orders := map[string]bool{}
	began, soldOut := time.Now(), time.Duration(0)
	var refused int
	var wg sync.WaitGroup
	for i := range shoppers {
		r := s.request(fmt.Sprint("key-", i), visa)
		wg.Go(func() {
			sold, err := insist(t.Context(), processes[i%len(processes)], r)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case sold:
				orders[r.ID], soldOut = true, time.Since(began)
			case fault.Is(err, fault.OutOfStock):
				refused++
			default:
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	t.Logf("%d shoppers for %d units: the last order after %s, the last answer after %s", shoppers, units, soldOut, time.Since(began))
	if len(orders) != units || refused != shoppers-units {
		t.Errorf("%d orders, %d refused", len(orders), refused)
	}
	s.wantAuthorised(orders)
	none := map[string]int64{"tickets": 0}
	s.wantStock(none, none)
	left, err := s.virtual.Overdue(t.Context(), s.store, time.Now().Add(24*time.Hour), 100)
	if err != nil || len(left) > 0 {
		t.Errorf("holds are left: %v, %v", left, err)
	}
}

// Several stores and several processes at once: each store sells its own, whatever happens to another's stock.
func TestStoresApart(t *testing.T) {
	first := open(t)
	stores := []*shop{first, first.branch(), first.branch()}
	for i, s := range stores {
		s.restock("figs", int64(3+i))
		s.fill(pricing.Line{ProductID: "figs", Quantity: 1})
	}
	var mu sync.Mutex
	orders, sold := map[string]bool{}, map[string]int{}
	var wg sync.WaitGroup
	for _, s := range stores {
		processes := []*checkout.Service{s.Service, s.another(s.books, noLocks{})}
		for i := range 8 {
			r := s.request(fmt.Sprint(s.store, i), visa)
			wg.Go(func() {
				if s == first && i == 0 {
					s.flush()
				}
				ok, err := insist(t.Context(), processes[i%2], r)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case ok:
					orders[r.ID] = true
					sold[s.store]++
				case !fault.Is(err, fault.OutOfStock):
					t.Errorf("%v", err)
				}
			})
		}
	}
	wg.Wait()
	for i, s := range stores {
		if _, err := s.Reap(t.Context(), s.store, 100); err != nil {
			t.Error(err)
		}
		if sold[s.store] != 3+i {
			t.Errorf("store %d sold %d of %d", i, sold[s.store], 3+i)
		}
		none := map[string]int64{"figs": 0}
		s.wantStock(none, none)
	}
	first.wantAuthorised(orders)
}
