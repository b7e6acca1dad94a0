// Package user is the room of accounts: who somebody is, how they prove it, and where they want things delivered.
//
// Rules:
//
//   - One account an e-mail address, compared after normalising (NormalizeEmail).
//   - Passwords are kept as argon2id hashes only (password.go). Signing in costs the same work whether the address has an
//     account or not, and answers the same, so neither answer nor time tells which addresses have one.
//   - An access token is a JWT that every service verifies by itself; it can't be called back, so it is short-lived.
//     Keys that sign them rotate (keys.go).
//   - A refresh token is a random number, kept as its SHA-256 only, and usable once: its use gives a new pair. All tokens that
//     one sign-in led to are a family, the session. A used token that comes back was copied by somebody, nobody can tell by
//     whom, so it ends the session (RFC 9700, section 4.14.2). Of two uses at once, one wins and the other ends the session.
//   - An account keeps at most MaxAddresses addresses; nobody sees another's.
//   - Who registers is told of by an event, UserRegistered, which the transaction that makes the account writes.
//   - A person gets one mail an event (notice.go).
//   - Neither e-mail addresses nor passwords nor tokens are ever logged, nor put into an error's text.
package user

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
)

const (
	// AccessTokenLife is how long an access token is believed.
	AccessTokenLife = 15 * time.Minute
	// RefreshTokenLife is how long a refresh token waits for its use.
	RefreshTokenLife = 30 * 24 * time.Hour
	// SessionLife is when a session ends however often it is refreshed.
	SessionLife = 180 * 24 * time.Hour
	// MaxAddresses an account keeps.
	MaxAddresses = 20

	maxDisplayName = 100 // characters
)

// Account is a person with a way to sign in.
type Account struct {
	ID           string // UUID
	Email        string // normalised
	DisplayName  string
	PasswordHash string // PHC string
	Roles        []string
	// Version grows with every change that a caller can see.
	Version    int64
	CreateTime time.Time
}

// Session is what signing in or refreshing gives.
type Session struct {
	AccessToken        string
	AccessTokenExpiry  time.Time
	RefreshToken       string
	RefreshTokenExpiry time.Time
	Account            Account
}

// RefreshToken is a refresh token as it is kept.
type RefreshToken struct {
	Hash       [sha256.Size]byte
	CreateTime time.Time
	ExpireTime time.Time
}

// Family is a session as it is kept.
type Family struct {
	ID, UserID string // UUIDs
	CreateTime time.Time
	ExpireTime time.Time
}

// ErrNoAccount is a store's answer for an account that isn't there.
var ErrNoAccount = errors.New("no such account")

// ErrTokenInvalid is a store's answer for a refresh token that is unknown, expired or of an ended session;
// ErrTokenReused, for one that has been used, after its session was ended.
var (
	ErrTokenInvalid = errors.New("refresh token invalid")
	ErrTokenReused  = errors.New("refresh token used again")
)

// Accounts is what the room needs of its store for accounts.
type Accounts interface {
	// CreateAccount keeps a new account, and the event that somebody registered. Errors: EMAIL_TAKEN.
	CreateAccount(ctx context.Context, account Account) error
	// Account and AccountByEmail read one. Errors: ErrNoAccount.
	Account(ctx context.Context, id string) (Account, error)
	AccountByEmail(ctx context.Context, email string) (Account, error)
	// RenameAccount changes the name of a version, 0 for any, and returns the new state. Errors: ErrNoAccount, ETAG_MISMATCH.
	RenameAccount(ctx context.Context, id, name string, version int64, now time.Time) (Account, error)
	// ReplacePasswordHash puts a hash in the place of the one that was read, and does nothing if that is no longer there.
	ReplacePasswordHash(ctx context.Context, id, was, is string, now time.Time) error
	// ProvisionAccount creates an account, or overwrites name, hash and roles of the one with its address. Nobody registered: no event.
	ProvisionAccount(ctx context.Context, account Account) (Account, error)
}

// Sessions is what the room needs of its store for sessions.
type Sessions interface {
	// CreateSession keeps a new session with its first token, and forgets the account's expired ones, and notices past their life.
	CreateSession(ctx context.Context, family Family, first RefreshToken) error
	// RotateRefreshToken uses a token up and keeps its successor, whose expiry it cuts to the session's, and returns both.
	// Errors: ErrTokenInvalid, ErrTokenReused.
	RotateRefreshToken(ctx context.Context, used [sha256.Size]byte, next RefreshToken) (Family, RefreshToken, error)
	// EndSession ends an account's session; an ended or unknown one is no error.
	EndSession(ctx context.Context, userID, sessionID string, now time.Time) error
}

// Store is all that the room needs of its store. Any other error than the named ones is passed on.
type Store interface {
	Accounts
	Sessions
	SigningKeys
	Addresses
	Notices
}

// Service is the room. It is safe for concurrent use.
type Service struct {
	store            Store
	issuer, audience string
	hasher           *hasher
	keys             *keyring
	now              func() time.Time
}

// New makes the room. Access tokens are issued by issuer for audience.
func New(store Store, issuer, audience string, now func() time.Time) *Service {
	return &Service{
		store: store, issuer: issuer, audience: audience,
		hasher: newHasher(DefaultParameters), keys: &keyring{store: store, now: now}, now: now,
	}
}

// NormalizeEmail makes addresses that are read alike equal: NFKC, no space around, lower case. The local part too: RFC 5321 lets hosts
// tell case apart there, but none does, and people don't.
func NormalizeEmail(email string) string {
	return strings.ToLower(strings.TrimSpace(norm.NFKC.String(email)))
}

// CreateUser registers a shopper. Errors: EMAIL_TAKEN, OVERLOADED.
func (s *Service) CreateUser(ctx context.Context, email, password, name string) (Account, error) {
	if err := checkName("display_name", name); err != nil {
		return Account{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Account{}, err
	}
	account := s.newAccount(email, hash, name, []string{identity.RoleShopper})
	if err := s.store.CreateAccount(ctx, account); err != nil {
		return Account{}, fmt.Errorf("create account: %w", err)
	}
	return account, nil
}

// Provision makes sure that there is an account with this address, password, name and roles. It is for operators of the
// platform: no API reaches it. Doing it again changes nothing.
func (s *Service) Provision(ctx context.Context, email, password, name string, roles []string) (Account, error) {
	if err := checkName("display_name", name); err != nil {
		return Account{}, err
	}
	found, err := s.store.AccountByEmail(ctx, NormalizeEmail(email))
	switch {
	case err == nil:
		same, current, err := s.hasher.verify(ctx, password, found.PasswordHash)
		if err != nil {
			return Account{}, err
		}
		if same && current && found.DisplayName == name && slices.Equal(found.Roles, roles) {
			return found, nil
		}
	case !errors.Is(err, ErrNoAccount):
		return Account{}, fmt.Errorf("provision account: %w", err)
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Account{}, err
	}
	account, err := s.store.ProvisionAccount(ctx, s.newAccount(email, hash, name, roles))
	if err != nil {
		return Account{}, fmt.Errorf("provision account: %w", err)
	}
	return account, nil
}

// SignIn begins a session. Errors: BAD_CREDENTIALS, OVERLOADED.
func (s *Service) SignIn(ctx context.Context, email, password string) (Session, error) {
	account, err := s.store.AccountByEmail(ctx, NormalizeEmail(email))
	known := err == nil
	if !known {
		if !errors.Is(err, ErrNoAccount) {
			return Session{}, fmt.Errorf("sign in: %w", err)
		}
		account.PasswordHash = s.hasher.decoy
	}
	right, current, err := s.hasher.verify(ctx, password, account.PasswordHash)
	if err != nil {
		return Session{}, err
	}
	if !known || !right {
		return Session{}, fault.BadCredentials.New("e-mail and password don't belong together")
	}
	if !current {
		if err := s.rehash(ctx, account, password); err != nil {
			return Session{}, err
		}
	}
	now := s.now()
	family := Family{ID: uuid.NewString(), UserID: account.ID, CreateTime: now, ExpireTime: now.Add(SessionLife)}
	secret, token := newRefreshToken(now)
	if err := s.store.CreateSession(ctx, family, token); err != nil {
		return Session{}, fmt.Errorf("create session: %w", err)
	}
	return s.session(ctx, account, family, secret, token)
}

// Refresh changes a refresh token, which it uses up, for a new pair. Errors: REFRESH_TOKEN_INVALID.
func (s *Service) Refresh(ctx context.Context, refreshToken string) (Session, error) {
	refusal := fault.RefreshTokenInvalid.New("the refresh token is unknown, expired or used up")
	secret, token := newRefreshToken(s.now())
	family, token, err := s.store.RotateRefreshToken(ctx, sha256.Sum256([]byte(refreshToken)), token)
	switch {
	case errors.Is(err, ErrTokenReused):
		slog.WarnContext(ctx, "a used refresh token came back: its session is ended", "session_id", family.ID, "user_id", family.UserID)
		return Session{}, refusal
	case errors.Is(err, ErrTokenInvalid):
		return Session{}, refusal
	case err != nil:
		return Session{}, fmt.Errorf("refresh session: %w", err)
	}
	account, err := s.store.Account(ctx, family.UserID)
	if err != nil {
		return Session{}, fmt.Errorf("refresh session: %w", err)
	}
	return s.session(ctx, account, family, secret, token)
}

// SignOut ends the caller's session.
func (s *Service) SignOut(ctx context.Context, caller identity.Caller) error {
	if err := s.store.EndSession(ctx, caller.UserID, caller.SessionID, s.now()); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// Account returns a person's account. Errors: UNAUTHENTICATED for one that is gone.
func (s *Service) Account(ctx context.Context, id string) (Account, error) {
	account, err := s.store.Account(ctx, id)
	return account, gone(err)
}

// Rename changes the display name of the account's version, 0 for any. Errors: INVALID_ARGUMENT, ETAG_MISMATCH, UNAUTHENTICATED.
func (s *Service) Rename(ctx context.Context, id, name string, version int64) (Account, error) {
	if err := checkName("user.display_name", name); err != nil {
		return Account{}, err
	}
	account, err := s.store.RenameAccount(ctx, id, name, version, s.now())
	return account, gone(err)
}

func (s *Service) newAccount(email, hash, name string, roles []string) Account {
	return Account{
		ID: uuid.NewString(), Email: NormalizeEmail(email), DisplayName: name, PasswordHash: hash, Roles: roles,
		Version: 1, CreateTime: s.now().Truncate(time.Microsecond), // what the store keeps
	}
}

// session signs the access token that goes with a refresh token.
func (s *Service) session(ctx context.Context, account Account, family Family, secret string, token RefreshToken) (Session, error) {
	key, err := s.keys.signing(ctx)
	if err != nil {
		return Session{}, err
	}
	now := s.now()
	expiry := now.Add(AccessTokenLife)
	caller := identity.Caller{UserID: account.ID, SessionID: family.ID, Roles: account.Roles}
	access, err := identity.Sign(ed25519.NewKeyFromSeed(key.Seed), key.KID, s.issuer, s.audience, caller, now, expiry)
	if err != nil {
		return Session{}, fmt.Errorf("sign access token: %w", err)
	}
	return Session{
		AccessToken: access, AccessTokenExpiry: expiry,
		RefreshToken: secret, RefreshTokenExpiry: token.ExpireTime, Account: account,
	}, nil
}

// rehash brings a password's hash to today's parameters, now that the password is at hand.
func (s *Service) rehash(ctx context.Context, account Account, password string) error {
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := s.store.ReplacePasswordHash(ctx, account.ID, account.PasswordHash, hash, s.now()); err != nil {
		return fmt.Errorf("replace password hash: %w", err)
	}
	return nil
}

// newRefreshToken makes 256 random bits, for the person, and what is kept of them.
func newRefreshToken(now time.Time) (secret string, kept RefreshToken) {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	secret = base64.RawURLEncoding.EncodeToString(random)
	return secret, RefreshToken{Hash: sha256.Sum256([]byte(secret)), CreateTime: now, ExpireTime: now.Add(RefreshTokenLife)}
}

func checkName(field, name string) error {
	if len([]rune(name)) > maxDisplayName {
		return fault.Invalid(field, "at most %d characters", maxDisplayName)
	}
	return nil
}

// gone is for a token that outlived its account.
func gone(err error) error {
	if errors.Is(err, ErrNoAccount) {
		return fault.Unauthenticated.New("the account is gone").WithCause(err)
	}
	return err
}
