package shop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// refreshAfter is the age at which a token is changed for another: it lives for 15 minutes.
	refreshAfter = 11 * time.Minute
	// doubtAfter is the age from which a refused token is changed too; a younger one was refused by a process whose clock is wrong.
	doubtAfter = time.Minute
	// giveUp bounds a sign-in.
	giveUp = 2 * time.Minute
)

// person has an account.
type person struct {
	email, password string

	mu             sync.Mutex
	id             string
	token, refresh string
	issued         time.Time
}

type session struct {
	Token   string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	User    struct {
		ID string `json:"user_id"`
	} `json:"user"`
}

// register makes an account and signs in.
func register(ctx context.Context, c *client, email string) (*person, error) {
	p := &person{email: email, password: "correct-horse-battery"}
	_, err := c.insist(ctx, request{method: http.MethodPost, path: "/v1/users", body: map[string]string{
		"email": p.email, "password": p.password, "display_name": "Shopper",
	}})
	if err != nil && !errors.Is(err, errRefused) { // refused: a first answer was lost, and the address is taken; signing in tells
		return nil, fmt.Errorf("register %s: %w", email, err)
	}
	if _, err := p.bearer(ctx, c); err != nil {
		return nil, fmt.Errorf("sign in %s: %w", email, err)
	}
	return p, nil
}

// user is the person's id.
func (p *person) user() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id
}

// bearer returns an access token that is good for some minutes.
func (p *person) bearer(ctx context.Context, c *client) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token != "" && time.Since(p.issued) < refreshAfter {
		return p.token, nil
	}
	ctx, cancel := context.WithTimeout(ctx, giveUp)
	defer cancel()
	if p.refresh != "" {
		// A refresh token can be used once. Where the answer is lost, it is used up: then the password is asked for.
		answer := c.send(ctx, request{method: http.MethodPost, path: "/v1/sessions:refresh", body: map[string]string{"refresh_token": p.refresh}})
		p.refresh = ""
		if answer.status == http.StatusOK {
			err := p.take(answer.body)
			return p.token, err
		}
	}
	answer, err := c.insist(ctx, request{method: http.MethodPost, path: "/v1/sessions", body: map[string]string{
		"email": p.email, "password": p.password,
	}})
	if err != nil {
		return "", err
	}
	if err := p.take(answer.body); err != nil {
		return "", err
	}
	return p.token, nil
}

// take keeps a session. The caller has the lock.
func (p *person) take(body []byte) error {
	var s session
	if err := json.Unmarshal(body, &s); err != nil {
		return fmt.Errorf("decode a session: %w", err)
	}
	p.token, p.refresh, p.issued = s.Token, s.Refresh, time.Now()
	if s.User.ID != "" {
		p.id = s.User.ID
	}
	return nil
}

// refused is told when somebody refused the token.
func (p *person) refused() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.issued) > doubtAfter {
		p.issued = time.Time{}
	}
}

// as sends a request with a person's token. Without a token nothing is sent: status 0.
func (c *client) as(ctx context.Context, p *person, r request) reply {
	token, err := p.bearer(ctx, c)
	if err != nil {
		now := time.Now()
		return reply{start: now, end: now}
	}
	r.token = token
	answer := c.send(ctx, r)
	if answer.status == http.StatusUnauthorized {
		p.refused()
	}
	return answer
}
