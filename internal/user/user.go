// Package user is the room of accounts: who somebody is, how they prove it, and where they want things delivered.
//
// Rules:
//
//   - An address belongs to who verified it, and has one account then. Until then any number of accounts may claim it, each with a
//     password of its own; they are as good as any other, and of those that claim an address the newest can be signed in to (verify.go).
//     Addresses are compared after normalising (NormalizeEmail).
//   - Nobody learns whether an address has an account. Registering and asking for a new password don't even look; signing in verifies the
//     password against two hashes, of the account that has verified the address and of the newest that claims it, decoys where there are
//     none, and answers the same. What the address's person has to know, a mail tells.
//   - Passwords are kept as argon2id hashes only (password.go).
//   - Who tries too often has to wait: to sign in by account and by where they call from, to have mails sent by address (limits.go).
//   - An access token is a JWT that every service verifies by itself; it can't be called back, so it is short-lived.
//     Keys that sign them rotate (keys.go).
//   - A refresh token is a random number, kept as its SHA-256 only. Its use gives a new pair. All tokens that one sign-in led to are a
//     family, the session. A used token that comes back was copied by somebody, nobody can tell by whom, so it ends the session
//     (RFC 9700, section 4.14.2).
//   - Unless its answer may have been lost: within RefreshGrace of its use, and while the token that it was changed for is unused, a used
//     token gives another one in its place. The one before is dead then, and ends the session should it ever be used. So a client that
//     heard nothing asks again, and of two who have the same token one is found out at the next refresh.
//   - A token that a mail brings is random, kept as its SHA-256 only, short-lived and used once (verify.go, reset.go). It is made when its
//     mail is written, so no event, queue or dead letter holds one.
//   - An account keeps at most MaxAddresses addresses; nobody sees another's.
//   - What is told of accounts is an event that the transaction writes which does it; events hold neither addresses nor tokens. A mail
//     follows an event and never a request (notice.go). A person gets one mail an event.
//   - An account that claims an address and that nobody has used for UnverifiedLife is deleted (reap.go).
//   - Who deletes their account is gone from here at once, and from other rooms by the event UserDeleted.
//   - Neither e-mail addresses nor passwords nor tokens are ever logged, nor put into an error's text.
package user

import (
	"context"
	"crypto/ed25519"
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
	// RefreshGrace is how long after its use a refresh token may be sent again by a client that heard no answer.
	RefreshGrace = time.Minute

	maxDisplayName = 100 // characters
)

// Account is a person with a way to sign in.
type Account struct {
	ID           string // UUID
	Email        string // normalised
	Verified     bool   // the address is proved to be this person's
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

// ErrPasswordChanged is a store's answer to a session that was begun by a password that isn't the account's any more.
var ErrPasswordChanged = errors.New("the password was changed")

// ErrTokenInvalid is a store's answer for a refresh token that is unknown, expired or of an ended session;
// ErrTokenReused, for one that has been used, after its session was ended.
var (
	ErrTokenInvalid = errors.New("refresh token invalid")
	ErrTokenReused  = errors.New("refresh token used again")
)

// Accounts is what the room needs of its store for accounts.
type Accounts interface {
	// CreateAccount keeps a new account that claims its address, and the event that somebody registered.
	CreateAccount(ctx context.Context, account Account) error
	// Account reads one. Errors: ErrNoAccount, as of the next two.
	Account(ctx context.Context, id string) (Account, error)
	// AccountByEmail reads the one that has verified an address; ClaimedAccount, the newest that claims it.
	AccountByEmail(ctx context.Context, email string) (Account, error)
	ClaimedAccount(ctx context.Context, email string) (Account, error)
	// RenameAccount changes the name of a version, 0 for any, and returns the new state. Errors: ErrNoAccount, ETAG_MISMATCH.
	RenameAccount(ctx context.Context, id, name string, version int64, now time.Time) (Account, error)
	// ReplacePasswordHash puts a hash in the place of the one that was read, and does nothing if that is no longer there.
	ReplacePasswordHash(ctx context.Context, id, was, is string, now time.Time) error
	// ProvisionAccount creates an account whose address counts as verified, or overwrites name, hash and roles of the one that has it.
	// Nobody registered: no event.
	ProvisionAccount(ctx context.Context, account Account) (Account, error)
	// DeleteAccount deletes an account with all that belongs to it, and keeps the event that it is gone. Errors: ErrNoAccount.
	DeleteAccount(ctx context.Context, id string, now time.Time) error
}

// Sessions is what the room needs of its store for sessions.
type Sessions interface {
	// CreateSession keeps a new session with its first token, and forgets the account's expired ones, and notices past their life. Errors:
	// ErrPasswordChanged if the account is gone or has another password's hash.
	CreateSession(ctx context.Context, family Family, first RefreshToken, passwordHash string) error
	// RotateRefreshToken uses a token up and keeps its successor, whose expiry it cuts to the session's, and returns both. A used token is
	// taken once more within RefreshGrace, if its successor is unused, which is used up then too. Errors: ErrTokenInvalid, ErrTokenReused.
	RotateRefreshToken(ctx context.Context, used [sha256.Size]byte, next RefreshToken) (Family, RefreshToken, error)
	// EndSession ends an account's session; an ended or unknown one is no error.
	EndSession(ctx context.Context, userID, sessionID string, now time.Time) error
	// EndSessions ends all of an account's sessions.
	EndSessions(ctx context.Context, userID string, now time.Time) error
}

// Store is all that the room needs of its store. Any other error than the named ones is passed on.
type Store interface {
	Accounts
	Sessions
	SigningKeys
	Addresses
	Notices
	MailTokens
	Exports
	Unverified
}

// Config is what can be set of the room.
type Config struct {
	Passwords Parameters
	Limits    LimitsConfig
}

// Service is the room. It is safe for concurrent use.
type Service struct {
	store            Store
	limiter          *limiter
	issuer, audience string
	hasher           *hasher
	keys             *keyring
	now              func() time.Time
}

// New makes the room. Access tokens are issued by issuer for audience.
func New(config Config, store Store, tries Tries, issuer, audience string, now func() time.Time) *Service {
	return &Service{
		store: store, limiter: &limiter{config: config.Limits, tries: tries}, issuer: issuer, audience: audience,
		hasher: newHasher(config.Passwords), keys: &keyring{store: store, now: now}, now: now,
	}
}

// NormalizeEmail makes addresses that are read alike equal: NFKC, no space around, lower case. The local part too: RFC 5321 lets hosts
// tell case apart there, but none does, and people don't.
func NormalizeEmail(email string) string {
	return strings.ToLower(strings.TrimSpace(norm.NFKC.String(email)))
}

// CreateUser registers a shopper who claims an address. It doesn't look whether the address has an account. from is where the request comes
// from. Errors: TOO_MANY_ATTEMPTS, OVERLOADED.
func (s *Service) CreateUser(ctx context.Context, from, email, password, name string) (Account, error) {
	if err := checkName("display_name", name); err != nil {
		return Account{}, err
	}
	if err := s.limiter.mail(ctx, from, email); err != nil {
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

// SignIn begins a session. from is where the request comes from. Errors: BAD_CREDENTIALS, TOO_MANY_ATTEMPTS, OVERLOADED.
func (s *Service) SignIn(ctx context.Context, from, email, password string) (Session, error) {
	if err := s.limiter.signIn(ctx, from, email); err != nil {
		return Session{}, err
	}
	const tries = 2 // another sign-in may have brought the hash to new parameters meanwhile
	for range tries {
		account, current, err := s.match(ctx, NormalizeEmail(email), password)
		if err != nil {
			return Session{}, err
		}
		session, err := s.begin(ctx, account, password, current)
		switch {
		case errors.Is(err, ErrPasswordChanged):
			continue
		case err != nil:
			return Session{}, err
		}
		if account.Verified { // else whoever claims a stranger's address could guess the stranger's password for ever
			s.limiter.signedIn(ctx, email)
		}
		return session, nil
	}
	return Session{}, badCredentials()
}

// match finds the account that address and password belong to. It does the same work whatever there is: two hashes, one after the other.
func (s *Service) match(ctx context.Context, email, password string) (account Account, current bool, err error) {
	reads := []func(context.Context, string) (Account, error){s.store.AccountByEmail, s.store.ClaimedAccount}
	matched := false
	for _, read := range reads {
		found, err := read(ctx, email)
		known := err == nil
		if !known {
			if !errors.Is(err, ErrNoAccount) {
				return Account{}, false, fmt.Errorf("sign in: %w", err)
			}
			found.PasswordHash = s.hasher.decoy
		}
		right, isCurrent, err := s.hasher.verify(ctx, password, found.PasswordHash)
		if err != nil {
			return Account{}, false, err
		}
		if known && right && !matched { // the verified one stands first
			account, current, matched = found, isCurrent, true
		}
	}
	if !matched {
		return Account{}, false, badCredentials()
	}
	return account, current, nil
}

// begin begins a session of an account whose password was just given, and brings the password's hash up to date. Errors:
// ErrPasswordChanged if it was changed since it was read, by a reset that ends all sessions: this one too, then.
func (s *Service) begin(ctx context.Context, account Account, password string, current bool) (Session, error) {
	now := s.now()
	family := Family{ID: uuid.NewString(), UserID: account.ID, CreateTime: now, ExpireTime: now.Add(SessionLife)}
	secret, token := newRefreshToken(now)
	if err := s.store.CreateSession(ctx, family, token, account.PasswordHash); err != nil {
		return Session{}, fmt.Errorf("create session: %w", err)
	}
	if !current {
		if err := s.rehash(ctx, account, password); err != nil { // the next sign-in tries again
			slog.WarnContext(ctx, "a password's hash stays as it is", "user_id", account.ID, "error", err)
		}
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

// SignOutEverywhere ends all of the caller's sessions.
func (s *Service) SignOutEverywhere(ctx context.Context, userID string) error {
	if err := s.store.EndSessions(ctx, userID, s.now()); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}

// Delete deletes a person's account. Errors: UNAUTHENTICATED for one that is gone.
func (s *Service) Delete(ctx context.Context, userID string) error {
	if err := s.store.DeleteAccount(ctx, userID, s.now()); err != nil {
		return gone(fmt.Errorf("delete account: %w", err))
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

// newSecret makes 256 random bits, for a person, and what is kept of them.
func newSecret() (secret string, hash [sha256.Size]byte) {
	secret = base64.RawURLEncoding.EncodeToString(random(32))
	return secret, sha256.Sum256([]byte(secret))
}

func newRefreshToken(now time.Time) (secret string, kept RefreshToken) {
	secret, hash := newSecret()
	return secret, RefreshToken{Hash: hash, CreateTime: now, ExpireTime: now.Add(RefreshTokenLife)}
}

func badCredentials() error {
	return fault.BadCredentials.New("e-mail and password don't belong together")
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
