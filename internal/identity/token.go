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

	ServiceConfig
}

// ServiceConfig says which ID tokens of services are believed.
type ServiceConfig struct {
	// ServiceJWKSURL has the public keys of service ID tokens.
	ServiceJWKSURL string `env:"SERVICE_JWKS_URL" envDefault:"https://www.googleapis.com/oauth2/v3/certs"`
	ServiceIssuer  string `env:"SERVICE_TOKEN_ISSUER" envDefault:"https://accounts.google.com"`
	// ServiceAudience is the audience of service ID tokens, the same for all our services.
	ServiceAudience string `env:"SERVICE_TOKEN_AUDIENCE" envDefault:"https://larder.dev/services"`
	// ServiceDomain is the end of our service accounts' addresses: <AccountPrefix><service>@<ServiceDomain>.
	ServiceDomain string `env:"SERVICE_ACCOUNT_DOMAIN,required"`
	// AccountPrefix begins the name of each of our service accounts, and isn't part of the service's name: larder-cart@... is cart. Google
	// takes no account of fewer than 6 letters.
	AccountPrefix string `env:"SERVICE_ACCOUNT_PREFIX"`
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
	person   keyfunc.Keyfunc
	personOf *jwt.Parser
	persons  *kept[Caller]
	services *Accounts
}

// NewVerifier makes one; ctx bounds the life of its key refreshers.
func NewVerifier(ctx context.Context, config Config, now func() time.Time) (*Verifier, error) {
	person, err := keySet(ctx, config.JWKSURL)
	if err != nil {
		return nil, err
	}
	services, err := NewAccounts(ctx, config.ServiceConfig, config.ServiceAudience, now)
	if err != nil {
		return nil, err
	}
	persons, err := newKept[Caller](now)
	if err != nil {
		return nil, err
	}
	return &Verifier{person: person, personOf: parser("EdDSA", config.Issuer, config.Audience, now), persons: persons, services: services}, nil
}

func parser(method, issuer, audience string, now func() time.Time) *jwt.Parser {
	return jwt.NewParser(jwt.WithValidMethods([]string{method}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(now))
}

// Person verifies an access token. Errors: UNAUTHENTICATED, TOKEN_EXPIRED, UNAVAILABLE while its key can't be fetched.
func (v *Verifier) Person(ctx context.Context, token string) (Caller, error) {
	if caller, ok := v.persons.get(token); ok {
		return caller, nil
	}
	var claims AccessClaims
	if _, err := v.personOf.ParseWithClaims(token, &claims, v.person.KeyfuncCtx(ctx)); err != nil {
		return Caller{}, refuse(err)
	}
	if claims.Subject == "" {
		return Caller{}, fault.Unauthenticated.New("the access token names nobody")
	}
	caller := Caller{UserID: claims.Subject, SessionID: claims.SessionID, Roles: claims.Roles}
	v.persons.put(token, caller, claims.ExpiresAt.Time)
	return caller, nil
}

// Service verifies a service's ID token and returns the service's name. Errors: as for Person.
func (v *Verifier) Service(ctx context.Context, token string) (string, error) {
	return v.services.Account(ctx, token)
}

// Accounts verifies ID tokens that Google signs for our service accounts, for one audience. It keeps keys as Verifier does.
type Accounts struct {
	prefix string
	domain string
	keys   keyfunc.Keyfunc
	parser *jwt.Parser
	names  *kept[string]
}

// NewAccounts makes one; ctx bounds the life of its key refresher.
func NewAccounts(ctx context.Context, config ServiceConfig, audience string, now func() time.Time) (*Accounts, error) {
	keys, err := keySet(ctx, config.ServiceJWKSURL)
	if err != nil {
		return nil, err
	}
	names, err := newKept[string](now)
	if err != nil {
		return nil, err
	}
	return &Accounts{prefix: config.AccountPrefix, domain: config.ServiceDomain, keys: keys, parser: parser("RS256", config.ServiceIssuer, audience, now), names: names}, nil
}

// Account verifies a token and returns the account's name, which its address has between prefix and domain. Errors: as for Person.
func (a *Accounts) Account(ctx context.Context, token string) (string, error) {
	if name, ok := a.names.get(token); ok {
		return name, nil
	}
	var claims struct {
		jwt.RegisteredClaims
		Email         string `json:"email"`
		EmailVerified bool   `json:"email_verified"`
	}
	if _, err := a.parser.ParseWithClaims(token, &claims, a.keys.KeyfuncCtx(ctx)); err != nil {
		return "", refuse(err)
	}
	address, domain, _ := strings.Cut(claims.Email, "@")
	name, ours := strings.CutPrefix(address, a.prefix)
	if !claims.EmailVerified || domain != a.domain || !ours || name == "" {
		return "", fault.Unauthenticated.New("the service token is of no service of ours")
	}
	a.names.put(token, name, claims.ExpiresAt.Time)
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
