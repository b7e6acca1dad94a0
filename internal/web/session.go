package web

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/sync/singleflight"

	"larder.dev/api/client"
	userpb "larder.dev/api/user/v1"
)

// A session is a pair of the API's tokens, in the browser's cookie and nowhere else: the site keeps none, so any process serves anybody,
// and a restart signs nobody out.
//
// A refresh token is used once. A browser's tabs and pictures ask at once, with the same cookie: the first refreshes, those that ask
// meanwhile wait for it, and those that were sent before the answer came get the same pair for a minute. Two processes may still refresh
// the same token; the API takes a used one once more within that minute (internal/user), and the load balancer keeps a browser with one
// process as long as it can.
const (
	refreshEarly = time.Minute // before the access token's end: a page and what it asks fit in
	keptFor      = time.Minute // as long as the API takes a used refresh token
	keptAtMost   = 10_000
)

// Person is who is signed in.
type Person struct {
	UserID, Email, Name string
	Roles               []string
}

// Is tells whether the person has a role, "operator" for example. It decides what is shown; what is allowed, the API decides.
func (p *Person) Is(role string) bool { return p != nil && slices.Contains(p.Roles, role) }

// PersonOf is who the request of ctx is from; nil: nobody is signed in.
func PersonOf(ctx context.Context) *Person { return callerOf(ctx).person }

// kept is what the cookie holds. Short names: browsers keep 4 kB.
type kept struct {
	Access  string    `json:"a"`
	Expires time.Time `json:"e"`
	Refresh string    `json:"r"`
	Until   time.Time `json:"u"`
	Person  Person    `json:"p"`
}

func keptOf(session *userpb.Session) kept {
	user := session.GetUser()
	return kept{
		Access: session.GetAccessToken(), Expires: session.GetAccessTokenExpireTime().AsTime(),
		Refresh: session.GetRefreshToken(), Until: session.GetRefreshTokenExpireTime().AsTime(),
		Person: Person{UserID: user.GetUserId(), Email: user.GetEmail(), Name: user.GetDisplayName(), Roles: user.GetRoles()},
	}
}

// sessions keeps who is signed in.
type sessions struct {
	api    *client.Client
	jar    *Jar
	cookie string
	now    func() time.Time

	running singleflight.Group
	recent  *expirable.LRU[string, kept] // by the refresh token that was used
}

func newSessions(api *client.Client, jar *Jar, cookie string, now func() time.Time) *sessions {
	return &sessions{api: api, jar: jar, cookie: cookie, now: now, recent: expirable.NewLRU[string, kept](keptAtMost, nil, keptFor)}
}

// begin keeps a session in the browser, until its refresh token ends.
func (s *sessions) begin(w http.ResponseWriter, session kept) error {
	return s.jar.Put(w, s.cookie, session, session.Until.Sub(s.now()))
}

// of is the session of a request, refreshed if its access token ends soon; nil: there is none. An error is the API's, and the session may
// well be good: only the API's word ends one.
func (s *sessions) of(w http.ResponseWriter, r *http.Request) (*kept, error) {
	var session kept
	if !s.jar.Get(r, s.cookie, &session) {
		return nil, nil //nolint:nilnil // nobody is no error
	}
	if s.now().Add(refreshEarly).Before(session.Expires) {
		return &session, nil
	}
	next, err := s.refresh(r.Context(), session)
	switch {
	case err == nil:
		return &next, s.begin(w, next)
	case client.ReasonOf(err) == "REFRESH_TOKEN_INVALID":
		s.jar.Drop(w, s.cookie)
		return nil, nil //nolint:nilnil // the session has ended: nobody
	case s.now().Before(session.Expires):
		slog.WarnContext(r.Context(), "a session wasn't refreshed, and goes on for now", "error", err)
		return &session, nil
	default:
		return nil, err
	}
}

// refresh changes a session for its next one, once for all who ask with it.
func (s *sessions) refresh(ctx context.Context, session kept) (kept, error) {
	sum := sha256.Sum256([]byte(session.Refresh))
	key := string(sum[:])
	if next, ok := s.recent.Get(key); ok {
		return next, nil
	}
	// Whoever asked first may go away; the others still want it.
	lasting := context.WithoutCancel(ctx)
	result := s.running.DoChan(key, func() (any, error) {
		if next, ok := s.recent.Get(key); ok { // it ended between the look above and here
			return next, nil
		}
		answer, err := s.api.RefreshSession(lasting, &userpb.RefreshSessionRequest{RefreshToken: session.Refresh})
		if err != nil {
			return kept{}, err
		}
		next := keptOf(answer)
		if next.Person.UserID == "" { // a refresh needn't tell again who it is
			next.Person = session.Person
		}
		s.recent.Add(key, next)
		return next, nil
	})
	select {
	case r := <-result:
		next, _ := r.Val.(kept)
		return next, r.Err
	case <-ctx.Done():
		return kept{}, ctx.Err()
	}
}

// SignIn begins a session in the browser; the context is the person's from then on.
func (s *Site) SignIn(w http.ResponseWriter, r *http.Request, email, password string) (context.Context, error) {
	session, err := s.API.CreateSession(r.Context(), &userpb.CreateSessionRequest{Email: email, Password: password})
	if err != nil {
		return nil, err
	}
	return s.Begin(w, r, session)
}

// Begin keeps a session that the API gave otherwise, for a verified address for example.
func (s *Site) Begin(w http.ResponseWriter, r *http.Request, session *userpb.Session) (context.Context, error) {
	kept := keptOf(session)
	if err := s.sessions.begin(w, kept); err != nil {
		return nil, err
	}
	from := callerOf(r.Context())
	from.person, from.token = &kept.Person, kept.Access
	return context.WithValue(r.Context(), callerKey{}, from), nil
}

// SignOut ends the session, in the browser whatever the API says. An error is the API's: the tokens that the browser had last may hold
// until they end.
func (s *Site) SignOut(w http.ResponseWriter, r *http.Request) error {
	s.Jar.Drop(w, s.sessions.cookie)
	if PersonOf(r.Context()) == nil {
		return nil
	}
	_, err := s.API.DeleteSession(r.Context(), &userpb.DeleteSessionRequest{})
	if reason := client.ReasonOf(err); reason == "UNAUTHENTICATED" || reason == "TOKEN_EXPIRED" {
		return nil
	}
	return err
}

// SignedIn keeps a page to those who are signed in: nobody is asked to.
func SignedIn(page Page) Page {
	return func(w http.ResponseWriter, r *http.Request) error {
		if PersonOf(r.Context()) == nil {
			return ErrSignIn
		}
		return page(w, r)
	}
}

// ErrSignIn is a page's answer to nobody: they are asked to sign in, and come back.
var ErrSignIn = errors.New("sign in first")
