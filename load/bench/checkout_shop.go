package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// benchShop is a shop by its public API, with products of its own and shoppers who are signed in.
type benchShop struct {
	config   checkoutConfig
	http     *http.Client
	products []string
	shoppers []string // access tokens
}

// preparing is how many requests are under way at once while the shop is prepared.
const preparing = 4

// filled is a cart that is ready to be bought: a guest's cart, which any shopper who knows it may buy, so that each order has its own.
type filled struct {
	id    string
	token string
	total any
}

// openShop makes products with stock enough, and signs shoppers in.
func openShop(ctx context.Context, config checkoutConfig) (*benchShop, error) {
	transport := &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 512}
	s := &benchShop{config: config, http: &http.Client{Timeout: 60 * time.Second, Transport: transport}}
	merchandiser, err := s.signIn(ctx, "merchandiser@larder.example", config.Password)
	if err != nil {
		return nil, err
	}
	operator, err := s.signIn(ctx, "operator@larder.example", config.Password)
	if err != nil {
		return nil, err
	}
	word := "bench-" + uuid.NewString()[:8]
	for i := range checkoutLines {
		id := fmt.Sprintf("%s-%d", word, i)
		product := map[string]any{
			"product_id": id, "name": id, "category_id": "fruit", "status": "ACTIVE", "price": map[string]any{"currency": "GBP", "minor_units": 100 + i},
		}
		if err := s.call(ctx, "POST", "/v1/products", merchandiser, product, nil); err != nil {
			return nil, err
		}
		delivery := map[string]any{"reason": "bench", "adjustments": []any{map[string]any{"product_id": id, "quantity": 10_000}}}
		if err := s.call(ctx, "POST", "/v1/stores/"+config.Store+"/stock:adjust", operator, delivery, nil, "Idempotency-Key", uuid.NewString()); err != nil {
			return nil, err
		}
		s.products = append(s.products, id)
	}
	s.shoppers = make([]string, checkoutShoppers)
	return s, each(ctx, checkoutShoppers, func(ctx context.Context, i int) (err error) {
		email, password := fmt.Sprintf("%s-%d@shopper.example", word, i), "correct-horse-"+word
		account := map[string]any{"email": email, "password": password, "display_name": "Bench"}
		if err := s.call(ctx, "POST", "/v1/users", "", account, nil); err != nil {
			return err
		}
		s.shoppers[i], err = s.signIn(ctx, email, password)
		return err
	})
}

func (s *benchShop) signIn(ctx context.Context, email, password string) (token string, err error) {
	var session struct {
		AccessToken string `json:"access_token"`
	}
	err = s.call(ctx, "POST", "/v1/sessions", "", map[string]any{"email": email, "password": password}, &session)
	return session.AccessToken, err
}

// fillCarts prepares so many carts, one unit of each product.
func (s *benchShop) fillCarts(ctx context.Context, n int) ([]filled, error) {
	carts := make([]filled, n)
	err := each(ctx, n, func(ctx context.Context, i int) error {
		var cart struct {
			ID     string `json:"cart_id"`
			Totals struct {
				Total any `json:"total"`
			} `json:"totals"`
		}
		if err := s.call(ctx, "POST", "/v1/carts", "", map[string]any{"store_id": s.config.Store}, &cart); err != nil {
			return err
		}
		for _, product := range s.products {
			if err := s.call(ctx, "PUT", "/v1/carts/"+cart.ID+"/items/"+product, "", map[string]any{"quantity": 1}, &cart); err != nil {
				return err
			}
		}
		carts[i] = filled{id: cart.ID, token: s.shoppers[i%len(s.shoppers)], total: cart.Totals.Total}
		return nil
	})
	return carts, err
}

// checkOut buys a cart, asking again for as long as the outcome isn't known.
func (s *benchShop) checkOut(ctx context.Context, cart filled) error {
	body := map[string]any{
		"cart_id": cart.id, "store_id": s.config.Store, "payment_method": "pm_card_visa", "expected_total": cart.total,
		"address": map[string]any{"recipient": "Ada Lovelace", "line1": "12 St James's Square", "city": "London", "postcode": "SW1Y 4LE", "country": "GB"},
	}
	key := uuid.NewString()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		var checkout struct {
			State string `json:"state"`
		}
		err := s.send(ctx, "POST", "http://"+s.config.Edge+"/v1/checkouts", cart.token, body, &checkout, "Idempotency-Key", key)
		var refused *statusError
		switch {
		case err == nil && checkout.State == "CONFIRMED":
			return nil
		case err == nil && checkout.State == "PROCESSING", errors.As(err, &refused) && refused.again():
			if err := sleep(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		case err == nil:
			return fmt.Errorf("the checkout is %s", checkout.State)
		default:
			return err
		}
	}
	return errors.New("the checkout doesn't end")
}

// latency sets the time that each of the provider's calls takes.
func (s *benchShop) latency(ctx context.Context, p50, p99 string) error {
	return s.send(ctx, "POST", s.config.Provider+"/_control/latency", "", map[string]any{"p50": p50, "p99": p99}, nil)
}

// call prepares: it asks again for as long as the platform is overloaded, as it may be by so many passwords.
func (s *benchShop) call(ctx context.Context, method, path, token string, body, into any, headers ...string) error {
	for deadline := time.Now().Add(time.Minute); ; {
		err := s.send(ctx, method, "http://"+s.config.Edge+path, token, body, into, headers...)
		var refused *statusError
		if !errors.As(err, &refused) || !refused.again() || time.Now().After(deadline) {
			return err
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// statusError is an answer that isn't 200.
type statusError struct {
	request string
	status  int
	body    string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s: %d %.300s", e.request, e.status, e.body)
}

func (e *statusError) again() bool {
	return e.status == http.StatusTooManyRequests || e.status == http.StatusServiceUnavailable || e.status == http.StatusGatewayTimeout
}

func (s *benchShop) send(ctx context.Context, method, url, token string, body, into any, headers ...string) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return fmt.Errorf("read the answer to %s %s: %w", method, url, err)
	case response.StatusCode != http.StatusOK:
		return &statusError{method + " " + url, response.StatusCode, string(text)}
	case into == nil:
		return nil
	}
	return json.Unmarshal(text, into)
}

// each does something so many times, a few at once, and stops at the first failure.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(preparing)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}
