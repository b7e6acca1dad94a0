package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
)

// platform stands for the platform: one process that remembers everything, and can't be relied on.
type platform struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	random   *rand.Rand
	carts    map[string]*cartJSON
	keys     map[string]*taken // checkouts by key
	stock    map[string]int64
	entered  map[string]bool
	asked    map[string]int // by what was asked
	accounts int
}

// taken is a checkout that was asked for.
type taken struct {
	body    checkoutBody
	id      string
	state   string // "", REQUIRES_ACTION, CONFIRMED, or a refusal's reason
	lines   []map[string]any
	steps   string // the order's state
	looks   int
	refunds map[string]bool
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{
		t: t, random: rand.New(rand.NewPCG(1, 2)), carts: map[string]*cartJSON{}, keys: map[string]*taken{}, stock: map[string]int64{},
		entered: map[string]bool{}, asked: map[string]int{},
	}
	mux := http.NewServeMux()
	handle := func(pattern string, f func(r *http.Request) (int, any)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			p.mu.Lock()
			p.asked[pattern]++
			fault := p.random.IntN(12)
			if !strings.Contains(pattern, "checkouts") && !strings.Contains(pattern, "orders") && !strings.Contains(pattern, "stock") {
				fault = -1
			}
			if fault == 0 {
				p.mu.Unlock()
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			status, body := f(r)
			p.mu.Unlock()
			if fault == 1 { // done, and nobody hears of it
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(status)
			if err := json.NewEncoder(w).Encode(body); err != nil {
				t.Logf("answer %s: %v", pattern, err) // who asked may be gone
			}
		})
	}
	handle("POST /v1/users", func(*http.Request) (int, any) { return 200, map[string]any{} })
	handle("POST /v1/sessions", func(*http.Request) (int, any) {
		p.accounts++
		return 200, map[string]any{"access_token": fmt.Sprint("user-", p.accounts), "refresh_token": "r", "user": map[string]any{"user_id": fmt.Sprint("user-", p.accounts)}}
	})
	handle("GET /v1/stores", func(*http.Request) (int, any) {
		return 200, map[string]any{"stores": []any{map[string]any{"store_id": "soho"}, map[string]any{"store_id": "camden"}}}
	})
	handle("GET /v1/products", func(*http.Request) (int, any) {
		var products []any
		for i := range 40 {
			products = append(products, map[string]any{"product_id": fmt.Sprint("product-", i), "store_ids": []string{"soho", "camden"}, "price": pence(100)})
		}
		return 200, map[string]any{"products": products}
	})
	handle("POST /v1/carts", p.openCart)
	handle("PUT /v1/carts/{cart}/items/{product}", p.put)
	handle("DELETE /v1/carts/{cart}/items/{product}", p.put)
	handle("POST /v1/checkouts", p.checkout)
	handle("GET /v1/checkouts/{id}", p.look)
	handle("POST /v1/orders/{id}", p.step)
	handle("GET /v1/orders/{id}", func(r *http.Request) (int, any) {
		return 200, map[string]any{"order_id": r.PathValue("id"), "payment": map[string]any{"state": "CAPTURED"}}
	})
	handle("POST /v1/stores/{store}/stock:adjust", p.adjust)
	handle("POST /v1/stores/{store}/stock:rebuild", func(*http.Request) (int, any) { return 200, map[string]any{} })
	handle("PUT /v1/stores/{store}/slots/{slot}", func(*http.Request) (int, any) { return 200, map[string]any{} })
	handle("POST /bank/{id}/{outcome}", func(r *http.Request) (int, any) {
		for _, c := range p.keys {
			if c.id == r.PathValue("id") && c.state == "REQUIRES_ACTION" {
				c.state = map[string]string{"complete": "CONFIRMED", "fail": "PAYMENT_DECLINED"}[r.PathValue("outcome")]
			}
		}
		return 303, nil
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// saw tells whether all of this was asked for.
func (p *platform) saw(patterns ...string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pattern := range patterns {
		if p.asked[pattern] == 0 {
			return false
		}
	}
	return true
}

func refused(status int, reason string, more ...map[string]any) (int, any) {
	details := []any{map[string]any{"reason": reason, "metadata": map[string]string{}}}
	for _, detail := range more {
		details = append(details, detail)
	}
	return status, map[string]any{"error": map[string]any{"details": details}}
}

func (p *platform) key(r *http.Request, cart string) string {
	if cart == "me" {
		return r.Header.Get("Authorization")
	}
	return cart
}

func (p *platform) openCart(r *http.Request) (int, any) {
	var body struct {
		Store string `json:"store_id"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return 400, nil
	}
	cart := &cartJSON{ID: fmt.Sprint("cart-", len(p.carts)), Store: body.Store}
	if token := r.Header.Get("Authorization"); token != "" {
		if p.carts[token] == nil {
			p.carts[token] = cart
		}
		return 200, p.carts[token]
	}
	p.carts[cart.ID] = cart
	return 200, cart
}

func (p *platform) put(r *http.Request) (int, any) {
	cart := p.carts[p.key(r, r.PathValue("cart"))]
	if cart == nil {
		return refused(404, "CART_NOT_FOUND")
	}
	var body struct {
		Quantity int64 `json:"quantity"`
	}
	if r.Method == http.MethodPut {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return 400, nil
		}
	}
	old := *cart
	cart.Items, cart.Totals.Total = nil, pence(50)
	add := func(product string, quantity int64) {
		if quantity == 0 {
			return
		}
		item := old.Items[:0:0]
		cart.Items = append(append(cart.Items, item...), struct {
			Product  string `json:"product_id"`
			Quantity int64  `json:"quantity"`
			Price    money  `json:"unit_price"`
		}{product, quantity, pence(100)})
		cart.Totals.Total.Minor += 100 * quantity
	}
	for _, item := range old.Items {
		if item.Product != r.PathValue("product") {
			add(item.Product, item.Quantity)
		}
	}
	add(r.PathValue("product"), body.Quantity)
	return 200, cart
}

func (p *platform) checkout(r *http.Request) (int, any) {
	var body checkoutBody
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return 400, nil
	}
	key := r.Header.Get("Idempotency-Key")
	c := p.keys[key]
	switch {
	case c == nil:
		c = &taken{body: body, id: fmt.Sprint("checkout-", len(p.keys)), steps: "CONFIRMED", refunds: map[string]bool{}}
		p.keys[key] = c
		p.decide(r, c)
	case c.body != body:
		return refused(422, "IDEMPOTENCY_KEY_REUSED")
	}
	return p.answer(r, c)
}

// decide reserves, and asks the card.
func (p *platform) decide(r *http.Request, c *taken) {
	cart := p.carts[p.key(r, c.body.Cart)]
	switch {
	case cart == nil || len(cart.Items) == 0:
		c.state = "CART_EMPTY"
		return
	case cart.Store != c.body.Store:
		c.state = "STORE_MISMATCH"
		return
	case cart.Totals.Total != c.body.Total:
		c.state = "PRICE_CHANGED"
		return
	}
	for _, item := range cart.Items {
		if p.stock[cart.Store+item.Product] < item.Quantity {
			c.state = "OUT_OF_STOCK " + item.Product
			return
		}
		c.lines = append(c.lines, map[string]any{"product_id": item.Product, "quantity": item.Quantity, "unit_price": item.Price})
	}
	switch {
	case strings.Contains(c.body.Method, "hargeDeclined"):
		c.state = "PAYMENT_DECLINED"
	case strings.Contains(c.body.Method, "three") || strings.Contains(c.body.Method, "authentication"):
		c.state = "REQUIRES_ACTION"
	case strings.Contains(c.body.Method, "processing"):
		c.state = "PROCESSING"
	default:
		c.state = "CONFIRMED"
		for _, item := range cart.Items {
			p.stock[cart.Store+item.Product] -= item.Quantity
		}
		cart.Items = nil
	}
}

func (p *platform) answer(r *http.Request, c *taken) (int, any) {
	if c.looks++; c.looks > 6 && (c.state == "PROCESSING" || c.state == "REQUIRES_ACTION") {
		c.state = "CHECKOUT_EXPIRED"
	}
	reason, product, _ := strings.Cut(c.state, " ")
	if reason == "CONFIRMED" && c.looks == 1 && p.random.IntN(4) == 0 {
		reason = "PROCESSING" // it isn't known yet
	}
	switch reason {
	case "CONFIRMED", "PROCESSING", "REQUIRES_ACTION":
		return 200, map[string]any{"checkout_id": c.id, "state": reason, "action_url": p.URL + "/bank/" + c.id, "order": map[string]any{
			"order_id": c.id, "state": c.steps, "store_id": c.body.Store, "user_id": strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
			"lines": c.lines, "totals": map[string]any{"total": c.body.Total, "delivery_fee": pence(50)},
		}}
	case "OUT_OF_STOCK":
		return refused(409, reason, map[string]any{"shortages": []any{map[string]any{"product_id": product, "requested": "1", "available": "0"}}})
	default:
		return refused(409, reason)
	}
}

func (p *platform) look(r *http.Request) (int, any) {
	for _, c := range p.keys {
		if c.id == r.PathValue("id") {
			return p.answer(r, c)
		}
	}
	return refused(404, "CHECKOUT_NOT_FOUND")
}

func (p *platform) step(r *http.Request) (int, any) {
	id, verb, _ := strings.Cut(r.PathValue("id"), ":")
	for _, c := range p.keys {
		if c.id != id || c.state != "CONFIRMED" {
			continue
		}
		state := map[string]string{"cancel": "CANCELLED", "pick": "PICKING", "pack": "PACKED", "dispatch": "DISPATCHED", "deliver": "DELIVERED"}[verb]
		switch {
		case verb == "refund":
			c.refunds[r.Header.Get("Idempotency-Key")] = true
		case c.steps == "CANCELLED" && verb != "cancel":
			return refused(409, "ORDER_STATE_CONFLICT")
		default:
			c.steps = state
		}
		return 200, map[string]any{"order_id": id, "state": c.steps}
	}
	return refused(404, "ORDER_NOT_FOUND")
}

func (p *platform) adjust(r *http.Request) (int, any) {
	var body struct {
		Reason string
		Lines  []Line `json:"adjustments"`
	}
	var raw struct {
		Reason      string `json:"reason"`
		Adjustments []struct {
			Product  string `json:"product_id"`
			Quantity int64  `json:"quantity"`
		} `json:"adjustments"`
	}
	if err := json.NewDecoder(r.Body).Decode(&raw); err != nil {
		return 400, nil
	}
	for _, line := range raw.Adjustments {
		body.Lines = append(body.Lines, Line{Product: line.Product, Quantity: line.Quantity})
	}
	if key := r.Header.Get("Idempotency-Key"); !p.entered[key] {
		for _, line := range body.Lines {
			if p.stock[r.PathValue("store")+line.Product]+line.Quantity < 0 {
				return refused(409, "STOCK_UNDERFLOW")
			}
		}
		p.entered[key] = true
		for _, line := range body.Lines {
			p.stock[r.PathValue("store")+line.Product] += line.Quantity
		}
	}
	return 200, map[string]any{}
}

// newAnswer is a server that answers always the same.
func newAnswer(t *testing.T, status int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		if _, err := w.Write([]byte(body)); err != nil {
			t.Errorf("answer: %v", err)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// topics stand for Pub/Sub, as far as the warehouse uses it.
type topics struct {
	pubsubpb.UnimplementedPublisherServer
	address   string
	published atomic.Int64
}

func newTopics(t *testing.T) *topics {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &topics{address: listener.Addr().String()}
	server := grpc.NewServer()
	pubsubpb.RegisterPublisherServer(server, p)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // until it is stopped
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	return p
}

// Publish implements pubsubpb.PublisherServer.
func (p *topics) Publish(_ context.Context, r *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	p.published.Add(int64(len(r.GetMessages())))
	return &pubsubpb.PublishResponse{MessageIds: make([]string, len(r.GetMessages()))}, nil
}
