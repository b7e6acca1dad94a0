// Package identity tells who calls: a person by an access token (a JWT that the user service signs), a service by an ID
// token that Google signs (locally, the metadata server of local/metadata), or nobody. Every service verifies both itself.
package identity

import (
	"context"
	"slices"
)

// Roles that an account can have.
const (
	RoleShopper      = "shopper"
	RoleMerchandiser = "merchandiser"
	RoleOperator     = "operator"
)

// Caller is who makes a request. The zero value is nobody.
type Caller struct {
	// UserID is the person's UUID, empty for none.
	UserID string
	// SessionID is the person's session.
	SessionID string
	Roles     []string
	// Service is the calling service's name, empty for none. A service that acts for a person has both.
	Service string
}

// HasRole tells whether the person has a role.
func (c Caller) HasRole(role string) bool { return c.UserID != "" && slices.Contains(c.Roles, role) }

// Actor is for histories: "operator", "merchandiser", "shopper", the service's name, or "system".
func (c Caller) Actor() string {
	for _, role := range []string{RoleOperator, RoleMerchandiser} {
		if c.HasRole(role) {
			return role
		}
	}
	switch {
	case c.UserID != "":
		return RoleShopper
	case c.Service != "":
		return c.Service
	default:
		return "system"
	}
}

type callerKey struct{}
type accessTokenKey struct{}

// WithCaller returns a context that carries the caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// FromContext returns the caller, the zero Caller for nobody.
func FromContext(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// WithAccessToken keeps a person's verified token, so that calls to other services act for the same person.
func WithAccessToken(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, accessTokenKey{}, token)
}

func accessToken(ctx context.Context) string {
	token, _ := ctx.Value(accessTokenKey{}).(string)
	return token
}
