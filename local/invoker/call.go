package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"larder.dev/internal/identity"
)

// Accounts that Google's services call with.
const (
	pushAccount      = "pubsub-push"
	schedulerAccount = "scheduler"
)

// audiences are the beginning of a function's: what it wants its callers' tokens to be for.
const audiences = "https://larder.dev/functions/"

// maxAnswer bounds what is kept of a function's answer, in bytes.
const maxAnswer = 1 << 20

// caller makes signed calls. It may be used concurrently.
type caller struct {
	domain string
	to     map[string]string // by function's name in lower case
	client *http.Client
	now    func() time.Time

	mu     sync.Mutex
	tokens map[string]*identity.Outgoing // by account and function
}

func newCaller(domain string, to map[string]string, now func() time.Time) *caller {
	return &caller{
		domain: domain, to: to, now: now, tokens: map[string]*identity.Outgoing{},
		client: &http.Client{
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
				MaxIdleConnsPerHost: 32,
				IdleConnTimeout:     30 * time.Second,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// answer is what a function said.
type answer struct {
	status      int
	contentType string
	body        []byte
}

func (a *answer) ok() bool { return a.status/100 == 2 }

// post calls a function, with a header and a body, as an account. A function that refuses the token is asked once more with a new
// one: the metadata server's key may be another by now. The error says that there was no answer.
func (c *caller) post(ctx context.Context, account, function string, header http.Header, body []byte) (*answer, error) {
	token := c.token(account, function)
	got, err := c.try(ctx, token, function, header, body)
	if err == nil && got.status == http.StatusUnauthorized && token.Forget() {
		return c.try(ctx, token, function, header, body)
	}
	return got, err
}

func (c *caller) try(ctx context.Context, token *identity.Outgoing, function string, header http.Header, body []byte) (*answer, error) {
	proofs, err := token.GetRequestMetadata(ctx)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.to[lower(function)]+"/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", function, err)
	}
	request.Header = header.Clone()
	request.Header.Set("Authorization", "Bearer "+proofs[identity.ServiceTokenHeader])
	response, err := c.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", function, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", function, err)
	}
	return &answer{status: response.StatusCode, contentType: response.Header.Get("Content-Type"), body: text}, nil
}

// token is the ID token that an account calls a function with, renewed before it ends.
func (c *caller) token(account, function string) *identity.Outgoing {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := account + " " + lower(function)
	if c.tokens[name] == nil {
		c.tokens[name] = identity.NewOutgoing(account+"@"+c.domain, audiences+lower(function), false, c.now)
	}
	return c.tokens[name]
}

// ready tells whether a function says that it is.
func (c *caller) ready(ctx context.Context, function string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.to[lower(function)]+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	response, err := c.client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// pass answers as a function did.
func (a *answer) pass(w http.ResponseWriter) {
	if a.contentType != "" {
		w.Header().Set("Content-Type", a.contentType)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}
