package user_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/argon2"

	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/pgdb/pgtest"
	"larder.dev/internal/user"
	"larder.dev/internal/user/postgres"
	userredis "larder.dev/internal/user/redis"
)

const (
	email    = "Ada.Lovelace@Example.com"
	password = "analytical engine"
)

// quick are parameters that cost a test little. What the shop's own cost, and that they are argon2id's, password_test.go shows.
var quick = user.Parameters{MemoryKiB: 8 << 10, Passes: 1, Lanes: 1}

// here is where the tests call from.
const here = "203.0.113.7"

// room is a room on a database of its own, with tries of its own, and a clock that the test moves.
type room struct {
	*user.Service
	config user.Config
	pool   *pgxpool.Pool
	store  *postgres.Store
	tries  *userredis.Tries
	events int // that mails were written for

	mu    sync.Mutex
	ahead time.Duration
}

func newRoom(t *testing.T) *room {
	t.Helper()
	address := os.Getenv("CART_REDIS_ADDR")
	if address == "" {
		t.Fatal("CART_REDIS_ADDR is not set: run the tests by `make test`, which starts Redis")
	}
	client, err := userredis.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	r := &room{pool: pgtest.New(t, postgres.Schema()), tries: userredis.New(client, "test-"+uuid.NewString())}
	r.config = user.Config{Passwords: quick, Limits: user.LimitsConfig{SignIns: 1000, Mails: 1000, Calls: 1000}}
	r.store = postgres.New(r.pool)
	r.Service = r.instance()
	return r
}

// instance is one more process of the same service.
func (r *room) instance() *user.Service {
	return user.New(r.config, r.store, r.tries, "https://larder.dev", "larder", r.now)
}

func (r *room) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.ahead)
}

func (r *room) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ahead += d
}

func (r *room) signedUp(t *testing.T) user.Session {
	t.Helper()
	if _, err := r.CreateUser(t.Context(), here, email, password, "Ada"); err != nil {
		t.Fatal(err)
	}
	return r.signedIn(t)
}

func (r *room) signedIn(t *testing.T) user.Session {
	t.Helper()
	session, err := r.SignIn(t.Context(), here, email, password)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func want(t *testing.T, what string, err error, reason fault.Reason) {
	t.Helper()
	if !fault.Is(err, reason) {
		t.Errorf("%s: %v, want %s", what, err, reason.Name)
	}
}

func TestAddressesAreNormalised(t *testing.T) {
	r := newRoom(t)
	account, err := r.CreateUser(t.Context(), here, email, password, "Ada")
	if err != nil {
		t.Fatal(err)
	}
	if account.Email != "ada.lovelace@example.com" || account.Verified || !slices.Equal(account.Roles, []string{identity.RoleShopper}) {
		t.Errorf("the account is %+v", account)
	}
	kept, err := r.Account(t.Context(), account.ID)
	if err != nil || kept.Email != account.Email || !kept.CreateTime.Equal(account.CreateTime) {
		t.Errorf("kept %+v, error %v, want %+v", kept, err, account)
	}
	for _, same := range []string{"ada.lovelace@example.com", " ADA.LOVELACE@EXAMPLE.COM ", "ａda.lovelace@example.com"} {
		if session, err := r.SignIn(t.Context(), here, same, password); err != nil || session.Account.ID != account.ID {
			t.Errorf("sign in as %q: %v", same, err)
		}
	}
}

func TestSignInRefusesAlike(t *testing.T) {
	r := newRoom(t)
	r.signedUp(t)
	_, wrong := r.SignIn(t.Context(), here, email, "difference engine")
	_, unknown := r.SignIn(t.Context(), here, "nobody@example.com", password)
	want(t, "a wrong password", wrong, fault.BadCredentials)
	want(t, "an unknown address", unknown, fault.BadCredentials)
	if wrong.Error() != unknown.Error() {
		t.Errorf("the answers differ: %q and %q", wrong, unknown)
	}
}

// Both refusals hash once. Measured as the quickest of several, which other work on the machine disturbs least; on a busy one, of many.
func TestSignInTakesAsLongForUnknownAddresses(t *testing.T) {
	r := newRoom(t)
	r.signedUp(t)
	known, unknown := time.Hour, time.Hour
	measure := func(best *time.Duration, address string) {
		start := time.Now()
		_, _ = r.SignIn(t.Context(), here, address, "difference engine")
		*best = min(*best, time.Since(start))
	}
	alike := func() bool { return unknown >= known/2 && known >= unknown/2 }
	for tries, end := 0, time.Now().Add(15*time.Second); tries < 8 || !alike() && time.Now().Before(end); tries++ {
		measure(&known, email)
		measure(&unknown, "nobody@example.com")
	}
	if !alike() {
		t.Errorf("a known address takes %v, an unknown one %v", known, unknown)
	}
}

func TestSignInBringsOldHashesUpToDate(t *testing.T) {
	r := newRoom(t)
	r.signedUp(t)
	salt := []byte("sixteen bytes...")
	b64 := base64.RawStdEncoding.EncodeToString
	old := fmt.Sprintf("$argon2id$v=19$m=4096,t=1,p=1$%s$%s", b64(salt), b64(argon2.IDKey([]byte(password), salt, 1, 4096, 1, 32)))
	if _, err := r.pool.Exec(t.Context(), `update users.accounts set password_hash = $1`, old); err != nil {
		t.Fatal(err)
	}
	_, err := r.SignIn(t.Context(), here, email, "difference engine")
	want(t, "a wrong password", err, fault.BadCredentials)
	if got := r.hash(t); got != old {
		t.Error("a wrong password changed the hash")
	}
	r.signedIn(t)
	renewed := r.hash(t)
	if !strings.HasPrefix(renewed, "$argon2id$v=19$m=8192,t=1,p=1$") {
		t.Errorf("the hash is %s after signing in", renewed)
	}
	r.signedIn(t)
	if r.hash(t) != renewed {
		t.Error("a hash of today's parameters was made again")
	}
}

func (r *room) hash(t *testing.T) (hash string) {
	t.Helper()
	if err := r.pool.QueryRow(t.Context(), `select password_hash from users.accounts`).Scan(&hash); err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestRefreshRotates(t *testing.T) {
	r := newRoom(t)
	first := r.signedUp(t)
	second, err := r.Refresh(t.Context(), first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken || second.AccessToken == "" || second.Account.ID != first.Account.ID {
		t.Errorf("refreshed to %+v", second)
	}
	if _, err := r.Refresh(t.Context(), second.RefreshToken); err != nil {
		t.Errorf("the next refresh: %v", err)
	}
	_, err = r.Refresh(t.Context(), "no such token")
	want(t, "an unknown token", err, fault.RefreshTokenInvalid)
}

func TestUsedRefreshTokenEndsItsSession(t *testing.T) {
	r := newRoom(t)
	for name, come := range map[string]func(second user.Session) string{
		"after its successor was used": func(second user.Session) string { return r.refreshed(t, second).RefreshToken },
		"late": func(second user.Session) string {
			r.pass(user.RefreshGrace + time.Second)
			return second.RefreshToken
		},
	} {
		first := r.signedUp(t)
		other := r.signedIn(t)
		last := come(r.refreshed(t, first))
		_, err := r.Refresh(t.Context(), first.RefreshToken)
		want(t, "the used token, "+name, err, fault.RefreshTokenInvalid)
		_, err = r.Refresh(t.Context(), last)
		want(t, "the token that was good, "+name, err, fault.RefreshTokenInvalid)
		r.refreshed(t, other) // the person's other session goes on
	}
}

func (r *room) refreshed(t *testing.T, session user.Session) user.Session {
	t.Helper()
	next, err := r.Refresh(t.Context(), session.RefreshToken)
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	return next
}

// A client that heard no answer asks again, as often as it takes; the answers that were lost are dead. Should one of them be used after all,
// somebody else has heard it.
func TestALostAnswerIsGivenAgain(t *testing.T) {
	r := newRoom(t)
	first := r.signedUp(t)
	lost := r.refreshed(t, first)
	lostToo := r.refreshed(t, first)
	r.pass(user.RefreshGrace - time.Second)
	heard := r.refreshed(t, first)
	if heard.Account.ID != first.Account.ID || heard.RefreshToken == lost.RefreshToken {
		t.Errorf("asked again: %+v", heard)
	}
	heard = r.refreshed(t, heard)
	_, err := r.Refresh(t.Context(), lostToo.RefreshToken)
	want(t, "an answer that was lost", err, fault.RefreshTokenInvalid)
	_, err = r.Refresh(t.Context(), heard.RefreshToken)
	want(t, "the session whose lost answer turned up", err, fault.RefreshTokenInvalid)
}

// Whoever copied a token may be first, second or both; as soon as the other one goes on, the session is over.
func TestACopiedTokenIsFoundOut(t *testing.T) {
	r := newRoom(t)
	for name, thiefFirst := range map[string]bool{"the thief first": true, "the thief second": false} {
		session := r.signedUp(t)
		one, two := r.refreshed(t, session), r.refreshed(t, session)
		thief, person := two, one
		if thiefFirst {
			thief, person = one, two
		}
		if thiefFirst {
			person = r.refreshed(t, person)
			_, err := r.Refresh(t.Context(), thief.RefreshToken)
			want(t, name, err, fault.RefreshTokenInvalid)
		} else {
			thief = r.refreshed(t, thief)
			_, err := r.Refresh(t.Context(), person.RefreshToken)
			want(t, name, err, fault.RefreshTokenInvalid)
		}
		for _, dead := range []user.Session{thief, person} {
			_, err := r.Refresh(t.Context(), dead.RefreshToken)
			want(t, name+", afterwards", err, fault.RefreshTokenInvalid)
		}
	}
}

// However many refresh with one token at once, one token of the session lives on.
func TestRefreshesAtOnce(t *testing.T) {
	r := newRoom(t)
	for round := range 5 {
		session := r.signedUp(t)
		var got [4]user.Session
		errs := atOnce(len(got), func(i int) (err error) {
			got[i], err = r.Refresh(t.Context(), session.RefreshToken)
			return err
		})
		if n := count(errs, nil); n != len(got) {
			t.Fatalf("round %d: %d refreshes of one token succeeded: %v", round, n, errs)
		}
		if n := r.count(t, `users.refresh_tokens join users.sessions using (session_id) where use_time is null and user_id = '`+session.Account.ID+`'`); n != 1 {
			t.Errorf("round %d: %d tokens are unused, want one", round, n)
		}
	}
}

func TestRefreshAndSignOutAtOnce(t *testing.T) {
	r := newRoom(t)
	session := r.signedUp(t)
	for range 10 {
		caller := identity.Caller{UserID: session.Account.ID, SessionID: r.sessionOf(t, session)}
		var next user.Session
		errs := atOnce(2, func(i int) (err error) {
			if i == 0 {
				return r.SignOut(t.Context(), caller)
			}
			next, err = r.Refresh(t.Context(), session.RefreshToken)
			return err
		})
		if errs[0] != nil {
			t.Fatalf("sign out: %v", errs[0])
		}
		if errs[1] == nil {
			_, err := r.Refresh(t.Context(), next.RefreshToken)
			want(t, "a token got while signing out", err, fault.RefreshTokenInvalid)
		}
		session = r.signedIn(t)
	}
}

func (r *room) sessionOf(t *testing.T, session user.Session) (id string) {
	t.Helper()
	sum := sha256.Sum256([]byte(session.RefreshToken))
	err := r.pool.QueryRow(t.Context(), `select session_id from users.refresh_tokens where token_hash = $1`, sum[:]).Scan(&id)
	if err != nil {
		t.Fatalf("the token isn't kept as its SHA-256: %v", err)
	}
	return id
}

func TestSignOutEndsOneSession(t *testing.T) {
	r := newRoom(t)
	here, there := r.signedUp(t), r.signedIn(t)
	caller := identity.Caller{UserID: here.Account.ID, SessionID: r.sessionOf(t, here)}
	for range 2 { // signing out twice is no error
		if err := r.SignOut(t.Context(), caller); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.Refresh(t.Context(), here.RefreshToken)
	want(t, "the session signed out of", err, fault.RefreshTokenInvalid)
	next, err := r.Refresh(t.Context(), there.RefreshToken)
	if err != nil {
		t.Errorf("the other session: %v", err)
	}
	stranger := identity.Caller{UserID: "00000000-0000-4000-8000-000000000000", SessionID: r.sessionOf(t, next)}
	if err := r.SignOut(t.Context(), stranger); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Refresh(t.Context(), next.RefreshToken); err != nil {
		t.Errorf("somebody else ended the session: %v", err)
	}
}

func TestRefreshTokensExpire(t *testing.T) {
	r := newRoom(t)
	session := r.signedUp(t)
	r.pass(user.RefreshTokenLife + time.Second)
	_, err := r.Refresh(t.Context(), session.RefreshToken)
	want(t, "a token past its time", err, fault.RefreshTokenInvalid)

	session = r.signedIn(t)
	begun := r.now()
	for refreshes := 0; ; refreshes++ {
		r.pass(user.RefreshTokenLife - time.Hour)
		if session, err = r.Refresh(t.Context(), session.RefreshToken); err != nil {
			want(t, "a session past its time", err, fault.RefreshTokenInvalid)
			if life := r.now().Sub(begun); life < user.SessionLife || refreshes < 2 {
				t.Errorf("the session ended after %v and %d refreshes", life, refreshes)
			}
			break
		}
		if end := begun.Add(user.SessionLife + time.Minute); session.RefreshTokenExpiry.After(end) {
			t.Fatalf("a token expires at %v, its session by %v", session.RefreshTokenExpiry, end)
		}
	}
	r.signedIn(t)
	var sessions int
	if err := r.pool.QueryRow(t.Context(), `select count(*) from users.sessions`).Scan(&sessions); err != nil {
		t.Fatal(err)
	}
	if sessions != 1 {
		t.Errorf("%d sessions are kept, want the live one only", sessions)
	}
}

func TestInstancesAgreeOnTheirKey(t *testing.T) {
	r := newRoom(t)
	kids := make([]string, 6)
	errs := atOnce(len(kids), func(i int) error {
		keys, err := r.instance().PublicKeys(t.Context())
		if err == nil && len(keys) == 1 {
			kids[i] = keys[0].KID
		}
		return err
	})
	if count(errs, nil) != len(kids) || kids[0] == "" || len(slices.Compact(kids)) != 1 {
		t.Errorf("the instances sign with %v, errors %v, want one key", kids, errs)
	}
}

func TestKeysRotate(t *testing.T) {
	r := newRoom(t)
	published := func() (kids []string) {
		keys, err := r.PublicKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			kids = append(kids, key.KID)
		}
		return kids
	}
	first := published()
	r.pass(user.KeyRotation - time.Hour)
	if got := published(); !slices.Equal(got, first) {
		t.Errorf("before its time the key became %v, was %v", got, first)
	}
	r.pass(2 * time.Hour)
	second := published()
	if len(second) != 2 || second[1] != first[0] {
		t.Errorf("at its time: %v, want a new key before %v", second, first)
	}
	r.pass(user.KeyLife - user.KeyRotation)
	if got := published(); len(got) != 1 || got[0] != second[0] {
		t.Errorf("after its life: %v, want %s only", got, second[0])
	}
}

func TestProvision(t *testing.T) {
	r := newRoom(t)
	roles := []string{identity.RoleShopper, identity.RoleOperator}
	first, err := r.Provision(t.Context(), email, password, "Ops", roles)
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Provision(t.Context(), email, password, "Ops", roles)
	if err != nil || again.ID != first.ID || again.Version != first.Version || again.PasswordHash != first.PasswordHash {
		t.Errorf("the second time gave %+v, error %v, want %+v", again, err, first)
	}
	changed, err := r.Provision(t.Context(), email, "another password", "Ops", roles[:1])
	if err != nil || changed.ID != first.ID || len(changed.Roles) != 1 {
		t.Errorf("a change gave %+v, error %v", changed, err)
	}
	_, err = r.SignIn(t.Context(), here, email, password)
	want(t, "the old password", err, fault.BadCredentials)
	if _, err := r.SignIn(t.Context(), here, email, "another password"); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

// broken is a store that fails in the middle.
type broken struct {
	*postgres.Store
	err error
}

func (b broken) CreateSession(context.Context, user.Family, user.RefreshToken, string) error {
	return b.err
}
func (b broken) RotateRefreshToken(context.Context, [sha256.Size]byte, user.RefreshToken) (user.Family, user.RefreshToken, error) {
	return user.Family{}, user.RefreshToken{}, b.err
}

func TestStoreFailuresAreNoRefusals(t *testing.T) {
	r := newRoom(t)
	r.signedUp(t)
	cause := errors.New("disk on fire")
	service := user.New(r.config, broken{r.store, cause}, r.tries, "https://larder.dev", "larder", r.now)
	if _, err := service.SignIn(t.Context(), here, email, password); !errors.Is(err, cause) || !fault.Is(fault.From(err), fault.Internal) {
		t.Errorf("sign in: %v, want the store's failure", err)
	}
	if _, err := service.Refresh(t.Context(), "token"); !errors.Is(err, cause) || !fault.Is(fault.From(err), fault.Internal) {
		t.Errorf("refresh: %v, want the store's failure", err)
	}
	r.pool.Close()
	_, err := r.SignIn(t.Context(), here, email, password)
	if err == nil || fault.Is(err, fault.BadCredentials) {
		t.Errorf("without a database: %v", err)
	}
}

// atOnce runs f n times at once and returns the errors in order.
func atOnce(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	group.Wait()
	return errs
}

func count(errs []error, want error) (n int) {
	for _, err := range errs {
		if errors.Is(err, want) {
			n++
		}
	}
	return n
}
