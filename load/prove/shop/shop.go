// Package shop plays everybody who uses the platform: shoppers by the hundred, the store's staff, a warehouse. They know what the public
// API tells them and nothing else, and each writes down what was asked, what was answered, and when.
//
// How they behave:
//
//   - A shopper fills a cart, sees its total and checks out under a new key. An answer that tells nothing (none at all, 5xx, 429, 401) is
//     no answer: the same request is sent again under the same key, with backoff and jitter, until there is a final one.
//   - Some are plain, others impatient, click twice, change the body under the key or the cart under the checkout, have cards that are
//     declined, slow, or ask for 3-D Secure, which they pass, fail, forget, or finish too late. Some cancel, also twice at once.
//   - Staff enter stock and take some away, change the capacity of delivery slots, ask for rebuilds, pick, pack, dispatch, deliver, call
//     orders off, give money back. A warehouse publishes deliveries, some of them twice.
//   - On the first day a crowd wants the same product at the same moment. Smaller crowds come whenever Rush is called, right before
//     something breaks: then the last units of a product are held by many who aren't through.
//
// A Shop lasts for the whole run: its people have accounts, which are dear to make. A Day is one round with a history of its own:
//
//	people, err := shop.Open(ctx, shop.Config{Edge: round.Edge, Seed: seed, Log: log})
//	day, err := people.NewDay(ctx, n, shop.Place{Edge: round.Edge, PubSubHost: round.PubSubHost, Project: round.Project})
//	err = day.Run(storming)  // until storming ends, and then until the last open request is answered
//	open, err := day.Finish(ctx) // when all is healed: what is still open is asked again until it has a final answer
//	day.History()
package shop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config sets the people up.
type Config struct {
	// Edge is the public API, "http://host:port".
	Edge string
	// Seed of every choice that the people make.
	Seed uint64
	// Shoppers is how many there are, 300 if 0. Each has an account.
	Shoppers int
	// Crowd is how many checkouts want the one hot product at once on the first day, 1,000 if 0; less than 0: none.
	Crowd int
	// Rush is how many checkouts want one product when Day.Rush is called, 80 if 0; less than 0: none.
	Rush int
	// Products is how many scarce products a day has, 36 if 0; at least 26, at most 90.
	Products int
	// Staff is how many of the staff pick and pack at once, 4 if 0.
	Staff int
	// Carts and Checkouts bound how many carts shoppers fill at once, and how many requests for checkouts they have on the way; 12 and 64 if
	// 0. A slow machine slows the shoppers down further.
	Carts, Checkouts int
	// Operator is the e-mail address of an account with that role, and Password its password; empty: the seed's.
	Operator, Password string
	Log                *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Shoppers = cmp.Or(c.Shoppers, 300)
	c.Crowd = cmp.Or(c.Crowd, 1000)
	c.Rush = cmp.Or(c.Rush, 80)
	c.Products = min(max(cmp.Or(c.Products, 36), 26), 90)
	c.Staff = cmp.Or(c.Staff, 4)
	c.Carts = cmp.Or(c.Carts, 12)
	c.Checkouts = cmp.Or(c.Checkouts, 64)
	c.Operator = cmp.Or(c.Operator, "operator@larder.example")
	c.Password = cmp.Or(c.Password, "larder-demo-1")
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Shop is the people, and what they know of the catalogue.
type Shop struct {
	config   Config
	people   []*person
	operator *person
	stores   []string
	products []string
	limits   map[string]int64 // what one shopper may buy in a day of a product, which isn't in products
}

// product is what the catalogue tells, as far as it matters here.
type product struct {
	ID     string   `json:"product_id"`
	Stores []string `json:"store_ids"`
	Price  money    `json:"price"`
	Limit  int64    `json:"max_per_shopper"`
}

// Open registers the shoppers, signs everybody in, and reads the catalogue.
func Open(ctx context.Context, config Config) (*Shop, error) {
	s := &Shop{config: config.withDefaults(), limits: map[string]int64{}}
	c := newClient(s.config.Edge)
	defer c.close()
	if err := s.readCatalogue(ctx, c); err != nil {
		return nil, err
	}
	s.operator = &person{email: s.config.Operator, password: s.config.Password}
	if _, err := s.operator.bearer(ctx, c); err != nil {
		return nil, fmt.Errorf("sign in as the operator: %w", err)
	}
	// A word of this run's own: the accounts of earlier runs may be there still.
	word := fmt.Sprintf("%x-%x", s.config.Seed, time.Now().UnixNano())
	s.people = make([]*person, s.config.Shoppers)
	began := time.Now()
	group, registering := errgroup.WithContext(ctx)
	group.SetLimit(2) // as many as the platform hashes at once
	for i := range s.people {
		group.Go(func() (err error) {
			s.people[i], err = register(registering, c, fmt.Sprintf("%s-%d@shopper.example", word, i))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	s.config.Log.InfoContext(ctx, "shoppers registered", "count", len(s.people), "took", time.Since(began))
	return s, nil
}

func (s *Shop) readCatalogue(ctx context.Context, c *client) error {
	var stores struct {
		Stores []struct {
			ID string `json:"store_id"`
		} `json:"stores"`
	}
	if err := c.get(ctx, "/v1/stores", &stores); err != nil {
		return err
	}
	for _, store := range stores.Stores {
		s.stores = append(s.stores, store.ID)
	}
	slices.Sort(s.stores)
	const enough = 800
	for token, pages := "", 0; pages < 50 && (len(s.products) < enough || len(s.limits) == 0); pages++ {
		var page struct {
			Products []product `json:"products"`
			Next     string    `json:"next_page_token"`
		}
		if err := c.get(ctx, "/v1/products?page_size=100&page_token="+token, &page); err != nil {
			return err
		}
		for _, p := range page.Products {
			sold := !slices.ContainsFunc(s.stores, func(store string) bool { return !slices.Contains(p.Stores, store) })
			switch {
			case !sold || p.Price.Minor < 30 || p.Price.Minor > 2000:
			case p.Limit > 0:
				s.limits[p.ID] = p.Limit
			default:
				s.products = append(s.products, p.ID)
			}
		}
		if token = page.Next; token == "" {
			break
		}
	}
	if len(s.stores) == 0 || len(s.products) <= s.config.Products+1 {
		return fmt.Errorf("the catalogue has %d stores, and %d products that all of them sell", len(s.stores), len(s.products))
	}
	return nil
}

// Place is where a round happens.
type Place struct {
	// Edge is the public API, "http://host:port".
	Edge string
	// PubSubHost is the Pub/Sub emulator, "host:port", and Project the project of its topics: the warehouse publishes there.
	PubSubHost, Project string
}

// wantedMost is the part of a day's products that are wanted most, and of which there is one with a limit for each shopper.
const wantedMost = 8

// Day is a round of trade. It begins with no stock but its own.
type Day struct {
	shop    *Shop
	number  int
	place   Place
	log     *slog.Logger
	client  *client
	history *History
	random  *rand.Rand

	products  []string // those that are scarce today
	hot       string   // the one that a crowd wants
	rushed    string   // the one that smaller crowds want
	hotStore  string
	rushes    chan struct{}
	warehouse *warehouse

	carts     chan struct{} // bounds how many are filled at once
	checkouts *gate

	mu    sync.Mutex
	short map[string]map[string]bool // by store: what shoppers were told is sold out
	slots map[string][]*slot         // by store

	confirmed chan *Checkout // for the staff to pick
}

// NewDay opens a round: it chooses the day's products, enters their first stock, and opens delivery slots.
func (s *Shop) NewDay(ctx context.Context, number int, place Place) (*Day, error) {
	d := &Day{
		shop: s, number: number, place: place, log: s.config.Log.With("day", number), client: newClient(place.Edge),
		history: &History{}, random: rand.New(rand.NewPCG(s.config.Seed, uint64(number))),
		carts: make(chan struct{}, s.config.Carts), checkouts: newGate(s.config.Checkouts),
		short: map[string]map[string]bool{}, slots: map[string][]*slot{}, confirmed: make(chan *Checkout, 64),
		rushes: make(chan struct{}),
	}
	chosen := d.random.Perm(len(s.products))[:s.config.Products+2]
	for _, i := range chosen {
		d.products = append(d.products, s.products[i])
	}
	d.hot, d.rushed, d.products = d.products[0], d.products[1], d.products[2:]
	d.hotStore = s.stores[d.random.IntN(len(s.stores))]
	limited := slices.Sorted(maps.Keys(s.limits))
	d.products = slices.Insert(d.products, len(d.products)/wantedMost, limited[:min(1, len(limited))]...)
	d.history.Stores, d.history.Limits = s.stores, s.limits
	d.history.Products = append([]string{d.hot, d.rushed}, d.products...)
	for _, store := range s.stores {
		d.short[store] = map[string]bool{}
	}
	var err error
	if d.warehouse, err = openWarehouse(ctx, place); err != nil {
		return nil, err
	}
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// History is what everybody wrote down. It may be read when Run and Finish have returned.
func (d *Day) History() *History { return d.history }

// Close ends the connections.
func (d *Day) Close() error {
	d.client.close()
	return d.warehouse.close()
}

// Run lets everybody act until ctx ends. It returns when the last of their requests is answered, or was given up.
func (d *Day) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for i, p := range d.shop.people {
		all.Go(func() { d.newBuyer(i, p).shop(ctx) })
	}
	for i, store := range d.shop.stores {
		all.Go(func() { d.stockUp(ctx, store, d.fork(1000+i)) })
		all.Go(func() { d.openSlots(ctx, store, d.fork(1100+i)) })
	}
	for i := range d.shop.config.Staff {
		all.Go(func() { d.pickAndPack(ctx, d.fork(1200+i)) })
	}
	all.Go(func() { d.rebuildNowAndThen(ctx, d.fork(1300)) })
	all.Go(func() { d.deliver(ctx, d.fork(1400)) })
	if d.shop.config.Crowd > 0 && d.number == 1 {
		all.Go(func() { d.crowd(ctx, d.fork(1500)) })
	}
	if d.shop.config.Rush > 0 {
		all.Go(func() { d.rush(ctx, d.fork(1600)) })
	}
	all.Wait()
	return d.history.fault()
}

// fork makes a source of choices of somebody's own, so that what one does doesn't change what another does.
func (d *Day) fork(who int) *rand.Rand {
	return rand.New(rand.NewPCG(d.shop.config.Seed, uint64(d.number)<<32|uint64(who)))
}

// Finish asks again for everything that has no final answer, until it has one or ctx ends. It returns how many have none.
func (d *Day) Finish(ctx context.Context) (open int, err error) {
	const atOnce = 16
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, again := range d.history.open(d) {
		group.Go(func() error {
			wait := newBackoff(d.fork(2000))
			for ctx.Err() == nil && !again(ctx) {
				wait.pause(ctx)
			}
			return nil
		})
	}
	_ = group.Wait() // none fails
	return len(d.history.open(d)), d.history.fault()
}
