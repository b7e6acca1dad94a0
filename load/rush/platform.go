package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"larder.dev/load/prove/account"
	"larder.dev/load/prove/shop"
)

// settings are the environment's, which local/env.sh prints.
type settings struct {
	Edge          string `env:"EDGE_ADDR,required"`
	Elasticsearch string `env:"ELASTICSEARCH_URL,required"`
	Provider      string `env:"STRIPE_API_URL,required"`
	ProviderKey   string `env:"STRIPE_API_KEY,required"`
	StockRedis    string `env:"STOCK_REDIS_ADDR,required"`
	Spanner       string `env:"SPANNER_DATABASE,required"`
	SpannerHost   string `env:"SPANNER_EMULATOR_HOST,required"`
	PubSubHost    string `env:"PUBSUB_EMULATOR_HOST,required"`
	Project       string `env:"GOOGLE_CLOUD_PROJECT,required"`
	Metrics       string `env:"OTEL_EXPORTER_OTLP_ENDPOINT,required"`
	// State is the folder of the platform's state: whose processes are measured.
	State string `env:"LARDER_STATE,required"`
	// ProviderP50 and ProviderP99 are what the provider's latency is set back to.
	ProviderP50 string `env:"PROVIDER_LATENCY_P50" envDefault:"80ms"`
	ProviderP99 string `env:"PROVIDER_LATENCY_P99" envDefault:"400ms"`
}

// platform is a running platform with all that a rush needs: its catalogue, shoppers who are signed in, and an accountant who knows what there
// was before.
type platform struct {
	settings
	options
	people  *shop.Shop
	books   *account.Account
	items   []item
	opening []*shop.Adjustment
	words   []string
	told    *receiver
	gen     *generator
	out     io.Writer

	history *shop.History
	bursts  int
}

// openPlatform prepares everything; nothing may have been sold yet.
func openPlatform(ctx context.Context, s settings, o options, out io.Writer) (_ *platform, err error) {
	p := &platform{settings: s, options: o, out: out}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close(ctx))
		}
	}()
	endpoint, err := url.Parse(s.Metrics)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	if p.told, err = listen(ctx, endpoint.Host); err != nil {
		return nil, err
	}
	if p.people, err = shop.Open(ctx, shop.Config{Edge: p.edge(), Seed: o.seed, Shoppers: o.shoppers, Log: o.log}); err != nil {
		return nil, fmt.Errorf("sign shoppers up: %w", err)
	}
	if err := p.people.LoadStock(ctx); err != nil {
		return nil, err
	}
	p.books, err = account.Open(ctx, account.Config{
		Spanner: s.Spanner, SpannerHost: s.SpannerHost, PubSubHost: s.PubSubHost, Project: s.Project, StockRedis: func() string { return s.StockRedis },
		Provider: s.Provider, ProviderKey: s.ProviderKey, HoldFor: holdFor, Patience: settleFor, Unwatched: true, Log: o.log,
	})
	if err != nil {
		return nil, err
	}
	if p.opening, err = p.books.Opening(ctx); err != nil {
		return nil, err
	}
	brands, err := p.readCatalogue(ctx)
	if err != nil {
		return nil, err
	}
	if p.words, err = vocabulary(p.random(0), p.items, brands, distinctQueries); err != nil {
		return nil, err
	}
	if err := p.indexed(ctx); err != nil {
		return nil, err
	}
	if err := p.latency(ctx, o.provider.String(), o.provider.String()); err != nil {
		return nil, err
	}
	p.history = &shop.History{Stores: p.people.Stores(), Limits: map[string]int64{}, Adjustments: p.opening}
	for _, one := range p.items {
		if one.Limit > 0 {
			p.history.Limits[one.ID] = one.Limit
		}
	}
	p.gen = &generator{program: o.k6, script: o.script, dir: o.dir, edge: p.edge(), sampler: newSampler(s.State)}
	return p, nil
}

const (
	// holdFor is how long the platform's holds last (HOLD_FOR).
	holdFor = 10 * time.Minute
	// settleFor bounds the wait for what a run has set off.
	settleFor = 5 * time.Minute
	// indexFor bounds the wait until the index has the catalogue.
	indexFor = 20 * time.Minute
)

func (p *platform) edge() string { return "http://" + p.Edge }

func (p *platform) random(of uint64) *rand.Rand { return rand.New(rand.NewPCG(p.seed, of)) }

// close gives the provider its time back, too.
func (p *platform) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := p.latency(ctx, p.ProviderP50, p.ProviderP99)
	if p.told != nil {
		_ = p.told.close() // nothing is to be told any more
	}
	if p.books != nil {
		_ = p.books.Close() // it has only read
	}
	return err
}

// call sends a request and reads its answer.
func call(ctx context.Context, method, address string, body, into any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode a request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, address, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, address, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d %.300s", method, address, response.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s %s: %w", method, address, err)
	}
	return nil
}

// latency sets the time that each of the provider's calls takes: it is known, and no part of what is measured.
func (p *platform) latency(ctx context.Context, p50, p99 string) error {
	return call(ctx, http.MethodPost, p.Provider+"/_control/latency", map[string]any{"p50": p50, "p99": p99}, nil)
}

// readCatalogue reads all products, and the names of their makers.
func (p *platform) readCatalogue(ctx context.Context) (brands map[string]string, err error) {
	brands = map[string]string{}
	for token, first := "", true; first || token != ""; first = false {
		var page struct {
			Brands []struct {
				ID   string `json:"brand_id"`
				Name string `json:"name"`
			} `json:"brands"`
			Next string `json:"next_page_token"`
		}
		if err := call(ctx, http.MethodGet, p.edge()+"/v1/brands?page_size=100&page_token="+url.QueryEscape(token), nil, &page); err != nil {
			return nil, err
		}
		for _, b := range page.Brands {
			brands[b.ID] = b.Name
		}
		token = page.Next
	}
	for token, first := "", true; first || token != ""; first = false {
		var page struct {
			Products []item `json:"products"`
			Next     string `json:"next_page_token"`
		}
		if err := call(ctx, http.MethodGet, p.edge()+"/v1/products?page_size=100&page_token="+url.QueryEscape(token), nil, &page); err != nil {
			return nil, err
		}
		p.items = append(p.items, page.Products...)
		token = page.Next
	}
	if len(p.items) < p.products {
		return nil, fmt.Errorf("the catalogue has %d products, want %d: make products PROFILE=rush N=%d", len(p.items), p.products, p.products)
	}
	return brands, nil
}

// indexed waits until the search index has what the catalogue has.
func (p *platform) indexed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, indexFor)
	defer cancel()
	for {
		var count struct {
			Count int `json:"count"`
		}
		query := map[string]any{"query": map[string]any{"term": map[string]any{"status": "active"}}}
		err := call(ctx, http.MethodPost, p.Elasticsearch+"/products/_count", query, &count)
		if err == nil && count.Count >= len(p.items) {
			return nil
		}
		if !pause(ctx, 2*time.Second) {
			return errors.Join(fmt.Errorf("the index has %d of %d products: %w", count.Count, len(p.items), context.Cause(ctx)), err)
		}
	}
}

// burst asks at a rate for a while, and keeps what was bought for the accounts.
func (p *platform) burst(ctx context.Context, b burst) (*outcome, error) {
	sessions, err := p.people.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	p.bursts++
	random := p.random(uint64(p.bursts))
	searches := int(float64(b.rate*b.mix.search)/100*(b.lasts+b.warm).Seconds()) + 1
	d := data{searches: drawQueries(random, p.words, searches), goods: drawGoods(random, p.opening, p.items, p.atLeast), shoppers: sessions}
	o, err := p.gen.measure(ctx, fmt.Sprintf("burst-%d", p.bursts), b, d, p.told)
	if err != nil {
		return nil, err
	}
	p.history.Checkouts = append(p.history.Checkouts, o.tape.checkouts...)
	return o, nil
}

// account waits until all that was set off is through, and accounts for it: for every unit, every penny and every event.
func (p *platform) account(ctx context.Context) (account.Result, error) {
	day, err := p.people.Visit(shop.Place{Edge: p.edge(), PubSubHost: p.PubSubHost, Project: p.Project}, p.history)
	if err != nil {
		return account.Result{}, err
	}
	defer day.Close()
	if err := p.books.Settle(ctx, day); err != nil {
		return account.Result{}, err
	}
	return p.books.Check(ctx, p.history)
}

// fillCarts opens guests' carts, each with one unit of a product, and returns those that could be filled.
func (p *platform) fillCarts(ctx context.Context, goods []good) ([]*shop.Wish, error) {
	const atOnce = 8
	wishes := make([]*shop.Wish, len(goods))
	group, filling := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, g := range goods {
		group.Go(func() error {
			var cart struct {
				ID    string `json:"cart_id"`
				Items []struct {
					Product string `json:"product_id"`
					Price   struct {
						Minor int64 `json:"minor_units,string"`
					} `json:"unit_price"`
				} `json:"items"`
				Totals struct {
					Total struct {
						Minor int64 `json:"minor_units,string"`
					} `json:"total"`
				} `json:"totals"`
			}
			if err := call(filling, http.MethodPost, p.edge()+"/v1/carts", map[string]any{"store_id": g.Store}, &cart); err != nil {
				return err
			}
			if err := call(filling, http.MethodPut, p.edge()+"/v1/carts/"+cart.ID+"/items/"+g.Product, map[string]any{"quantity": 1}, &cart); err != nil {
				return err
			}
			wishes[i] = &shop.Wish{Store: g.Store, Cart: cart.ID, Method: "pm_card_visa", Recipient: recipient, Total: cart.Totals.Total.Minor}
			for _, line := range cart.Items {
				wishes[i].Lines = append(wishes[i].Lines, shop.Line{Product: line.Product, Quantity: 1, Price: line.Price.Minor})
			}
			return nil
		})
	}
	return wishes, group.Wait()
}

// pause waits; false: ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
