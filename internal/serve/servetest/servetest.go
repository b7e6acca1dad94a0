// Package servetest starts a service in the test's process, whole: its port, its interceptors, and tokens that it believes.
package servetest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
)

const (
	issuer, audience               = "https://larder.dev", "larder"
	serviceIssuer, serviceAudience = "https://accounts.google.com", "https://larder.dev/services"
	domain                         = "larder-test.iam.gserviceaccount.com"
	kid                            = "test"
)

// Issuer signs tokens, of people and of services, and serves the keys to verify them.
type Issuer struct {
	people   ed25519.PrivateKey
	services *rsa.PrivateKey
	keys     *httptest.Server
}

// NewIssuer makes one with keys of its own.
func NewIssuer(t *testing.T) *Issuer {
	t.Helper()
	_, people, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	services, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	set, err := json.Marshal(map[string]any{"keys": []map[string]string{
		{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": text(people.Public().(ed25519.PublicKey))},
		{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid + "-service", "n": text(services.N.Bytes()), "e": text(big.NewInt(int64(services.E)).Bytes())},
	}})
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(set)
	}))
	t.Cleanup(keys.Close)
	return &Issuer{people: people, services: services, keys: keys}
}

// Token is an access token of a person that ends after a time; a negative one has ended.
func (i *Issuer) Token(t *testing.T, caller identity.Caller, lasts time.Duration) string {
	t.Helper()
	now := time.Now()
	token, err := identity.Sign(i.people, kid, issuer, audience, caller, now.Add(-time.Hour), now.Add(lasts))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// ServiceToken is an ID token of one of our services; send it as identity.ServiceTokenHeader.
func (i *Issuer) ServiceToken(t *testing.T, service string) string {
	t.Helper()
	return i.IDToken(t, service, serviceAudience, time.Hour)
}

// IDToken is an ID token of a service account, named without its domain, for an audience. It ends after a time; a negative one has ended.
func (i *Issuer) IDToken(t *testing.T, account, audience string, lasts time.Duration) string {
	t.Helper()
	signed, err := i.Sign(jwt.MapClaims{
		"iss": serviceIssuer, "aud": audience, "sub": account, "iat": time.Now().Add(-time.Hour).Unix(), "exp": time.Now().Add(lasts).Unix(),
		"email": account + "@" + domain, "email_verified": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// Sign signs the claims of an ID token, whatever they say.
func (i *Issuer) Sign(claims jwt.MapClaims) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = kid + "-service"
	return token.SignedString(i.services)
}

// Config is a service's configuration that believes this issuer.
func (i *Issuer) Config() serve.Config {
	return serve.Config{
		Project: "larder-test", Insecure: true, RequestTimeout: 15 * time.Second, MaxBody: 1 << 20, MinConcurrent: 16, MaxConcurrent: 512,
		Identity: identity.Config{
			JWKSURL: i.keys.URL, Issuer: issuer, Audience: audience,
			ServiceConfig: identity.ServiceConfig{
				ServiceJWKSURL: i.keys.URL, ServiceIssuer: serviceIssuer, ServiceAudience: serviceAudience, ServiceDomain: domain,
			},
		},
	}
}

// Start sets a service up and serves it, gRPC (h2c) and REST, until the test ends. The URL has no path.
func (i *Issuer) Start(t *testing.T, name string, setup func(ctx context.Context, app *serve.App) error) *httptest.Server {
	t.Helper()
	config := i.Config()
	app, err := serve.New(t.Context(), name, &config)
	if err != nil {
		t.Fatal(err)
	}
	if err := setup(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(app.Handler())
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server
}
