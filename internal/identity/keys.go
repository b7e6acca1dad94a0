package identity

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"golang.org/x/time/rate"
)

// keySet follows a JWKS: it starts without waiting for it, fetches every 10 minutes, and at once (at most every 2 seconds)
// for a key id that it hasn't met, so a rotated key is known with its first token.
func keySet(ctx context.Context, url string) (keyfunc.Keyfunc, error) {
	storage, err := jwkset.NewStorageFromHTTP(url, jwkset.HTTPClientStorageOptions{
		Client:                    &http.Client{Timeout: 5 * time.Second},
		Ctx:                       ctx,
		NoErrorReturnFirstHTTPReq: true,
		RefreshInterval:           10 * time.Minute,
		HTTPTimeout:               5 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("follow keys at %s: %w", url, err)
	}
	client, err := jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
		HTTPURLs:          map[string]jwkset.Storage{url: storage},
		RateLimitWaitMax:  3 * time.Second,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(2*time.Second), 2),
	})
	if err != nil {
		return nil, fmt.Errorf("follow keys at %s: %w", url, err)
	}
	return keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: client})
}
