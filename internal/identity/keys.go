package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// errKeysAway tells that a token's key isn't known and can't be asked for, so nobody can say whether the token is valid.
var errKeysAway = errors.New("the public keys can't be fetched")

// keySet follows a JWKS: it starts without it if it doesn't answer within 3 seconds, fetches every 10 minutes, and at once
// (once a second, at most) for a key id that it hasn't met, so a rotated key is known with its first token.
func keySet(ctx context.Context, url string) (keyfunc.Keyfunc, error) {
	s := &freshKeys{Storage: jwkset.NewMemoryStorage()}
	remote, err := jwkset.NewStorageFromHTTP(url, jwkset.HTTPClientStorageOptions{
		Client:                    &http.Client{},
		Ctx:                       ctx,
		NoErrorReturnFirstHTTPReq: true,
		RefreshErrorHandler:       func(_ context.Context, err error) { s.failure.Store(&err) },
		RefreshInterval:           10 * time.Minute,
		HTTPTimeout:               3 * time.Second,
		Storage:                   s.Storage,
	})
	if err != nil {
		return nil, fmt.Errorf("follow keys at %s: %w", url, err)
	}
	s.remote, err = jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
		HTTPURLs:          map[string]jwkset.Storage{url: remote},
		RateLimitWaitMax:  4 * time.Second, // for its turn and the fetch
		RefreshUnknownKID: rate.NewLimiter(rate.Every(time.Second), 2),
	})
	if err != nil {
		return nil, fmt.Errorf("follow keys at %s: %w", url, err)
	}
	return keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: s})
}

// freshKeys reads keys from memory, and fetches the remote ones for a key id that isn't there: one fetch for all who wait.
// The library's client would fetch once for each of them, and its rate limit would refuse valid tokens just after a start or a rotation.
type freshKeys struct {
	jwkset.Storage // in memory
	remote         jwkset.Storage
	fetches        singleflight.Group
	failure        atomic.Pointer[error]
}

// KeyRead implements jwkset.Storage.
func (s *freshKeys) KeyRead(ctx context.Context, kid string) (jwkset.JWK, error) {
	key, err := s.Storage.KeyRead(ctx, kid)
	// A fetch that others share may have been under way already and have missed the key; the second began later.
	for shared, fetches := true, 0; err != nil && shared && fetches < 2; fetches++ {
		fetch := s.fetches.DoChan("", func() (any, error) {
			s.failure.Store(nil)
			_, err := s.remote.KeyRead(context.WithoutCancel(ctx), kid)
			if failure := s.failure.Load(); failure != nil {
				return nil, *failure
			}
			if err != nil && !errors.Is(err, jwkset.ErrKeyNotFound) {
				return nil, err
			}
			return nil, nil
		})
		select {
		case <-ctx.Done():
			return jwkset.JWK{}, ctx.Err()
		case fetched := <-fetch:
			if fetched.Err != nil {
				return jwkset.JWK{}, fmt.Errorf("%w: %w", errKeysAway, fetched.Err)
			}
			shared = fetched.Shared
		}
		key, err = s.Storage.KeyRead(ctx, kid)
	}
	return key, err
}

// KeyReadAll implements jwkset.Storage. It is asked for the keys to try on a token that names none: ours all name theirs.
func (s *freshKeys) KeyReadAll(context.Context) ([]jwkset.JWK, error) {
	return nil, errors.New("the token names no key")
}
