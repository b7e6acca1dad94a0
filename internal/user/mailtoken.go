package user

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"larder.dev/internal/fault"
)

const (
	// VerifyEmailLife is how long a token verifies an address.
	VerifyEmailLife = 24 * time.Hour
	// ResetPasswordLife is how long a token sets a new password.
	ResetPasswordLife = 30 * time.Minute
	// PasswordResetLife is how long a request for a new password is remembered, for its mail to be written.
	PasswordResetLife = 24 * time.Hour
)

// TokenPurpose is what a mailed token is good for, and for nothing else.
type TokenPurpose string

// Purposes of mailed tokens.
const (
	VerifyEmailToken   TokenPurpose = "verify_email"
	ResetPasswordToken TokenPurpose = "reset_password"
)

func (p TokenPurpose) life() time.Duration {
	if p == ResetPasswordToken {
		return ResetPasswordLife
	}
	return VerifyEmailLife
}

// MailToken is a token that a mail brings, as it is kept.
type MailToken struct {
	Hash       [sha256.Size]byte
	UserID     string
	Purpose    TokenPurpose
	CreateTime time.Time
	ExpireTime time.Time
}

// MailTokens is what the room needs of its store for tokens that mails bring, and for what they are asked for.
type MailTokens interface {
	// CreateMailToken keeps a new one, and forgets the account's expired ones.
	CreateMailToken(ctx context.Context, token MailToken) error
	// AccountByMailToken reads whose token it is. Errors: ErrTokenInvalid for one that is unknown, expired, used, or for something else.
	AccountByMailToken(ctx context.Context, hash [sha256.Size]byte, purpose TokenPurpose, now time.Time) (Account, error)
	// VerifyEmail uses a token up, makes the address that the account claims its own, and forgets its other tokens of the kind. Errors:
	// ErrTokenInvalid, also if somebody else has verified the address.
	VerifyEmail(ctx context.Context, userID string, hash [sha256.Size]byte, now time.Time) (Account, error)
	// ResetPassword uses a token up, replaces the password's hash, ends the account's sessions, forgets its other tokens of the kind, and
	// keeps the event. Errors: ErrTokenInvalid.
	ResetPassword(ctx context.Context, userID string, hash [sha256.Size]byte, passwordHash string, now time.Time) error

	// RequestVerification keeps the event that another mail is wanted.
	RequestVerification(ctx context.Context, userID, requestID string) error
	// RequestPasswordReset keeps the request and its event, and forgets some requests past PasswordResetLife.
	RequestPasswordReset(ctx context.Context, id, email string, now time.Time) error
	// AccountOfPasswordReset reads the account that has verified a request's address. Errors: ErrNoAccount, also for an unknown request.
	AccountOfPasswordReset(ctx context.Context, id string) (Account, error)
}

// refused tells the caller of a token that isn't valid.
func refused(err error) error {
	if errors.Is(err, ErrTokenInvalid) {
		return fault.MailTokenInvalid.New("the token is unknown, expired or used up").WithCause(err)
	}
	return err
}
