package user

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"time"

	"larder.dev/internal/fault"
)

// Tries are counted by account, by the address that a mail goes to, and by where calls come from, whether there is such an account or not:
// what is refused tells nothing about it. While they can't be counted everything is let through: what then bounds guessing is the work that
// each try costs (password.go), and a shop that nobody can sign in to helps nobody.

// LimitsConfig says how much may be tried. All of a period may be used at once; it comes back evenly.
type LimitsConfig struct {
	// SignIns of an account that were refused, a quarter of an hour; one that succeeds gives all back.
	SignIns int `env:"SIGN_INS_PER_ACCOUNT" envDefault:"10"`
	// Mails to an address that are asked for, an hour.
	Mails int `env:"MAILS_PER_ADDRESS" envDefault:"5"`
	// Calls from one network address that try a password or a mailed token, or ask for mail, a minute.
	Calls int `env:"ACCOUNT_CALLS_PER_CALLER" envDefault:"60"`
}

// Tries counts what is tried.
type Tries interface {
	// Try counts one try of a key, of which a number is allowed in a period. Refused, it isn't counted, and tells when to try again.
	Try(ctx context.Context, key string, allowed int, period time.Duration) (ok bool, again time.Duration, err error)
	// Forget gives a key's tries back.
	Forget(ctx context.Context, key string) error
}

type limiter struct {
	config LimitsConfig
	tries  Tries
}

// signIn counts a try to sign in with an address. Errors: TOO_MANY_ATTEMPTS, as of all that count.
func (l *limiter) signIn(ctx context.Context, from, email string) error {
	if err := l.call(ctx, from); err != nil {
		return err
	}
	return l.password(ctx, NormalizeEmail(email))
}

// password counts a try of the password of an account, which an address or an id names.
func (l *limiter) password(ctx context.Context, account string) error {
	return l.count(ctx, key("signin", account), l.config.SignIns, 15*time.Minute)
}

// signedIn gives back the tries to sign in with an address.
func (l *limiter) signedIn(ctx context.Context, email string) {
	if err := l.tries.Forget(ctx, key("signin", NormalizeEmail(email))); err != nil {
		slog.WarnContext(ctx, "tries to sign in aren't given back", "error", err)
	}
}

// mail counts a mail to an address that is asked for.
func (l *limiter) mail(ctx context.Context, from, email string) error {
	if err := l.call(ctx, from); err != nil {
		return err
	}
	return l.count(ctx, key("mail", NormalizeEmail(email)), l.config.Mails, time.Hour)
}

// call counts a call.
func (l *limiter) call(ctx context.Context, from string) error {
	return l.count(ctx, key("call", from), l.config.Calls, time.Minute)
}

func (l *limiter) count(ctx context.Context, key string, allowed int, period time.Duration) error {
	ok, again, err := l.tries.Try(ctx, key, allowed, period)
	switch {
	case err != nil:
		slog.WarnContext(ctx, "tries aren't counted: all are let through", "error", err)
		return nil
	case !ok:
		return fault.TooManyAttempts.New("too many attempts").WithRetryAfter(again)
	}
	return nil
}

// key names what is counted. Nobody who reads it learns an address.
func key(kind, value string) string {
	sum := sha256.Sum256([]byte(value))
	return kind + ":" + hex.EncodeToString(sum[:16])
}
