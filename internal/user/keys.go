package user

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
	"time"
)

// Signing keys live in the store, so that all instances sign with the same one and publish the same ones. A key signs while it
// is the newest, for KeyRotation; it is published until every token of it has long expired.
const (
	// KeyRotation is how old a key gets before the next one takes over.
	KeyRotation = 30 * 24 * time.Hour
	// KeyLife is how long a key is published.
	KeyLife = KeyRotation + 24*time.Hour

	// keyMemory bounds how long an instance signs without looking for a newer key. It is far below KeyLife - KeyRotation.
	keyMemory = time.Minute
)

// SigningKey is an Ed25519 key.
type SigningKey struct {
	// KID is the public key's thumbprint (RFC 7638).
	KID string
	// Seed is the private key (RFC 8032), 32 bytes.
	Seed       []byte
	CreateTime time.Time
	ExpireTime time.Time
}

// Public is the key's public half.
func (k SigningKey) Public() ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(k.Seed).Public().(ed25519.PublicKey)
}

// SigningKeys is what the room needs of its store for keys.
type SigningKeys interface {
	// SigningKeys returns the keys that aren't expired, newest first.
	SigningKeys(ctx context.Context, now time.Time) ([]SigningKey, error)
	// EnsureSigningKey keeps the candidate unless there is a key made after a time, whichever instances ask at once, and
	// returns the newest.
	EnsureSigningKey(ctx context.Context, after time.Time, candidate SigningKey) (SigningKey, error)
}

// PublicKeys returns the keys that access tokens may be signed with, newest first.
func (s *Service) PublicKeys(ctx context.Context) ([]SigningKey, error) {
	if _, err := s.keys.signing(ctx); err != nil {
		return nil, err
	}
	keys, err := s.store.SigningKeys(ctx, s.now())
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	return keys, nil
}

// keyring remembers the newest key for a while.
type keyring struct {
	store SigningKeys
	now   func() time.Time

	mu     sync.Mutex
	newest SigningKey
	until  time.Time
}

// signing returns the key to sign with, made when one is due.
func (k *keyring) signing(ctx context.Context) (SigningKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if now.Before(k.until) {
		return k.newest, nil
	}
	newest, err := k.store.EnsureSigningKey(ctx, now.Add(-KeyRotation), newSigningKey(now))
	if err != nil {
		return SigningKey{}, fmt.Errorf("ensure a signing key: %w", err)
	}
	k.newest, k.until = newest, now.Add(keyMemory)
	return newest, nil
}

func newSigningKey(now time.Time) SigningKey {
	seed := random(ed25519.SeedSize)
	key := SigningKey{Seed: seed, CreateTime: now, ExpireTime: now.Add(KeyLife)}
	key.KID = thumbprint(key.Public())
	return key
}

// thumbprint after RFC 7638 and RFC 8037, appendix A.3.
func thumbprint(public ed25519.PublicKey) string {
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"Ed25519","kty":"OKP","x":%q}`, base64.RawURLEncoding.EncodeToString(public)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
