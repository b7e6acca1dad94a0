package identity_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"larder.dev/internal/fault"
)

// signed is a token with a header and claims of the test's own making.
func signed(t *testing.T, method jwt.SigningMethod, key any, header, claims map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims(claims))
	maps.Copy(token.Header, header)
	maps.DeleteFunc(token.Header, func(_ string, value any) bool { return value == nil })
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Whatever differs from what we sign is refused, each for that alone: the first row, which differs in nothing, is believed.
func TestRefusedTokens(t *testing.T) {
	i := newIssuer(t)
	i.set(false, "k1", "k2")
	v := i.verifier(t, time.Now)
	ours, second := i.keys["k1"], i.keys["k2"]
	_, strangers, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public := []byte(ours.Public().(ed25519.PublicKey))
	now := time.Now()
	for _, row := range []struct {
		name   string
		method jwt.SigningMethod
		key    any
		header map[string]any // over ours; nil takes out
		claims map[string]any
		want   fault.Reason
	}{
		{name: "ours"},
		{name: "ours, by the other live key", key: second, header: map[string]any{"kid": "k2"}},
		{name: "alg none", method: jwt.SigningMethodNone, key: jwt.UnsafeAllowNoneSignatureType, want: fault.Unauthenticated},
		{name: "HS256 with the public key", method: jwt.SigningMethodHS256, key: public, want: fault.Unauthenticated},
		{name: "HS256 with the public key, said to be EdDSA", method: jwt.SigningMethodHS256, key: public, header: map[string]any{"alg": "EdDSA"}, want: fault.Unauthenticated},
		{name: "RS256", method: jwt.SigningMethodRS256, key: rsaKey, want: fault.Unauthenticated},
		{name: "a stranger's key under our key's id", key: strangers, want: fault.Unauthenticated},
		{name: "our key under another live key's id", key: ours, header: map[string]any{"kid": "k2"}, want: fault.Unauthenticated},
		{name: "an unknown key's id", header: map[string]any{"kid": "k3"}, want: fault.Unauthenticated},
		{name: "no key's id", header: map[string]any{"kid": nil}, want: fault.Unauthenticated},
		{name: "a key's id that is no text", header: map[string]any{"kid": 1}, want: fault.Unauthenticated},
		{name: "another issuer", claims: map[string]any{"iss": "https://elsewhere.example"}, want: fault.Unauthenticated},
		{name: "no issuer", claims: map[string]any{"iss": nil}, want: fault.Unauthenticated},
		{name: "another audience", claims: map[string]any{"aud": "elsewhere"}, want: fault.Unauthenticated},
		{name: "no audience", claims: map[string]any{"aud": nil}, want: fault.Unauthenticated},
		{name: "expired", claims: map[string]any{"exp": now.Add(-time.Minute).Unix()}, want: fault.TokenExpired},
		{name: "no end", claims: map[string]any{"exp": nil}, want: fault.Unauthenticated},
		{name: "an end that is no time", claims: map[string]any{"exp": "tomorrow"}, want: fault.Unauthenticated},
		{name: "not yet valid", claims: map[string]any{"nbf": now.Add(time.Minute).Unix()}, want: fault.Unauthenticated},
		{name: "issued in the future", claims: map[string]any{"iat": now.Add(time.Minute).Unix()}, want: fault.Unauthenticated},
		{name: "of nobody", claims: map[string]any{"sub": ""}, want: fault.Unauthenticated},
	} {
		method, key, header := row.method, row.key, map[string]any{"kid": "k1"}
		if method == nil {
			method = jwt.SigningMethodEdDSA
		}
		if key == nil {
			key = ours
		}
		maps.Copy(header, row.header)
		claims := map[string]any{
			"iss": "https://larder.dev", "aud": "larder", "sub": ada.UserID, "sid": "s", "roles": []string{"operator"},
			"iat": now.Unix(), "exp": now.Add(15 * time.Minute).Unix(),
		}
		maps.Copy(claims, row.claims)
		maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
		_, err := v.Person(t.Context(), signed(t, method, key, header, claims))
		if row.want.Name == "" && err != nil || row.want.Name != "" && !fault.Is(err, row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want.Name)
		}
	}
}

// Keys rotate while tokens are used: no token of a live key is ever refused, and those of keys before stay good while they are published.
func TestKeysRotateUnderLoad(t *testing.T) {
	i := newIssuer(t)
	i.set(false, "k0")
	var ahead atomic.Int64
	v := i.verifier(t, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })

	var signing atomic.Value
	signing.Store("k0")
	stop := make(chan struct{})
	var users sync.WaitGroup
	var used atomic.Int64
	for range 4 {
		users.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				kid := signing.Load().(string)
				caller := ada
				caller.SessionID = time.Now().String() // a token of its own each time: none is remembered
				if _, err := v.Person(t.Context(), i.token(t, kid, caller, time.Now())); err != nil {
					t.Errorf("a token of %s, while it is live: %v", kid, err)
					return
				}
				used.Add(1)
			}
		})
	}
	rotations := []string{"k1", "k2", "k3"}
	for _, kid := range rotations {
		i.set(false, kid) // published, and then the one that signs; the one before stays live
		before := used.Load()
		signing.Store(kid)
		for end := time.Now().Add(10 * time.Second); used.Load() < before+20; {
			if time.Now().After(end) {
				t.Fatalf("tokens of %s aren't used", kid)
			}
			select {
			case <-t.Context().Done():
			case <-time.After(time.Millisecond):
			}
		}
	}
	close(stop)
	users.Wait()
	for _, kid := range append([]string{"k0"}, rotations...) {
		if _, err := v.Person(t.Context(), i.token(t, kid, ada, time.Now())); err != nil {
			t.Errorf("a token of %s, which is still published: %v", kid, err)
		}
	}
}
