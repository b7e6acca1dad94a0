package identity

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"larder.dev/internal/fault"
)

// ServiceTokenHeader carries a service's ID token. It is not X-Serverless-Authorization, which the same token also goes by: Cloud
// Run takes the signature off the token that it checks itself.
const ServiceTokenHeader = "x-larder-service-token"

// Config says which tokens are believed.
type Config struct {
	// JWKSURL has the user service's public keys.
	JWKSURL string `env:"JWKS_URL,required"`
	// Issuer and Audience of access tokens.
	Issuer   string `env:"TOKEN_ISSUER" envDefault:"https://larder.dev"`
	Audience string `env:"TOKEN_AUDIENCE" envDefault:"larder"`
	// ServiceJWKSURL has the public keys of service ID tokens.
	ServiceJWKSURL string `env:"SERVICE_JWKS_URL" envDefault:"https://www.googleapis.com/oauth2/v3/certs"`
	ServiceIssuer  string `env:"SERVICE_TOKEN_ISSUER" envDefault:"https://accounts.google.com"`
	// ServiceAudience is the audience of service ID tokens, the same for all our services.
	ServiceAudience string `env:"SERVICE_TOKEN_AUDIENCE" envDefault:"https://larder.dev/services"`
	// ServiceDomain is the end of our service accounts' addresses: <service>@<ServiceDomain>.
	ServiceDomain string `env:"SERVICE_ACCOUNT_DOMAIN,required"`
}

// AccessClaims is what an access token says.
type AccessClaims struct {
	jwt.RegisteredClaims
	SessionID string   `json:"sid"`
	Roles     []string `json:"roles"`
}

// Sign makes an access token (EdDSA, RFC 8037) for a person, valid from now until the expiry.
func Sign(key ed25519.PrivateKey, kid, issuer, audience string, caller Caller, now, expiry time.Time) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, AccessClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: caller.UserID,
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expiry),
		},
		SessionID: caller.SessionID, Roles: caller.Roles,
	})
	token.Header["kid"] = kid
	return token.SignedString(key)
}

// Verifier verifies tokens. It fetches public keys when it first meets their id and keeps them.
type Verifier struct {
	config   Config
	person   keyfunc.Keyfunc
	service  keyfunc.Keyfunc
	now      func() time.Time
	personOf *jwt.Parser
	svcOf    *jwt.Parser
}

// NewVerifier makes one; ctx bounds the life of its key refreshers.
func NewVerifier(ctx context.Context, config Config, now func() time.Time) (*Verifier, error) {
	person, err := keySet(ctx, config.JWKSURL)
	if err != nil {
		return nil, err
	}
	service, err := keySet(ctx, config.ServiceJWKSURL)
	if err != nil {
		return nil, err
	}
	parser := func(method, issuer, audience string) *jwt.Parser {
		return jwt.NewParser(jwt.WithValidMethods([]string{method}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
			jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(30*time.Second), jwt.WithTimeFunc(now))
	}
	return &Verifier{
		config: config, person: person, service: service, now: now,
		personOf: parser("EdDSA", config.Issuer, config.Audience),
		svcOf:    parser("RS256", config.ServiceIssuer, config.ServiceAudience),
	}, nil
}

// Person verifies an access token. Errors: UNAUTHENTICATED, TOKEN_EXPIRED, UNAVAILABLE while its key can't be fetched.
func (v *Verifier) Person(ctx context.Context, token string) (Caller, error) {
	var claims AccessClaims
	if _, err := v.personOf.ParseWithClaims(token, &claims, v.person.KeyfuncCtx(ctx)); err != nil {
		return Caller{}, refuse(err)
	}
	if claims.Subject == "" {
		return Caller{}, fault.Unauthenticated.New("the access token names nobody")
	}
	return Caller{UserID: claims.Subject, SessionID: claims.SessionID, Roles: claims.Roles}, nil
}

// Service verifies a service's ID token and returns the service's name. Errors: as for Person.
func (v *Verifier) Service(ctx context.Context, token string) (string, error) {
	var claims struct {
		jwt.RegisteredClaims
		Email         string `json:"email"`
		EmailVerified bool   `json:"email_verified"`
	}
	if _, err := v.svcOf.ParseWithClaims(token, &claims, v.service.KeyfuncCtx(ctx)); err != nil {
		return "", refuse(err)
	}
	name, domain, _ := strings.Cut(claims.Email, "@")
	if !claims.EmailVerified || domain != v.config.ServiceDomain || name == "" {
		return "", fault.Unauthenticated.New("the service token is of no service of ours")
	}
	return name, nil
}

func refuse(err error) error {
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return fault.TokenExpired.New("the token has expired").WithCause(err)
	case errors.Is(err, errKeysAway):
		return fault.Unavailable.New("tokens can't be verified now, try again").WithRetryAfter(time.Second).WithCause(err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fault.Unauthenticated.New("the token is not valid").WithCause(fmt.Errorf("verify token: %w", err))
}
