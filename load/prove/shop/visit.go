package shop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
)

// Session is a shopper's who is signed in, for a program that asks in the shopper's place.
type Session struct {
	User  string `json:"user"`
	Token string `json:"token"` // good for four minutes at least
}

// Sessions are everybody's.
func (s *Shop) Sessions(ctx context.Context) ([]Session, error) {
	c := newClient(s.config.Edge)
	defer c.close()
	sessions := make([]Session, len(s.people))
	for i, p := range s.people {
		token, err := p.bearer(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("sign in %s: %w", p.email, err)
		}
		sessions[i] = Session{User: p.user(), Token: token}
	}
	return sessions, nil
}

// Stores are all stores, sorted; Limits are what one shopper may buy in a day of a product.
func (s *Shop) Stores() []string         { return s.stores }
func (s *Shop) Limits() map[string]int64 { return s.limits }

// LoadStock has each store's virtual stock loaded anew, so that all that the ledger has is on sale.
func (s *Shop) LoadStock(ctx context.Context) error {
	c := newClient(s.config.Edge)
	defer c.close()
	for _, store := range s.stores {
		token, err := s.operator.bearer(ctx, c)
		if err != nil {
			return err
		}
		if _, err := c.insist(ctx, request{
			method: http.MethodPost, path: "/v1/stores/" + store + "/stock:rebuild", token: token, body: map[string]any{},
		}); err != nil {
			return fmt.Errorf("load the stock of %s: %w", store, err)
		}
	}
	return nil
}

// Visit is a day of which others have written the history down, such as a load generator: it enters nothing and nobody acts. What has no
// final answer can be asked again by Finish. Checkouts are those of the shop's own shoppers. Error: one is somebody else's.
func (s *Shop) Visit(place Place, history *History) (*Day, error) {
	byID := map[string]*person{}
	for _, p := range s.people {
		byID[p.user()] = p
	}
	for _, c := range history.Checkouts {
		if c.person = byID[c.User]; c.person == nil {
			return nil, fmt.Errorf("checkout %s is of user %q, who isn't one of ours", c.Key, c.User)
		}
		c.registered.Do(func() {}) // it is in the history
	}
	return &Day{
		shop: s, place: place, log: s.config.Log, client: newClient(place.Edge), history: history,
		random: rand.New(rand.NewPCG(s.config.Seed, 0)), checkouts: newGate(s.config.Checkouts),
	}, nil
}

// Enter has the operator add to a store's stock, or take away from it, and writes that down.
func (d *Day) Enter(ctx context.Context, store string, lines []Line) error {
	return d.mustEnter(ctx, d.adjustment(store, ByOperator, lines))
}

// ReadCheckout reads an answer to POST /v1/checkouts, whoever has asked; status 0: there was none.
func ReadCheckout(status int, body []byte) Answer {
	r := reply{status: status, body: body}
	r.readFailure()
	return readCheckout(r)
}
