// Package client is the REST API for programs in Go: every method of the contract with the contract's own messages, and what a program that
// calls it over a network needs besides.
//
//		shop := client.New("https://api.larder.example")
//		_, err := shop.SignIn(ctx, email, password)
//		found, err := shop.Search(ctx, &searchpb.SearchRequest{Store: "soho", Q: "bananas"})
//
//	  - A refusal is an *Error with the reason of docs/errors.md. Decide by ReasonOf(err).
//	  - Access tokens are changed for new ones before they expire (session.go).
//	  - A call that found nobody, or was told to come again, is sent again where that can do no harm: reading, replacing and deleting, all that
//	    has an Idempotency-Key, and what was refused before anything was done (retry.go).
//	  - What costs money or stock has an Idempotency-Key. The client makes one, the same for all tries of one call. A program that may itself
//	    be ended in between keeps a key of its own and gives it with WithIdempotencyKey, so that its next life goes on with the same order.
//	  - FollowOrder tells of an order's states as they come (follow.go).
//
// methods.gen.go is generated from the protos by make generate.
package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	userpb "larder.dev/api/user/v1"
)

// Client calls the API as one person, or as nobody until SignIn or Resume. It is safe for concurrent use. The zero value isn't one: use New.
type Client struct {
	// HTTP sends requests. Its Timeout should leave room for a request, 15 s; a stream of FollowOrder ends with it, and goes on.
	HTTP *http.Client
	// Tries is how often a call is sent at most. 1 never sends one again.
	Tries int
	// MaxWait is the longest time that a call waits for its next try. One that is told to wait longer fails.
	MaxWait time.Duration
	// OnSession is told of every new session, to keep its refresh token where the next start finds it. It is called by one call at a time,
	// which waits for it. nil: nothing is kept.
	OnSession func(*userpb.Session)

	base string
	now  func() time.Time

	mu      sync.Mutex
	session *userpb.Session // nil: nobody
}

// New makes a client of the API at base, such as http://127.0.0.1:18080.
func New(base string) *Client {
	return &Client{
		HTTP: &http.Client{Timeout: 20 * time.Second}, Tries: 4, MaxWait: 10 * time.Second,
		base: strings.TrimSuffix(base, "/"), now: time.Now,
	}
}

// Option changes one call.
type Option func(*options)

type options struct{ key string }

// WithIdempotencyKey gives a call the key of an intention: 8 to 100 letters, digits, - and _. The same key and request again give the same
// answer, and nothing is done twice.
func WithIdempotencyKey(key string) Option { return func(o *options) { o.key = key } }

// call sends the request of a method that has no Idempotency-Key.
func call[T proto.Message](ctx context.Context, c *Client, method string, request proto.Message, into T, given []Option) (T, error) {
	return send(ctx, c, method, request, into, given, "")
}

// callWithKey sends that of one that has.
func callWithKey[T proto.Message](ctx context.Context, c *Client, method string, request proto.Message, into T, given []Option) (T, error) {
	return send(ctx, c, method, request, into, given, uuid.NewString())
}

func send[T proto.Message](ctx context.Context, c *Client, method string, request proto.Message, into T, given []Option, key string) (T, error) {
	var none T
	chosen := options{key: key}
	for _, option := range given {
		option(&chosen)
	}
	message, err := encode(method, request)
	if err != nil {
		return none, err
	}
	if chosen.key != "" {
		message.header.Set("Idempotency-Key", chosen.key)
	}
	text, err := c.deliver(ctx, message)
	if err != nil {
		return none, err
	}
	if len(text) == 0 { // a method that answers nothing
		return into, nil
	}
	// A later release may answer more than this one knows.
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, into); err != nil {
		return none, fmt.Errorf("%s %s: read the answer: %w", message.verb, message.path, err)
	}
	return into, nil
}

// deliver sends a message, as whoever is signed in, until it is answered, and returns the answer's body. An access token that has expired on
// the way is changed for a new one, once.
func (c *Client) deliver(ctx context.Context, message message) ([]byte, error) {
	renewed := false
	for try := 1; ; try++ {
		token, err := c.token(ctx, message)
		if err != nil {
			return nil, err
		}
		text, err := c.once(ctx, message, token)
		if err == nil {
			return text, nil
		}
		if ReasonOf(err) == "TOKEN_EXPIRED" && !renewed {
			renewed = true
			c.expire(token)
			continue
		}
		if !c.again(message, err, try) {
			return nil, err
		}
		if waited := c.wait(ctx, err, try); waited != nil {
			return nil, errors.Join(err, waited)
		}
	}
}

// once sends a message one time.
func (c *Client) once(ctx context.Context, message message, token string) ([]byte, error) {
	response, err := c.open(ctx, message, token)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, &unanswered{fmt.Errorf("%s %s: %w", message.verb, message.path, err)}
	}
	return text, nil
}

const maxAnswer = 16 << 20 // bytes; no list of the API comes near

// open sends a message and returns an answer of 2xx, whose body is still to be read and closed. Any other answer is an *Error.
func (c *Client) open(ctx context.Context, message message, token string) (*http.Response, error) {
	return c.openWith(ctx, message, token, bytes.NewReader(message.body), 0)
}

// openWith is open for a body that is read once.
func (c *Client) openWith(ctx context.Context, message message, token string, body io.Reader, size int64) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, message.verb, c.base+message.path, body)
	if err != nil {
		return nil, err
	}
	if size > 0 { // else the body tells it, if it can
		request.ContentLength = size
	}
	request.Header = message.header.Clone()
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, &unanswered{err}
	}
	if response.StatusCode >= http.StatusOK && response.StatusCode < http.StatusMultipleChoices {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // an error's half is still an error
	return nil, errorOf(message, response, text)
}

// unanswered is the error of a message that nobody has answered: it may have been done, or not.
type unanswered struct{ error }

// Unwrap returns the transport's error.
func (u *unanswered) Unwrap() error { return u.error }
