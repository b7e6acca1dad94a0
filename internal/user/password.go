package user

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"
	"golang.org/x/text/unicode/norm"

	"larder.dev/internal/fault"
)

// Parameters of argon2id (RFC 9106, section 3.1). Hashes are brought to them at the next sign-in, so they may change at any time.
type Parameters struct {
	// MemoryKiB is from 8 a lane.
	MemoryKiB uint32 `env:"PASSWORD_MEMORY_KIB" envDefault:"65536"`
	Passes    uint32 `env:"PASSWORD_PASSES" envDefault:"3"`
	Lanes     uint8  `env:"PASSWORD_LANES" envDefault:"4"`
}

// DefaultParameters are the second recommended option of RFC 9106, section 4: uniformly safe where memory is scarce. The first takes 2 GiB
// for each sign-in.
var DefaultParameters = Parameters{MemoryKiB: 64 << 10, Passes: 3, Lanes: 4}

// Check tells what argon2 can't work with (RFC 9106, section 3.1).
func (p Parameters) Check() error {
	if p.Passes == 0 || p.Lanes == 0 || p.MemoryKiB < 8*uint32(p.Lanes) {
		return fmt.Errorf("passwords are hashed with at least 1 pass, 1 lane and 8 KiB of memory a lane, not %+v", p)
	}
	return nil
}

const (
	hashesAtOnce = 2 // bounds memory, and leaves processors for other requests
	hashWait     = 4 * time.Second
	saltBytes    = 16
	keyBytes     = 32
)

// hasher hashes and verifies passwords, a few at a time.
type hasher struct {
	parameters Parameters
	places     *semaphore.Weighted
	hashes     atomic.Int64 // how many were made
	// decoy is a hash that no password matches, to be verified for addresses without an account.
	decoy string
}

func newHasher(p Parameters) *hasher {
	return &hasher{
		parameters: p, places: semaphore.NewWeighted(hashesAtOnce),
		decoy: p.encode(random(saltBytes), random(keyBytes)),
	}
}

// hash returns the PHC string of a password under a new salt. Errors: OVERLOADED.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := random(saltBytes)
	key, err := h.derive(ctx, password, salt, h.parameters, keyBytes)
	if err != nil {
		return "", err
	}
	return h.parameters.encode(salt, key), nil
}

// verify tells whether the password is the hash's, and whether the hash is of today's parameters. Errors: OVERLOADED.
func (h *hasher) verify(ctx context.Context, password, phc string) (right, current bool, err error) {
	parameters, salt, want, err := decode(phc)
	if err != nil {
		return false, false, err
	}
	got, err := h.derive(ctx, password, salt, parameters, uint32(len(want)))
	if err != nil {
		return false, false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, parameters == h.parameters, nil
}

// derive waits for a place, not for long: who waits longer than a person would is refused, so that sign-ins can't fill the
// service. Characters that look alike count as the same (NIST SP 800-63B, section 3.1.1.2).
func (h *hasher) derive(ctx context.Context, password string, salt []byte, p Parameters, length uint32) ([]byte, error) {
	waiting, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	if err := h.places.Acquire(waiting, 1); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fault.Overloaded.New("too many people sign in at once").WithRetryAfter(hashWait)
	}
	defer h.places.Release(1)
	h.hashes.Add(1)
	return argon2.IDKey([]byte(norm.NFKC.String(password)), salt, p.Passes, p.MemoryKiB, p.Lanes, length), nil
}

// encode writes the PHC string format: $argon2id$v=19$m=19456,t=2,p=1$salt$key.
func (p Parameters) encode(salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.MemoryKiB, p.Passes, p.Lanes, b64.EncodeToString(salt), b64.EncodeToString(key))
}

var errHash = errors.New("not an argon2id hash that can be read")

func decode(phc string) (p Parameters, salt, key []byte, err error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Passes, &p.Lanes); err != nil {
		return p, nil, nil, errHash
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	key, keyErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || len(key) == 0 || p.Passes == 0 || p.Lanes == 0 {
		return p, nil, nil, errHash
	}
	return p, salt, key, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}
