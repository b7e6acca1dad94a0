package client

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	userpb "larder.dev/api/user/v1"
)

// early is how long before its end an access token is changed for a new one: a request and a clock that is late fit in.
const early = 30 * time.Second

// SignIn begins a session, which the following calls are made with. Errors: BAD_CREDENTIALS, TOO_MANY_ATTEMPTS with RetryAfter.
func (c *Client) SignIn(ctx context.Context, email, password string) (*userpb.Session, error) {
	session, err := c.CreateSession(ctx, &userpb.CreateSessionRequest{Email: email, Password: password})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(session)
	return clone(session), nil
}

// Resume goes on with a session that was kept: with its refresh token, by the next call that needs one.
func (c *Client) Resume(refreshToken string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = &userpb.Session{RefreshToken: refreshToken}
}

// SignOut ends the session. Whatever the answer, the following calls are nobody's.
func (c *Client) SignOut(ctx context.Context) error {
	_, err := c.DeleteSession(ctx, &userpb.DeleteSessionRequest{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = nil
	return err
}

// token is the access token that a message is sent with, "" of nobody. One that is about to expire is changed for a new one: by one call at
// a time, because a refresh token is used once. A session that can't be refreshed any more stays: calls fail with REFRESH_TOKEN_INVALID
// until somebody signs in.
func (c *Client) token(ctx context.Context, message message) (string, error) {
	if message.signsIn {
		return "", nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return "", nil
	}
	if c.session.GetAccessToken() != "" && c.now().Add(early).Before(c.session.GetAccessTokenExpireTime().AsTime()) {
		return c.session.GetAccessToken(), nil
	}
	next, err := c.RefreshSession(ctx, &userpb.RefreshSessionRequest{RefreshToken: c.session.GetRefreshToken()})
	if err != nil {
		return "", err
	}
	c.keep(next)
	return next.GetAccessToken(), nil
}

// expire has a token changed at the next call, if it is still the session's.
func (c *Client) expire(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil && c.session.GetAccessToken() == token {
		c.session.AccessToken = ""
	}
}

// keep makes a session that of the following calls. The caller has the lock.
func (c *Client) keep(session *userpb.Session) {
	c.session = clone(session)
	if c.OnSession != nil {
		c.OnSession(clone(session))
	}
}

func clone(session *userpb.Session) *userpb.Session {
	return proto.CloneOf(session)
}
