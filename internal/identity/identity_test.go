package identity_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
)

// issuer publishes keys that the test changes, or nothing.
type issuer struct {
	url string

	mu      sync.Mutex
	keys    map[string]ed25519.PrivateKey
	away    bool
	fetches int
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{keys: map[string]ed25519.PrivateKey{}}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fetches++
	if i.away {
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	}
	set := []map[string]string{}
	for kid, key := range i.keys {
		x := base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
		set = append(set, map[string]string{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": x})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": set}) // a client that left is no matter
}

// set changes what is published and returns how often it was fetched before.
func (i *issuer) set(away bool, kids ...string) (fetches int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.away = away
	for _, kid := range kids {
		if i.keys[kid] == nil {
			_, i.keys[kid], _ = ed25519.GenerateKey(nil)
		}
	}
	fetches, i.fetches = i.fetches, 0
	return fetches
}

var ada = identity.Caller{UserID: "7a1c3a52-5b0e-4bd4-9a49-2f6d7e8f0001", SessionID: "s", Roles: []string{identity.RoleShopper}}

func (i *issuer) token(t *testing.T, kid string, caller identity.Caller, now time.Time) string {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	token, err := identity.Sign(i.keys[kid], kid, "https://larder.dev", "larder", caller, now, now.Add(15*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (i *issuer) verifier(t *testing.T, now func() time.Time) *identity.Verifier {
	t.Helper()
	v, err := identity.NewVerifier(t.Context(), identity.Config{
		JWKSURL: i.url, Issuer: "https://larder.dev", Audience: "larder",
		ServiceConfig: identity.ServiceConfig{ServiceJWKSURL: i.url + "/none", ServiceIssuer: "i", ServiceAudience: "a", ServiceDomain: "d"},
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	i.set(i.away) // forget the fetches of the start
	return v
}

func TestPersonIsWhoTheTokenSays(t *testing.T) {
	i := newIssuer(t)
	i.set(false, "k1")
	caller, err := i.verifier(t, time.Now).Person(t.Context(), i.token(t, "k1", ada, time.Now()))
	if err != nil || caller.UserID != ada.UserID || caller.SessionID != "s" || !caller.HasRole(identity.RoleShopper) || caller.Service != "" {
		t.Errorf("the caller is %+v, error %v", caller, err)
	}
	if _, err := i.verifier(t, time.Now).Person(t.Context(), i.token(t, "k1", identity.Caller{}, time.Now())); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a token of nobody: %v", err)
	}
}

func TestTokensEnd(t *testing.T) {
	i := newIssuer(t)
	i.set(false, "k1")
	issued := time.Now()
	for after, want := range map[time.Duration]fault.Reason{
		-time.Minute:                    fault.Unauthenticated, // issued in the future
		-20 * time.Second:               {},                    // as far as clocks may differ
		0:                               {},
		15*time.Minute + 20*time.Second: {},
		16 * time.Minute:                fault.TokenExpired,
	} {
		_, err := i.verifier(t, func() time.Time { return issued.Add(after) }).Person(t.Context(), i.token(t, "k1", ada, issued))
		if (want.Name == "") != (err == nil) || (err != nil && !fault.Is(err, want)) {
			t.Errorf("%v after it was issued: %v, want %q", after, err, want.Name)
		}
	}
}

// verifyAtOnce verifies a token many times at once and returns the refusals.
func verifyAtOnce(ctx context.Context, v *identity.Verifier, token string) (refusals []error) {
	errs := make([]error, 50)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { _, errs[i] = v.Person(ctx, token) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			refusals = append(refusals, err)
		}
	}
	return refusals
}

func TestRotatedKeyIsKnownWithItsFirstTokens(t *testing.T) {
	i := newIssuer(t)
	i.set(false, "k1")
	v := i.verifier(t, time.Now)
	if refusals := verifyAtOnce(t.Context(), v, i.token(t, "k1", ada, time.Now())); len(refusals) > 0 {
		t.Fatalf("the first key: %v", refusals)
	}
	if n := i.set(false, "k2"); n != 0 {
		t.Errorf("a known key was fetched %d times", n)
	}
	if refusals := verifyAtOnce(t.Context(), v, i.token(t, "k2", ada, time.Now())); len(refusals) > 0 {
		t.Errorf("%d tokens of a rotated key are refused: %v", len(refusals), refusals[0])
	}
	if n := i.set(false); n == 0 || n > 2 {
		t.Errorf("the rotated key was fetched %d times for tokens that came at once", n)
	}
	if refusals := verifyAtOnce(t.Context(), v, i.token(t, "k1", ada, time.Now())); len(refusals) > 0 {
		t.Errorf("the key before it: %v", refusals[0])
	}
}

func TestKeysAwayAreNotTheCallersFault(t *testing.T) {
	i := newIssuer(t)
	i.set(true, "k1")
	v := i.verifier(t, time.Now)
	token := i.token(t, "k1", ada, time.Now())
	for _, err := range verifyAtOnce(t.Context(), v, token) {
		if !fault.Is(err, fault.Unavailable) && !fault.Is(fault.From(err), fault.Unavailable) {
			t.Fatalf("without keys: %v, want UNAVAILABLE", err)
		}
	}
	i.set(false)
	if _, err := v.Person(t.Context(), token); err != nil {
		t.Errorf("with the keys back: %v", err)
	}
	i.set(true)
	if _, err := v.Person(t.Context(), token); err != nil {
		t.Errorf("a known key, away again: %v", err)
	}
}

func TestActor(t *testing.T) {
	for want, caller := range map[string]identity.Caller{
		"system": {}, "shopper": ada, "checkout": {Service: "checkout"},
		"operator":     {UserID: "u", Roles: []string{identity.RoleMerchandiser, identity.RoleOperator}, Service: "checkout"},
		"merchandiser": {UserID: "u", Roles: []string{identity.RoleShopper, identity.RoleMerchandiser}},
	} {
		if got := caller.Actor(); got != want {
			t.Errorf("%+v acts as %s, want %s", caller, got, want)
		}
	}
}

// A token that was verified is believed for a while without its key, and not for longer, nor past its own end.
func TestKeptTokensEnd(t *testing.T) {
	i := newIssuer(t)
	i.set(false, "k1")
	issued, now := time.Now(), time.Now()
	v := i.verifier(t, func() time.Time { return now })
	token := i.token(t, "k1", ada, issued)
	other := token[:len(token)-4] + "AAAA" // another signature
	for _, c := range []struct {
		after time.Duration
		token string
		want  fault.Reason
	}{
		{0, token, fault.Reason{}},
		{10 * time.Second, token, fault.Reason{}},
		{10 * time.Second, other, fault.Unauthenticated},
		{15*time.Minute + 20*time.Second, token, fault.Reason{}}, // as far as clocks may differ
		{15*time.Minute + 31*time.Second, token, fault.TokenExpired},
		{16 * time.Minute, token, fault.TokenExpired},
	} {
		now = issued.Add(c.after)
		got, err := v.Person(t.Context(), c.token)
		if (c.want.Name == "") != (err == nil) || (err != nil && !fault.Is(err, c.want)) {
			t.Errorf("%v after it was issued: %v, want %q", c.after, err, c.want.Name)
		}
		if err == nil && got.UserID != ada.UserID {
			t.Errorf("it is %+v's, want %+v", got, ada)
		}
	}
}
