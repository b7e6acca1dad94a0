package identity

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"cloud.google.com/go/compute/metadata"
	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/credentials"
)

// Outgoing puts a service's own ID token, and the access token of the person that it acts for, on its calls to our other services.
type Outgoing struct {
	account  string // a service account's address, or "default"
	audience string
	secure   bool
	now      func() time.Time

	mu     sync.Mutex
	token  string
	asked  time.Time
	expiry time.Time
}

var _ credentials.PerRPCCredentials = (*Outgoing)(nil)

// NewOutgoing makes one for a service account ("default" on Google Cloud). secure refuses connections without TLS.
func NewOutgoing(account, audience string, secure bool, now func() time.Time) *Outgoing {
	return &Outgoing{account: account, audience: audience, secure: secure, now: now}
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (o *Outgoing) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, err := o.idToken(ctx)
	if err != nil {
		return nil, err
	}
	headers := map[string]string{ServiceTokenHeader: token, "x-serverless-authorization": "Bearer " + token}
	if person := accessToken(ctx); person != "" {
		headers["authorization"] = "Bearer " + person
	}
	return headers, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (o *Outgoing) RequireTransportSecurity() bool { return o.secure }

// idToken asks the metadata server, and again five minutes before the token ends.
func (o *Outgoing) idToken(ctx context.Context) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now().Before(o.expiry.Add(-5 * time.Minute)) {
		return o.token, nil
	}
	path := fmt.Sprintf("instance/service-accounts/%s/identity?audience=%s&format=full", o.account, url.QueryEscape(o.audience))
	token, err := metadata.GetWithContext(ctx, path)
	if err != nil {
		return "", fmt.Errorf("get an ID token of %s: %w", o.account, err)
	}
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil || claims.ExpiresAt == nil {
		return "", fmt.Errorf("read the ID token of %s: %w", o.account, err)
	}
	o.token, o.asked, o.expiry = token, o.now(), claims.ExpiresAt.Time
	return token, nil
}

// Forget drops the ID token that is kept, so that the next call asks for a new one. It tells whether that can help: not if the
// token was asked for within the last seconds.
func (o *Outgoing) Forget() bool {
	const young = 10 * time.Second
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now().Sub(o.asked) < young {
		return false
	}
	o.expiry = time.Time{}
	return true
}
